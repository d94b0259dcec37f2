"""Clients that left a listener while their request waited, counted from looks and notices."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

from tcptop.model import tcp
from tcptop.model.sample import Sample
from tcptop.model.table import Bools, SocketTable

_HALF = (tcp.CLOSE_WAIT, tcp.LAST_ACK)


class Left(NamedTuple):
    """One: in which look it was missing, or half closed, and how long it had waited at least and
    at most."""

    look: int
    by_reset: bool
    open_: bool
    least_s: float
    most_s: float


def left(samples: Sequence[Sample], netns: int, port: int) -> dict[int, Left]:
    """By cookie."""
    rows = [_rows(each.sockets, netns, port) for each in samples]
    dead = [_dead(each, netns, port) for each in samples]
    found: dict[int, Left] = {}
    for look in range(len(samples) - 1):
        for cookie, (state, said, asked_s, waits, _) in rows[look].items():
            if state != tcp.ESTABLISHED or not waits or cookie in found:
                continue
            passed_s = samples[look + 1].clock - samples[look].clock
            told, next_ = dead[look + 1].get(cookie), rows[look + 1].get(cookie)
            if next_ and next_[0] in _HALF and next_[1] == said:
                waited_s = next_[2] - next_[4]
                found[cookie] = Left(look + 1, False, True, min(asked_s, waited_s), waited_s)
            elif told and told[0] == said:
                found[cookie] = Left(look + 1, told[2], False, asked_s, max(told[1], asked_s))
            elif not told and not any(cookie in each for each in _after(rows, dead, look)):
                found[cookie] = Left(look + 1, True, True, asked_s, asked_s + passed_s)
    return found


def said(samples: Sequence[Sample], netns: int, port: int) -> set[int]:
    """The cookies of those that something was sent on, as the last look or a notice tells."""
    rows = _rows(samples[-1].sockets, netns, port).items()
    dead = (item for each in samples for item in _dead(each, netns, port).items())
    return {c for c, each in rows if each[1] > 0} | {c for c, each in dead if each[0] > 0}


_Row = tuple[int, int, float, bool, float]
_Died = tuple[int, float, bool]


def _after(
    rows: list[dict[int, _Row]], dead: list[dict[int, _Died]], look: int
) -> Iterator[Collection[int]]:
    """The look after, and the one after that, by when its notice would have come."""
    yield from rows[look + 1 : look + 3]
    yield from dead[look + 1 : look + 3]


def _rows(table: SocketTable, netns: int, port: int) -> dict[int, _Row]:
    """(state, segments sent, since the last that came, whether that waits, since the last ACK)"""
    mine = (table.netns == netns) & (table.local_port == port) & (table.inode != 0)
    mine &= table.state != tcp.LISTEN
    some = table.take(mine)
    sent, came = some.tcp_info("data_segs_out"), some.tcp_info("data_segs_in")
    asked_ms, answered_ms = some.tcp_info("last_data_recv"), some.tcp_info("last_data_sent")
    waits = (came > 0) & ((sent == 0) | (asked_ms < answered_ms))
    acked_s = some.tcp_info("last_ack_recv") / 1000
    columns = (some.state, sent, asked_ms / 1000, waits, acked_s)
    return dict(zip(some.cookie.tolist(), zip(*map(_listed, columns), strict=True), strict=True))


def _dead(sample: Sample, netns: int, port: int) -> dict[int, _Died]:
    """(segments sent, since the last that came, whether by a reset)"""
    found = {}
    for each in sample.deaths:
        table = each.sockets
        for row in range(len(table)) if each.netns == netns else ():
            if table.local_port[row] == port:
                sent = int(table.tcp_info("data_segs_out")[row])
                acked = int(table.tcp_info("bytes_acked")[row])
                reset = acked == int(table.tcp_info("bytes_sent")[row])
                came_s = float(table.tcp_info("last_data_recv")[row]) / 1000
                found[int(table.cookie[row])] = (sent, came_s, reset)
    return found


def _listed(column: Bools) -> list[object]:
    return list(column.tolist())
