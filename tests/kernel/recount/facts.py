"""What is so, counted from samples alone: rows, counters, limits. No rule and no text is asked."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import combinations, pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tcptop.analysis.derive import derive
from tcptop.analysis.history import History
from tcptop.analysis.selection import ended
from tcptop.analysis.unopened import FailedConnect, failed_connects
from tcptop.model import address, tcp
from tcptop.model.closed import YES
from tcptop.model.finding import Subject
from tcptop.model.sample import Kernel, LostSocket, Process, Sample
from tcptop.model.table import Bools, SocketTable, concat
from tests.kernel.recount import hasty, late
from tests.kernel.recount.places import at

SLACK_S = 1.5  # between two looks something can have been so for a while already
_CLOCKS = ("last_ack_recv", "last_data_recv", "last_data_sent")
_RETRANSMIT, _PERSIST = tcp.TIMERS.index("retransmit"), tcp.TIMERS.index("persist")
_FIRST_S, _RTO_S, _LONGEST_S = 1.0, 0.2, 120.0  # tcp.h: TCP_TIMEOUT_INIT, TCP_RTO_MIN and _MAX
_TIME_WAIT_S = 60
_FEW = 8  # connections of which one is told by itself
_ORPHAN_RETRIES = 8  # tcp_orphan_retries, net/ipv4/tcp_timer.c


class Fact(NamedTuple):
    kind: str  # as in claims.Claim
    low: float
    high: float
    what: str


def exactly(kind: str, value: float, what: str) -> Fact:
    return Fact(kind, value, value, what)


class Seen(NamedTuple):
    """The samples of a watch up to that of the finding, and whom the finding is about."""

    samples: Sequence[Sample]
    subject: Subject

    @property
    def sample(self) -> Sample:
        return self.samples[-1]

    @property
    def table(self) -> SocketTable:
        return self.sample.sockets

    @property
    def kernel(self) -> Kernel:
        return next(k for k in self.sample.kernel if k.netns == self.subject.netns)

    def sysctl(self, name: str) -> str | None:
        return next(
            (v for k, v in self.kernel.sysctls.items() if k == name or k.endswith(f".{name}")), None
        )


def facts(seen: Seen, named: str) -> Iterator[Fact]:
    """All facts about the subject, those last that take long; `named` is a text with the names of
    the counters that matter."""
    yield from _of_listeners(seen)
    yield from _of_accepted(seen)
    yield from _closed_since(seen)
    yield from _of_lulls(seen)
    yield from _of_unix_listeners(seen)
    yield from _of_ports(seen)
    yield from _of_calls(seen)
    yield from _of_traceless(seen)
    yield from _of_failures(seen)
    yield from _of_ends(seen)
    yield from _of_hasty(seen)
    yield from _of_late_handshakes(seen)
    yield from _of_late_accepts(seen)
    yield from _of_repeats(seen)
    yield from _of_served_ends(seen)
    yield from _of_neighbours(seen)
    yield from _of_processes(seen)
    yield from _of_doings(seen)
    yield from _of_counters(seen, named)
    yield from _of_refusals(seen)
    yield from _of_limits(seen)
    for sample in seen.samples:
        yield exactly("seconds", seen.sample.clock - sample.clock, "watched")
    for name, rows in groups(seen):
        yield from _of_rows(seen, rows, name)
    yield from _of_resets(seen)


def _of_neighbours(seen: Seen) -> Iterator[Fact]:
    """When each was last heard of."""
    for route in seen.sample.routes.values():
        if route.neighbour and route.neighbour.confirmed_s is not None:
            ago = seen.sample.clock - route.read_at + route.neighbour.confirmed_s
            yield exactly("seconds", ago, "since the neighbour was confirmed")


def groups(seen: Seen) -> Iterator[tuple[str, Bools]]:
    """The rows that the subject may mean: by place, by process, both, and those it names."""
    subject, table = seen.subject, seen.table
    every = table.netns == subject.netns
    here = every & (table.state != tcp.LISTEN)
    place = here.copy()
    if subject.destination:
        place &= at(table, subject.destination, "remote")
    if subject.listener:
        place &= at(table, subject.listener, "local")
    inodes = seen.sample.owners.inodes[np.isin(seen.sample.owners.pids, subject.pids)]
    held = every & (table.inode != 0) & np.isin(table.inode, inodes)
    named = np.isin(table.cookie, np.array(subject.cookies, np.uint64)) & here
    yield "there", place
    if subject.destination:
        yield "at either end", place | (here & at(table, subject.destination, "local"))
    if subject.pids:
        yield "its own", held & here
        yield "its own and listeners", held
        yield "its own there", held & place
    if subject.cookies:
        yield "named", named
        yield "named, other ends", _other_ends(table, named)


def _other_ends(table: SocketTable, rows: Bools) -> Bools:
    """Rows of this namespace that are the peers of others in it."""
    ours = set(zip(*(getattr(table, f"{e}_{f}")[rows].tolist() for e, f in _PARTS), strict=True))
    swapped = ((e, f) for e, f in (*_PARTS[3:], *_PARTS[:3]))
    theirs = zip(*(getattr(table, f"{e}_{f}").tolist() for e, f in swapped), strict=True)
    return np.array([each in ours for each in theirs], bool)


_PARTS = [(end, part) for end in ("local", "remote") for part in ("hi", "lo", "port")]


def _of_rows(seen: Seen, rows: Bools, name: str) -> Iterator[Fact]:
    table = seen.table
    for state in (0, *np.unique(table.state[rows]).tolist()):
        mine = rows & (table.state == state) if state else rows
        for what, such in _such(table):
            if (mine & such).any():
                label = f"{name} {tcp.STATES[state]} {what}"
                yield from _of_part(seen, table.take(mine & such), label)
    yield exactly("count", 0, "none")


def _such(table: SocketTable) -> Iterator[tuple[str, Bools]]:
    yield "all", np.ones(len(table), bool)
    yield "sent again", (table.timer == _RETRANSMIT) & (table.retrans > 0)
    yield "doubled", (table.timer == _RETRANSMIT) & (table.tcp_info("backoff") >= 3)
    yield "probing", table.timer == _PERSIST
    never = table.tcp_info_known("bytes_received") & (table.tcp_info("bytes_received") == 0)
    yield "without a byte", never & (table.tcp_info("bytes_acked") > 1)
    yield "unread", (table.recv_q > 0) & (table.inode != 0)
    yield "without an inode", table.inode == 0
    rested = np.minimum(table.tcp_info("last_data_sent"), table.tcp_info("last_data_recv"))
    yield "at rest", (rested >= 1000) & (table.send_q == 0) & (table.recv_q == 0)
    yield "hardly used", table.tcp_info("data_segs_out") <= 10
    yield "at rest for less than 30 s", rested < 30_000
    yield "at rest for 10 s", rested >= 10_000
    heard = np.minimum(table.tcp_info("last_ack_recv"), table.tcp_info("last_data_recv"))
    yield "heard of just now", table.tcp_info_known("last_ack_recv") & (heard < 3000)
    acked = (table.send_q == 0) & (table.tcp_info("bytes_acked") > 1)
    yield "acknowledged lately", acked & (table.tcp_info("last_ack_recv") < 30_000)
    yield "buffer full", (table.tcp_info("rcv_wnd") == 0) & (table.recv_q > 0)
    dropping = (table.memory_of("drops") > 0) & (table.tcp_info("last_data_recv") < 10_000)
    yield "dropping", dropping & (table.state != tcp.LISTEN)


def _of_part(seen: Seen, part: SocketTable, name: str) -> Iterator[Fact]:
    yield exactly("count", len(part), f"{name}: rows")
    yield exactly("count", int(part.memory_of("drops").max()), f"{name}: most drops")
    for before in seen.samples[:-1]:
        new = int(np.count_nonzero(~np.isin(part.cookie, before.sockets.cookie)))
        yield exactly("count", new, f"{name}: new rows")
    yield exactly("count", len(np.unique(part.remote_lo)), f"{name}: remote addresses")
    yield exactly("count", int(part.retrans.max()), f"{name}: retransmissions")
    yield exactly("count", int(part.tcp_info("backoff").max()), f"{name}: doublings")
    for size in ("snd_mss", "pmtu", "bytes_received"):
        yield exactly("bytes", int(part.tcp_info(size).max()), f"{name}: {size}")
    yield exactly("bytes", int(part.tcp_info("bytes_received").min()), f"{name}: least received")
    for queue in ("recv_q", "send_q"):
        column = getattr(part, queue).astype(np.int64)
        for what, value in (
            ("all", column.sum()),
            ("most", column.max()),
            ("without FINs", np.maximum(column - 1, 0).sum()),
            *(("of one of a few", each) for each in column[:_FEW] if len(column) <= _FEW),
        ):
            yield exactly("bytes", int(value), f"{name}: {queue}, {what}")
    yield from _read_since(seen, part)
    yield from _durations(seen, part, name)


def _durations(seen: Seen, part: SocketTable, name: str) -> Iterator[Fact]:
    """By the kernel's clocks, by what was watched, and by how often something was sent again."""
    for clock in _CLOCKS:
        known_rows = part.tcp_info_known(clock)
        if not known_rows.any():
            continue
        values = part.tcp_info(clock)[known_rows] / 1000
        yield exactly("seconds", float(values.max()), f"{name}: {clock}")
        yield exactly("seconds", float(values.min()), f"{name}: {clock}, least")
    yield exactly("seconds", float(part.expires.max()) / 1000, f"{name}: timer")
    known = _longest_watched(seen, part)
    yield Fact("seconds", known, known + SLACK_S, f"{name}: watched in this state")
    for stage, handshake in _stages(seen, part):
        waited = stage.waited_s
        yield Fact("seconds", waited - 0.3, waited + 0.3, f"{name}: has waited")
        for total in _totals(seen, handshake):
            # A hair's breadth decides whether there is one more timeout.
            least, most = stage.left_s(total - 1) - 1, stage.left_s(total + 1) + 1
            yield Fact("seconds", least, most, f"{name}: until given up")
    for waited in _busy(part):
        yield Fact("seconds", waited - 0.1, waited + 0.1, f"{name}: busy since the last data")
        for total in _totals(seen, handshake=False):
            left = total - waited
            yield Fact("seconds", left - 1, left + 1, f"{name}: until given up, by its busy time")
    for left in _until_probes_end(part):
        yield Fact("seconds", left - 1, left + 1, f"{name}: until its probes end")
    first = float((part.tcp_info("last_ack_recv") / 1000 + part.expires / 1000).max())
    yield Fact("seconds", first - 1, first + 1, f"{name}: keepalive's first probe")


