"""Columns of the processes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from tcptop.analysis.findings.words import place, workload
from tcptop.analysis.identity import closed, process_keys
from tcptop.analysis.recorded import OF_PROCESSES
from tcptop.analysis.turnover import of_processes
from tcptop.analysis.workloads import by_number, merged, numbers
from tcptop.columns import units
from tcptop.columns.column import LABEL_CELLS, Column, Values, shown
from tcptop.columns.endpoints import CLOSED, unowned_text
from tcptop.columns.listing import Listing, Sparkline
from tcptop.model import owner, tcp
from tcptop.model.cells import safe
from tcptop.model.container import Workload
from tcptop.model.finding import Finding
from tcptop.model.sample import Process
from tcptop.model.selection import Selection
from tcptop.model.table import F64, I64, Bools, Index

NOBODY = {owner.ACCEPT_QUEUE: "(accept queues)", owner.REMEMBERED: "(remembered)"}
NOWHERE = "(no unit)"


def process(selection: Selection, row: int) -> Process | None:
    """The process of a row; None for those without one, or of several."""
    return _processes(selection, np.array([row]))[0]


def _processes(selection: Selection, rows: Index) -> list[Process | None]:
    found = selection.processes
    single = (found.members[rows] == 1) & (found.workload[rows] < 0)
    alone = np.where(single, found.process[rows], -1)
    return selection.snapshot.holders.at(alone)


def several(selection: Selection, row: int) -> bool:
    """Whether it stands for more than can be told on one page."""
    found = selection.processes
    unknown = found.process[row] < 0 and found.owner[row] == owner.UNKNOWN
    return bool(unknown or found.members[row] > 1 or found.workload[row] >= 0)


def _named(selection: Selection, row: int) -> Process | None:
    """A process that a row stands for."""
    return selection.snapshot.holders.at(selection.processes.process[[row]])[0]


def name(selection: Selection, row: int) -> str:
    """`nginx`, `leaky.py (python3)`, `postgres: checkpointer`; `(accept queues)` without one; of
    those gathered by container or unit what that is called."""
    found, holder = selection.processes, _named(selection, row)
    kind, members = int(found.owner[row]), int(found.members[row])
    if (gathering := _workload(selection, row)) is not None:
        return called(gathering) + (f" ×{members:,}" if members > 1 else "")
    if holder is None:
        return _nobody(selection, row)
    mark = "†" if kind == owner.REMEMBERED else ""
    mark += f" ×{members:,}" if members > 1 else ""
    if holder.label is None or holder.label.startswith(holder.name):
        return safe(holder.label or holder.name) + mark
    return f"{safe(holder.label)}{mark} ({safe(holder.name)})"


def _nobody(selection: Selection, row: int) -> str:
    """Why no process is named."""
    found, snapshot = selection.processes, selection.snapshot
    kind, netns = int(found.owner[row]), found.netns[row]
    if closed(found, np.array([row]))[0]:
        return CLOSED
    if kind != owner.UNKNOWN:
        return NOBODY[kind]
    sockets = np.flatnonzero(selection.selected & (snapshot.owner == owner.UNKNOWN))
    return unowned_text(snapshot, sockets[snapshot.sample.sockets.netns[sockets] == netns])


def _workload(selection: Selection, row: int) -> Workload | None:
    """What a row gathers the sockets of; None for a process."""
    number = int(selection.processes.workload[row])
    return None if number < 0 else by_number(selection.snapshot)[number]


def called(found: Workload) -> str:
    """payments-7d4f (docker container 3f2a3f2a3f2a), nginx.service, user.slice; (no unit)"""
    return workload(found) or safe(found.unit or NOWHERE)


def _names(selection: Selection, rows: Index) -> list[str]:
    return [name(selection, row) for row in rows.tolist()]


def _pid(selection: Selection, rows: Index) -> F64:
    return np.array([p.pid if p else np.nan for p in _processes(selection, rows)], np.float64)


def _plain_pid(pid: float) -> str:
    return units.UNKNOWN if np.isnan(pid) else f"{pid:.0f}"


def _text(values: Sequence[str]) -> np.ndarray[tuple[int, ...], np.dtype[np.str_]]:
    return np.array([value.lower() for value in values], dtype=str)


def _users(selection: Selection, rows: Index) -> list[str]:
    users = selection.snapshot.sample.users
    return [
        units.UNKNOWN if p is None or p.uid is None else safe(users.get(p.uid, str(p.uid)))
        for p in _processes(selection, rows)
    ]


def _cmdlines(selection: Selection, rows: Index) -> list[str]:
    return [safe(p.cmdline or p.name) if p else "" for p in _processes(selection, rows)]


def _units(selection: Selection, rows: Index) -> list[str]:
    return [(place(p) or units.UNKNOWN) if p else "" for p in _processes(selection, rows)]


def _fds(selection: Selection, rows: Index) -> F64:
    processes = _processes(selection, rows)
    return np.array([_known(p.open_fds if p else None) for p in processes], np.float64)


def _fd_share(selection: Selection, rows: Index) -> F64:
    shares = (p.fd_share if p else None for p in _processes(selection, rows))
    return np.array([np.nan if share is None else share for share in shares], np.float64)


def _known(number: int | None) -> float:
    return np.nan if number is None else number


def _fd_texts(selection: Selection, rows: Index) -> list[str]:
    return [
        f"{p.open_fds}/{units.UNKNOWN if p.fd_limit is None else units.short_count(p.fd_limit)}"
        if p and p.open_fds is not None
        else units.UNKNOWN
        for p in _processes(selection, rows)
    ]


def _fd_looks(selection: Selection, rows: Index) -> list[str]:
    shares = _fd_share(selection, rows).tolist()
    return ["bad" if s >= 0.95 else "warn" if s >= 0.8 else "" for s in shares]


def _plain(column: str) -> Values:
    return lambda selection, rows: getattr(selection.processes, column)[rows]


def _state(*states: int) -> Values:
    def values(selection: Selection, rows: Index) -> I64:
        counts: I64 = selection.processes.by_state[rows][:, list(states)].sum(axis=1)
        return counts

    return values


def _numbers(
    key: str, title: str, width: int, meaning: str, values: Values, priority: int = 0
) -> Column:
    texts = shown(units.count, values)
    return Column(key, title, width, meaning, values, texts, right=True, priority=priority)


def _close_wait(selection: Selection, rows: Index) -> list[str]:
    counts = _state(tcp.CLOSE_WAIT)(selection, rows).tolist()
    return ["warn" if count else "" for count in counts]


def _looks(selection: Selection, rows: Index) -> list[str]:
    kinds = selection.processes.owner[rows].tolist()
    return ["" if kind == owner.PROCESS else "dim" for kind in kinds]


def _size(key: str, title: str, meaning: str, priority: int) -> Column:
    values = _plain(key)
    return Column(
        key, title, 6, meaning, values, shown(units.size, values), right=True, priority=priority
    )


def _opens(s: Selection, rows: Index) -> F64:
    return of_processes(s.snapshot, s.processes).opens_per_s[rows]


def _closes(s: Selection, rows: Index) -> F64:
    return of_processes(s.snapshot, s.processes).closes_per_s[rows]


COLUMNS = (
    Column(
        "pid", "PID", 7, "Process id.", _pid, shown(_plain_pid, _pid), right=True,
        largest_first=False,
    ),
    Column(
        "process", "Process", 19,
        "Its script, jar or title, else its name; † it has exited or closed the sockets.",
        lambda s, r: _text(_names(s, r)), _names, flex=True, largest_first=False, grow=2,
        most=LABEL_CELLS,
    ),
    _numbers("sockets", "Socks", 6, "TCP sockets it holds or has just closed.",
             _plain("sockets")),
    _numbers("established", "Estab", 6, "ESTAB: open both ways.", _state(tcp.ESTABLISHED)),
    _numbers("listen", "Lstn", 4, "LISTEN: waiting for connections.", _state(tcp.LISTEN), 2),
    Column(
        "close_wait", "ClWait", 6,
        "CLOSE-WAIT: the peer has closed and this process has not. It should be 0.",
        _state(tcp.CLOSE_WAIT), shown(units.count, _state(tcp.CLOSE_WAIT)), right=True,
        styles=_close_wait,
    ),
    _numbers("time_wait", "TimeW", 6, "TIME-WAIT: closed here first; kept for 60 s, healthy.",
             _state(tcp.TIME_WAIT), 3),
    _numbers("opening", "Open", 5, "SYN-SENT: waiting for an answer.", _state(tcp.SYN_SENT), 4),
    _numbers("closing", "Clsng", 5, "FIN-WAIT-1, FIN-WAIT-2, LAST-ACK, CLOSING: half closed.",
             _state(tcp.FIN_WAIT1, tcp.FIN_WAIT2, tcp.LAST_ACK, tcp.CLOSING), 5),
    _size("recv_q", "Recv-Q", "Bytes it has not read yet, all connections.", 0),
    _size("send_q", "Send-Q", "Bytes its peers have not acknowledged.", 0),
    _size("bytes_sent_per_s", "Sent/s", "Bytes a second sent.", 1),
    _size("bytes_received_per_s", "Recv/s", "Bytes a second received.", 1),
    Column(
        "retransmits_per_s", "Retr/s", 6, "Segments a second retransmitted.",
        _plain("retransmits_per_s"), shown(units.rate, _plain("retransmits_per_s")), right=True,
        priority=6,
    ),
    Column(
        "opens_per_s", "Open/s", 6, "Connections of it that opened a second, whatever is shown.",
        _opens, shown(units.rate, _opens), right=True, priority=8,
    ),
    Column(
        "closes_per_s", "Close/s", 7, "Those that ended a second, where that is told.",
        _closes, shown(units.rate, _closes), right=True, priority=8,
    ),
    Column(
        "fds", "FDs", 11, "Open descriptors and the limit at which accept() and connect() fail.",
        _fd_share, _fd_texts, right=True, priority=7, styles=_fd_looks,
    ),
    _numbers("shared", "Shared", 6, "Of its sockets, held by other processes too.",
             _plain("shared"), 9),
    Column(
        "user", "User", 9, "Who runs it.", lambda s, r: _text(_users(s, r)), _users, priority=8,
        largest_first=False,
    ),
    Column(
        "unit", "Unit", 18, "The container, else the systemd unit, that it runs in.",
        lambda s, r: _text(_units(s, r)), _units, priority=9, largest_first=False,
    ),
    Column(
        "cmdline", "Command line", 20, "How it was started.",
        lambda s, r: _text(_cmdlines(s, r)), _cmdlines, flex=True, priority=10,
        largest_first=False,
    ),
)  # fmt: skip


def scope(selection: Selection, place: int) -> str:
    if (gathering := _workload(selection, place)) is not None:
        return of_workload(gathering)
    holder = process(selection, place)
    if holder is not None:
        return f"pid = {holder.pid}"
    if (ended := _named(selection, place)) is not None:
        return f"owner = remembered and process = {quoted(ended.label or ended.name)}"
    found = selection.processes
    if found.owner[place] == owner.UNKNOWN:
        waits = closed(found, np.array([place]))[0]
        return f"owner = unknown and {'' if waits else 'not '}state time-wait"
    return f"owner = {owner.OWNER_KINDS[int(selection.processes.owner[place])]}"


def of_workload(found: Workload) -> str:
    """The filter for sockets of a container, of a unit outside of containers, or of neither."""
    if found.container is not None:
        return f"container = {quoted(found.container.id or found.container.name or '')}"
    unit = f"unit = {quoted(found.unit)}" if found.unit else "not unit = *"
    return f"{unit} and not container = *"


def command(selection: Selection, place: int) -> str:
    holder = process(selection, place)
    if holder is not None:
        return f"ss -tanpo | grep pid={holder.pid},"
    if selection.processes.owner[place] == owner.ACCEPT_QUEUE:
        # They get an inode when a process accepts them.
        return "ss -Htane state established state close-wait | grep -v 'ino:[1-9]'"
    return ""


def worst(selection: Selection, rows: Index, findings: Sequence[Finding]) -> Index:
    ranks = {pid: rank for rank, each in enumerate(findings) for pid in each.subject.pids}
    if (selection.processes.workload[rows] >= 0).any():
        return _worst_of_workloads(selection, rows, ranks)
    pids = (each.pid if each else None for each in _processes(selection, rows))
    return np.array([ranks.get(pid, -1) if pid else -1 for pid in pids], np.int64)


def _worst_of_workloads(selection: Selection, rows: Index, ranks: Mapping[int, int]) -> Index:
    snapshot, told = selection.snapshot, merged(selection.snapshot)
    of = numbers(told)[told.of]
    worst: dict[tuple[int, int], int] = {}
    for number, each in enumerate(snapshot.holders.processes):
        if (rank := ranks.get(each.pid)) is None:
            continue
        sockets = snapshot.holders.row[snapshot.holders.process == number]
        spaces = snapshot.sample.sockets.netns[sockets]
        for key in {*zip(of[sockets].tolist(), spaces.tolist(), strict=True)}:
            worst[key] = max(rank, worst.get(key, -1))
    found = selection.processes
    keys = zip(found.workload[rows].tolist(), found.netns[rows].tolist(), strict=True)
    return np.array([worst.get(key, -1) for key in keys], np.int64)


def _last(selection: Selection, rows: Index, key: str) -> Bools:
    """What has ended, or never had a process."""
    late: Bools = selection.processes.owner[rows] != owner.PROCESS
    return late


def quoted(name: str) -> str:
    """A name as a filter takes it, in which nothing is a pattern."""
    plain = "".join(f"[{c}]" if c in "*?[" else c for c in name)
    escaped = plain.replace("\\", r"\\").replace('"', r"\"")
    return f'"{escaped}"'


PROCESSES = Listing(
    "processes", "Processes", "Procs", COLUMNS, "sockets", "No process has a TCP socket here.",
    rows=lambda s: np.arange(len(s.processes)), keys=process_keys, styles=_looks,
    netns=lambda s, r: s.processes.netns[r], scope=scope, command=command, worst=worst,
    recorded=OF_PROCESSES, sparkline=Sparkline("sockets", "its sockets"), last=_last,
)  # fmt: skip
