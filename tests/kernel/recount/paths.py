"""What a path and its ends allow: windows, round trips, and what moved between two looks."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tcptop.model.table import SocketTable
from tests.kernel.recount.facts import Fact, Seen, exactly
from tests.kernel.recount.places import at

_NEAR = 0.02
_EXAMPLES_MBIT = (100, 1000, 10_000)
_HIGHEST = 65_535  # of a window that is not scaled
_TIMES = ("rtt", "min_rtt", "rcv_rtt")
_SIZES = ("snd_wnd", "rcv_wnd", "snd_mss", "advmss", "pmtu")


def of_paths(seen: Seen) -> Iterator[Fact]:
    """About the rows that lead where the subject does."""
    for mbit in _EXAMPLES_MBIT:
        yield exactly("rate", mbit, "a rate that is the example")
    yield exactly("bytes", _HIGHEST, "the largest window without scaling")
    for row in _rows(seen):
        yield from _of_row(seen.table, row)
        cookie = int(seen.table.cookie[row])
        before = [(s, np.flatnonzero(s.sockets.cookie == cookie)) for s in seen.samples]
        looks = [(s, int(found[0])) for s, found in before if len(found)]
        for sample, then in looks:
            yield from _of_row(sample.sockets, then)
            seconds = seen.sample.clock - sample.clock
            if seconds:
                yield from _moved(seen.table, row, sample.sockets, then, seconds)


def _rows(seen: Seen) -> list[int]:
    table, subject = seen.table, seen.subject
    rows = np.isin(table.cookie, np.array(subject.cookies, np.uint64))
    if subject.destination:
        rows |= at(table, subject.destination, "remote")
    if subject.listener:
        rows |= at(table, subject.listener, "local")
    found: list[int] = np.flatnonzero(rows & (table.netns == subject.netns)).tolist()
    return found


def _of_row(table: SocketTable, row: int) -> Iterator[Fact]:
    for name in _TIMES:
        us = float(table.tcp_info(name)[row])
        yield exactly("seconds", us / 1e6, name)
        for mbit in _EXAMPLES_MBIT:
            yield exactly("bytes", us * mbit / 8, f"window for {mbit} Mbit/s and {name}")
    for name in _SIZES:
        yield exactly("bytes", float(table.tcp_info(name)[row]), name)
    for name in ("rcvbuf", "sndbuf"):
        yield exactly("bytes", float(table.memory_of(name)[row]), name)
    for name in ("snd_wscale", "rcv_wscale"):
        yield exactly("count", float(table.tcp_info(name)[row]), name)


def _moved(
    table: SocketTable, row: int, before: SocketTable, then: int, seconds: float
) -> Iterator[Fact]:
    grown = {
        name: float(table.tcp_info(name)[row]) - float(before.tcp_info(name)[then])
        for name in (
            *("bytes_acked", "bytes_received"),
            *("data_segs_out", "data_segs_in", "rcv_ooopack"),
        )
    }
    for name, value in grown.items():
        yield exactly("count", value, f"{name} since an earlier look")
        for kind in ("bytes", "rate"):
            low, high = (value / seconds * (1 + near) for near in (-_NEAR, _NEAR))
            yield Fact(kind, low, high, f"{name} a second")
    if grown["data_segs_in"] > 0:
        each = grown["bytes_received"] / grown["data_segs_in"]
        yield Fact("bytes", each - 1, each + 1, "bytes of a segment")
        share = 100 * grown["rcv_ooopack"] / grown["data_segs_in"]
        yield exactly("percent", share, "out of order")
