"""A snapshot for people: a summary, the findings, then rows as `ss` prints them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, TextIO

import numpy as np

from tcptop.analysis.apparent import inferred
from tcptop.analysis.gathered import gathered
from tcptop.analysis.workloads import workloads
from tcptop.columns import LISTINGS, SOCKETS, Listing, netns, ordered
from tcptop.model import address, owner, tcp
from tcptop.model.arrays import row_hash
from tcptop.model.cells import cell_width, ljust, rjust, safe
from tcptop.model.container import Container
from tcptop.model.sample import IN_RING, Sample
from tcptop.model.selection import Selection
from tcptop.model.snapshot import Snapshot
from tcptop.model.table import U8, U64, Index, SocketTable
from tcptop.views import findings
from tcptop.views.head import said

CHUNK = 8192  # rows formatted at once


def write(
    selection: Selection,
    out: TextIO,
    only: frozenset[str] = frozenset(),
    limit: int | None = None,
) -> None:
    """Write the summary and the lists of `only`, `limit` rows of each.

    If it is empty: the sockets, and before them the findings where there are any.
    """
    out.write("\n".join(summary(selection)) + "\n")
    if "findings" in only or (not only and len(selection.findings)):
        out.writelines(f"{line}\n" for line in _findings(selection, limit))
    for name in LISTINGS:
        if name in (only or {"sockets"}):
            out.write("\n")
            _write_list(selection, out, name, limit)


def _sockets(number: int) -> str:
    """Without commas, which scripts do not read."""
    return f"{number} socket{'' if number == 1 else 's'}"


def summary(selection: Selection) -> list[str]:
    """Which host, when, how many sockets in which states, and what could not be seen."""
    snapshot = selection.snapshot
    sample, totals = snapshot.sample, snapshot.totals
    taken = datetime.fromtimestamp(sample.taken_at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    lines = [
        f"{_host(sample)}  {taken}",
        f"{_sockets(totals.sockets)}  {states(totals.by_state)}".rstrip(),
    ]
    if selection.filter:
        lines.append(f"filter: {safe(selection.filter)}  ({_sockets(len(selection.rows))})")
    hint = [safe(selection.hint)] if selection.hint else []
    return lines + [f"note: {note}" for note in (*hint, *said(snapshot), *unowned(snapshot))]


def _host(sample: Sample) -> str:
    if not sample.host.hostname:
        return "host not known"
    return f"{safe(sample.host.hostname)}  Linux {safe(sample.host.kernel)}"


def states(by_state: Sequence[int]) -> str:
    """`ESTAB 12  LISTEN 3`: the states that occur."""
    found = [f"{tcp.SS_STATES[n]} {count}" for n, count in enumerate(by_state) if count]
    return "  ".join(found)


def unowned(snapshot: Snapshot) -> list[str]:
    """How many sockets have no process that can be named, by reason."""
    codes, numbers = np.unique(snapshot.note, return_counts=True)
    return [
        f"{number} without a process: {owner.NOTES[code]}"
        for code, number in zip(codes.tolist(), numbers.tolist(), strict=True)
        if code in (owner.NOT_PERMITTED, owner.NOT_SEARCHED)
    ]


def _findings(selection: Selection, limit: int | None) -> Iterator[str]:
    shown = findings.chosen(selection, selection.findings[:limit])
    if not shown:
        yield from ("", "no findings")
    yield from findings.lines(shown, selection.snapshot)


def _write_list(selection: Selection, out: TextIO, name: str, limit: int | None) -> None:
    if name == "sockets":
        _write_sockets(selection, out, limit)
    else:
        _write_listing(gathered(selection), out, LISTINGS[name], limit)


def _write_listing(selection: Selection, out: TextIO, listing: Listing, limit: int | None) -> None:
    rows = ordered(listing, selection, listing.sort_by, reverse=False)[:limit]
    if netns.elsewhere(listing, selection, rows):
        listing = netns.told(listing)
    cells = [list(column.texts(selection, rows)) for column in listing.columns]
    titles = [column.title for column in listing.columns]
    widths = [max(map(cell_width, [t, *texts])) for t, texts in zip(titles, cells, strict=True)]
    aligned = [
        [(rjust if column.right else ljust)(text, width) for text in (column.title, *texts)]
        for column, texts, width in zip(listing.columns, cells, widths, strict=True)
    ]
    out.writelines("  ".join(line).rstrip() + "\n" for line in zip(*aligned, strict=True))


def _write_sockets(selection: Selection, out: TextIO, limit: int | None) -> None:
    rows = selection.rows[:limit]
    local, remote = _ends(selection.snapshot, rows)
    wide = max(map(cell_width, ("Local Address:Port", *local)))
    far = max(map(cell_width, ("Peer Address:Port", *remote)))
    template = f"%-10s %-6s %-6s %{wide}s %{far}s %s"
    head = ("State", "Recv-Q", "Send-Q", "Local Address:Port", "Peer Address:Port", "Process")
    out.write((template % head).rstrip() + "\n")
    for first in range(0, len(rows), CHUNK):
        part = slice(first, first + CHUNK)
        lines = _lines(selection, template, rows[part], local[part], remote[part])
        out.write("".join(lines))


def _lines(
    selection: Selection, template: str, rows: Index, local: list[str], remote: list[str]
) -> list[str]:
    table = selection.snapshot.sample.sockets
    names = [tcp.SS_STATES[number] for number in table.state[rows].tolist()]
    recv_q, send_q = table.recv_q[rows].tolist(), _send_q(selection, rows)
    holders = _holders(selection.snapshot, rows)
    line = template + "%s\n"
    columns = (names, recv_q, send_q, local, remote, holders, _spaces(selection, rows))
    return [line % values for values in zip(*columns, strict=True)]


def _spaces(selection: Selection, rows: Index) -> Sequence[str]:
    """The namespace of each row as ss writes what comes after the process; empty where all are of
    the reader's own."""
    if not netns.elsewhere(SOCKETS, selection, selection.rows):
        return [""] * len(rows)
    texts = netns.told(SOCKETS).column(netns.KEY).texts(selection, rows)
    return [f" netns:{text}" for text in texts]


