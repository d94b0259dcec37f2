"""Connects that nobody answers, by destination: those that wait, and those that gave up."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

import numpy as np

from tcptop.analysis.dialing import WHERE, Callee, callee, waiting_s
from tcptop.analysis.findings import neighbours
from tcptop.analysis.findings.connects_given_up import GivenUp, given_up
from tcptop.analysis.findings.ended import called_there, lately
from tcptop.analysis.findings.observations import Observations, once
from tcptop.analysis.findings.rule import Limits
from tcptop.analysis.peers import is_loopback
from tcptop.model import address, tcp
from tcptop.model import closed as codes
from tcptop.model.arrays import isin_codes, row_hash, rows_by_key
from tcptop.model.named_tuple import NamedTuple
from tcptop.model.route import RouteKey, route_key
from tcptop.model.sample import Process
from tcptop.model.table import F64, MAPPED, Index

GONE = ("INCOMPLETE", "FAILED")  # ip-neighbour(8): asked for, and no answer
LATELY_S = 10.0
SOON_S, ASKED = 0.9, 4  # from which age the way to a place is asked for, and of how many sockets
NO_ROWS: Index = np.zeros(0, np.int64)


class Unanswered(NamedTuple):
    """Connects towards one destination.

    `rows` have waited for long in SYN_SENT, `age_s` says how long; `given` are those that ended
    without an answer, again and again. One of them may have none.
    """

    callee: Callee
    rows: Index
    age_s: F64
    given: GivenUp | None
    way: RouteKey | None

    @property
    def longest_s(self) -> float:
        ended = self.given.calls.longest_s if self.given else 0.0
        return float(self.age_s.max(initial=ended))

    @property
    def since_s(self) -> float:
        """For how long nobody has answered, at least."""
        watched = self.given.seconds if self.given and self.given.every else 0.0
        return max(float(self.age_s.max(initial=0.0)), watched)


def unanswered(seen: Observations, limits: Limits, most: int) -> list[Unanswered]:
    """The destinations with most attempts that wait for long first."""
    table, given = seen.table, given_up(seen, limits)
    rows = np.flatnonzero(table.state == tcp.SYN_SENT)
    if not len(rows) and not given:
        return []
    age = waiting_s(seen.snapshot, rows)
    _ask_soon(seen, rows[age >= SOON_S])
    late = (table.retrans[rows] >= limits["retransmissions"]) | (age >= limits["age_s"])
    rows, age = rows[late], age[late]
    found = []
    keys = row_hash(*(getattr(table, name)[rows] for name in WHERE))
    for at in islice(rows_by_key(np.arange(len(rows)), keys), most):
        row = int(rows[at[0]])
        to = callee(table, row)
        way = route_key(table, row)
        found.append(Unanswered(to, rows[at], age[at], given.pop(to, None), way))
    return [*found, *(ended(to, each) for to, each in given.items())][:most]


def ended(to: Callee, given: GivenUp) -> Unanswered:
    """Where none waits for long now."""
    return Unanswered(to, NO_ROWS, np.zeros(0), given, given.calls.route)


def _ask_soon(seen: Observations, rows: Index) -> None:
    """The answer comes with the next sample."""
    for row in rows[:ASKED].tolist():
        way = route_key(seen.table, row)
        if way:
            seen.route(way)


def asking(seen: Observations, to: Callee) -> Index:
    """All SYN_SENT rows towards a destination."""
    rows = there(seen, to)
    asking: Index = rows[seen.table.state[rows] == tcp.SYN_SENT]
    return asking


def called(seen: Observations, to: Callee) -> str:
    """The destination as ss prints it."""
    zone = seen.sample.zone(to.netns, to.interface)
    return address.endpoint(address.text(to.remote_hi, to.remote_lo), to.remote_port, zone)


def is_here(seen: Observations, to: Callee) -> bool:
    """Whether it is an address of its namespace."""
    table = seen.table
    rows = np.flatnonzero(table.local_lo == np.uint64(to.remote_lo))
    mine = (table.local_hi[rows] == np.uint64(to.remote_hi)) & (table.netns[rows] == to.netns)
    lo, hi = np.array([to.remote_lo], np.uint64), np.array([to.remote_hi], np.uint64)
    return bool(is_loopback(hi, lo)[0] or mine.any())


class Hop(NamedTuple):
    """Whom this host has to ask for on the link, to send anything: that host, or a gateway.

    `gone`: it does not answer, so nothing is sent; `answers`: it has since the first attempt that
    is told of; `heard_s` ago it last did, where that is known. Where the way was not read
    (`known`), counters tell whether it is gone, and nothing else is known.
    """

    gone: bool
    known: bool = False
    answers: bool = False
    address: str = ""
    gateway: bool = False
    on_link: bool = False
    heard_s: float | None = None


def hop(seen: Observations, case: Unanswered) -> Hop:
    route = seen.route(case.way) if case.way else None
    if route is None or route.why_not:
        return Hop(_stays_here(seen, case))
    if route.neighbour is None:
        return Hop(False, known=True)
    state, gateway = route.neighbour.state, route.gateway is not None
    heard_s, whom = route.neighbour.confirmed_s, route.neighbour.address
    if heard_s is not None:
        heard_s += max(seen.sample.clock - route.read_at, 0.0)
    since = heard_s is not None and heard_s < max(case.since_s, case.longest_s)
    return Hop(state in GONE, True, since, whom, gateway, not gateway, heard_s)


def hop_to(seen: Observations, to: Callee) -> Hop:
    """The same of a place that was called lately, whose attempts are in no list any more."""
    called = (each.calls[to].route for each in reversed(seen.summaries) if to in each.calls)
    return hop(seen, Unanswered(to, NO_ROWS, np.zeros(0), None, next(called, None)))


def asks_by(to: Callee) -> str:
    """How a host of the own link is asked for."""
    return "ARP" if is_v4(to) else "neighbour discovery"


def why_gone(to: Callee) -> str:
    """Why a host of the own link does not answer: IPv6 asks by ICMP, which filters drop."""
    if is_v4(to):
        return "is down or gone, or the address is wrong"
    return "is down or gone, the address is wrong, or a filter drops ICMPv6 (neighbour discovery)"


def is_v4(to: Callee) -> bool:
    return to.remote_hi == 0 and to.remote_lo >> 32 == int(MAPPED) >> 32


def _stays_here(seen: Observations, case: Unanswered) -> bool:
    """By counters: the timer of a SYN that still waits for its neighbour sends nothing, so that
    TCPSynRetrans stands still (skb_still_in_host_queue, net/ipv4/tcp_output.c)."""
    again = case.rows[seen.table.retrans[case.rows] > 0]
    if case.longest_s < 1 or not (len(again) or case.given):
        return False
    netns, within = case.callee.netns, case.since_s
    counters = seen.summaries[-1].counters.get(netns, {}) if seen.summaries else {}
    if counters.get("TCPSynRetrans") == 0:
        return True
    sent, kept = (
        seen.grown(netns, name, within) for name in ("TCPSynRetrans", "TCPSpuriousRtxHostQueues")
    )
    return sent is not None and (sent[0] == 0 or (kept is not None and 2 * sent[0] < kept[0]))


def opened(seen: Observations, case: Unanswered) -> int:
    """Connects to the same place that were answered since the oldest attempt: those that were seen
    to open, or those that have ended since, whichever are more."""
    to, since_s = case.callee, max(case.since_s, case.longest_s)
    begin = seen.sample.clock - since_s
    followed = sum(
        m.calls[to].opened for m in seen.summaries[1:] if m.clock >= begin and to in m.calls
    )
    closed = lately(seen, since_s)
    young = closed.opened & (np.fmin(closed.life_s, closed.short_s) < since_s)
    young &= ~(closed.at - closed.life_s < seen.sample.taken_at - since_s)
    return max(followed, int(np.count_nonzero(young & called_there(closed, to))))


def noticed(seen: Observations, to: Callee, seconds: float) -> int:
    """Connects to one place that ended before they were open, by the kernel's notices."""
    closed = lately(seen, seconds)
    return int(np.count_nonzero(~closed.opened & called_there(closed, to)))


