"""What is wrong with a single socket, in one clause of plain words."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from tcptop.analysis import stalls
from tcptop.analysis.findings.words import count, duration, number, size
from tcptop.analysis.peers import remote_is_local
from tcptop.model import tcp
from tcptop.model.arrays import isin_codes
from tcptop.model.named_tuple import NamedTuple
from tcptop.model.snapshot import Snapshot
from tcptop.model.sysctls import number as sysctl_number
from tcptop.model.table import F64, U8, Index
from tcptop.model.tcp import DELACK, KEEPALIVE, PERSIST

QUEUED_S = 1.0
CLOSED_S = 60.0  # since the other end, or this one, has closed
DOUBLED = 2  # a single retransmission is everyday
SYN_S = 3.0

Clauses = Iterator[tuple[int, str]]  # row, clause


class _Asked(NamedTuple):
    """`rows` are sorted, and of `states` each has its state."""

    snapshot: Snapshot
    rows: Index
    states: U8
    idle_timeout_s: float

    def of(self, *states: int) -> Index:
        return self.rows[isin_codes(self.states, states)]


def verdicts(
    snapshot: Snapshot, rows: Index, idle_timeout_s: float | None = None
) -> list[str | None]:
    """For each of the rows a clause, or None where nothing is wrong with it.

    `idle_timeout_s`, else the snapshot's, is after how long load balancers and NAT on the way
    forget a connection.
    """
    ordered = np.sort(rows)
    timeout = snapshot.idle_timeout_s if idle_timeout_s is None else idle_timeout_s
    asked = _Asked(snapshot, ordered, snapshot.sample.sockets.state[ordered], timeout)
    said: dict[int, str] = {}
    for clause in CLAUSES:
        for row, text in clause(asked):
            said.setdefault(row, text)
    found: list[str | None] = [None] * len(rows)
    for place in np.flatnonzero(np.isin(rows, np.array(list(said), np.int64))).tolist():
        found[place] = said[int(rows[place])]
    return found


def _full(asked: _Asked) -> Clauses:
    """A listener holds one more than its backlog (sk_acceptq_is_full, include/net/sock.h)."""
    table, listeners = asked.snapshot.sample.sockets, asked.snapshot.listeners
    for row in asked.of(tcp.LISTEN).tolist() if asked.snapshot.sample.backlog_told else ():
        queued, room = int(table.recv_q[row]), int(table.send_q[row]) + 1
        place = int(np.searchsorted(listeners.row, row))
        dropped, peak = float(listeners.drops_per_s[place]), int(listeners.peak[place])
        lost = f", {number(dropped)} SYNs/s dropped" if dropped > 0 else ""
        if queued >= room:
            yield row, f"accept queue full: {number(queued)} of {number(room)}{lost}"
        elif lost and peak >= room:
            yield row, f"accept queue was full: {number(peak)} of {number(room)}{lost}"


def _queued(asked: _Asked) -> Clauses:
    """Since when is known from the kernel's clock of the last data, or of the handshake."""
    snapshot, table = asked.snapshot, asked.snapshot.sample.sockets
    rows = asked.of(tcp.ESTABLISHED, tcp.CLOSE_WAIT)
    rows = rows[(snapshot.queue[rows] >= 0) & (table.inode[rows] == 0)]
    waited = np.fmax(snapshot.seen_s[rows], table.since_s("last_data_recv", rows))
    for row, seconds in _over(rows, waited, QUEUED_S):
        left = ", its client has closed" if table.state[row] == tcp.CLOSE_WAIT else ""
        yield row, f"waiting in the accept queue for {duration(seconds)}{left}"


def _opening(asked: _Asked) -> Clauses:
    table, state_s = asked.snapshot.sample.sockets, asked.snapshot.durations.state_s
    for row in asked.of(tcp.SYN_SENT).tolist():
        tries = int(table.retrans[row])
        if tries:
            yield row, f"SYN unanswered, {count(tries, 'retry', 'retries')}"
        elif state_s[row] >= SYN_S:
            yield row, f"SYN unanswered for {duration(float(state_s[row]))}"
    rows = asked.of(tcp.SYN_RECV)
    for row in rows[table.retrans[rows] > 0].tolist():
        yield row, f"half-open, SYN-ACK retransmitted {count(int(table.retrans[row]), 'time')}"


def _unanswered(asked: _Asked) -> Clauses:
    snapshot, table = asked.snapshot, asked.snapshot.sample.sockets
    rows = stalls.pending(table, asked.rows[asked.states != tcp.SYN_SENT], np.inf)
    for_s = stalls.unanswered_s(snapshot, rows, DOUBLED)
    for row, seconds in _over(rows, for_s, 1.0):
        left = stalls.give_up_in_s(snapshot, row)
        what = "probing a closed window" if table.timer[row] == PERSIST else "retransmitting"
        if table.state[row] not in stalls.TALKING:
            yield row, f"closing, {what} for {duration(seconds)}: no answer"
        elif left is None:
            yield row, f"{what} for {duration(seconds)}: no answer"
        else:
            yield row, f"{what} for {duration(seconds)}, kernel gives up in about {duration(left)}"