def _busy(part: SocketTable) -> Iterator[float]:
    """With a FIN in flight, where no data had to be sent again: each segment of them took a second
    at most."""
    once = part.tcp_info_known("bytes_retrans") & (part.tcp_info("bytes_retrans") == 0)
    shut = part.tcp_info("rwnd_limited") / 1e6
    waited = part.tcp_info("busy_time") / 1e6 - shut - part.tcp_info("data_segs_out")
    fins = once & (part.send_q == 1) & (part.inode == 0)
    if fins.any():
        yield float(waited[fins].max())


def _read_since(seen: Seen, part: SocketTable) -> Iterator[Fact]:
    """Bytes that processes took out of receive queues since an earlier look at the same sockets."""
    for before in seen.samples[:-1]:
        then = {key: row for row, key in enumerate(before.sockets.cookie.tolist())}
        pairs = [(row, then.get(key, -1)) for row, key in enumerate(part.cookie.tolist())]
        if pairs and all(old >= 0 for _, old in pairs):
            rows, old = (np.array(each) for each in zip(*pairs, strict=True))
            taken = _consumed(part)[rows] - _consumed(before.sockets)[old]
            yield exactly("bytes", int(taken.sum()), "read since an earlier look")


def _consumed(table: SocketTable) -> NDArray[np.int64]:
    return table.tcp_info("bytes_received").astype(np.int64) - table.recv_q.astype(np.int64)


def _of_lulls(seen: Seen) -> Iterator[Fact]:
    """When some waited at the destination and nothing came from it: how often, how long, how many,
    and how much one of them had sent by then."""
    asked: list[int] = []
    began: list[float] = []
    for sample in seen.samples if seen.subject.destination else ():
        rows = sample.sockets.netns == seen.subject.netns
        rows &= at(sample.sockets, seen.subject.destination or "", "remote")
        part = sample.sockets.take(rows & (sample.sockets.state == tcp.ESTABLISHED))
        sent, came = part.tcp_info("last_data_sent"), part.tcp_info("last_data_recv")
        waits = (sent <= came) & (sent >= 1000) & (part.send_q == 0) & (part.recv_q == 0)
        new = part.tcp_info("data_segs_in") == 0
        if not waits.any() or new.all():
            continue
        yield exactly("count", int(np.count_nonzero(waits)), "waited")
        yield exactly("count", int(np.count_nonzero(waits & new)), "waited, never answered")
        heard = float(came[~new].min()) / 1000
        yield exactly("seconds", heard, "nothing came")
        if not began or sample.clock - heard > began[-1] + 0.3:
            began.append(sample.clock - heard)
        yield exactly("count", len(began), "lulls")
        yield exactly("seconds", seen.sample.clock - began[0], "since the first lull")
        yield exactly("seconds", seen.sample.clock - began[-1], "since a lull")
        asked.append(int(part.tcp_info("data_segs_out")[waits].max()))
    for before, after in combinations(asked, 2):
        yield exactly("count", after - before, "sent between two lulls")


