"""Servers that do not accept, or whose backlog is too short."""

from __future__ import annotations

import os
import signal

from tests.incidents.incident import Says, healthy, incident
from tests.incidents.lab import Lab
from tests.incidents.proving import Proving

OVERFLOW = "accept-queue-overflow"
_OK = 'location / { return 200 "ok"; }'


@incident(
    server=[
        Says(
            OVERFLOW,
            "critical",
            who="stuck",
            title=[r":80\b"],
            told=[r"given up", r"stopped"],
            never=[r"add workers"],
        )
    ],
)
def one_reuseport_worker_is_stopped(lab: Lab) -> None:
    """Each of nginx's workers has its own queue; a third of the clients wait in that of one."""
    _reuseport(lab)
    (stuck,) = lab.server.workers("nginx")
    lab.pids["stuck"] = stuck
    os.kill(stuck, signal.SIGSTOP)
    lab.server.until(lambda: lab.server.queued(80) >= 20, "20 that wait")
    lab.wait(4)


@one_reuseport_worker_is_stopped.healthy()
def all_reuseport_workers_accept(lab: Lab) -> None:
    _reuseport(lab)
    lab.wait(4)


def _reuseport(lab: Lab) -> None:
    server = lab.server
    http = f"server {{ listen {server.address}:80 reuseport; {_OK} }}"
    server.nginx("nginx", http, 80, workers=3)
    lab.client.python("browsers", server.address, 80, 10, 2)


@incident(
    server=[
        Says(
            OVERFLOW,
            "critical",
            who="worker1 worker2",
            title=[r":8000\b"],
            told=[r"given up"],
            never=[r"larger backlog|longer queue|backlog of 8192"],
        )
    ],
)
def sync_workers_wait_for_a_mute_backend(lab: Lab) -> None:
    """gunicorn's sync workers, each with a request to a back end that never answers."""
    lab.client.python("mute", lab.client.address, 9000, port=9000)
    _sync_workers(lab)
    lab.server.until(lambda: lab.server.queued(8000) >= 40, "40 that wait")
    lab.wait(4)


@sync_workers_wait_for_a_mute_backend.healthy()
def sync_workers_get_answers(lab: Lab) -> None:
    lab.client.python("orders", lab.client.address, 9000, port=9000)
    _sync_workers(lab)
    lab.wait(4)


def _sync_workers(lab: Lab) -> None:
    server, client = lab.server, lab.client
    server.python("sync_workers", server.address, 8000, 2, client.address, 9000, port=8000)
    lab.pids["worker1"], lab.pids["worker2"] = server.workers("sync_workers", 2)
    client.python("browsers", server.address, 8000, 8, 3)


@incident(
    server=[
        Says(
            OVERFLOW,
            "critical",
            who="orders",
            title=[r":7000\b"],
            told=[r"stopped"],
            never=[r"larger backlog|longer queue|listen\(\) with a backlog", r"SYNs/s dropped"],
        )
    ],
)
def a_long_backlog_hides_an_outage(lab: Lab) -> None:
    """60 wait, the first ones for more than 10 s, where 4097 fit: 1 % full, and nobody served."""
    pid = _long_backlog(lab)
    os.kill(pid, signal.SIGSTOP)
    lab.client.python("steady", lab.server.address, 7000, 60, 10)
    lab.server.until(lambda: lab.server.queued(7000) == 60, "60 that wait")
    lab.wait(5)


@a_long_backlog_hides_an_outage.healthy()
def a_long_backlog_is_not_needed(lab: Lab) -> None:
    _long_backlog(lab)
    lab.client.python("steady", lab.server.address, 7000, 60, 10)
    lab.server.until(lambda: lab.server.count("ESTABLISHED", local=7000) == 60, "60 served")


def _long_backlog(lab: Lab) -> int:
    return lab.server.python("orders", lab.server.address, 7000, 4096, port=7000)


@incident(
    server=[
        Says(
            OVERFLOW,
            who="drowsy",
            title=[r":7001\b", r"(?i)burst|backlog"],
            told=[r"backlog"],
            never=[r"too slow to accept", r"blocked or stopped"],
        )
    ],
)
def bursts_are_longer_than_the_backlog(lab: Lab) -> None:
    """60 clients at once, every 1.5 s, where 17 fit; the server takes all within milliseconds."""
    _crowd(lab, 16)


@bursts_are_longer_than_the_backlog.healthy()
def bursts_fit_into_the_backlog(lab: Lab) -> None:
    _crowd(lab, 512)


def _crowd(lab: Lab, backlog: int) -> None:
    server = lab.server
    server.python("drowsy", server.address, 7001, backlog, port=7001)
    lab.client.python("crowd", server.address, 7001, 60, 1.5)
    lab.wait(2)


