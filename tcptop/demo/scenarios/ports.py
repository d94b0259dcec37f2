"""Ports that run out, and TIME_WAIT."""

from __future__ import annotations

from tcptop.demo import held, pools, sockets, traffic
from tcptop.demo.scenarios.pool import join
from tcptop.demo.stage import THERE, Recover, Scenario, Stage

_RANGE, _USED = "40000 40199", 180  # of 200
_BUCKETS, _WAITING = 300, 270
_REQUEST = 100  # bytes
_FILES = 4000


def ephemeral_port_exhaustion(stage: Stage) -> Recover:
    stage.here.sysctl("net.ipv4.ip_local_port_range", _RANGE)
    client, server = stage.process_here("session-api"), stage.process_there("redis")
    pool = join(client, server, THERE.v4, 6379, _USED)

    def recover() -> None:
        """The server closes first, so that TIME_WAIT is there and the ports are free here."""
        server.run(held.close, *pool.server)
        client.run(pools.hang_up, pool.client)

    return recover


def connections_growing(stage: Stage) -> Recover:
    client, server = stage.process_here("invoice-mailer"), stage.process_there("smtp-api")
    listener = server.run(sockets.listening, THERE.v4, 8025, 128)
    server.run(traffic.serve, listener.fd, _REQUEST)
    client.run(pools.limit_fds, _FILES)
    client.run(traffic.ask_anew, THERE.v4, 8025, _REQUEST, 8)

    def recover() -> None:
        client.run(traffic.stop)
        client.run(held.close_all)

    return recover


def connection_churn(stage: Stage) -> Recover:
    client, server = stage.process_here("price-loader"), stage.process_there("price-api")
    listener = server.run(sockets.listening, THERE.v4, 8000, 128)
    server.run(traffic.serve, listener.fd, _REQUEST)
    client.run(pools.connect, THERE.v4, 8000, 2)  # that stay, so that it is known whose they are
    client.run(traffic.churn, THERE.v4, 8000, _REQUEST, 80)
    return lambda: client.run(traffic.stop)


def time_wait_pressure(stage: Stage) -> Recover:
    stage.here.sysctl("net.ipv4.tcp_max_tw_buckets", _BUCKETS)
    client, server = stage.process_here("status-poller"), stage.process_there("status-api")
    listener = server.run(sockets.listening, THERE.v4, 8001, 128)
    server.run(traffic.serve, listener.fd, _REQUEST)
    client.run(traffic.keep_time_waits, THERE.v4, 8001, _REQUEST, _WAITING)

    def recover() -> None:
        client.run(traffic.stop)
        stage.here.sysctl("net.ipv4.tcp_max_tw_buckets", 65536)

    return recover


SCENARIOS = (
    Scenario(
        "ephemeral-port-exhaustion",
        f"An unlimited pool holds {_USED} of 200 local ports to one destination.",
        ephemeral_port_exhaustion,
        spoiled_by=frozenset({"connection-churn", "time-wait-pressure"}),
    ),
    Scenario(
        "connections-growing",
        "A program creates a new client for each request and keeps them all; its limit is "
        f"{_FILES} descriptors (6 s, not 30).",
        connections_growing,
        limits={"connections-growing.connections": 40, "connections-growing.window_s": 6},
    ),
    Scenario(
        "connection-churn",
        "A program opens a new connection for each of its 80 requests a second.",
        connection_churn,
        spoiled_by=frozenset({"time-wait-pressure"}),
    ),
    Scenario(
        "time-wait-pressure",
        f"TIME-WAIT has filled {_WAITING} of the {_BUCKETS} records that this host may keep.",
        time_wait_pressure,
    ),
)
