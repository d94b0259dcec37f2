"""Servers that accept nobody, each for another reason, which their connections tell."""

from __future__ import annotations

from tests.incidents.incident import Says, incident
from tests.incidents.lab import Lab
from tests.incidents.proving import Proving

OVERFLOW, UNANSWERED = "accept-queue-overflow", "connect-unanswered"
_GUESSES = [r"gdb -p|py-spy|jstack", r"[Ff]ind where \S+ hangs"]
_OK = 'location / { return 200 "ok"; }'


@incident(
    server=[
        Says(
            OVERFLOW,
            "critical",
            who="worker1 worker2 worker3",
            title=[r":8000\b", r"not accepting"],
            told=[
                r"as it waits for 10\.77\.0\.2:9000",
                r"3 of its 3 processes wait for 10\.77\.0\.2:9000: 3 requests without an answer",
                r"Find out why 10\.77\.0\.2:9000 does not answer",
            ],
            never=_GUESSES,
        )
    ],
)
def all_workers_wait_for_one_back_end(lab: Lab) -> None:
    """A locked table: each worker has asked, and none gets an answer."""
    lab.client.python("mute", lab.client.address, 9000, port=9000)
    _sync_workers(lab)
    lab.server.until(lambda: lab.server.queued(8000) >= 20, "20 that wait")
    lab.wait(3)


@all_workers_wait_for_one_back_end.healthy()
def all_workers_get_answers(lab: Lab) -> None:
    lab.client.python("orders", lab.client.address, 9000, port=9000)
    _sync_workers(lab)
    lab.wait(4)


def _sync_workers(lab: Lab) -> None:
    server, client = lab.server, lab.client
    server.python("sync_workers", server.address, 8000, 3, client.address, 9000, port=8000)
    for number, pid in enumerate(server.workers("sync_workers", 3), 1):
        lab.pids[f"worker{number}"] = pid
    client.python("browsers", server.address, 8000, 8, 3)


@incident(
    server=[
        Says(
            UNANSWERED,
            "critical",
            who="worker1 worker2 worker3",
            title=[r"10\.77\.0\.2:9000"],
        )
    ],
)
def all_workers_connect_to_a_back_end_that_is_gone(lab: Lab) -> None:
    """A firewall drops their SYNs: that the workers accept nobody is its effect."""
    lab.client.filter("tcp dport 9000 drop")
    _sync_workers(lab)
    lab.server.until(lambda: lab.server.queued(8000) >= 20, "20 that wait")
    lab.wait(5)


@incident(
    server=[
        Says(
            OVERFLOW,
            "critical",
            who="worker1 worker2 worker3",
            title=[r":8001\b", r"not accepting"],
            told=[
                r"Its 3 processes hold 3 connections .* one each, and nothing has come",
                r"from 10\.77\.0\.2\b",
                r"waits for a client that says nothing",
            ],
            never=_GUESSES,
        )
    ],
)
def idle_clients_hold_all_workers(lab: Lab) -> None:
    """Keep-alive: each worker waits for the next request of its only client."""
    _prefork(lab, 60)
    lab.client.python("pool", lab.server.address, 8001, 3, 60)
    lab.server.until(lambda: lab.server.count("ESTABLISHED", local=8001) == 3, "3 that are idle")
    lab.client.python("browsers", lab.server.address, 8001, 3, 3, name="others")
    lab.wait(8)


@idle_clients_hold_all_workers.healthy()
def idle_clients_are_let_go(lab: Lab) -> None:
    _prefork(lab, 0.2)
    lab.client.python("visitors", lab.server.address, 8001, 5)
    lab.wait(3)


def _prefork(lab: Lab, keep_s: float) -> None:
    server = lab.server
    server.python("prefork", server.address, 8001, 3, keep_s, port=8001)
    for number, pid in enumerate(server.workers("prefork", 3), 1):
        lab.pids[f"worker{number}"] = pid


@incident(
    server=[
        Says(
            OVERFLOW,
            "critical",
            who="haproxy",
            title=[r":80\b", r"not accepting"],
            told=[r"(?i)check its maxconn", r"It holds 8 connections there, from 10\.77\.0\.2\b"],
            never=_GUESSES,
        )
    ],
)
def haproxy_has_all_the_connections_of_its_frontend(lab: Lab) -> None:
    lab.client.python("mute", lab.client.address, 9001, port=9001)
    _frontend(lab, 8)
    lab.server.until(lambda: lab.server.queued(80) >= 15, "15 that wait")
    lab.wait(3)


@haproxy_has_all_the_connections_of_its_frontend.healthy()
def haproxy_has_room_for_more(lab: Lab) -> None:
    lab.client.nginx("pages", f"server {{ listen {lab.client.address}:9001; {_OK} }}", 9001)
    _frontend(lab, 500)
    lab.wait(3)


def _frontend(lab: Lab, maxconn: int) -> None:
    server, client = lab.server, lab.client
    config = (
        f"frontend f\n bind {server.address}:80\n maxconn {maxconn}\n backlog 100\n"
        " default_backend b\n"
        f"backend b\n server s {client.address}:9001"
    )
    server.haproxy("haproxy", config, 80)
    client.python("browsers", server.address, 80, 5, 60)


