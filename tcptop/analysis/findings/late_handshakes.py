"""Connects that were answered, but not at their first SYN: each takes a second longer, or more.

A SYN that is sent again counts in total_retrans and has no byte for bytes_retrans, as a FIN has
none (__tcp_retransmit_skb, net/ipv4/tcp_output.c): a socket that was open and repeated no byte is
one of these, unless it repeated its FIN, which TCPSynRetrans does not count.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

import numpy as np

from tcptop.analysis.dialing import WHERE, Callee
from tcptop.analysis.findings.ended import go_on, lately
from tcptop.analysis.findings.how_ended import accepted
from tcptop.analysis.findings.observations import Observations
from tcptop.analysis.findings.rule import Limits
from tcptop.model import owner, tcp
from tcptop.model.arrays import row_hash, rows_by_key
from tcptop.model.named_tuple import NamedTuple
from tcptop.model.sample import Process
from tcptop.model.table import F64, U64, Index

WAITS_S = 1.0  # of the kernel, before it retransmits a SYN (TCP_TIMEOUT_INIT)
SLOW_US = 900_000.0  # a round trip that takes as long: the first SYN was answered, and late
SURE = 0.8  # of those that are counted here, so many repeated SYNs are counted too
BETWEEN_S = 2.0  # from the first to the last: a queue that overflows once is over


class Opened(NamedTuple):
    """Connections that this host has opened: where to (columns of WHERE), how often each repeated
    its SYN, when it began (Unix time), and who held it, a place in `processes` or -1."""

    where: U64
    again: F64
    began: F64
    process: Index
    processes: tuple[Process, ...]


class Late(NamedTuple):
    """Those to one place within `seconds`: `number` of `of` repeated their SYN, `most` times at
    most; `elsewhere` are those to other places, of which `others` did."""

    callee: Callee
    number: int
    of: int
    most: int
    seconds: float
    first_at: float
    processes: tuple[Process, ...]
    others: int
    elsewhere: int

    @property
    def share(self) -> float:
        return self.number / self.of


def late(seen: Observations, limits: Limits) -> Iterator[Late]:
    """By destination; nothing is looked at where no SYN was sent again."""
    seconds = min(limits["window_s"], seen.watched_s)
    repeated = {
        kernel.netns: seen.surely_grown(kernel.netns, "TCPSynRetrans", seconds)
        for kernel in seen.sample.kernel
    }
    if not any(number >= limits["connects"] for number in repeated.values()):
        return
    every = (_open_now(seen, seconds), _over(seen, seconds))
    processes = every[0].processes + every[1].processes
    where, again, began = (np.concatenate([each[at] for each in every]) for at in range(3))
    behind = np.where(every[1].process >= 0, every[1].process + len(every[0].processes), -1)
    found = Opened(where, again, began, np.concatenate([every[0].process, behind]), processes)
    for netns, number in repeated.items():
        mine = np.flatnonzero(found.where[:, 0] == np.uint64(netns))
        if SURE * np.count_nonzero(found.again[mine]) <= number:
            yield from _by_place(seen, found, mine, seconds, limits)


def _by_place(
    seen: Observations, found: Opened, rows: Index, seconds: float, limits: Limits
) -> Iterator[Late]:
    some = rows[found.again[rows] > 0]
    for there in rows_by_key(rows, row_hash(*found.where[rows].T)):
        repeated = there[found.again[there] > 0]
        if len(repeated) < max(limits["connects"], limits["share"] * len(there)):
            continue
        if _goes_on(seen, found.began[repeated]):
            holders = Counter(found.process[repeated][found.process[repeated] >= 0].tolist())
            yield Late(
                Callee(*found.where[there[0]].tolist()),
                len(repeated),
                len(there),
                int(found.again[repeated].max()),
                seconds,
                float(found.began[repeated].min()),
                _each_once(found.processes[at] for at, _ in holders.most_common()),
                len(some) - len(repeated),
                len(rows) - len(there),
            )


def _each_once(processes: Iterable[Process]) -> tuple[Process, ...]:
    """Some hold connections that are open, and have held others that are over."""
    return tuple({each.pid: each for each in processes}.values())


def _goes_on(seen: Observations, began: F64) -> bool:
    spread = float(began.max() - began.min())
    ago = seen.sample.taken_at - float(began.max()) - WAITS_S
    return spread >= BETWEEN_S and go_on(ago, spread, len(began))


def _open_now(seen: Observations, seconds: float) -> Opened:
    """Those that were seen to open: that began before is another story."""
    table = seen.table
    rows = np.flatnonzero(table.state == tcp.ESTABLISHED)
    rows = rows[(seen.snapshot.age_s[rows] <= seconds) & ~seen.accepted[rows]]
    again, bytes_ = (table.info_of(f"{what}_retrans", rows) for what in ("total", "bytes"))
    slow = table.info_of("min_rtt", rows) >= SLOW_US
    return Opened(
        np.stack([getattr(table, name)[rows].astype(np.uint64) for name in WHERE], axis=1),
        np.where((bytes_ == 0) & ~slow, again, 0.0),
        seen.sample.taken_at - seen.snapshot.age_s[rows],
        seen.snapshot.holders.first(rows),
        seen.snapshot.holders.processes,
    )


def _over(seen: Observations, seconds: float) -> Opened:
    """Those that have ended meanwhile, and began meanwhile too."""
    closed = lately(seen, seconds)
    known = closed.opened & ~np.isnan(closed.known("total_retrans")) & ~accepted(seen, closed)
    known &= (closed.remote_port > 0) & (np.fmin(closed.life_s, closed.short_s) <= seconds)
    known &= ~(closed.at - closed.life_s < seen.sample.taken_at - seconds)
    closed = closed.take(known)
    again = np.where(closed.known("bytes_retrans") == 0, closed.known("total_retrans"), 0.0)
    slow = closed.known("min_rtt") >= SLOW_US
    return Opened(
        np.stack([getattr(closed, name).astype(np.uint64) for name in WHERE], axis=1),
        np.where(slow, 0.0, again),
        closed.at - np.nan_to_num(closed.life_s),
        np.where(closed.note == owner.HELD, closed.process, -1),
        closed.processes,
    )