def _closed_since(seen: Seen) -> Iterator[Fact]:
    """Connections to the destination that were closed, with an answer, since others are silent."""
    table, to = seen.table, seen.subject.destination
    silent = np.isin(table.cookie, np.array(seen.subject.cookies, np.uint64))
    silent &= (table.timer == _RETRANSMIT) & table.tcp_info_known("last_ack_recv")
    if not silent.any():
        return
    silence = float(table.tcp_info("last_ack_recv")[silent].min()) / 1000
    yield _ended_since(seen, silent, silence)
    if not to:
        return
    closed = (table.state == tcp.TIME_WAIT) & at(table, to, "remote")
    age = _TIME_WAIT_S - table.expires[closed] / 1000
    least, most = (int(np.count_nonzero(age < silence - slack)) for slack in (4, 0))
    yield Fact("count", least, most, "closed since the others are silent")
    others = at(table, to, "remote") & ~silent & np.isin(table.state, (tcp.ESTABLISHED, 4, 5))
    heard = np.minimum(table.tcp_info("last_ack_recv"), table.tcp_info("last_data_recv"))[others]
    open_least, open_most = (int(np.sum(heard / 1000 < silence - n)) for n in (4, 0))
    yield Fact("count", least + open_least, most + open_most, "closed since, or heard of")


def _ended_since(seen: Seen, silent: Bools, silence: float) -> Fact:
    """By the kernel's notices: those with the same addresses to which something had come."""
    table, ages = seen.table, []
    there = set(
        zip(table.remote_hi[silent].tolist(), table.remote_lo[silent].tolist(), strict=True)
    )
    for part in (each for sample in seen.samples[1:] for each in sample.deaths):
        if part.netns != seen.subject.netns or not len(part.sockets):
            continue
        came = part.sockets.tcp_info("bytes_received").tolist()
        ends = zip(part.sockets.remote_hi.tolist(), part.sockets.remote_lo.tolist(), strict=True)
        ages += [
            seen.sample.taken_at - at
            for at, octets, end in zip(part.at.tolist(), came, ends, strict=True)
            if octets and end in there
        ]
    least, most = (sum(age < silence - slack for age in ages) for slack in (4, 0))
    return Fact("count", least, most, "ended since the others are silent")


def _until_probes_end(part: SocketTable) -> Iterator[float]:
    """Of closed rows whose peer answers: a probe is due that was waited for as long as may be."""
    closed = part.take((part.timer == _PERSIST) & (part.inode == 0))
    for row in range(len(closed)):
        left = float(closed.expires[row]) / 1000
        wait = (
            float(closed.tcp_info("rto")[row]) / 1e6 * 2.0 ** int(closed.tcp_info("backoff")[row])
        )
        while 0 < wait < _LONGEST_S:
            wait *= 2
            left += min(wait, _LONGEST_S)
        yield left


def _longest_watched(seen: Seen, part: SocketTable) -> float:
    """Seconds since the earliest look from which on one of these was always in its state."""
    since, left = seen.sample.clock, _identities(part)
    for sample in reversed(seen.samples):
        left = left[np.isin(left, _identities(sample.sockets))]
        if not len(left):
            break
        since = sample.clock
    return seen.sample.clock - since


def _identities(table: SocketTable) -> NDArray[np.uint64]:
    """Of cookie and state; cookies are counted from 1 (net/core/sock_diag.c)."""
    return table.cookie << np.uint64(4) | table.state.astype(np.uint64)


class Stage(NamedTuple):
    """How far a row has come with what it sends again and again."""

    waited_s: float  # timeouts that ran out, and what is over of the present one
    timer_s: float  # what is left of that
    next_s: float  # the timeout after it

    def left_s(self, total_s: float) -> float:
        """Until the first timeout after so many seconds: then the kernel gives up."""
        left, wait = self.timer_s, self.next_s
        while self.waited_s + left < total_s:
            left += min(wait, _LONGEST_S)
            wait *= 2
        return left


def _stages(seen: Seen, part: SocketTable) -> Iterator[tuple[Stage, bool]]:
    """Of the row that has waited longest, of handshakes and of connections; the first timeouts
    of a SYN do not double (tcp_syn_linear_timeouts)."""
    timed = part.take(np.isin(part.timer, (_RETRANSMIT, _PERSIST)))
    linear = int(seen.sysctl("tcp_syn_linear_timeouts") or 0)
    handshakes, connections = [], []
    for row in range(len(timed)):
        left = float(timed.expires[row]) / 1000
        if timed.state[row] in (tcp.SYN_SENT, tcp.SYN_RECV):
            skip, again = linear * (timed.state[row] == tcp.SYN_SENT), int(timed.retrans[row])
            unanswered = timed.state[row] == tcp.SYN_RECV and not again
            while unanswered and left > _FIRST_S * 2**again:  # deferred: timeouts without a SYN-ACK
                again += 1
            waits = [_FIRST_S * 2 ** max(n - skip, 0) for n in range(again + 2)]
            handshakes.append(Stage(sum(waits[:-1]) - left, left, waits[-1]))
            continue
        rto, doubled = float(timed.tcp_info("rto")[row]) / 1e6, int(timed.tcp_info("backoff")[row])
        if timed.timer[row] == _PERSIST:  # its timeout is computed anew from the RTO, each time
            rto *= 2**doubled
        spent = rto / 2**doubled * (2**doubled - 1)
        connections.append(Stage(spent + rto - left, left, 2 * rto))
    for stages in (handshakes, connections):
        if stages:
            yield max(stages), stages is handshakes


def _totals(seen: Seen, handshake: bool) -> Iterator[float]:
    """How long the kernel tries, by each of its sysctls."""
    if handshake:
        linear = int(seen.sysctl("tcp_syn_linear_timeouts") or 0)
        yield _tries(int(seen.sysctl("tcp_syn_retries") or 0), _FIRST_S, linear)
        yield _tries(int(seen.sysctl("tcp_synack_retries") or 0), _FIRST_S)
    else:
        yield _tries(int(seen.sysctl("tcp_retries2") or 0), _RTO_S)
        yield _tries(int(seen.sysctl("tcp_orphan_retries") or 0) or _ORPHAN_RETRIES, _RTO_S)


def _tries(retries: int, first: float, linear: int = 0) -> float:
    """Timeouts of so many retries and the last wait, up to the longest (RFC 6298, 5.5)."""
    waits = (min(first * 2 ** max(n - linear, 0), _LONGEST_S) for n in range(retries + linear + 1))
    return float(sum(waits))