@incident(
    server=[
        Says(
            OVERFLOW,
            "critical",
            who="chatty",
            title=[r":8002\b", r"not accepting"],
            told=[
                r"waits to write to stdout, a pipe that is full",
                r"should read stdout of chatty",
            ],
            never=_GUESSES,
        )
    ],
)
def nobody_reads_the_log_of_a_server(lab: Lab) -> None:
    lab.server.python("chatty", lab.server.address, 8002, port=8002)
    lab.client.python("browsers", lab.server.address, 8002, 5, 3)
    lab.server.until(lambda: lab.server.queued(8002) >= 10, "10 that wait")
    lab.wait(4)


@nobody_reads_the_log_of_a_server.healthy()
def the_log_of_a_server_is_read(lab: Lab) -> None:
    lab.server.python("chatty", lab.server.address, 8002, "read", port=8002)
    lab.client.python("browsers", lab.server.address, 8002, 5, 3)
    lab.wait(4)


@incident(
    server=[
        Says(
            "zero-window-peer",
            "critical",
            who="worker1 worker2 worker3",
            title=[r"10\.77\.0\.2:5140 does not read what \S+ sends on 3 connections"],
            never=_GUESSES,
            destination="10.77.0.2:5140",
        )
    ],
)
def all_workers_send_to_a_log_that_nobody_reads(lab: Lab) -> None:
    """A TCP log collector hangs: that nobody is accepted is its effect, and is not told beside."""
    lab.client.python("mute", lab.client.address, 5140, port=5140)
    _logging(lab)
    lab.server.until(lambda: lab.server.queued(8004) >= 20, "20 that wait", 45)
    lab.wait(8)


@all_workers_send_to_a_log_that_nobody_reads.healthy()
def all_workers_send_to_a_log_that_is_read(lab: Lab) -> None:
    lab.client.python("sink", lab.client.address, 5140, port=5140)
    _logging(lab)
    lab.wait(4)


def _logging(lab: Lab) -> None:
    server, client = lab.server, lab.client
    words = (server.address, 8004, 3, client.address, 5140)
    server.python("logging_workers", *words, port=8004)
    for number, pid in enumerate(server.workers("logging_workers", 3), 1):
        lab.pids[f"worker{number}"] = pid
    client.python("browsers", server.address, 8004, 40, 3)


@incident(
    server=[
        Says(
            OVERFLOW,
            "critical",
            title=[r":8005\b", r"not accepting"],
            told=[
                r"12 of its 12 processes hold 12 connections on which the client sends its request "
                r"a few bytes at a time",
                r"from 10\.77\.0\.2\b",
                r"deadline for a whole request",
            ],
            never=[*_GUESSES, r"larger backlog"],
        )
    ],
)
def dribbling_clients_hold_all_workers(lab: Lab) -> None:
    """Slowloris: each worker reads the headers of one client, which never end."""
    _whole(lab)
    lab.client.python("dribbling", lab.server.address, 8005, 12, 1.5)
    lab.wait(6)
    lab.client.python("browsers", lab.server.address, 8005, 5, 3)
    lab.server.until(lambda: lab.server.queued(8005) >= 10, "10 that wait")
    lab.wait(4)


@dribbling_clients_hold_all_workers.healthy()
def a_few_dribbling_clients_hold_some_workers(lab: Lab) -> None:
    _whole(lab)
    lab.client.python("dribbling", lab.server.address, 8005, 3, 1.5)
    lab.client.python("browsers", lab.server.address, 8005, 5, 3)
    lab.wait(6)


def _whole(lab: Lab) -> None:
    lab.server.python("whole", lab.server.address, 8005, 12, 60, port=8005)
    lab.server.workers("whole", 12)


@incident(
    server=[
        Says(
            OVERFLOW,
            "critical",
            who="inheriting",
            title=[r"sleep \(pid {inheriting}\)", r":8003\b"],
            told=[r"nginx \(pid \d+\) serve", r"End sleep \(kill {inheriting}\)", "close-on-exec"],
            never=[*_GUESSES, r"should accept them"],
        )
    ],
)
def a_child_has_inherited_the_socket_of_a_server(lab: Lab) -> None:
    """Of two sockets that share the port one belongs to a program that is no server."""
    server = lab.server
    server.python("inheriting", server.address, 8003, port=8003)
    _shared(lab)
    server.until(lambda: server.queued(8003) >= 10, "10 that wait")
    lab.wait(4)


@a_child_has_inherited_the_socket_of_a_server.healthy()
def a_server_has_its_socket_for_itself(lab: Lab) -> None:
    _shared(lab)
    lab.wait(4)


def _shared(lab: Lab) -> None:
    server = lab.server
    server.nginx("nginx", f"server {{ listen {server.address}:8003 reuseport; {_OK} }}", 8003)
    lab.client.python("browsers", server.address, 8003, 10, 2)


class TestHeldUp(Proving):
    incidents = (
        all_workers_wait_for_one_back_end,
        all_workers_connect_to_a_back_end_that_is_gone,
        idle_clients_hold_all_workers,
        haproxy_has_all_the_connections_of_its_frontend,
        nobody_reads_the_log_of_a_server,
        all_workers_send_to_a_log_that_nobody_reads,
        dribbling_clients_hold_all_workers,
        a_child_has_inherited_the_socket_of_a_server,
    )
