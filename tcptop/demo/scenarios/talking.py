"""Connections that are idle, or slower than they need to be."""

from __future__ import annotations

from tcptop.demo import held, pools, sockets, traffic
from tcptop.demo.holder import Holder
from tcptop.demo.scenarios.pool import join
from tcptop.demo.stage import HERE, THERE, Recover, Scenario, Stage

_REQUEST = 200  # bytes, in two writes
_CONNECTIONS = 3
_NEVER, _WAITING = 1_000_000, 24  # bytes of a request that is never whole; clients that wait


def keepalive_missing(stage: Stage) -> Recover:
    client, server = stage.process_here("shop-cron"), stage.process_there("stock-db")
    pool = join(client, server, THERE.v4, 3306, 12, keepalive=False)
    _pass(server, pool.server, client, pool.client)  # the greeting; a login; its answer
    _pass(client, pool.client, server, pool.server)
    _pass(server, pool.server, client, pool.client)
    return lambda: _keep_alive(client, pool.client, 60)


def _pass(sender: Holder, from_: list[int], receiver: Holder, to: list[int]) -> None:
    sender.run(pools.send, from_, _REQUEST)
    receiver.run(pools.read, to)


def keepalive_too_slow(stage: Stage) -> Recover:
    client, server = stage.process_here("mail-queue"), stage.process_there("rabbit")
    pool = join(client, server, THERE.v4, 5672, 12, keepalive=False)
    _keep_alive(client, pool.client, 7200)  # the kernel's default
    return lambda: _keep_alive(client, pool.client, 60)


def nagle_delayed_ack(stage: Stage) -> Recover:
    client, server = stage.process_here("price-client"), stage.process_there("prices")
    listener = server.run(sockets.listening, THERE.v4, 7070)
    server.run(traffic.serve, listener.fd, _REQUEST)
    made = client.run(pools.connect, THERE.v4, 7070, _CONNECTIONS)
    fds = [each.fd for each in made]
    client.run(traffic.talk, fds, 30)
    return lambda: client.run(pools.no_delay, fds)


def requests_unanswered(stage: Stage) -> Recover:
    """The server reads, and waits for more than it is ever sent."""
    client, server = stage.process_here("basket"), stage.process_there("price-api")
    listener = server.run(sockets.listening, THERE.v4, 8070, 128)
    server.run(traffic.serve, listener.fd, _NEVER)
    client.run(traffic.call, THERE.v4, 8070, _WAITING, 4)

    def recover() -> None:
        client.run(traffic.stop)
        client.run(held.close_all)

    return recover


def requests_queued(stage: Stage) -> Recover:
    """A pooler has read what sixteen clients ask, and has two connections to pass it on, on which
    the database is at work."""
    pooler = stage.process_here("pgbouncer")
    shops, database = stage.process_there("shops"), stage.process_there("orders-db")
    backs = join(pooler, database, THERE.v4, 5433, 2)
    pool = join(shops, pooler, HERE.v4, 6432, 16)
    shops.run(pools.send, pool.client, _REQUEST)
    pooler.run(pools.read, pool.server)
    pooler.run(pools.send, backs.client, _REQUEST)
    database.run(pools.read, backs.server)

    def recover() -> None:
        database.run(pools.send, backs.server, _REQUEST)
        pooler.run(pools.read, backs.client)
        pooler.run(pools.send, pool.server, _REQUEST)

    return recover


def _keep_alive(client: Holder, fds: list[int], idle: int) -> None:
    for fd in fds:
        client.run(held.keep_alive, fd, idle, 75)


SCENARIOS = (
    Scenario(
        "requests-queued",
        "A pooler has read the requests of 16 clients, and has two connections to pass them on.",
        requests_queued,
        limits={"requests-queued.waited_s": 3},
    ),
    Scenario(
        "keepalive-missing",
        "Idle connections without keepalive, which a firewall on the path may drop (5 s, not 350).",
        keepalive_missing,
        limits={"keepalive-missing.idle_s": 5},
    ),
    Scenario(
        "keepalive-too-slow",
        "Keepalive probes only after two hours, when a firewall has long dropped the connection.",
        keepalive_too_slow,
    ),
    Scenario(
        "nagle-delayed-ack",
        "Each request is written in two pieces and takes 40 ms on a path without delay.",
        nagle_delayed_ack,
    ),
    Scenario(
        "requests-unanswered",
        "A server takes requests and answers none: its clients give up after 6 s.",
        requests_unanswered,
        limits={"requests-unanswered.waited_s": 3},
    ),
)