def _of_listeners(seen: Seen) -> Iterator[Fact]:
    table, subject = seen.table, seen.subject
    if not subject.listener:
        return
    rows = np.flatnonzero((table.state == tcp.LISTEN) & at(table, subject.listener, "local"))
    for before in seen.samples[:-1]:
        seconds = seen.sample.clock - before.clock
        young = (table.state == tcp.TIME_WAIT) & at(table, subject.listener, "local")
        young &= table.expires > 1000 * (_TIME_WAIT_S - seconds)
        young &= ~np.isin(table.cookie, before.sockets.cookie)
        per_s = np.count_nonzero(young) / seconds
        yield Fact("rate", *_about([per_s]), "new TIME_WAIT at it")
    yield exactly("count", len(rows), "listeners there")
    yield exactly("count", int(np.count_nonzero(table.recv_q[rows])), "listeners with a queue")
    for row in rows.tolist():
        queued, backlog = int(table.recv_q[row]), int(table.send_q[row])
        drops = int(table.memory_of("drops")[row])
        for value, what in (
            (queued, "queued"),
            (backlog, "backlog"),
            (backlog + 1, "capacity"),
            (drops, "drops since it listens"),
            (_peak(seen, int(table.cookie[row])), "peak"),
        ):
            yield exactly("count", value, f"listener: {what}")
        yield exactly("percent", 100 * queued / (backlog + 1), "listener: fill")
        for before in seen.samples[:-1]:
            then = np.flatnonzero(before.sockets.cookie == table.cookie[row])
            if len(then):
                grown = drops - int(before.sockets.memory_of("drops")[then[0]])
                yield exactly("rate", grown / (seen.sample.clock - before.clock), "listener: drops")


def _peak(seen: Seen, cookie: int) -> int:
    """The longest queue at any look and at any poll between them."""
    looked = [s.sockets.recv_q[s.sockets.cookie == cookie].max(initial=0) for s in seen.samples]
    polled = [s.peaks.peaks[s.peaks.cookies == cookie].max(initial=0) for s in seen.samples]
    return int(max(*looked, *polled))


def _of_accepted(seen: Seen) -> Iterator[Fact]:
    """Which share of the accepted connections came in by each port."""
    table = seen.table
    here = table.netns == seen.subject.netns
    ports = table.local_port[here & (table.state != tcp.LISTEN)]
    ports = ports[np.isin(ports, table.local_port[here & (table.state == tcp.LISTEN)])]
    for port, number in zip(*np.unique(ports, return_counts=True), strict=True):
        yield exactly("percent", 100 * number / len(ports), f"accepted on {port}")


def _of_unix_listeners(seen: Seen) -> Iterator[Fact]:
    """Of the listener on the subject's path: its queue, and who waits in it."""
    for each in seen.sample.unix_listeners or ():
        if each.path != seen.subject.listener:
            continue
        yield exactly("count", each.queued, "accept queue")
        yield exactly("count", each.backlog, "backlog")
        yield exactly("count", each.backlog + 1, "connections that fit")
        yield exactly("count", each.clients.count(0), "closed before accept()")
        owners = seen.sample.owners
        for pid in np.unique(owners.pids[np.isin(owners.inodes, each.clients)]).tolist():
            theirs = owners.inodes[owners.pids == pid]
            yield exactly("count", np.isin(theirs, each.clients).sum(), f"that wait, of {pid}")
        for before in seen.samples[:-1]:
            then = next(
                (old for old in before.unix_listeners or () if old.inode == each.inode), None
            )
            if then and then.queued:
                ago = seen.sample.clock - before.clock
                yield exactly("seconds", ago, "since when somebody waits")


def _about(waits: Sequence[float]) -> tuple[float, float]:
    """By growth between looks, where the kernel's clocks tell it of other moments."""
    return 0.95 * min(waits), 1.05 * max(waits)


def _of_ports(seen: Seen) -> Iterator[Fact]:
    """Of the ephemeral range, towards the destination."""
    text = seen.sysctl("net.ipv4.ip_local_port_range")
    if not text or not seen.subject.destination:
        return
    first, last = map(int, text.split())
    table = seen.table
    there = at(table, seen.subject.destination, "remote") & (table.state != tcp.LISTEN)
    there &= (table.local_port >= first) & (table.local_port <= last)
    used, every = len(np.unique(table.local_port[there])), last - first + 1
    yield exactly("count", every, "ports in the range")
    yield exactly("count", used, "ports used")
    yield exactly("count", every - used, "ports left")
    yield exactly("rate", every / _TIME_WAIT_S, "ports that 60 s of TIME_WAIT sustain")
    waits = []
    for before in seen.samples[:-1]:
        grown = used - int(np.count_nonzero(at(before.sockets, seen.subject.destination, "remote")))
        if grown > 0:
            waits.append((every - used) * (seen.sample.clock - before.clock) / grown)
    if waits:
        yield Fact("seconds", *_about(waits), "until the ports run out")
    for before in seen.samples[:-1]:
        new = ~np.isin(table.cookie[there], before.sockets.cookie)
        seconds = seen.sample.clock - before.clock
        yield exactly("rate", np.count_nonzero(new) / seconds, "new rows to there")
        young = table.expires[there] > 1000 * (_TIME_WAIT_S - seconds)
        waiting = int(np.count_nonzero((table.state[there] == tcp.TIME_WAIT) & young))
        yield exactly("rate", waiting / seconds, "new TIME_WAIT to there")
        opened = _grown(before, seen, "ActiveOpens").get("TcpActiveOpens", 0)
        back = at(table, seen.subject.destination, "local") & (table.state == tcp.TIME_WAIT)
        back &= table.expires > 1000 * (_TIME_WAIT_S - seconds)
        left = waiting + int(np.count_nonzero(back))
        yield exactly("rate", (opened - left) / seconds, "opened, without TIME_WAIT at either end")


def _of_calls(seen: Seen) -> Iterator[Fact]:
    """Connects to each place that were seen in SYN_SENT since each of the looks, how many of these
    are in no look any more, and how long they had waited when last seen; then of all together."""
    places = [] if seen.subject.destination else sorted(called(seen))
    numbers = [0] * len(seen.samples)
    for place in places or [seen.subject.destination or ""]:
        for first, (tried, fact) in enumerate(_calls(seen, place)):
            numbers[first] += tried
            yield from fact
    for number in numbers:
        yield exactly("count", number, "connects to all places")
    yield exactly("count", len(places), "places that were called")


def _of_traceless(seen: Seen) -> Iterator[Fact]:
    """Connections that ActiveOpens counts since each of the looks, and of which the last shows
    nothing at the destination, at either end; other looks may have shown some."""
    for first, before in enumerate(seen.samples[:-1] if seen.subject.destination else ()):
        seconds = seen.sample.clock - before.clock
        opened = _grown(before, seen, "ActiveOpens")["TcpActiveOpens"]
        shown = [_new_at(seen, seen.samples[first:], end) for end in ("remote", "local")]
        left = [_new_at(seen, [before, seen.sample], end) for end in ("remote", "local")]
        least, most = opened - max(shown) - 0.05 * opened, opened - max(left) + 0.05 * opened
        yield Fact("rate", least / seconds, most / seconds, "opened without a trace")


