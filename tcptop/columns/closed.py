"""Columns of the connections that have ended."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from tcptop.analysis.findings.words import called, clock_time
from tcptop.analysis.selection import ended
from tcptop.columns import units
from tcptop.columns.column import Column, Values, shown
from tcptop.columns.detail import INFO, STATE_MEANINGS, Fact
from tcptop.columns.endpoints import addresses, rank, zones
from tcptop.columns.listing import Listing
from tcptop.model import address, owner, tcp
from tcptop.model import closed as codes
from tcptop.model.closed import Closed
from tcptop.model.selection import Selection
from tcptop.model.socket_id import socket_keys
from tcptop.model.table import F64, I64, U64, Index

# By (reset, who): what happened in the end, and what that means.
_ENDS = {
    (codes.YES, codes.HERE): ("reset here", "this end has sent a reset"),
    (codes.YES, codes.THERE): ("reset there", "the other end has sent a reset"),
    (codes.YES, codes.UNTOLD): ("reset", "by a reset; which end has sent it is not told"),
    (codes.NO, codes.HERE): ("closed here", "in order, and this end has closed first"),
    (codes.NO, codes.THERE): ("closed there", "in order, and the other end has closed first"),
    (codes.NO, codes.UNTOLD): ("closed", "in order; which end has closed first is not told"),
    (codes.UNKNOWN, codes.HERE): ("ended here", "this end has closed first"),
    (codes.UNKNOWN, codes.THERE): ("ended there", "the other end has closed first"),
    (codes.UNKNOWN, codes.UNTOLD): (units.UNKNOWN, "how is not told"),
}
_FAILS = {
    codes.YES: ("refused", "never open: the answer was a reset"),
    codes.NO: ("no answer", "never open: no answer came, or none but an ICMP error"),
    codes.UNKNOWN: (
        "failed",
        "refused, or reset very early: the kernel has forgotten which",
    ),
}


def _of(selection: Selection, rows: Index) -> Closed:
    return ended(selection.snapshot).take(rows)


def _values(read: Callable[[Closed], F64 | I64]) -> Values:
    return lambda selection, rows: read(_of(selection, rows))


def _known(name: str) -> Values:
    return _values(lambda some: some.known(name))


def local_texts(selection: Selection, rows: Index) -> list[str]:
    some = _of(selection, rows)
    scopes = zones(selection.snapshot.sample, some.netns, some.interface)
    texts = addresses(some.local_hi, some.local_lo)
    told = zip(texts, some.local_known.tolist(), some.local_port.tolist(), scopes, strict=True)
    return [
        address.endpoint(text if known else "*", port, zone) for text, known, port, zone in told
    ]


def remote_texts(selection: Selection, rows: Index) -> list[str]:
    some = _of(selection, rows)
    ports = [port or "*" for port in some.remote_port.tolist()]
    return list(map(address.endpoint, addresses(some.remote_hi, some.remote_lo), ports))


def process_texts(selection: Selection, rows: Index) -> list[str]:
    some = _of(selection, rows)
    names = [f"{called(process)}/{process.pid}" for process in some.processes]
    told = zip(some.process.tolist(), some.note.tolist(), strict=True)
    return [_MARKS.get(note, "{}").format(names[at] if at >= 0 else "") for at, note in told]


_MARKS = {
    owner.HELD: "{}†",
    owner.BY_LISTENER: "~{}",
    owner.BY_DESTINATION: "~{}",
    owner.NEVER_SEEN: "(too short)",
    owner.NOBODY_SEEN: "(no process)",
}


def _process_rank(selection: Selection, rows: Index) -> I64:
    some = _of(selection, rows)
    names = [(called(p).lower(), p.pid) for p in some.processes]
    ranks = np.empty(len(names) + 1, np.int64)
    ranks[-1] = len(names)
    ranks[sorted(range(len(names)), key=names.__getitem__)] = np.arange(len(names))
    return ranks[some.process]


def how(selection: Selection, rows: Index) -> list[str]:
    return [_how(*each)[0] for each in _endings(_of(selection, rows))]


def _endings(some: Closed) -> list[tuple[bool, int, int]]:
    columns = (some.opened.tolist(), some.reset.tolist(), some.first.tolist())
    return list(zip(*columns, strict=True))


def _how(opened: bool, reset: int, first: int) -> tuple[str, str]:
    return _ENDS[reset, first] if opened else _FAILS[reset]


def _how_rank(selection: Selection, rows: Index) -> I64:
    """What did not end in order comes first."""
    some = _of(selection, rows)
    return rank(some.opened, -some.reset.astype(np.int64), some.first)


def life_text(seconds: float, shorter_than: float = np.nan) -> str:
    """`12ms`, `3.4s`; `<1.0s` where it is known only that no sample fell into it."""
    if seconds == seconds:
        return f"{seconds * 1000:.0f}ms" if seconds < 0.9995 else units.duration(seconds)
    return f"<{units.duration(shorter_than)}" if shorter_than == shorter_than else units.UNKNOWN


def _lives(selection: Selection, rows: Index) -> list[str]:
    some = _of(selection, rows)
    return list(map(life_text, some.life_s.tolist(), some.short_s.tolist()))


def _last_states(selection: Selection, rows: Index) -> list[str]:
    return [tcp.SS_STATES[n] or units.UNKNOWN for n in _of(selection, rows).state.tolist()]


def _clocks(selection: Selection, rows: Index) -> list[str]:
    return list(map(clock_time, _of(selection, rows).at.tolist()))


def _looks(selection: Selection, rows: Index) -> Sequence[str]:
    some = _of(selection, rows)
    bad = ~some.opened | (some.reset == codes.YES)
    return ["warn" if each else "" for each in bad.tolist()]


COLUMNS = (
    Column(
        "ended", "Ended", 8, "When it ended, by this host's clock.",
        _values(lambda some: some.at), _clocks,
    ),
    Column(
        "how", "How", 12,
        "Closed in order or by a reset, and by which end; refused: it never was open.",
        _how_rank, how, largest_first=False, styles=_looks,
    ),
    Column(
        "local", "Local address", 17, "This end; * is what the kernel had forgotten.",
        _values(lambda some: rank(some.local_hi, some.local_lo, some.local_port)), local_texts,
        flex=True, largest_first=False, tail=":", least=9, grow=1, priority=1,
    ),
    Column(
        "remote", "Remote address", 18, "The other end; * is what the kernel had forgotten.",
        _values(lambda some: rank(some.remote_hi, some.remote_lo, some.remote_port)), remote_texts,
        flex=True, largest_first=False, tail=":", least=13, grow=0,
    ),
    Column(
        "process", "Process", 13,
        "Who held it when it was last seen: name/pid†; ~ as others to the same destination, or of "
        "its listener; too short: no sample has seen it.",
        _process_rank, process_texts, flex=True, largest_first=False, tail="/", least=11, grow=1,
    ),
    Column(
        "life", "Life", 6,
        "How long it was open; < : it lived between two samples, or began before the first.",
        _values(lambda some: some.life_s), _lives, right=True,
    ),
    Column(
        "sent", "Sent", 6, "Bytes sent, retransmissions included.",
        _known("bytes_sent"), shown(units.size, _known("bytes_sent")), right=True, priority=3,
    ),
    Column(
        "received", "Recv", 6, "Bytes received; the other end's FIN counts as one.",
        _known("bytes_received"), shown(units.size, _known("bytes_received")), right=True,
        priority=3,
    ),
    Column(
        "retrans", "Retr", 5, "Segments retransmitted in its life.",
        _known("total_retrans"), shown(units.count, _known("total_retrans")), right=True,
        priority=4,
    ),
    Column(
        "rtt", "RTT ms", 6, "Its last smoothed round trip time.",
        _known("rtt"), shown(units.milliseconds, _known("rtt")), right=True, priority=5,
    ),
    Column(
        "state", "Last state", 10, "The last state that a sample has shown.",
        _values(lambda some: some.state.astype(np.int64)), _last_states, priority=6,
        largest_first=False,
    ),
)  # fmt: skip


def keys(selection: Selection, rows: Index) -> U64:
    some = _of(selection, rows)
    return socket_keys(some.netns, some.cookie)


def facts(selection: Selection, place: int) -> list[Fact]:
    """All that is known of one."""
    at = np.array([place])
    some = _of(selection, at)
    (text, meaning), state = _how(*_endings(some)[0]), int(some.state[0])
    said = [
        Fact("end", "ended", _clocks(selection, at)[0]),
        Fact("end", "how", text, meaning),
        Fact("end", "life", _lives(selection, at)[0], _life_meaning(some)),
        Fact("end", "last state", _last_states(selection, at)[0], STATE_MEANINGS[state]),
        Fact("connection", "local", local_texts(selection, at)[0]),
        Fact("connection", "remote", remote_texts(selection, at)[0]),
        Fact("connection", "process", process_texts(selection, at)[0], owner.NOTES[some.note[0]]),
        Fact(
            "connection", "cookie", f"{int(some.cookie[0]):x}", "of the kernel, as ss -e shows it"
        ),
    ]
    told = (
        Fact(group, name, show(float(some.known(name)[0])), meaning)
        for group, name, show, meaning in INFO
        if name in codes.INFO and not np.isnan(some.known(name)[0])
    )
    return [*said, *told]


def _life_meaning(some: Closed) -> str:
    if not np.isnan(some.life_s[0]):
        return "since it was open"
    if not np.isnan(some.short_s[0]):
        return "no sample has seen it, so it lived between two of them"
    return "it began before tcptop, or never was open"


CLOSED = Listing(
    "closed", "Closed", "Closed", COLUMNS, "ended",
    "No connection has ended yet (with --no-events none is seen).",
    rows=lambda s: s.closed(), keys=keys, styles=lambda s, rows: [""] * len(rows),
    netns=lambda s, rows: _of(s, rows).netns, command=lambda s, place: "ss -tiE",
    last=lambda s, rows, key: (_of(s, rows).process < 0) & (key == "process"),
    page=lambda s, place: "teardown",
)  # fmt: skip
