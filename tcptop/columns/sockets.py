"""Columns of the connections."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import repeat
from shlex import quote
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tcptop.analysis import subject
from tcptop.analysis.identity import socket_keys
from tcptop.columns import commands, units, workloads
from tcptop.columns.column import LABEL_CELLS, Column, Texts, Values, shown
from tcptop.columns.endpoints import (
    endpoints,
    owner_texts,
    owner_values,
    rank,
    source,
    unowned_last,
    zones,
)
from tcptop.columns.listeners import listening
from tcptop.columns.listing import Listing
from tcptop.columns.marks import of_named
from tcptop.model import address, tcp
from tcptop.model.arrays import isin_codes
from tcptop.model.cells import safe
from tcptop.model.finding import Finding
from tcptop.model.selection import Selection
from tcptop.model.table import F64, Index, SocketTable


def _table(selection: Selection) -> SocketTable:
    return selection.snapshot.sample.sockets


def _plain(name: str) -> Values:
    return lambda selection, rows: getattr(_table(selection), name)[rows].astype(np.int64)


def _derived(name: str) -> Values:
    return lambda selection, rows: getattr(selection.snapshot, name)[rows]


def _info(name: str) -> Values:
    """A tcp_info field as float, NaN where the kernel did not say."""

    def values(selection: Selection, rows: Index) -> F64:
        return _table(selection).info_of(name, rows)

    return values


def idle_s(selection: Selection, rows: Index) -> F64:
    return _table(selection).idle_s(rows)


def _rtt(selection: Selection, rows: Index) -> F64:
    return _table(selection).rtt_us(rows)


def _send_q(selection: Selection, rows: Index) -> F64:
    return _table(selection).send_q_of(selection.snapshot.sample.backlog_told, rows)


def _of_connections(values: Values) -> Values:
    """0 for listeners, whose numbers have a list of their own."""

    def told(selection: Selection, rows: Index) -> F64:
        listening = _table(selection).state[rows] == tcp.LISTEN
        return np.where(listening, 0, values(selection, rows))

    return told


def _cwnd(selection: Selection, rows: Index) -> F64:
    listening = _table(selection).state[rows] == tcp.LISTEN
    return np.where(listening, np.nan, _info("snd_cwnd")(selection, rows))


def _remote(selection: Selection, rows: Index) -> NDArray[Any]:
    table = _table(selection)
    return rank(table.remote_hi[rows], table.remote_lo[rows], table.remote_port[rows])


def _local(selection: Selection, rows: Index) -> NDArray[Any]:
    table = _table(selection)
    return rank(table.local_hi[rows], table.local_lo[rows], table.local_port[rows])


def local_texts(selection: Selection, rows: Index) -> list[str]:
    table, port = _table(selection), _table(selection).local_port[rows].tolist()
    scopes = zones(selection.snapshot.sample, table.netns[rows], table.interface[rows])
    return endpoints(table.local_hi[rows], table.local_lo[rows], port, scopes)


def remote_texts(selection: Selection, rows: Index) -> list[str]:
    table = _table(selection)
    port = [number or "*" for number in table.remote_port[rows].tolist()]
    return endpoints(table.remote_hi[rows], table.remote_lo[rows], port, repeat(""))


def state_texts(selection: Selection, rows: Index) -> list[str]:
    return [tcp.SS_STATES[state] for state in _table(selection).state[rows].tolist()]


def state_looks(selection: Selection, rows: Index) -> list[str]:
    return [STATE_STYLES.get(state, "") for state in _table(selection).state[rows].tolist()]


def _by_trouble(selection: Selection, rows: Index) -> NDArray[Any]:
    return TROUBLE[_table(selection).state[rows]]


# The states in which something is being waited for come first, TIME_WAIT comes last.
_STUCK = (tcp.CLOSE_WAIT, tcp.SYN_SENT, tcp.SYN_RECV, tcp.LAST_ACK, tcp.FIN_WAIT1, tcp.CLOSING)
_SOUND = (tcp.ESTABLISHED, tcp.LISTEN, tcp.CLOSE, tcp.FIN_WAIT2, tcp.TIME_WAIT)
TROUBLE = np.zeros(12, np.int64)
TROUBLE[[*_STUCK, *_SOUND]] = range(11)

STATE_STYLES = {
    tcp.CLOSE_WAIT: "warn",
    tcp.SYN_SENT: "warn",
    tcp.SYN_RECV: "warn",
    tcp.LAST_ACK: "warn",
    tcp.CLOSING: "warn",
    tcp.TIME_WAIT: "dim",
}


NO_TIMER = 0
QUIET_TIMERS = (tcp.KEEPALIVE, tcp.TIMEWAIT)


def _waits(selection: Selection, rows: Index) -> NDArray[Any]:
    """Whether the kernel waits for something that may not come."""
    kind = _table(selection).timer[rows]
    return ~isin_codes(kind, (NO_TIMER, *QUIET_TIMERS))


def timer_texts(
    selection: Selection, rows: Index, long: Callable[[float], str] = units.duration
) -> list[str]:
    """`3.2s retransmit #4`: how long the kernel waits, for what, and the tries so far. The time is
    first, as the end may be cut.

    `long` shows the seconds of what is nothing to wait for: keepalive and TIME_WAIT.
    """
    table = _table(selection)
    columns = (table.timer[rows], table.expires[rows], table.retrans[rows])
    values = zip(*(column.tolist() for column in columns), strict=True)
    return [timer(kind, expires, retrans, long) for kind, expires, retrans in values]


def timer(
    kind: int, expires_ms: int, retransmits: int, long: Callable[[float], str] = units.duration
) -> str:
    if kind == NO_TIMER:
        return ""
    name = tcp.TIMERS[kind] if kind < len(tcp.TIMERS) else f"timer {kind}"
    tries = f" #{retransmits}" if retransmits else ""
    show = long if kind in QUIET_TIMERS else units.duration
    return f"{show(expires_ms / 1000)} {name}{tries}"


def _user(selection: Selection, rows: Index) -> list[str]:
    sample = selection.snapshot.sample
    uids, filler = sample.sockets.uid[rows].tolist(), sample.sockets.mini(rows).tolist()
    users = sample.users
    return [
        units.UNKNOWN if none else safe(users.get(uid, str(uid)))
        for uid, none in zip(uids, filler, strict=True)
    ]


def _cgroup(selection: Selection, rows: Index) -> list[str]:
    sample = selection.snapshot.sample
    ids = sample.sockets.cgroup_id[rows].tolist()
    return [safe(sample.cgroups.get(i, f"#{i}")) if i else units.UNKNOWN for i in ids]


def _congestion(selection: Selection, rows: Index) -> list[str]:
    names = _table(selection).cong[rows].tolist()
    return [safe(name.decode("latin-1")) or units.UNKNOWN for name in names]


def _ulp(selection: Selection, rows: Index) -> list[str]:
    return [safe(name.decode("latin-1")) for name in _table(selection).ulp[rows].tolist()]


def _by_text(texts: Texts) -> Values:
    return lambda selection, rows: np.array(texts(selection, rows), dtype=object).astype(str)


def _queue_texts(values: Values) -> Texts:
    """Bytes; of a listener connections."""

    def texts(selection: Selection, rows: Index) -> list[str]:
        listening = (_table(selection).state[rows] == tcp.LISTEN).tolist()
        queued = zip(values(selection, rows).tolist(), listening, strict=True)
        return [units.short_count(q) if some else units.size(q) for q, some in queued]

    return texts


def _queue_looks(name: str) -> Any:
    def styles(selection: Selection, rows: Index) -> list[str]:
        table = _table(selection)
        filled = (getattr(table, name)[rows] > 0) & (table.state[rows] != tcp.LISTEN)
        return ["warn" if some else "" for some in filled.tolist()]

    return styles


def _looks(selection: Selection, rows: Index) -> list[str]:
    states = _table(selection).state[rows].tolist()
    return ["dim" if state == tcp.TIME_WAIT else "" for state in states]


COLUMNS = (
    Column(
        "state", "State", 10,
        "Where it stands in TCP's life of eleven states; sorted: what may be stuck first.",
        _by_trouble, state_texts, styles=state_looks, largest_first=False,
    ),
    Column(
        "recv_q", "Recv-Q", 6,
        "Bytes the process has not read yet; of a listener the connections it has not accepted.",
        _plain("recv_q"), _queue_texts(_plain("recv_q")), right=True,
        styles=_queue_looks("recv_q"),
    ),
    Column(
        "send_q", "Send-Q", 6,
        "Bytes not acknowledged by the peer, sent or not; of a listener its backlog.",
        _send_q, _queue_texts(_send_q), right=True,
        styles=_queue_looks("send_q"), telling=_of_connections(_send_q),
    ),
    Column(
        "local", "Local address", 14, "This end.", _local, local_texts, flex=True,
        largest_first=False, tail=":", least=9, grow=0,
    ),
    Column(
        "remote", "Remote address", 21, "The other end.", _remote, remote_texts, flex=True,
        largest_first=False, tail=":", least=12, grow=0,
    ),
    Column(
        "process", "Process", 7,
        "Who holds the socket: name/pid, +n other processes, † closed by it, ~ apparently, as "
        "others to the same destination; or why nobody.",
        owner_values, owner_texts, flex=True, largest_first=False, tail="/", least=7, grow=1,
        most=LABEL_CELLS,
    ),
    Column(
        "timer", "Timer", 6, "How long the kernel waits, for what, and #tries so far.",
        _plain("timer"), timer_texts, flex=True, telling=_waits, least=6, grow=1,
    ),
    Column(
        "idle", "Idle", 6, "Since data last went either way.", idle_s,
        shown(units.duration, idle_s), right=True, priority=3,
    ),
    Column(
        "rtt", "RTT ms", 6, "Smoothed round trip time.", _rtt, shown(units.milliseconds, _rtt),
        right=True, priority=4,
    ),
    Column(
        "sent_per_s", "Sent/s", 6, "Bytes a second sent, without retransmissions' headers.",
        _derived("bytes_sent_per_s"), shown(units.byte_rate, _derived("bytes_sent_per_s")),
        right=True, priority=5,
    ),
    Column(
        "received_per_s", "Recv/s", 6, "Bytes a second received in order.",
        _derived("bytes_received_per_s"), shown(units.byte_rate, _derived("bytes_received_per_s")),
        right=True, priority=5,
    ),
    Column(
        "retrans", "Retr", 5, "Segments retransmitted in this connection's life.",
        _info("total_retrans"), shown(units.count, _info("total_retrans")), right=True,
        priority=6,
    ),
    Column(
        "seen", "Seen", 6, "How long tcptop has seen this socket.", _derived("seen_s"),
        shown(units.duration, _derived("seen_s")), right=True, priority=7,
    ),
    Column(
        "cwnd", "Cwnd", 5, "Congestion window, in segments.", _cwnd, shown(units.count, _cwnd),
        right=True, priority=8,
    ),
    Column(
        "user", "User", 8, "Whose socket it is.", _by_text(_user), _user, priority=9,
        largest_first=False,
    ),
    commands.column(priority=7),
    workloads.column(priority=10),
    Column(
        "cong", "CC", 6, "Congestion control algorithm.", _by_text(_congestion), _congestion,
        priority=10, largest_first=False,
    ),
    Column(
        "ulp", "ULP", 6, "Upper-layer protocol in the kernel: mptcp for a subflow of MPTCP, tls.",
        _by_text(_ulp), _ulp, priority=11, largest_first=False,
    ),
    Column(
        "cgroup", "Cgroup", 20, "The control group it was made in.",
        _by_text(_cgroup), _cgroup, flex=True, priority=11, largest_first=False,
    ),
)  # fmt: skip


def command(selection: Selection, row: int) -> str:
    table = _table(selection)
    if table.state[row] == tcp.LISTEN:
        return listening(selection, row)
    remote = address.remote_text(table, row)
    goal = address.endpoint(remote, int(table.remote_port[row]))
    return f"ss -tanpoi {quote(f'{source(selection, row)} and dst {goal}')}"


def worst(selection: Selection, rows: Index, findings: Sequence[Finding]) -> Index:
    """By key; a finding that names no socket is about all that it concerns, if they are open."""
    snapshot = selection.snapshot
    ranks = of_named(socket_keys(selection, rows), findings)
    for at, finding in enumerate(findings):
        if not finding.subject.cookies and not finding.subject.over:
            concerned = subject.rows(finding.subject, snapshot)[rows]
            ranks[concerned] = np.maximum(ranks[concerned], at)
    return ranks


SOCKETS = Listing(
    "sockets", "Connections", "Conns", COLUMNS, "state", "There is no TCP socket here.",
    rows=lambda s: s.rows, keys=socket_keys, styles=_looks,
    netns=lambda s, r: _table(s).netns[r], command=command,
    last=lambda s, r, key: unowned_last(s, r) & (key == "process"),
    worst=worst, page=lambda s, row: tcp.SS_STATES[int(_table(s).state[row])],
)  # fmt: skip