def _new_at(seen: Seen, samples: Sequence[Sample], end: str) -> int:
    """Connections with that end at the destination that are not in the first of these looks."""
    cookies: set[int] = set()
    for table in (sample.sockets for sample in samples[1:]):
        there = at(table, seen.subject.destination or "", end) & (table.state != tcp.LISTEN)
        cookies |= set(table.cookie[there].tolist())
    return len(cookies - set(samples[0].sockets.cookie.tolist()))


def called(seen: Seen) -> set[str]:
    """Where connects went that were seen in SYN_SENT, by the processes concerned."""
    found = set()
    for sample in seen.samples:
        table, owners = sample.sockets, sample.owners
        held = np.isin(table.inode, owners.inodes[np.isin(owners.pids, seen.subject.pids)])
        rows = np.flatnonzero(held & (table.inode != 0) & (table.state == tcp.SYN_SENT))
        for row in rows.tolist():
            host = address.text(int(table.remote_hi[row]), int(table.remote_lo[row]))
            found.add(address.endpoint(host, int(table.remote_port[row])))
    return found


def _calls(seen: Seen, place: str) -> Iterator[tuple[int, list[Fact]]]:
    looks, ages, every = [], dict[int, float](), dict[int, int]()
    for number, sample in enumerate(seen.samples):
        table = sample.sockets
        there = at(table, place, "remote") & (table.state != tcp.LISTEN)
        asking = table.take(there & (table.state == tcp.SYN_SENT))
        looks.append(set(asking.cookie.tolist()))
        waits = asking.retrans + _FIRST_S - asking.expires / 1000  # the first ones do not double
        ages |= dict(zip(asking.cookie.tolist(), waits.tolist(), strict=True))
        every |= dict.fromkeys(table.cookie[there].tolist(), number)
    now = looks[-1]
    for first in range(len(looks)):
        tried = set().union(*looks[first:])
        ended = {each for each in tried - now if every[each] < len(looks) - 1}
        longest = max((ages[each] for each in ended), default=0.0)
        yield (
            len(tried),
            [
                exactly("count", len(tried), "connects"),
                exactly("count", len(ended), "connects that have ended"),
                Fact("seconds", longest - 0.1, longest + 0.1, "the longest of these"),
            ],
        )


def _of_failures(seen: Seen) -> Iterator[Fact]:
    """Sockets that ended before they were open, by destination, since each of the looks."""
    later = _failed_ends(seen, len(seen.samples))
    for first in range(len(seen.samples) - 1, 0, -1):
        ends = _failed_ends(seen, first)
        # A window of seconds begins between two looks.
        for place, number in (*ends.items(), (None, ends.total())):
            least = later.total() if place is None else later[place]
            least, waits = min(least + 1, number), _asking(seen)
            yield Fact("count", least, number, "failed connects")
            yield Fact("count", least + waits, number + waits, "failed, or waiting now")
        ports = Counter(ends[:2] for ends in set(ends))
        for number in ports.values():
            yield exactly("count", number, "ports of an address that failed")
        later = ends


def _asking(seen: Seen) -> int:
    """In SYN_SENT now, there."""
    table = seen.table
    asking = (table.state == tcp.SYN_SENT) & (table.netns == seen.subject.netns)
    if seen.subject.destination:
        asking &= at(table, seen.subject.destination, "remote")
    return int(np.count_nonzero(asking))


def _failed_ends(seen: Seen, first: int) -> Counter[tuple[int, int, int]]:
    ends = Counter[tuple[int, int, int]]()
    for each in (e for sample in seen.samples[first:] for e in failed_connects(sample) or ()):
        ends[each.remote_hi, each.remote_lo, each.remote_port] += each.number
    return ends


def _of_served_ends(seen: Seen) -> Iterator[Fact]:
    """Bytes of the connections of the listener that ended since the first look."""
    subject, at_port = seen.subject, seen.subject.listener
    told = [each for sample in seen.samples[1:] for each in sample.deaths]
    told = [each for each in told if each.netns == subject.netns and len(each.sockets)]
    if not told or at_port is None:
        return
    dead = concat([each.sockets for each in told])
    there = at(dead, at_port, "local")
    dead, ended_at = dead.take(there), np.concatenate([each.at for each in told])[there]
    sent = dead.info_of("bytes_sent") - dead.info_of("bytes_retrans")
    lacking = np.nan_to_num(sent - dead.info_of("bytes_acked"))
    if not len(dead):
        return
    yield exactly("bytes", int(lacking.max()), "sent and not acknowledged, at most")
    cut_at = ended_at[lacking > 0]
    yield exactly("seconds", float(np.ptp(cut_at)) if len(cut_at) else 0.0, "from cut to cut")
    for part, name in ((dead.tcp_info("bytes_sent"), "all"), (sent[lacking > 0], "cut")):
        for end in (part.min(), part.max()) if len(part) else ():
            yield exactly("bytes", int(end), f"sent until it ended, {name}")


def _of_other_ports(dead: SocketTable, to: str) -> Iterator[Fact]:
    """Connections to the same address at other ports that brought something; as far back as the
    finding looks, or the whole watch."""
    host = at(dead, to.rpartition(":")[0] or to, "remote") & ~at(dead, to, "remote")
    came = int(np.count_nonzero(host & (dead.tcp_info("data_segs_in") > 0)))
    yield Fact("count", min(came, 1), came, "ended at other ports")


