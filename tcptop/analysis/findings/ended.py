"""Connections that have ended meanwhile: short ones are in no list, and tell who answers."""

from __future__ import annotations

import numpy as np

from tcptop.analysis.dialing import WHERE, Callee
from tcptop.analysis.findings.observations import Observations
from tcptop.analysis.findings.parties import Party
from tcptop.model import owner
from tcptop.model.address import remote_text
from tcptop.model.arrays import row_hash, rows_by_key
from tcptop.model.closed import Closed, joined
from tcptop.model.named_tuple import NamedTuple
from tcptop.model.sample import Process
from tcptop.model.table import U64, Bools, Index, SocketTable

ADDRESS = ("netns", "interface", "remote_hi", "remote_lo")


OVER_S, LATE = 2.0, 1.5  # since the last of them, or times what lies between two


def go_on(ago_s: float, spread_s: float, moments: int) -> bool:
    """Of what ended in so many moments, the last `ago_s` ago: the next is not overdue."""
    return ago_s <= max(OVER_S, LATE * spread_s / max(moments - 1, 1))


class Whose(NamedTuple):
    """Processes of some that have ended, who had most first.

    They were seen to hold `held` of these; where that is none, they are inferred, by others that
    lead to the same place or came in by the same listener.
    """

    parties: tuple[Party, ...] = ()
    held: int = 0

    @property
    def processes(self) -> list[Process]:
        return [each.process for each in self.parties]


def lately(seen: Observations, seconds: float) -> Closed:
    """What ended in the last seconds."""
    begin, parts = seen.sample.taken_at - seconds, []
    for part in reversed(seen.snapshot.closed):
        recent = part.at >= begin
        if not recent.any():
            break
        parts.append(part if recent.all() else part.take(recent))
    return joined(parts[::-1])


def called_there(closed: Closed, to: Callee, with_port: bool = True) -> Bools:
    """Those whose other end is that address, and that port."""
    there = np.ones(len(closed), bool)
    for name in WHERE if with_port else WHERE[:-1]:
        column = getattr(closed, name)
        there &= column == column.dtype.type(getattr(to, name))
    return there


def answered(seen: Observations, rows: Index, for_s: float, local_port: int = 0) -> Closed:
    """Those with the addresses of some rows of which data came in the last seconds, while these
    rows were silent; at one of our ports, if one is given."""
    begin = seen.sample.taken_at - for_s
    closed = lately(seen, for_s)
    if not len(closed):
        return closed
    came = closed.opened & (closed.known("bytes_received") > 0)
    came &= closed.at - np.nan_to_num(closed.known("last_data_recv")) / 1000 >= begin
    there = np.isin(_keys(closed), row_hash(*(getattr(seen.table, n)[rows] for n in ADDRESS)))
    at_port: Bools = closed.local_port == local_port if local_port else np.ones(len(closed), bool)
    return closed.take(came & there & at_port)


def whose(closed: Closed, rows: Index) -> Whose:
    known = rows[closed.process[rows] >= 0]
    held = known[closed.note[known] == owner.HELD]
    number = np.bincount(closed.process[held if len(held) else known])
    order = [at for at in np.argsort(-number, kind="stable").tolist() if number[at]]
    found = (Party(closed.processes[at], int(number[at])) for at in order)
    return Whose(tuple(found), len(held))


def remotes(closed: Closed) -> str:
    """10.77.0.2, or 10.77.0.2 and 3 others: who was at the other end, the most first."""
    keys = _keys(closed)
    groups = list(rows_by_key(np.arange(len(closed)), keys))
    first = remote_text(closed, int(groups[0][0]))
    others = len(groups) - 1
    return f"{first} and {others} other{'s' if others > 1 else ''}" if others else first


def small_only(table: SocketTable, rows: Index) -> Bools:
    """Rows on which bytes have been acknowledged, and segments of half the MSS at most carried
    them."""
    acked = table.info_of("bytes_acked", rows)
    out = table.info_of("data_segs_out", rows) - table.info_of("unacked", rows)
    segments = np.maximum(out - table.info_of("total_retrans", rows), 1)
    small: Bools = (acked > 1) & (acked / segments < table.info_of("snd_mss", rows) / 2)
    return small


def _keys(closed: Closed) -> U64:
    return row_hash(*(getattr(closed, name) for name in ADDRESS))