@incident(
    server=[
        Says(
            "turned-away",
            "warning",
            title=[r"nginx on 10\.77\.0\.1:8081 has closed all .* without sending a byte"],
            told=[r"other connections stay open", "worker_connections"],
            listener="10.77.0.1:8081",
        ),
        Says("requests-unanswered", destination="10.77.0.2:9000", title=["nginx"]),
    ],
)
def nginx_has_all_the_connections_it_may(lab: Lab) -> None:
    """Two workers of 64, and a back end that answers nobody: more are taken and dropped at once."""
    lab.client.python("mute", lab.client.address, 9000, port=9000)
    _worker_connections(lab, 64)
    lab.server.until(lambda: lab.server.counter("TcpOutRsts") >= 15, "resets")


@nginx_has_all_the_connections_it_may.healthy()
def nginx_has_room_for_all_connections(lab: Lab) -> None:
    """The back end answers after two seconds."""
    lab.client.python("pages", lab.client.address, 9000, 2, port=9000)
    _worker_connections(lab, 1024)
    lab.wait(5)


def _worker_connections(lab: Lab, connections: int) -> None:
    server, client = lab.server, lab.client
    place = f"location / {{ proxy_pass http://{client.address}:9000; }}"
    http = f"server {{ listen {server.address}:8081; {place} }}"
    server.nginx("nginx", http, 8081, workers=2, events=f"worker_connections {connections};")
    client.python("browsers", server.address, 8081, 20, 60)


@incident(
    server=[
        Says(
            "turned-away",
            "warning",
            who="redis",
            title=[r"redis-server on 10\.77\.0\.1:6379\b", r"closes"],
            told=[r"maxclients"],
            listener="10.77.0.1:6379",
        )
    ],
    client=[
        Says(
            "turned-away",
            "warning",
            title=[r"10\.77\.0\.1:6379"],
            told=[r"maxclients"],
            never=[r"Reuse connections"],
            destination="10.77.0.1:6379",
        )
    ],
)
def redis_has_all_the_clients_it_may(lab: Lab) -> None:
    """40 stay, and it tells 30 others a second that there is no room, and closes."""
    _most_clients(lab, 40)
    lab.client.python("listeners", lab.server.address, 6379, 30)
    lab.wait(2)


@redis_has_all_the_clients_it_may.healthy()
def redis_has_room_for_all_clients(lab: Lab) -> None:
    _most_clients(lab, 4000)
    lab.client.python("listeners", lab.server.address, 6379, 30)
    lab.wait(2)


@incident(
    server=[
        Says(
            "turned-away",
            "warning",
            who="full",
            title=[r"full\.py on 10\.77\.0\.1:11211 closes \S+ connections/s soon after"],
            told=[r"before any data had come from the client\.", r"limit of connections"],
            listener="10.77.0.1:11211",
        )
    ],
)
def a_cache_has_all_the_clients_it_may(lab: Lab) -> None:
    """Whatever program it is: who serves reads first."""
    _cache(lab, 40)


@a_cache_has_all_the_clients_it_may.healthy()
def a_cache_has_room_for_all_clients(lab: Lab) -> None:
    _cache(lab, 4000)


def _cache(lab: Lab, most: int) -> None:
    server = lab.server
    server.python("full", server.address, 11211, most, port=11211)
    lab.client.python("pool", server.address, 11211, 40, 0.5)
    server.until(lambda: server.count("ESTABLISHED", local=11211) == 40, "40 clients")
    lab.client.python("listeners", server.address, 11211, 30)
    lab.wait(2)


@incident(
    server=[
        Says(
            "turned-away",
            "warning",
            who="haproxy",
            title=[r"haproxy on :5000 closes"],
            told=[r"nothing was sent to it either", r"without a back end that is up"],
        )
    ],
)
def a_proxy_has_no_back_end(lab: Lab) -> None:
    _tcp_proxy(lab, "disabled")


@a_proxy_has_no_back_end.healthy()
def a_proxy_has_a_back_end(lab: Lab) -> None:
    _tcp_proxy(lab, "")


@incident(
    server=[
        Says(
            "turned-away",
            "warning",
            who="limited",
            title=[r"limited\.py on 10\.77\.0\.1:8000 has closed", "without sending a byte"],
            told=["TCPAbortOnClose", "limit of its own", "5 other connections stay"],
            never=["Empty a listener"],
            listener="10.77.0.1:8000",
        )
    ],
    client=[
        Says(
            "destination-failing",
            "warning",
            title=[r"10\.77\.0\.1:8000", "reset before an answer"],
            told=["limit of connections"],
            destination="10.77.0.1:8000",
        )
    ],
    over_s=9,
)
def a_server_closes_what_is_beyond_its_limit(lab: Lab) -> None:
    """Six a second, which is too few for a rate, beside the five that it serves."""
    _limited(lab, 5)