def _of_ends(seen: Seen) -> Iterator[Fact]:
    """Connections to the destination that ended since the first look, by what came of them."""
    subject, to = seen.subject, seen.subject.destination
    told = [each for sample in seen.samples[1:] for each in sample.deaths]
    tables = [each.sockets for each in told if each.netns == subject.netns and len(each.sockets)]
    if not tables or to is None or to.startswith(":"):
        return
    dead = concat(tables)
    yield from _of_other_ports(dead, to)
    dead = dead.take(at(dead, to, "remote") | _led_to(seen, dead, to))
    refused, unopened = dead.tcp_info("segs_in") > 0, ~_answered(dead)
    silent = unopened & ~refused & (dead.remote_port != 0)
    sent, came = dead.tcp_info("data_segs_out") > 0, dead.tcp_info("data_segs_in") > 0
    asked_s = dead.tcp_info("last_data_sent") / 1000
    due = (dead.tcp_info("last_data_sent") < dead.tcp_info("last_data_recv")) | ~came
    left = (~unopened & sent & due) | _reset_in_want(seen, dead)
    idle_s = dead.tcp_info("last_data_recv") / 1000 - asked_s
    closed_there = np.isin(dead.cookie, _last_seen(seen, tcp.CLOSE_WAIT))
    kinds = {
        "closed there before": closed_there,
        "in vain, closed there before": left & closed_there,
        "refused": unopened & refused,
        "silent": silent,
        "sent again": silent & (dead.tcp_info("total_retrans") > 0),
        "forgotten": unopened & (dead.remote_port == 0),
        "in vain": left,
        "never a byte": left & ~came & _never_heard(seen, dead),
        "after a pause": left & (idle_s >= 1),
        "used again after a pause": left & (idle_s >= 1) & came,
    }
    number = {name: int(np.count_nonzero(rows)) for name, rows in kinds.items()}
    for name, many in number.items():
        yield exactly("count", many, f"ended, {name}")
    same = (dead.tcp_info("last_data_sent") == dead.tcp_info("last_data_recv")) & sent & came
    usual = float(np.median(asked_s[left])) if left.any() else 0.0
    unsure = int(np.count_nonzero(same & ~left & (abs(asked_s - usual) <= 0.1 * usual)))
    yield Fact("count", number["in vain"], number["in vain"] + unsure, "in vain, or within a tick")
    failed = number["refused"] + number["silent"] + number["forgotten"] + number["in vain"]
    now = (seen.table.state == tcp.ESTABLISHED) & (seen.table.netns == subject.netns)
    now &= at(seen.table, to, "remote") & (seen.table.tcp_info("data_segs_in") > 0)
    open_now, ended = int(np.count_nonzero(now)), len(dead)
    yield exactly("count", failed, "ended in vain")
    yield Fact(
        "count", ended - failed - unsure, ended - failed + open_now, "ended well, or are well"
    )
    yield Fact("count", ended, ended + open_now, "ended, or are well")
    yield exactly(
        "bytes", int(dead.tcp_info("bytes_received").max(initial=0)), "came until it ended"
    )
    yield from _of_answers(seen, dead)
    for waited in asked_s[left].tolist():
        yield Fact("seconds", waited - 0.1, waited, "waited until it ended")
    for idle in idle_s[left].tolist():
        yield Fact("seconds", idle - 0.1, idle, "paused before the last thing was sent")


def _of_answers(seen: Seen, dead: SocketTable) -> Iterator[Fact]:
    """Bytes that came of those that had any, and how many these were."""
    came = np.sort(dead.tcp_info("bytes_received")[dead.tcp_info("bytes_received") > 0])
    for size in {*came[:_FEW].tolist(), *came[-_FEW:].tolist(), *np.unique(came)[-_FEW:].tolist()}:
        yield exactly("bytes", int(size), "came until it ended")
    whole = came >= 0.9 * np.median(came) if len(came) else came
    for part in (came[whole > 0], came[whole == 0]):
        for end in (part.min(), part.max()) if len(part) else ():
            yield exactly("bytes", int(end), "came until it ended, of whole answers and of parts")
    parts = int(np.count_nonzero(whole == 0))
    yield Fact("count", max(parts - 2, 0), parts, "parts of answers")
    yield Fact("count", int(np.count_nonzero(whole)), len(came), "answers, whole or not")


def _led_to(seen: Seen, dead: SocketTable, to: str) -> Bools:
    """The last look that showed them tells where those led whose port the kernel has cleared."""
    led = np.zeros(len(dead), bool)
    for row in np.flatnonzero(dead.remote_port == 0).tolist():
        last = _last_look(seen, int(dead.cookie[row]))
        led[row] = last is not None and bool(at(last[0], to, "remote")[last[1]])
    return led


def _reset_in_want(seen: Seen, dead: SocketTable) -> Bools:
    """Their own program has reset them (SO_LINGER 0), of which the kernel clears the counters; no
    acknowledgement came after the last look that showed them, and that showed no answer."""
    cleared = (dead.tcp_info("segs_out") == 0) & (dead.tcp_info("segs_in") == 0)
    want = np.zeros(len(dead), bool)
    for row in np.flatnonzero(cleared).tolist():
        last = _last_look(seen, int(dead.cookie[row]))
        if last is None:
            continue
        table, at_ = last
        sent, acked, came = (
            int(table.tcp_info(f"last_{name}")[at_])
            for name in ("data_sent", "ack_recv", "data_recv")
        )
        later = int(dead.tcp_info("last_data_sent")[row]) - sent
        same = abs(later - int(dead.tcp_info("last_ack_recv")[row]) + acked) <= 10
        want[row] = same and (sent < came or table.tcp_info("data_segs_in")[at_] == 0)
    return want


def _never_heard(seen: Seen, dead: SocketTable) -> Bools:
    """No data had come at the last look that showed them, if one did."""
    never = np.ones(len(dead), bool)
    for row, cookie in enumerate(dead.cookie.tolist()):
        last = _last_look(seen, cookie)
        never[row] = last is None or last[0].tcp_info("data_segs_in")[last[1]] == 0
    return never


def _last_look(seen: Seen, cookie: int) -> tuple[SocketTable, int] | None:
    for sample in reversed(seen.samples):
        rows = np.flatnonzero(sample.sockets.cookie == np.uint64(cookie))
        if len(rows):
            return sample.sockets, int(rows[0])
    return None


def _of_hasty(seen: Seen) -> Iterator[Fact]:
    """Who left the listener while a request waited, since each of the looks, and who did not."""
    listener, netns = seen.subject.listener, seen.subject.netns
    if listener is None or not listener.rpartition(":")[2].isdigit():
        return
    port = int(listener.rpartition(":")[2])
    every = hasty.left(seen.samples, netns, port)
    if not every:
        return
    said_to = hasty.said(seen.samples, netns, port) - set(every)
    for first in range(len(seen.samples)):
        some = [each for each in every.values() if each.look >= first]
        kinds = (some, [e for e in some if e.by_reset], [e for e in some if not e.by_reset])
        for those in (*kinds, [e for e in some if e.open_]):
            sure = sum(each.look < len(seen.samples) - 1 for each in those)  # missed twice
            yield Fact("count", sure - 1, len(those) + 1, "left without an answer")
        yield Fact("count", len(some) - 1, len(some) + len(said_to) + 1, "left, or got something")
    yield Fact("count", 0, len(said_to), "got something")
    least, most = ([getattr(e, n) for e in every.values()] for n in ("least_s", "most_s"))
    both = (max(least), min(most))
    yield Fact("seconds", min(both) - 0.1, max(both) + 0.1, "waited all alike, and left")
    for waited in (*least, *most):
        yield exactly("seconds", waited, "waited, and left")


def _of_late_handshakes(seen: Seen) -> Iterator[Fact]:
    """A window of seconds begins between two looks."""
    to = seen.subject.destination
    if to is None or not to.rpartition(":")[2].isdigit():
        return
    numbers = list(late.opened(seen.samples, seen.subject.netns, to))
    for most, least in pairwise(numbers):
        for name, high, low in zip(late.Numbers._fields, most, least, strict=True):
            yield Fact("count", min(low, high), high, f"connections that were opened: {name}")


def _of_late_accepts(seen: Seen) -> Iterator[Fact]:
    """The same of a listener: those whose SYN-ACK was sent again."""
    if seen.subject.listener:
        found = late.accepted(seen.samples, seen.subject.netns, seen.subject.listener)
        for most, least in pairwise(list(found)):
            for name, high, low in zip(("late", "in all"), most, least, strict=True):
                yield Fact("count", min(low, high), high, f"connections that were accepted: {name}")


