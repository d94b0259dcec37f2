"""Listeners in trouble: what has come is not accepted, or never comes whole."""

from __future__ import annotations

from tcptop.demo import held, pools, sockets, traffic, veth
from tcptop.demo.scenarios.pool import join
from tcptop.demo.stage import HERE, Recover, Scenario, Stage


def accept_queue_overflow(stage: Stage) -> Recover:
    server, clients = stage.process_here("shop-web"), stage.process_there("browsers")
    listener = server.run(sockets.listening, HERE.v4, 8080, 16)
    clients.run(pools.connect, HERE.v4, 8080, 17)  # backlog + 1: full
    clients.run(traffic.knock, HERE.v4, 8080, 20, 5)
    return lambda: server.run(traffic.take, listener.fd)


def syn_queue_full(stage: Stage) -> Recover:
    """From a few addresses, for those of a flood are many. The kernel gives up early on some of a
    full queue (reqsk_timer_handler): as many a second as fill it again at once."""
    return _half_open(stage, "mail-relay", 2525, senders=4, per_s=40)


def syn_flood(stage: Stage) -> Recover:
    """More a second would be more than a demo needs, fewer less than the finding asks for."""
    return _half_open(stage, "shop-tls", 8443, senders=60_000, per_s=75)


def listener_drops(stage: Stage) -> Recover:
    """Clients of a network that this host has no route to: their SYNs arrive, and that is all."""
    stage.here.sysctl("net.ipv4.conf.all.rp_filter", 0)
    stage.here.sysctl(f"net.ipv4.conf.{veth.DEVICE}.rp_filter", 0)
    server, clients = stage.process_here("branch-api"), stage.process_there("branch-office")
    server.run(sockets.listening, HERE.v4, 9443, 128)
    clients.run(traffic.forge, HERE.v4, 9443, 20, 10, veth.UNROUTED)
    return lambda: clients.run(traffic.stop)


def handshake_unfinished(stage: Stage) -> Recover:
    """One client whose way back is broken; 64 s later the kernel forgets each handshake."""
    server, client = stage.process_here("ledger"), stage.process_there("cash-desk")
    listener = server.run(sockets.listening, HERE.v4, 9500, 256)
    client.run(traffic.forge, HERE.v4, 9500, 1, 2)

    def recover() -> None:
        client.run(traffic.stop)
        server.run(held.close, listener.fd)

    return recover


def packets_rejected(stage: Stage) -> Recover:
    """A network card of somebody's breaks every packet."""
    server, sender = stage.process_here("intake"), stage.process_there("old-switch")
    server.run(sockets.listening, HERE.v4, 9600, 128)
    sender.run(traffic.forge, HERE.v4, 9600, 4, 20, veth.SPOOFED, True)
    return lambda: sender.run(traffic.stop)


def _half_open(stage: Stage, name: str, port: int, senders: int, per_s: float) -> Recover:
    """The listener's queue is full after seconds; later SYNs are answered with cookies."""
    server, forger = stage.process_here(name), stage.process_there("nobody-there")
    listener = server.run(sockets.listening, HERE.v4, port, 32)
    forger.run(traffic.forge, HERE.v4, port, senders, per_s)

    def recover() -> None:
        forger.run(traffic.stop)
        server.run(held.close, listener.fd)

    return recover


def turned_away(stage: Stage) -> Recover:
    server, clients = stage.process_here("session-cache"), stage.process_there("shops")
    pool = join(clients, server, HERE.v4, 11211, 16)
    server.run(traffic.decline, pool.listener)
    clients.run(traffic.listen_once, HERE.v4, 11211, 30)
    return lambda: clients.run(traffic.stop)


SCENARIOS = (
    Scenario(
        "accept-queue-overflow",
        "A web server is too busy to call accept(): its queue is full and SYNs are dropped.",
        accept_queue_overflow,
    ),
    Scenario(
        "syn-queue-full",
        "SYN-ACKs do not reach the clients: half-open connections fill the SYN queue.",
        syn_queue_full,
    ),
    Scenario(
        "syn-flood",
        "SYNs arrive from thousands of addresses, and none completes the handshake.",
        syn_flood,
        spoiled_by=frozenset({"syn-queue-full", "accept-queue-overflow", "handshake-unfinished"}),
    ),
    Scenario(
        "listener-drops",
        "This host has no route back to its clients: the kernel drops their SYNs.",
        listener_drops,
    ),
    Scenario(
        "handshake-unfinished",
        "A client's SYNs arrive, but the SYN-ACKs do not reach it.",
        handshake_unfinished,
        limits={"handshake-unfinished.age_s": 3},
    ),
    Scenario(
        "packets-rejected",
        "Segments arrive with wrong checksums: the kernel drops them silently.",
        packets_rejected,
    ),
    Scenario(
        "turned-away",
        "A cache that has all the clients it may have closes further ones as soon as they come.",
        turned_away,
    ),
)