def failed(seen: Observations, to: Callee, seconds: float) -> int:
    """The same of those that no reset has ended."""
    closed = lately(seen, seconds)
    ended = ~closed.opened & (closed.reset != codes.YES)
    return int(np.count_nonzero(ended & called_there(closed, to)))


class Answering(NamedTuple):
    """Other connections of which something has come since the oldest attempt."""

    port: int  # to the same address and port
    address: int  # to the same address
    incoming: int  # from the same address


def answering(seen: Observations, case: Unanswered) -> Answering:
    table, to = seen.table, case.callee
    others = there(seen, to, with_port=False)
    others = others[table.state[others] == tcp.ESTABLISHED]
    heard = np.fmin(*(table.since_s(f"last_{what}_recv", others) for what in ("ack", "data")))
    others = others[heard < max(case.since_s, case.longest_s)]
    called = others[~seen.accepted[others]]
    at_port = int(np.count_nonzero(table.remote_port[called] == to.remote_port))
    return Answering(at_port, len(called), len(others) - len(called))


def one_by_one(*given: GivenUp) -> bool:
    """Whether one caller may have tried them all, one after the other."""
    attempts, waiting = sum(g.attempts for g in given), sum(g.calls.waiting for g in given)
    return waiting <= 1 and attempts <= 1.2 * max(g.seconds for g in given) + 1