def _shut(asked: _Asked) -> Clauses:
    snapshot, table = asked.snapshot, asked.snapshot.sample.sockets
    rows = stalls.pending(table, asked.rows[asked.states != tcp.SYN_SENT], np.inf)
    for row, seconds in _over(rows, stalls.shut_s(snapshot, rows), stalls.SHUT_S):
        yield row, f"peer's window is zero for {duration(seconds)}: it does not read"
    rows = rows[isin_codes(table.state[rows], (tcp.FIN_WAIT1, tcp.LAST_ACK, tcp.CLOSING))]
    rows = rows[(table.timer[rows] == PERSIST) & (table.inode[rows] == 0)]
    for row, _ in _over(rows, snapshot.durations.unacked_s[rows], stalls.SHUT_S):
        yield row, f"closed with {size(int(table.send_q[row]))} unsent: the peer does not read"


def _unread(asked: _Asked) -> Clauses:
    table, rows = asked.snapshot.sample.sockets, asked.rows
    rows = rows[(table.recv_q[rows] > 0) & (asked.states != tcp.LISTEN)]
    for row, seconds in _over(rows, stalls.unread_s(asked.snapshot, rows), stalls.UNREAD_S):
        reads = "hardly reads" if asked.snapshot.durations.crawled[row] else "does not read"
        yield row, f"unread for {duration(seconds)}: the process {reads}"


def _growing(asked: _Asked) -> Clauses:
    snapshot, table = asked.snapshot, asked.snapshot.sample.sockets
    rows = asked.of(*stalls.TALKING)
    rising = snapshot.durations.rises[rows] >= stalls.RISES
    rows = rows[rising & (table.send_q[rows] >= stalls.QUEUE)]
    for row, seconds in _over(rows, stalls.drain_s(snapshot, rows), stalls.DRAIN_S):
        rest = "nothing leaves" if np.isinf(seconds) else f"{duration(seconds)} to drain"
        yield row, f"Send-Q grows: {size(int(table.send_q[row]))}, {rest}"


def _half_closed(asked: _Asked) -> Clauses:
    """A FIN is acknowledged, so the last acknowledgement tells its age, at least.

    Where data goes on in the other direction, half-closed is as it should be.
    """
    snapshot, table = asked.snapshot, asked.snapshot.sample.sockets
    rows = asked.of(tcp.CLOSE_WAIT, tcp.FIN_WAIT2)
    rows = rows[table.inode[rows] != 0]
    rows = rows[table.idle_s(rows) >= CLOSED_S]
    heard = table.since_s("last_ack_recv", rows)
    for row, seconds in _over(rows, np.fmax(snapshot.durations.state_s[rows], heard), CLOSED_S):
        if table.state[row] == tcp.CLOSE_WAIT:
            yield row, f"peer closed {duration(seconds)} ago, the process has not"
        else:
            yield row, f"closed our side {duration(seconds)} ago, the peer has not"


def _probed(asked: _Asked) -> Clauses:
    """A first probe may be on its way: two are not answered."""
    table, rows = asked.snapshot.sample.sockets, asked.of(*stalls.TALKING)
    rows = rows[(table.timer[rows] == KEEPALIVE) & (table.retrans[rows] > 1)]
    for row in rows.tolist():
        most = _keepalive_probes(asked.snapshot, row)
        of = "" if most is None else f" of {most}"
        yield row, f"keepalive probe {int(table.retrans[row])}{of} unanswered"


def _keepalive_probes(snapshot: Snapshot, row: int) -> int | None:
    table = snapshot.sample.sockets
    options = snapshot.sample.options.get(table.id(row))
    if options and options.keepcnt:
        return options.keepcnt
    sysctls = snapshot.sample.kernel_of(int(table.netns[row])).sysctls
    usual = sysctl_number(sysctls, "net.ipv4.tcp_keepalive_probes")
    return None if usual is None or usual < table.retrans[row] else usual  # the socket has its own


def _forgotten(asked: _Asked) -> Clauses:
    """Data that waits for its acknowledgement hides the keepalive timer: not known then."""
    table, rows = asked.snapshot.sample.sockets, asked.of(tcp.ESTABLISHED)
    timer = table.timer[rows]
    still = ((timer == 0) | (timer == DELACK)) & (table.send_q[rows] == 0)
    rows = rows[still & (table.inode[rows] != 0)]
    rows = rows[table.since_s("last_data_sent", rows) > asked.idle_timeout_s]
    idle = _idle_s(asked.snapshot, rows)
    rows, idle = rows[idle > asked.idle_timeout_s], idle[idle > asked.idle_timeout_s]
    if len(rows):
        away = ~remote_is_local(table, rows)
        for row, seconds in zip(rows[away].tolist(), idle[away].tolist(), strict=True):
            rest = f"a {asked.idle_timeout_s:.0f} s load balancer would drop it"
            yield row, f"no keepalive, idle {duration(seconds)}: {rest}"


def _idle_s(snapshot: Snapshot, rows: Index) -> F64:
    """Since data or an acknowledgement went either way; the peer's own keepalive counts, too."""
    table, silent_s = snapshot.sample.sockets, snapshot.durations.silent_s[rows]
    idle = np.minimum(table.idle_s(rows), table.since_s("last_ack_recv", rows))
    spoken = silent_s < snapshot.seen_s[rows] - 1
    return np.where(spoken, silent_s, idle)


def _over(rows: Index, seconds: F64, least: float) -> Iterator[tuple[int, float]]:
    enough = seconds >= least
    return zip(rows[enough].tolist(), seconds[enough].tolist(), strict=True)


CLAUSES: tuple[Callable[[_Asked], Clauses], ...] = (
    _full,
    _queued,
    _opening,
    _unanswered,
    _shut,
    _probed,
    _unread,
    _growing,
    _half_closed,
    _forgotten,
)
