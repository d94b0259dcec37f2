"""Connections that have ended while tcptop watched, as columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

import numpy as np

from tcptop.model.dataclass import dataclass
from tcptop.model.sample import Process
from tcptop.model.table import F64, U8, U16, U32, U64, Bools, Index

# Of tcp_info, in the kernel's units: the columns of `Closed.info`.
INFO = (
    *("bytes_sent", "bytes_received", "bytes_acked", "bytes_retrans", "total_retrans"),
    *("rtt", "min_rtt", "rttvar", "segs_out", "segs_in", "data_segs_out", "data_segs_in"),
    *("delivery_rate", "busy_time", "rwnd_limited", "sndbuf_limited", "snd_mss", "snd_cwnd"),
    *("last_data_sent", "last_data_recv"),
)

# Codes of `first`: who closed first, in the order of CLOSERS.
CLOSERS = (None, "here", "there")
UNTOLD, HERE, THERE = range(3)
# Codes of `reset`.
UNKNOWN, NO, YES = -1, 0, 1


@dataclass(frozen=True, eq=False, slots=True)
class Closed:
    """One row a connection, in the order in which they were told; NaN, 0 of ports and of `state`
    and -1 are unknown.

    Addresses are as in SocketTable. `life_s` is known where the opening was seen, or the kernel
    tells; `short_s` is what it was shorter than, of those that no sample has seen. `state` is the
    last one that a sample has shown, `sent_since` what it has sent since, in bytes. `process` is a
    place in `processes`; `owner` and `note` are codes of model.owner.
    """

    netns: U32
    cookie: U64
    family: U8
    interface: U32
    local_hi: U64
    local_lo: U64
    local_port: U16
    remote_hi: U64
    remote_lo: U64
    remote_port: U16
    at: F64  # Unix time
    life_s: F64
    short_s: F64
    sent_since: F64
    state: U8
    opened: Bools  # else it never was open: refused, or not answered
    local_known: Bools  # else the kernel had forgotten its own address
    reset: np.ndarray[tuple[int, ...], np.dtype[np.int8]]
    first: U8
    process: Index
    owner: U8
    note: U8
    info: F64  # (n, len(INFO))
    processes: tuple[Process, ...] = ()

    def __len__(self) -> int:
        return len(self.cookie)

    def known(self, name: str) -> F64:
        """One of INFO."""
        column: F64 = self.info[:, INFO.index(name)]
        return column

    def take(self, rows: Index | Bools | slice) -> Closed:
        columns: dict[str, Any] = {name: getattr(self, name)[rows] for name in _NAMES}
        return Closed(**columns, processes=self.processes)


_KINDS = (
    *("u4", "u8", "u1", "u4", "u8", "u8", "u2", "u8", "u8", "u2", *["f8"] * 4),
    *("u1", "?", "?", "i1", "u1", "i8", "u1", "u1", f"({len(INFO)},)f8"),
)
_NAMES = [each.name for each in fields(Closed)][:-1]
_EMPTY: dict[str, Any] = {n: np.zeros(0, kind) for n, kind in zip(_NAMES, _KINDS, strict=True)}
NONE_CLOSED = Closed(**_EMPTY)


def joined(parts: Sequence[Closed]) -> Closed:
    """One of all rows, in order; of each process once."""
    some = [part for part in parts if len(part)] or [NONE_CLOSED]
    if len(some) == 1:
        return some[0]
    places: dict[tuple[int, int], int] = {}
    people: list[Process] = []
    numbers = []
    for part in some:
        mine = [_place(each, places, people) for each in part.processes]
        numbers.append(np.array([*mine, -1], np.int64)[part.process])
    columns = {
        each.name: np.concatenate([getattr(part, each.name) for part in some])
        for each in fields(Closed)[:-1]
        if each.name != "process"
    }
    return Closed(**columns, process=np.concatenate(numbers), processes=tuple(people))


def _place(process: Process, places: dict[tuple[int, int], int], people: list[Process]) -> int:
    at = places.setdefault((process.pid, process.start_time), len(people))
    if at == len(people):
        people.append(process)
    return at