@a_server_closes_what_is_beyond_its_limit.healthy()
def a_server_has_room_for_all(lab: Lab) -> None:
    _limited(lab, 500)


def _limited(lab: Lab, most: int) -> None:
    server = lab.server
    server.python("limited", server.address, 8000, most, port=8000)
    lab.client.python("pool", server.address, 8000, 5, 0.5)
    server.until(lambda: server.count("ESTABLISHED", local=8000) == 5, "5 clients")
    lab.client.python("dialer", server.address, 8000, 6, 2, 1)
    lab.wait(2)


def _tcp_proxy(lab: Lab, is_: str) -> None:
    lab.server.python("orders", "127.0.0.1", 5001, port=5001)
    back = f" server one 127.0.0.1:5001 {is_}"
    lab.server.haproxy("haproxy", f"listen l\n mode tcp\n bind :5000\n{back}", 5000)
    lab.client.python("listeners", lab.server.address, 5000, 30)
    lab.wait(2)


def _most_clients(lab: Lab, clients: int) -> None:
    server = lab.server
    server.redis("redis", 6379, "--maxclients", clients)
    lab.client.python("pool", server.address, 6379, 40, 0.5)
    server.until(lambda: server.count("ESTABLISHED", local=6379) == 40, "40 clients")


@incident(
    server=[
        Says(
            OVERFLOW,
            "critical",
            who="alone",
            title=[r":8001\b"],
            told=[r"only connection that it has accepted", r"from 10\.77\.0\.2\b", r"timeout"],
        )
    ],
)
def a_silent_client_holds_a_server_of_one_at_a_time(lab: Lab) -> None:
    """As a browser that connects before it asks: nobody else is served meanwhile."""
    _alone(lab)
    lab.client.python("preconnect", lab.server.address, 8001, 1, 1)
    lab.wait(1)
    lab.client.python("browsers", lab.server.address, 8001, 3, 3)
    lab.wait(7)


@a_silent_client_holds_a_server_of_one_at_a_time.healthy()
def a_server_of_one_at_a_time_is_fast_enough(lab: Lab) -> None:
    _alone(lab)
    lab.client.python("browsers", lab.server.address, 8001, 3, 3)
    lab.wait(4)


def _alone(lab: Lab) -> None:
    lab.server.python("alone", lab.server.address, 8001, port=8001)


@incident(
    server=[
        Says(
            "fd-limit",
            "critical",
            who="orders",
            title=[r"\b64 of 64\b"],
            told=[r"LimitNOFILE|ulimit"],
        )
    ],
)
def a_server_has_no_descriptor_left(lab: Lab) -> None:
    """64 in all: what it cannot accept waits in its queue."""
    _descriptors(lab, 64)
    lab.server.until(lambda: lab.server.queued(8082) >= 30, "30 that wait")


@a_server_has_no_descriptor_left.healthy()
def a_server_has_descriptors_left(lab: Lab) -> None:
    _descriptors(lab, 1024)
    lab.server.until(lambda: lab.server.count("ESTABLISHED", local=8082) == 100, "100 served")


def _descriptors(lab: Lab, files: int) -> None:
    server = lab.server
    server.python("orders", server.address, 8082, port=8082, files=files)
    lab.client.python("steady", server.address, 8082, 100, 50)


@healthy()
def all_clients_come_back_at_once(lab: Lab) -> None:
    """As after a restart: 400 connections beside 400 that are there, within a moment."""
    server = lab.server
    server.python("orders", server.address, 7002, 511, port=7002)
    lab.client.python("pool", server.address, 7002, 400, 1)
    server.until(lambda: server.count("ESTABLISHED", local=7002) == 400, "400 connections")
    lab.client.python("crowd", server.address, 7002, 400, 3600)


class TestAccepting(Proving):
    incidents = (
        one_reuseport_worker_is_stopped,
        sync_workers_wait_for_a_mute_backend,
        a_long_backlog_hides_an_outage,
        bursts_are_longer_than_the_backlog,
        nginx_has_all_the_connections_it_may,
        redis_has_all_the_clients_it_may,
        a_cache_has_all_the_clients_it_may,
        a_proxy_has_no_back_end,
        a_server_closes_what_is_beyond_its_limit,
        a_silent_client_holds_a_server_of_one_at_a_time,
        a_server_has_no_descriptor_left,
    )
    loads = (all_clients_come_back_at_once,)