def _send_q(selection: Selection, rows: Index) -> list[Any]:
    """`-` for a backlog that nobody told."""
    table = selection.snapshot.sample.sockets
    queued: list[Any] = table.send_q[rows].tolist()
    if not selection.snapshot.sample.backlog_told:
        for place in np.flatnonzero(table.state[rows] == tcp.LISTEN).tolist():
            queued[place] = "-"
    return queued


def _holders(snapshot: Snapshot, rows: Index) -> list[str]:
    """`users:(("nginx",pid=1,fd=6))`, or why there is nobody, and whose it is then; its
    container."""
    holders = snapshot.holders
    starts, ends = holders.start[rows].tolist(), holders.start[rows + 1].tolist()
    names = [f'("{safe(p.name)}",pid={p.pid}' for p in holders.processes]
    process, fd = holders.process.tolist(), holders.fd.tolist()
    notes = snapshot.note[rows].tolist()
    told = workloads(snapshot)
    places = [(_unit(each.unit), _container(each.container)) for each in told.found]
    whose = [places[number] for number in told.of[rows].tolist()]
    guessed = _apparent(snapshot, rows)
    return [
        _users(names, process[start:end], fd[start:end]) + (box or "")
        if start < end
        else (guess or _nobody(note)) + (unit if box is None else box)
        for start, end, note, (unit, box), guess in zip(
            starts, ends, notes, whose, guessed, strict=True
        )
    ]


def _apparent(snapshot: Snapshot, rows: Index) -> list[str]:
    """`users:(("curl",pid=200,inferred))`, empty where nobody is."""
    told = inferred(snapshot)
    names = [f'users:(("{safe(p.name)}",pid={p.pid},inferred))' for p in told.processes]
    return [names[at] if at >= 0 else "" for at in told.process[rows].tolist()]


def _unit(name: str | None) -> str:
    return f" unit:{safe(name)}" if name else ""


def _container(box: Container | None) -> str | None:
    return box and f" container:{safe(box.name or (box.id or '')[:12])}"


def _nobody(note: int) -> str:
    return f"({owner.NOTES[note]})"


def _users(names: list[str], process: list[int], fd: list[int]) -> str:
    if len(fd) == 1 and fd[0] >= 0:
        return f"users:({names[process[0]]},fd={fd[0]}))"
    without = {-1: ",closed)", IN_RING: ",io_uring)"}
    each = [
        names[p] + (f",fd={f})" if f >= 0 else without[f]) for p, f in zip(process, fd, strict=True)
    ]
    return f"users:({','.join(each)})"


def _ends(snapshot: Snapshot, rows: Index) -> tuple[list[str], list[str]]:
    """Both ends as `ss -n` prints them, which knows a device and shows mapped addresses."""
    table = snapshot.sample.sockets
    interface = table.interface[rows]
    scope = [""] * len(rows)
    for place in np.flatnonzero(interface).tolist():
        index = int(interface[place])
        name = snapshot.sample.device(int(table.netns[rows[place]]), index)
        scope[place] = f"%{safe(name or f'if{index}')}"
    six = _six(table, rows)
    local = _addresses(table.local_hi[rows], table.local_lo[rows], six)
    remote = _addresses(table.remote_hi[rows], table.remote_lo[rows], six)
    near = zip(local, scope, _ports(table.local_port[rows].tolist()), strict=True)
    far = zip(remote, _ports(table.remote_port[rows].tolist()), strict=True)
    return [f"{a}{s}:{p}" for a, s, p in near], [f"{a}:{p}" for a, p in far]


def _ports(numbers: list[int]) -> Iterator[int | str]:
    return (number or "*" for number in numbers)


def _six(table: SocketTable, rows: Index) -> U8:
    """0 for IPv4, 1 for IPv6 of both families, 2 where only IPv6 is served (IPV6_V6ONLY)."""
    six: U8 = (table.family[rows] == tcp.AF_INET6).astype(np.uint8)
    six[(table.v6only[rows] != 0) & table.came(tcp.SKV6ONLY)[rows]] = 2
    return six


def _addresses(hi: U64, lo: U64, six: U8) -> list[str]:
    """Text of each address, made once for each that occurs."""
    _, first, inverse = np.unique(row_hash(hi, lo, six), return_index=True, return_inverse=True)
    distinct = zip(hi[first].tolist(), lo[first].tolist(), six[first].tolist(), strict=True)
    texts = np.array([ss_address(*each) for each in distinct], dtype=object)
    every: list[str] = texts[inverse].tolist() if len(first) else []
    return every


def ss_address(hi: int, lo: int, six: int) -> str:
    """An address in the spelling of `ss -n`; `*` is the wildcard that serves both families."""
    if not six:
        return address.text(hi, lo)
    if not hi and not lo:
        return "[::]" if six == 2 else "*"
    text = address.text(hi, lo)
    return f"[{text}]" if ":" in text else f"[::ffff:{text}]"