def _of_repeats(seen: Seen) -> Iterator[Fact]:
    """Retransmissions to each remote address, of connections that two looks in a row have shown."""
    number = Counter[tuple[int, int]]()
    for before, after in reversed([*pairwise(seen.samples)]):
        then, now = before.sockets, after.sockets
        known = dict(
            zip(then.cookie.tolist(), then.tcp_info("total_retrans").tolist(), strict=True)
        )
        columns = (now.cookie, now.remote_hi, now.remote_lo, now.tcp_info("total_retrans"))
        for cookie, hi, lo, again in zip(*(each.tolist() for each in columns), strict=True):
            number[hi, lo] += max(again - known.get(cookie, again), 0)
        seconds = seen.sample.clock - before.clock
        for many in (each for each in number.values() if each):
            yield exactly("rate", many / seconds, "retransmitted to a remote")
            yield exactly("percent", 100 * many / number.total(), "of what is retransmitted")


def _last_seen(seen: Seen, state: int) -> NDArray[np.uint64]:
    """The cookies of those that were in that state when a look showed them last."""
    last: dict[int, int] = {}
    for table in (sample.sockets for sample in seen.samples):
        last |= dict(zip(table.cookie.tolist(), table.state.tolist(), strict=True))
    return np.array([each for each, was in last.items() if was == state], np.uint64)


def _answered(dead: SocketTable) -> Bools:
    """Open, as a round trip was measured, or something of it taken."""
    one: Bools = (dead.tcp_info("bytes_acked") > 0) | (dead.tcp_info("rtt") > 0)
    return one | dead.tcp_info_known("min_rtt")


def _of_resets(seen: Seen) -> Iterator[Fact]:
    """Connections that ended in a reset since each of the looks: of each end that was called, or
    that they came in by, and those of either way; at each port those of which nothing came. A
    window begins when a look does, or ends."""
    if not any(len(each.sockets) for sample in seen.samples for each in sample.deaths):
        return
    history = History()
    for sample in seen.samples:
        snapshot, history = derive(sample, history)
    closed = ended(snapshot)
    reset = (closed.reset == YES) & closed.opened
    listening = seen.table.local_port[seen.table.state == tcp.LISTEN]
    came_in = np.isin(closed.local_port, listening)
    groups = [reset & came_in, reset & ~came_in]
    groups += [reset & came_in & (closed.local_port == port) for port in set(listening.tolist())]
    columns = (closed.remote_hi.tolist(), closed.remote_lo.tolist(), closed.remote_port.tolist())
    ends = {*zip(*columns, strict=True)}
    for hi, lo, port in ends if len(ends) < 50 else ():
        there = (closed.remote_hi == hi) & (closed.remote_lo == lo) & (closed.remote_port == port)
        groups.append(reset & ~came_in & there)
    open_now = np.isin(seen.table.state, (tcp.ESTABLISHED, tcp.CLOSE_WAIT))
    for port in set(listening.tolist()):
        at_port = closed.opened & (closed.local_port == port)
        still = int(np.count_nonzero(open_now & (seen.table.local_port == port)))
        for sample in seen.samples[:-1]:
            least = float(np.count_nonzero(at_port & (closed.at >= sample.taken_at + 0.3)))
            most = float(np.count_nonzero(at_port & (closed.at >= sample.taken_at - 0.3))) + still
            yield Fact("count", least, most, "connections that came or ended there")
    nothing_came = closed.opened & (closed.known("data_segs_in") == 0)
    groups += [nothing_came & (closed.local_port == port) for port in set(listening.tolist())]
    for sample in seen.samples[:-1]:
        for rows in groups:
            few, many = (
                float(np.count_nonzero(rows & (closed.at >= sample.taken_at + by)))
                for by in (0.3, -0.3)
            )
            seconds = seen.sample.clock - sample.clock
            yield Fact("count", few, many, "ended in a reset, or before anything came")
            yield Fact("rate", few / seconds, many / seconds, "ended in a reset, or unheard")


def _of_processes(seen: Seen) -> Iterator[Fact]:
    yield exactly("count", len(seen.subject.pids), "processes")
    yield exactly("count", max(len(seen.subject.pids) - 3, 0), "processes that are not named")
    for pid in seen.subject.pids:
        process = seen.sample.owners.processes.get(pid)
        if process is None or process.open_fds is None or not process.fd_limit:
            continue
        now = _descriptors(pid, process.open_fds)
        low, high = min(now, process.open_fds), max(now, process.open_fds)
        yield Fact("count", low, high, "descriptors")
        yield exactly("count", process.fd_limit, "limit of descriptors")
        yield Fact("percent", 100 * low / process.fd_limit, 100 * high / process.fd_limit, "of it")
        yield from _until_full(seen, process)


def _until_full(seen: Seen, process: Process) -> Iterator[Fact]:
    """When its descriptors run out, by how they grew between any two looks of the last 30 s."""
    looks = [
        (sample.clock, then.open_fds)
        for sample in seen.samples
        if (then := sample.owners.processes.get(process.pid)) and then.open_fds is not None
    ]
    left = (process.fd_limit or 0) - (process.open_fds or 0)
    waits = [
        left * (end - start) / (after - before)
        for (start, before), (end, after) in combinations(looks, 2)
        if after > before and seen.sample.clock - start < 33
    ]
    if waits:
        yield Fact("seconds", *_about(waits), "until its descriptors run out")


def _of_doings(seen: Seen) -> Iterator[Fact]:
    """Of the processes concerned: for how long each is in its state, and its share of a core."""
    for pid in seen.subject.pids:
        facts = [s.facts[pid] for s in seen.samples if pid in s.facts]
        if not facts:
            continue
        yield Fact("seconds", facts[-1].state_s, facts[-1].state_s, "in its state")
        yield exactly("count", facts[-1].threads, "threads")
        yield exactly("percent", 100 * (facts[-1].cpu_share or 0.0), "of a core")
        quota = facts[-1].throttled
        if quota is not None:
            yield exactly("count", quota.throttled, "periods in which it was throttled")
            yield exactly("count", quota.periods, "periods of its control group")
            yield exactly("percent", 100 * quota.throttled / quota.periods, "of the periods")
            yield exactly("percent", 100 * (quota.cores or 0), "of a core, its quota")
        memory = facts[-1].memory
        if memory is not None:
            yield exactly("bytes", memory.used, "its control group's memory")
            yield exactly("bytes", memory.limit, "the limit of that")
            yield exactly("bytes", memory.sockets or 0, "of it, by sockets")
            yield exactly("count", memory.met or 0, "times that it was met")
    for pid in seen.subject.pids:
        lost = _lost_sockets(pid, seen)
        fewest = lost - _opened_lately(pid, seen)
        yield Fact("count", fewest, lost, "descriptors of TCP sockets in no list")
        inodes = seen.sample.owners.inodes[seen.sample.owners.pids == pid]
        held = int(np.count_nonzero(np.isin(seen.table.inode, inodes) & (seen.table.inode != 0)))
        yield exactly("count", held, "its listed sockets, listeners too")
        yield Fact("count", held + fewest, held + lost, "its TCP sockets")
        yield from _of_unlisted(pid, seen)


