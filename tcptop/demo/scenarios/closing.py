"""Connections that one end has closed and the other has not."""

from __future__ import annotations

from tcptop.demo import held, pools, sockets, traffic
from tcptop.demo.scenarios.pool import join
from tcptop.demo.stage import HERE, THERE, Recover, Scenario, Stage

# No keepalive: a probe would show after a minute that the other end is gone, or reset the clocks.
_MANY = 30
_REQUEST = 400  # bytes


def close_wait_leak(stage: Stage) -> Recover:
    client, server = stage.process_here("shop-api"), stage.process_there("billing-db")
    pool = join(client, server, THERE.v4, 5432, _MANY, keepalive=False)
    server.run(held.close, *pool.server)
    client.run(pools.read_to_the_end, pool.client)
    return lambda: client.run(held.close, *pool.client)


def close_wait_unread(stage: Stage) -> Recover:
    server, clients = stage.process_here("upload-worker"), stage.process_there("scanners")
    pool = join(clients, server, HERE.v4, 9000, _MANY, keepalive=False)
    clients.run(pools.send, pool.client, _REQUEST)
    clients.run(held.close, *pool.client)
    server.run(pools.ended, pool.server)
    return lambda: server.run(pools.hang_up, pool.server)


def socket_leak(stage: Stage) -> Recover:
    client, server = stage.process_here("report-builder"), stage.process_there("templates")
    listener = server.run(sockets.listening, THERE.v4, 6000, _MANY)
    client.run(pools.connect, THERE.v4, 6000, _MANY)
    taken = server.run(pools.accept, listener.fd, _MANY)
    server.run(held.reset, *(each.fd for each in taken))
    server.run(traffic.slam, listener.fd, 0)
    client.run(traffic.forget, THERE.v4, 6000, 4)

    def recover() -> None:
        client.run(traffic.stop)
        client.run(held.close_all)

    return recover


def half_closed(stage: Stage) -> Recover:
    client, server = stage.process_here("edge-proxy"), stage.process_there("reports")
    pool = join(client, server, THERE.v4, 3128, _MANY, keepalive=False)
    client.run(pools.shut, pool.client)

    def recover() -> None:
        server.run(pools.hang_up, pool.server)
        client.run(pools.hang_up, pool.client)

    return recover


SCENARIOS = (
    Scenario(
        "close-wait-leak",
        "The database closed its connections, and the program never does (5 s, not 60).",
        close_wait_leak,
        limits={"close-wait-leak.age_s": 5},
    ),
    Scenario(
        "close-wait-unread",
        "Clients sent data and left; a stuck worker has not even read it (5 s, not 60).",
        close_wait_unread,
        limits={"close-wait-unread.age_s": 5},
    ),
    Scenario(
        "socket-leak",
        "A server resets connections, and its client never closes the sockets.",
        socket_leak,
    ),
    Scenario(
        "half-closed",
        "A proxy closed its side of connections, and the server never closes (5 s, not 60).",
        half_closed,
        limits={"half-closed.age_s": 5},
    ),
)