def spared(seen: Observations, case: Unanswered, processes: list[Process]) -> bool:
    """Whether one attempt after the other is a program's question if that host is back, while
    others answer it at the same port."""
    given = case.given
    if len(case.rows) or given is None or not one_by_one(given):
        return False
    table, to, callers = seen.table, case.callee, {each.pid for each in processes}
    others = _at_port(seen, to)
    others = others[isin_codes(table.state[others], (tcp.ESTABLISHED, tcp.TIME_WAIT))]
    others = others[~np.isin(others, there(seen, to))]
    held = {each.pid for row in others[:1000].tolist() for each in seen.processes(row)}
    return bool(callers & held)


def by_other_family(seen: Observations, to: Callee) -> int:
    """Connections from here to the same port by the other family that were answered of late: a
    name has addresses of both, and programs try one after the other (RFC 8305)."""
    answered = _answered_at_port(seen, to)
    hi, lo = seen.table.remote_hi[answered], seen.table.remote_lo[answered]
    v4 = (hi == 0) & (lo >> np.uint64(32) == MAPPED >> np.uint64(32))
    return int(np.count_nonzero(v4 != is_v4(to)))


@once
def _by_port(seen: Observations) -> dict[tuple[int, int], Index]:
    """What was found for a namespace and port; dead hosts often are many of one port."""
    return {}


def _answered_at_port(seen: Observations, to: Callee) -> Index:
    known, place = _by_port(seen), (to.netns, to.remote_port)
    if place not in known:
        known[place] = answered(seen, _at_port(seen, to))
    return known[place]


def others_answer(seen: Observations, to: Callee) -> bool:
    """Whether others answer at the same port of another address: as those of one pool do."""
    rows = _at_port(seen, to)
    open_ = answered(seen, rows[~np.isin(rows, there(seen, to))])
    return len(open_) > 0 or len(neighbours.answered_lately(seen, to, LATELY_S)) > 0


def _at_port(seen: Observations, to: Callee) -> Index:
    """Connections from here to that port of any address."""
    table = seen.table
    rows = np.flatnonzero(table.remote_port == to.remote_port)
    rows = rows[table.netns[rows] == to.netns]
    mine: Index = rows[~seen.accepted[rows]]
    return mine


def answered_elsewhere(seen: Observations, pids: set[int], places: Sequence[Callee]) -> bool:
    """Whether processes get an answer from anybody else."""
    table, holders = seen.table, seen.snapshot.holders
    held = np.array([each.pid in pids for each in holders.processes], bool)
    mine = np.zeros(len(table), bool)
    mine[holders.row[held[holders.process]]] = True
    for to in places:
        mine[there(seen, to)] = False
    rows = np.flatnonzero(mine & ~seen.accepted & (table.state != tcp.LISTEN))
    return len(answered(seen, rows)) > 0


def answered(seen: Observations, rows: Index) -> Index:
    """Of these rows those that were answered in the last seconds."""
    table = seen.table
    heard = np.fmin(*(table.since_s(f"last_{what}_recv", rows) for what in ("ack", "data")))
    left_ms = table.expires[rows].astype(np.int64)
    closed = table.state[rows] == tcp.TIME_WAIT
    closed &= tcp.TIMEWAIT_MS - left_ms < LATELY_S * 1000
    unopened = isin_codes(table.state[rows], (tcp.SYN_SENT, tcp.SYN_RECV, tcp.CLOSE))
    answered: Index = rows[closed | ((heard < LATELY_S) & ~unopened)]
    return answered


@once
def _by_address(seen: Observations) -> dict[Callee, Index]:
    """Rows that lead to an address, as far as they have been asked for."""
    return {}


def there(seen: Observations, to: Callee, with_port: bool = True) -> Index:
    """Rows whose other end is that address, and that port."""
    table, known, host = seen.table, _by_address(seen), to._replace(remote_port=0)
    if host not in known:
        rows = np.flatnonzero(table.remote_lo == np.uint64(to.remote_lo))
        for name in WHERE[:-1]:
            column = getattr(table, name)[rows]
            rows = rows[column == column.dtype.type(getattr(to, name))]
        known[host] = rows
    rows = known[host]
    return rows[table.remote_port[rows] == to.remote_port] if with_port else rows
