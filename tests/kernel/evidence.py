"""The kernel's own evidence of each scenario, in rows and counters, before any rule reads it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tcptop.model import tcp
from tcptop.model.snapshot import Snapshot
from tcptop.model.table import Bools, SocketTable

RETRANSMIT, KEEPALIVE, PERSIST = 1, 2, 4  # idiag_timer, linux/inet_diag.h
LOWERED_MS = 5000  # the age that the scenarios ask for


def rate(snapshot: Snapshot, name: str) -> float:
    """A counter's growth a second since the look before; 0 at the first look."""
    sections = snapshot.kernel_rates.get(snapshot.sample.kernel[0].netns, {})
    return sections.get("TcpExt", {}).get(name, 0) + sections.get("Tcp", {}).get(name, 0)


def among(snapshot: Snapshot, state: int, *, local: int = 0, remote: int = 0) -> SocketTable:
    """The sockets in a state, at a local or to a remote port."""
    table = snapshot.sample.sockets
    rows = table.state == state
    if local:
        rows &= table.local_port == local
    if remote:
        rows &= table.remote_port == remote
    return table.take(rows)


def heard_ms(table: SocketTable) -> np.ndarray[tuple[int], np.dtype[np.uint32]]:
    return table.tcp_info("last_ack_recv")


def accept_queue_overflow(snapshot: Snapshot) -> bool:
    listener = among(snapshot, tcp.LISTEN, local=8080)
    full = (listener.recv_q > listener.send_q) & (listener.memory_of("drops") >= 20)
    return bool(full.all()) and rate(snapshot, "ListenOverflows") > 0


def syn_queue_full(snapshot: Snapshot) -> bool:
    waiting = among(snapshot, tcp.SYN_RECV, local=2525)
    few = len(np.unique(waiting.remote_lo)) < 16
    return len(waiting) >= 32 and few and rate(snapshot, "TCPReqQFullDoCookies") > 0


def syn_flood(snapshot: Snapshot) -> bool:
    waiting = among(snapshot, tcp.SYN_RECV, local=8443)
    again = waiting.take(waiting.retrans > 0)
    many = len(np.unique(again.remote_lo)) >= 16
    return many and rate(snapshot, "SyncookiesSent") - rate(snapshot, "SyncookiesRecv") > 50


def turned_away(snapshot: Snapshot) -> bool:
    """Closed first by this end, in the last two seconds; others stay."""
    closed = among(snapshot, tcp.TIME_WAIT, local=11211)
    staying = among(snapshot, tcp.ESTABLISHED, local=11211)
    return int((closed.time_wait_ms() < 2000).sum()) >= 20 and len(staying) >= 16


def requests_unanswered(snapshot: Snapshot) -> bool:
    waiting = among(snapshot, tcp.ESTABLISHED, remote=8070)
    unanswered = (waiting.tcp_info("data_segs_in") == 0) & (waiting.send_q == 0)
    return int((unanswered & (waiting.tcp_info("last_data_sent") >= 3000)).sum()) >= 5


def requests_queued(snapshot: Snapshot) -> bool:
    clients, backs = (
        among(snapshot, tcp.ESTABLISHED, **port) for port in ({"local": 6432}, {"remote": 5433})
    )
    read = (clients.recv_q == 0) & (clients.tcp_info("data_segs_in") == 1)
    waits = read & (clients.tcp_info("data_segs_out") == 0)
    return int(waits.sum()) == 16 and bool((backs.tcp_info("data_segs_in") == 0).all())


def listener_drops(snapshot: Snapshot) -> bool:
    return rate(snapshot, "ListenDrops") > 1 and rate(snapshot, "ListenOverflows") == 0


def handshake_unfinished(snapshot: Snapshot) -> bool:
    table = among(snapshot, tcp.SYN_RECV, local=9500)
    return bool(np.count_nonzero(table.retrans >= 2) >= 3)


def packets_rejected(snapshot: Snapshot) -> bool:
    return rate(snapshot, "InCsumErrors") > 5


def mtu_black_hole(snapshot: Snapshot) -> bool:
    table = among(snapshot, tcp.ESTABLISHED, remote=8730)
    large = (table.retrans >= 3) & (table.send_q > 1448) & (table.tcp_info("snd_wnd") > 1448)
    return len(table) == 5 and np.count_nonzero(large) == 3


def close_wait_leak(snapshot: Snapshot) -> bool:
    return _old(among(snapshot, tcp.CLOSE_WAIT, remote=5432), lambda table: table.recv_q == 0)


def close_wait_unread(snapshot: Snapshot) -> bool:
    return _old(among(snapshot, tcp.CLOSE_WAIT, local=9000), lambda table: table.recv_q > 0)


def socket_leak(snapshot: Snapshot) -> bool:
    return any(each.sockets >= 30 for each in snapshot.sample.owners.unlisted.values())


def half_closed(snapshot: Snapshot) -> bool:
    return _old(among(snapshot, tcp.FIN_WAIT2), lambda table: table.send_q == 0)


