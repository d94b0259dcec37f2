"""Connections on which nothing moves any more."""

from __future__ import annotations

from tcptop.demo import held, pools, sockets, traffic, veth
from tcptop.demo.scenarios.pool import join
from tcptop.demo.stage import HERE, THERE, Recover, Scenario, Stage

_LOST = "10.78.0.66"
_TUNNEL_MTU = 1200
_REQUEST = 200  # bytes, in two writes
_SMALL_BUFFER = 16384  # bytes, which the kernel doubles: full at once


def zero_window_peer(stage: Stage) -> Recover:
    client, server = stage.process_here("order-feed"), stage.process_there("report-sink")
    listener = server.run(sockets.listening, THERE.v4, 9092, receive_buffer=_SMALL_BUFFER)
    made = client.run(sockets.connected, THERE.v4, 9092, send_buffer=_SMALL_BUFFER)
    taken = server.run(sockets.accepted, listener.fd)
    client.run(held.fill, made.fd)
    return lambda: server.run(traffic.drain, [taken.fd])


def black_hole(stage: Stage) -> Recover:
    client, server = stage.process_here("billing-api"), stage.process_there("ledger-db")
    veth.add(stage.there, _LOST)
    veth.find(stage.here, _LOST, THERE)
    pool = join(client, server, _LOST, 5432, 5)
    veth.lose(stage.here, _LOST)
    client.run(pools.send, pool.client, 500)

    def recover() -> None:
        """The next attempt of the kernel may be a minute away: the program dials again."""
        veth.find(stage.here, _LOST, THERE)
        client.run(held.reset, *pool.client)
        client.run(pools.connect, _LOST, 5432, 5)

    return recover


def mtu_black_hole(stage: Stage) -> Recover:
    """A tunnel with a smaller MTU on the way, made after the connections were. Two of the five ask
    for little, and get answers."""
    client, server = stage.process_here("backup-agent"), stage.process_there("backup-store")
    listener = server.run(sockets.listening, THERE.v4, 8730)
    server.run(traffic.serve, listener.fd, _REQUEST)
    # What the device itself drops is tried each half second, and given up after so many times.
    stage.here.sysctl("net.ipv4.tcp_retries2", 255)
    veth.no_offload(stage.here)
    fds = [each.fd for each in client.run(pools.connect, THERE.v4, 8730, 5)]
    client.run(pools.no_delay, fds[3:])
    client.run(traffic.talk, fds[3:], 5)
    veth.set_mtu(stage.there, _TUNNEL_MTU)
    client.run(pools.send, fds[:3], 200 * _REQUEST)
    return lambda: veth.set_mtu(stage.there, 1500)


def recv_queue_unread(stage: Stage) -> Recover:
    server, clients = stage.process_here("image-worker"), stage.process_there("uploaders")
    pool = join(clients, server, HERE.v4, 9001, 3)
    clients.run(pools.send, pool.client, 20_000)
    server.run(pools.arrived, pool.server, 20_000)
    return lambda: server.run(traffic.drain, pool.server)


SCENARIOS = (
    Scenario(
        "zero-window-peer",
        "A program sends to one that has stopped reading: its window is closed.",
        zero_window_peer,
    ),
    Scenario(
        "black-hole",
        "The network loses every packet to the database: nothing comes back.",
        black_hole,
    ),
    Scenario(
        "mtu-black-hole",
        "A tunnel on the path drops large packets without telling the sender.",
        mtu_black_hole,
        spoiled_by=frozenset(
            {"zero-window-peer", "recv-queue-unread", "connection-churn", "nagle-delayed-ack"}
        ),
    ),
    Scenario(
        "recv-queue-unread",
        "Requests have arrived, but the worker that should read them is stuck.",
        recv_queue_unread,
    ),
)