def _opened_lately(pid: int, seen: Seen) -> int:
    """By how much its descriptors grew through the last looks: lost ones are found bit by bit."""
    held = [s.owners.processes[pid].open_fds for s in seen.samples if pid in s.owners.processes]
    known = [each for each in held if each is not None][-4:]
    return max(0, _descriptors(pid, known[-1]) - known[0]) if known else 0


def _of_unlisted(pid: int, seen: Seen) -> Iterator[Fact]:
    """What they were, where they led, and how they grew: no faster than all descriptors."""
    held = [
        (s.clock, s.owners.unlisted[pid], s.owners.processes[pid].open_fds or 0)
        for s in seen.samples
        if pid in s.owners.unlisted and pid in s.owners.processes
    ]
    if not held:
        return
    known = held[-1][1].known
    for alike in (
        Counter(each.was for each in known),
        Counter(lost_end(each) for each in known),
        Counter(lost_end(each).rpartition(":")[0] for each in known),
    ):
        for what, many in alike.items():
            yield exactly("count", many, f"sockets in no list: {what}")
    for clock, before, fds in held[:-1]:
        seconds, lost = held[-1][0] - clock, held[-1][1].sockets - before.sockets
        yield exactly("rate", lost / seconds, "new sockets in no list")
        yield exactly("rate", min(lost, held[-1][2] - fds) / seconds, "no more than descriptors")


def lost_end(socket: LostSocket) -> str:
    """10.0.0.9:5672, where it led."""
    host = address.text(socket.remote_hi, socket.remote_lo)
    return address.endpoint(host, socket.remote_port)


def failed_end(each: FailedConnect) -> str:
    """The same of connects that failed."""
    return address.endpoint(address.text(each.remote_hi, each.remote_lo), each.remote_port)


def _lost_sockets(pid: int, seen: Seen) -> int:
    """As lsof would: what a descriptor is, and whether the dump has it."""
    listed = {*seen.table.inode.tolist(), *seen.sample.bound.inode.tolist()}
    lost = 0
    for name in _listed(f"/proc/{pid}/fd"):
        try:
            kind = os.getxattr(f"/proc/{pid}/fd/{name}", "system.sockprotoname")
            inode = os.stat(f"/proc/{pid}/fd/{name}").st_ino
        except OSError:
            continue
        lost += kind.rstrip(b"\0") in (b"TCP", b"TCPv6") and inode not in listed
    return lost


def _listed(directory: str) -> list[str]:
    try:
        return os.listdir(directory)
    except OSError:
        return []


def _descriptors(pid: int, otherwise: int) -> int:
    return len(_listed(f"/proc/{pid}/fd")) or otherwise


def _of_counters(seen: Seen, named: str) -> Iterator[Fact]:
    """How fast the counters rose that are named, and the differences of two of them."""
    yield exactly("rate", 0, "none")
    for before in seen.samples[:-1]:
        seconds = seen.sample.clock - before.clock
        icmp = _grown(before, seen, "InDestUnreachs OutDestUnreachs")
        came = sum(-n if "Out" in name else n for name, n in icmp.items())
        yield exactly("count", came, "ICMP unreachables of others")
        yield exactly("rate", came / seconds, "ICMP unreachables of others")
        grown = _grown(before, seen, named)
        for name, growth in grown.items():
            yield exactly("rate", growth / seconds, name)
            yield exactly("count", growth, name)
            for other, less in ((n, v) for n, v in grown.items() if n != name):
                yield exactly("rate", (growth - less) / seconds, f"{name} less {other}")
                yield exactly("rate", (growth + less) / seconds, f"{name} and {other}")
                yield exactly("percent", 100 * growth / max(less, 1), f"{name} of {other}")
                rest = 100 * (growth - less) / max(growth, 1)
                yield exactly("percent", rest, f"{name} less {other}, of it")
                both = max(growth + less, 1)
                yield exactly("percent", 100 * growth / both, f"{name} of it and {other}")


def _of_refusals(seen: Seen) -> Iterator[Fact]:
    """Resets that no socket sent, and their share of those and what was accepted; how often each
    port lost its last listener."""
    own = "TCPAbortOnClose TCPAbortOnData TCPAbortOnTimeout TCPAbortOnMemory"
    own += " EmbryonicRsts AttemptFails EstabResets"
    for before in seen.samples[:-1]:
        sent, by_sockets, accepted = (
            sum(_grown(before, seen, names).values()) for names in ("OutRsts", own, "PassiveOpens")
        )
        refused = max(sent - by_sockets, 0)
        yield exactly("rate", refused / (seen.sample.clock - before.clock), "refused")
        yield exactly("percent", 100 * refused / max(refused + accepted, 1), "refused of all")
    listening = [_listened_on(each.sockets, seen.subject.netns) for each in seen.samples]
    left = Counter(port for then, now in pairwise(listening) for port in then - now)
    for port, times in left.items():
        yield exactly("count", times, f"listeners of :{port} went")


def _listened_on(table: SocketTable, netns: int) -> set[int]:
    return set(table.local_port[(table.state == tcp.LISTEN) & (table.netns == netns)].tolist())


def _grown(before: Sample, seen: Seen, named: str) -> dict[str, int]:
    then = next((k for k in before.kernel if k.netns == seen.subject.netns), None)
    grown = {}
    for section, counters in seen.kernel.counters.items():
        for name, value in counters.items():
            known = then.counters.get(section, {}).get(name) if then else None
            if name in named and known is not None:
                grown[f"{section}{name}"] = value - known
    return grown


def _of_limits(seen: Seen) -> Iterator[Fact]:
    """Numbers of the sysctls, which texts give without their names too."""
    for name, text in seen.kernel.sysctls.items():
        for word in text.split():
            if word.lstrip("-").isdigit():
                yield exactly("count", int(word), name)
    for name, value in seen.kernel.sockstat.get("TCP", {}).items():
        yield exactly("count", value, f"sockstat {name}")
    idle, interval, probes = (
        int(seen.sysctl(f"tcp_keepalive_{name}") or 0) for name in ("time", "intvl", "probes")
    )
    yield exactly("seconds", idle + interval * probes, "keepalive gives up")
    yield exactly("seconds", idle, "keepalive time")
    yield exactly("seconds", interval, "keepalive interval")
    for total in (*_totals(seen, True), *_totals(seen, False)):
        yield Fact("seconds", total - 0.6, total + 0.6, "the kernel gives up")