def _old(table: SocketTable, such: Callable[[SocketTable], Bools]) -> bool:
    """At least 20 with an owner, all of them for 5 s."""
    return len(table) >= 20 and bool(
        ((table.inode != 0) & such(table) & (heard_ms(table) > LOWERED_MS)).all()
    )


def ephemeral_port_exhaustion(snapshot: Snapshot) -> bool:
    ports = snapshot.ports
    return bool((ports.headroom <= 0.2 * ports.capacity).any())


def connections_growing(snapshot: Snapshot) -> bool:
    table = among(snapshot, tcp.ESTABLISHED, remote=8025)
    return len(table) >= 40 and bool((table.tcp_info("data_segs_out") == 1).all())


def connection_churn(snapshot: Snapshot) -> bool:
    return rate(snapshot, "ActiveOpens") > 50 and rate(snapshot, "TW") > 50


def time_wait_pressure(snapshot: Snapshot) -> bool:
    kernel = snapshot.sample.kernel[0]
    most = int(kernel.sysctls["net.ipv4.tcp_max_tw_buckets"])
    return 0.8 * most <= kernel.sockstat["TCP"]["tw"] <= most


def zero_window_peer(snapshot: Snapshot) -> bool:
    table = among(snapshot, tcp.ESTABLISHED, remote=9092)
    stuck = (table.timer == PERSIST) & (table.send_q > 0) & (table.tcp_info("snd_wnd") < 1448)
    answered = heard_ms(table) < 10_000
    return bool((stuck & answered & (table.tcp_info("backoff") > 2)).any())


def black_hole(snapshot: Snapshot) -> bool:
    table = among(snapshot, tcp.ESTABLISHED, remote=5432)
    again = (table.timer == RETRANSMIT) & (table.tcp_info("backoff") >= 3)
    return len(table) == 5 and bool((again & (heard_ms(table) > 3000)).all())


def recv_queue_unread(snapshot: Snapshot) -> bool:
    table = among(snapshot, tcp.ESTABLISHED, local=9001)
    old = table.tcp_info("last_data_recv") > LOWERED_MS
    return bool(((table.inode != 0) & (table.recv_q == 20_000) & old).any())


def connect_unanswered(snapshot: Snapshot) -> bool:
    table = among(snapshot, tcp.SYN_SENT, remote=8443)
    return len(table) == 12 and bool((table.retrans >= 2).all())


def connects_delayed(snapshot: Snapshot) -> bool:
    table = among(snapshot, tcp.ESTABLISHED, remote=8600)
    late = (table.tcp_info("total_retrans") == 1) & (table.tcp_info("bytes_sent") == 0)
    return int(np.count_nonzero(late)) >= 5 and rate(snapshot, "TCPSynRetrans") > 0


def keepalive_missing(snapshot: Snapshot) -> bool:
    table = among(snapshot, tcp.ESTABLISHED, remote=3306)
    return len(table) == 12 and bool(((table.timer == 0) & (heard_ms(table) > LOWERED_MS)).all())


def keepalive_too_slow(snapshot: Snapshot) -> bool:
    table = among(snapshot, tcp.ESTABLISHED, remote=5672)
    return bool(((table.timer == KEEPALIVE) & (table.expires > 350_000)).any())


def nagle_delayed_ack(snapshot: Snapshot) -> bool:
    table = among(snapshot, tcp.ESTABLISHED, remote=7070)
    held_back = (table.tcp_info("notsent_bytes") == 100) & (table.tcp_info("unacked") == 1)
    return bool(held_back.any())


def resets(snapshot: Snapshot) -> bool:
    return rate(snapshot, "EstabResets") > 10


def inherited_connections(snapshot: Snapshot) -> bool:
    table = among(snapshot, tcp.ESTABLISHED, local=8002)
    return len(table) == 6 and bool((table.tcp_info("last_data_sent") > LOWERED_MS).all())


def fd_limit(snapshot: Snapshot) -> bool:
    processes = snapshot.holders.processes
    return any(p.open_fds and p.fd_limit and p.open_fds >= 0.8 * p.fd_limit for p in processes)


EVIDENCE: dict[str, Callable[[Snapshot], bool]] = {
    each.__name__.replace("_", "-"): each
    for each in (
        accept_queue_overflow,
        syn_queue_full,
        syn_flood,
        listener_drops,
        handshake_unfinished,
        turned_away,
        requests_unanswered,
        requests_queued,
        packets_rejected,
        mtu_black_hole,
        close_wait_leak,
        close_wait_unread,
        half_closed,
        socket_leak,
        ephemeral_port_exhaustion,
        connections_growing,
        connection_churn,
        time_wait_pressure,
        zero_window_peer,
        black_hole,
        recv_queue_unread,
        connect_unanswered,
        connects_delayed,
        keepalive_missing,
        keepalive_too_slow,
        nagle_delayed_ack,
        resets,
        inherited_connections,
        fd_limit,
    )
}
