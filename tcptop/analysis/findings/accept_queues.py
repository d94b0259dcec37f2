"""Accept queues: how full each is and has been, and what was dropped because it was full."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from tcptop.analysis import listeners
from tcptop.analysis.findings.observations import Observations, once
from tcptop.model import tcp
from tcptop.model.arrays import index_of
from tcptop.model.named_tuple import NamedTuple
from tcptop.model.sample import Process
from tcptop.model.table import F64, I64, U64, Bools, Index

TICK_S = 0.01  # the kernel's clocks of a socket count in ticks, of 10 ms at most


class AcceptQueues(NamedTuple):
    """One per LISTEN row, beside `snapshot.listening`; empty where no backlog is known.

    `group` is the same for members of one SO_REUSEPORT group. `lost_per_s` counts packets that met
    a full queue in the last interval, 0 at the first sample.
    """

    row: Index
    queued: I64
    capacity: I64
    group: U64
    lost_per_s: F64

    @property
    def full(self) -> Bools:
        full: Bools = self.queued >= self.capacity
        return full

    def members(self, place: int) -> Index:
        """Rows of the listeners that share its address."""
        members: Index = self.row[self.group == self.group[place]]
        return members


def idle(seen: Observations) -> bool:
    """Whether nobody waits to be accepted, and nothing was dropped at a listener."""
    listeners = seen.snapshot.listeners
    return not (seen.table.recv_q[listeners.row].any() or (listeners.drops_per_s > 0).any())


@once
def accept_queues(seen: Observations) -> AcceptQueues:
    """A queue holds backlog + 1: sk_acceptq_is_full, include/net/sock.h."""
    table, row = seen.table, _listening(seen)
    queued = table.recv_q[row].astype(np.int64)
    capacity = table.send_q[row].astype(np.int64) + 1
    bare = AcceptQueues(row, queued, capacity, listeners.group_keys(table, row), np.zeros(len(row)))
    return bare._replace(lost_per_s=_lost(seen, bare)) if len(row) else bare


def _listening(seen: Observations) -> Index:
    row = seen.snapshot.listeners.row
    return row if seen.sample.backlog_told else row[:0]


def _lost(seen: Observations, queues: AcceptQueues) -> F64:
    """Drops of a listener while ListenOverflows rose, which counts each packet once."""
    drops = seen.snapshot.listeners.drops_per_s
    filled = _filled(seen, queues)
    lost = np.zeros(len(queues.row))
    for place in np.flatnonzero((drops > 0) | (np.isnan(drops) & queues.full)).tolist():
        netns = int(seen.table.netns[queues.row[place]])
        overflows = seen.last_rate(netns, "ListenOverflows")
        if overflows is None:  # not readable there: the queue itself has to tell
            lost[place] = np.nan_to_num(drops[place]) if queues.full[place] else 0.0
        elif filled[place] or drops[place] > _others(seen, netns):
            lost[place] = np.fmin(drops[place], overflows)
    return lost


def _filled(seen: Observations, queues: AcceptQueues) -> Bools:
    """Queues that were seen full once, or are half full now or were a sample ago."""
    before = queued_at(seen, 2) if len(seen.summaries) > 1 else queues.queued
    peak = seen.snapshot.listeners.peak
    half = np.fmax(queues.queued, before) >= queues.capacity / 2
    filled: Bools = (peak >= queues.capacity) | half
    return filled


def _others(seen: Observations, netns: int) -> float:
    """Drops a second of all listeners that were not for a full accept queue.

    Bare ACKs under TCP_DEFER_ACCEPT are in no ListenDrops, but in a listener's own counter.
    """
    overflows, drops, bare_acks = (
        seen.last_rate(netns, name) or 0.0
        for name in ("ListenOverflows", "ListenDrops", "TCPDeferAcceptDrop")
    )
    return bare_acks + max(drops - overflows, 0.0)


def queued_at(seen: Observations, back: int) -> I64:
    """The length of each queue at one of the summaries, counted from the last, which is 1; -1 where
    the listener was not there. Several rules go the same way back."""
    known = _past(seen)
    while len(known) < back:
        then = seen.summaries[-1 - len(known)]
        place = index_of(_keys(seen), then.listener)
        queued = np.full(len(place), -1, np.int64)
        queued[place >= 0] = then.queued[place[place >= 0]]
        known.append(queued)
    return known[back - 1]


@once
def _past(seen: Observations) -> list[I64]:
    return []


@once
def _keys(seen: Observations) -> U64:
    return seen.table.key[_listening(seen)]


def steady(seen: Observations, queues: AcceptQueues, share: float) -> tuple[F64, I64]:
    """For how many seconds, and samples in a row, each queue has been full to that share."""
    least = share * queues.capacity
    seconds, samples = np.zeros(len(queues.row)), np.zeros(len(queues.row), np.int64)
    going = queues.queued >= least
    for back, summary in enumerate(reversed(seen.summaries), 1):
        if not going.any():
            break
        going &= queued_at(seen, back) >= least
        samples += going
        seconds[going] = seen.sample.clock - summary.clock
    return seconds, samples


def waiting(seen: Observations, listening: Index) -> Index:
    """Connections that wait to be accepted by one of these LISTEN rows, or their group."""
    here = np.isin(seen.snapshot.queue, listening)
    rows: Index = np.flatnonzero(here & listeners.waiting(seen.table))
    return rows


def waited_s(seen: Observations, rows: Index) -> F64:
    """How long each has waited, at least.

    The server's end has sent nothing yet, so last_data_sent counts from the end of the handshake
    (tcp_create_openreq_child, net/ipv4/tcp_minisocks.c).
    """
    sent_ago = seen.table.since_s("last_data_sent", rows)
    waited: F64 = np.fmax(sent_ago, seen.snapshot.durations.state_s[rows])
    return waited


class Waiters(NamedTuple):
    """Who waits in the queues of one address: rows, and for how long each has, at least.

    `gone`: those whose connection was reset meanwhile: still in the queue, in no dump. True where
    the queue stands still: a dump takes time, and what is accepted meanwhile is in both or in none.
    """

    rows: Index
    waited_s: F64
    gone: int

    @property
    def oldest_s(self) -> float:
        return float(self.waited_s.max(initial=0.0))

    def given_up(self, seen: Observations, least_s: float, stands: bool) -> int:
        """Clients that closed (CLOSE_WAIT) after waiting for so long, or were reset."""
        closed = (seen.table.state[self.rows] == tcp.CLOSE_WAIT) & (self.waited_s >= least_s)
        return int(np.count_nonzero(closed)) + (self.gone if stands else 0)

    def for_long(self, seconds: float) -> int:
        """Those that have waited for so long or longer."""
        return int(np.count_nonzero(self.waited_s >= seconds))

    def younger(self, seconds: float) -> int:
        return int(np.count_nonzero(self.waited_s < seconds))


def waiters(seen: Observations, queues: AcceptQueues, place: int) -> Waiters:
    """Of the address of a queue: members of one group cannot be told apart."""
    members = queues.members(place)
    rows = waiting(seen, members)
    queued = int(seen.table.recv_q[members].sum())
    return Waiters(rows, waited_s(seen, rows), max(queued - len(rows), 0) if len(rows) else 0)


def stalled_s(seen: Observations, queues: AcceptQueues, place: int, waiters: Waiters) -> float:
    """For how many seconds nothing was accepted from a queue while somebody waited.

    The queue has not shrunk, and those who waited at a sample before are there still. Where several
    queues share the address it is not known who waits in which.
    """
    alone = len(queues.members(place)) == 1
    now = later = int(queues.queued[place])
    since = 0.0
    for back, summary in enumerate(reversed(seen.summaries[:-1]), 2):
        ago = seen.sample.clock - summary.clock
        then = int(queued_at(seen, back)[place])
        young = waiters.younger(ago - TICK_S) if alone else 0
        if then < 1 or then > later or then > now - young:
            break
        since, later = ago, then
    return min(since, waiters.oldest_s)


def processes(seen: Observations, listeners: Index) -> list[Process]:
    """The processes that may accept, once each."""
    inodes = frozenset(seen.table.inode[listeners].tolist())
    return accepting(seen, seen.holders(listeners), inodes)


def accepting(
    seen: Observations, holders: Sequence[Process], inodes: frozenset[int]
) -> list[Process]:
    """Those of the holders of some listeners that may accept.

    Where it is known of any holder that its epoll waits for a listener, these: a worker holds the
    listeners of the others too. Else all but the parent of the others, which only minds them, and
    but those that wait for other listeners: one was stopped before it began to wait.
    """
    watching = [each for each in holders if _watches(seen, each, inodes)]
    workers = [each for each in holders if not _minds(seen, each, holders)]
    idle = [each for each in workers if not _watches(seen, each, _other_listeners(seen, inodes))]
    return watching or idle or workers


def _other_listeners(seen: Observations, inodes: frozenset[int]) -> frozenset[int]:
    return frozenset(seen.table.inode[seen.snapshot.listeners.row].tolist()) - inodes


def _minds(seen: Observations, process: Process, holders: Iterable[Process]) -> bool:
    others = [each for each in holders if each.pid != process.pid]
    facts = [seen.facts(each) for each in others]
    return bool(facts) and all(each and each.parent == process.pid for each in facts)


def _watches(seen: Observations, process: Process, inodes: frozenset[int]) -> bool:
    facts = seen.facts(process)
    return facts is not None and bool(inodes & (facts.waits_for or frozenset()))


def unwatched(seen: Observations, listeners: Index) -> bool:
    """Whether all holders have epoll descriptors, and none of these watches the listeners."""
    holders = [each for row in listeners.tolist() for each in seen.processes(row)]
    facts = [seen.facts(each) for each in holders]
    inodes = frozenset(seen.table.inode[listeners].tolist())
    return bool(facts) and all(
        each is not None and each.waits_for is not None and not inodes & each.waits_for
        for each in facts
    )
