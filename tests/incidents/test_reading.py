"""Programs that do not read, and connections that cannot end because of that."""

from __future__ import annotations

import os
import signal

from tests.incidents.incident import Says, incident
from tests.incidents.lab import DEVICE, Lab
from tests.incidents.proving import Proving

UNREAD, HALF = "recv-queue-unread", "half-closed"


@incident(
    server=[
        Says(
            UNREAD,
            "warning critical",
            who="redis",
            title=[r"redis", r":6379\b"],
            never=[r"add workers", r"stacks of its threads"],
        )
    ],
)
def redis_is_busy_with_one_command(lab: Lab) -> None:
    """One long command (KEYS, Lua; here DEBUG SLEEP): clients give up and come again."""
    _redis(lab, "DEBUG SLEEP 300")
    lab.server.until(lambda: lab.server.queued(6379) >= 20, "20 that wait", 30)
    lab.wait(3)


@redis_is_busy_with_one_command.healthy()
def redis_answers(lab: Lab) -> None:
    _redis(lab, "PING")
    lab.wait(3)


def _redis(lab: Lab, command: str) -> None:
    server = lab.server
    server.sysctl("net.core.somaxconn", 128)
    server.redis("redis", 6379)
    lab.client.python("redis_clients", server.address, 6379, 25, 40, 2, command)
    server.until(lambda: server.count("ESTABLISHED", local=6379) >= 25, "25 connections")


@incident(
    server=[
        Says(
            UNREAD,
            "warning critical",
            who="orders",
            title=[r"24 connections", r":8080\b"],
            told=[r"(?i)\bis stopped|state T\b.*now|stopped \(T\)"],
            values={"connections": 24},
        )
    ],
)
def a_server_with_a_pool_is_stopped(lab: Lab) -> None:
    """A debugger, or a garbage collector that stops the world."""
    pid = _pool(lab)
    lab.server.until(lambda: lab.server.queued(8080) == 0, "all accepted")
    os.kill(pid, signal.SIGSTOP)
    lab.server.until(lambda: lab.server.unread(8080) == 24, "24 with something unread")
    lab.wait(2)


@a_server_with_a_pool_is_stopped.healthy()
def a_server_with_a_pool_answers(lab: Lab) -> None:
    _pool(lab)
    lab.wait(2)


def _pool(lab: Lab) -> int:
    server = lab.server
    pid = server.python("orders", server.address, 8080, port=8080)
    lab.client.python("pool", server.address, 8080, 24, 0.5)
    server.until(lambda: server.count("ESTABLISHED", local=8080) == 24, "24 connections")
    return pid


@incident(
    server=[
        Says(
            HALF,
            "warning",
            title=[r"FIN"],
            told=[r":80\b", r"10\.77\.0\.2\b", r"(?i)do(es)? not read|window", r"reset_timedout"],
            never=[r"does not answer"],
            listener="10.77.0.1:80",
        )
    ],
    limits={"half-closed.age_s": 5},
)
def clients_stop_reading_large_answers(lab: Lab) -> None:
    """nginx gives up on them after its send_timeout (2 s here), and the kernel goes on (5 s for
    60): phones and crawlers that are gone leave orphans in FIN_WAIT1."""
    _answers(lab, 600_000, 0, "2s")
    lab.server.until(lambda: lab.server.count("FIN_WAIT1", local=80) == 50, "50 orphans")


@clients_stop_reading_large_answers.healthy()
def clients_read_large_answers_slowly(lab: Lab) -> None:
    """nginx has closed as soon as the kernel had taken all of it, which still takes its time."""
    _answers(lab, 60_000, 3000, "60s")
    lab.server.until(lambda: lab.server.count("FIN_WAIT1", local=80) >= 40, "40 that are read")


def _answers(lab: Lab, size: int, per_s: int, send_timeout: str) -> None:
    server = lab.server
    (lab.home / "large").write_bytes(bytes(size))
    http = f"server {{ listen {server.address}:80; root {lab.home}; }}"
    server.nginx("nginx", f"send_timeout {send_timeout}; keepalive_timeout 0; {http}", 80)
    lab.client.python("readers", server.address, 80, 50, "/large", per_s)


@incident(
    server=[
        Says(
            HALF,
            "warning",
            title=[r"60\b"],
            told=[r"60 LAST-ACK", r":8080\b", r"10\.77\.0\.2\b", r"(?i)gives? (them )?up|ends? in"],
            never=[r"Data before the FIN"],
            values={"sockets": 60},
            listener="10.77.0.1:8080",
        )
    ],
    limits={"half-closed.age_s": 5},
)
def clients_vanish_while_they_close(lab: Lab) -> None:
    """A firewall shuts between the client's FIN and the server's: LAST_ACK for minutes (5 s for
    60)."""
    _closers(lab)
    lab.client.ingress("drop")
    os.kill(lab.pids["late"], signal.SIGUSR1)
    lab.server.until(lambda: lab.server.count("LAST_ACK", local=8080) == 60, "60 in LAST_ACK")
    lab.wait(4)


@incident(
    server=[
        Says(
            "half-closed",
            "warning",
            title=[r"60\b"],
            told=[r"60 LAST-ACK", r"10\.77\.0\.2\b"],
            values={"sockets": 60},
            listener="10.77.0.1:8080",
        )
    ],
    over_s=3,
    limits={"half-closed.age_s": 12},
)
def clients_vanish_and_their_neighbour_entry_too(lab: Lab) -> None:
    """ARP fails too: ICMP errors of this host undo the doublings of its timers (12 s for 60)."""
    _closers(lab)
    lab.client.ingress("drop")
    lab.server.ip(f"neigh del {lab.client.address} dev {DEVICE}")
    os.kill(lab.pids["late"], signal.SIGUSR1)
    lab.server.until(lambda: lab.server.count("LAST_ACK", local=8080) == 60, "60 in LAST_ACK")
    lab.wait(18)


@clients_vanish_while_they_close.healthy()
def clients_and_server_close(lab: Lab) -> None:
    _closers(lab)
    os.kill(lab.pids["late"], signal.SIGUSR1)


def _closers(lab: Lab) -> None:
    server = lab.server
    server.python("late", server.address, 8080, 60, port=8080)
    lab.client.python("closers", server.address, 8080, 60)
    server.until(lambda: server.count("CLOSE_WAIT", local=8080) == 60, "60 in CLOSE_WAIT")


@incident(
    server=[
        Says(
            "zero-window-peer",
            "warning",
            who="pushing",
            title=[r"10\.77\.0\.50:\d+", r"does not read|do not read"],
            told=[r":9092\b"],
            values={"connections": 1},
        )
    ],
)
def one_consumer_of_twenty_is_stopped(lab: Lab) -> None:
    """The others go on; what is pushed to it waits at the server."""
    _consumers(lab)
    os.kill(lab.pids["stuck"], signal.SIGSTOP)
    lab.server.until(lambda: _probed(lab) == 1, "a window that is shut")
    lab.wait(4)


@one_consumer_of_twenty_is_stopped.healthy()
def twenty_consumers_read(lab: Lab) -> None:
    _consumers(lab)
    lab.wait(3)


def _consumers(lab: Lab) -> None:
    server = lab.server
    server.python("pushing", server.address, 9092, 20_000, port=9092)
    lab.client.addresses("10.77.0.50")
    lab.client.python("phones", server.address, 9092, "10.77.0.50", 1, name="stuck")
    lab.client.addresses(*(f"10.77.0.{51 + number}" for number in range(19)))
    lab.client.python("phones", server.address, 9092, "10.77.0.51", 19, name="others")
    server.until(lambda: server.count("ESTABLISHED", local=9092) == 20, "20 consumers")


def _probed(lab: Lab, port: int = 9092) -> int:
    return sum(row.local == port and row.timer == 4 for row in lab.server.rows())


@incident(
    server=[
        Says(
            "zero-window-peer",
            "warning",
            title=[r"10\.77\.0\.2 does not read what nginx sends on 5 connections"],
            told=[r"clients of :80\b"],
        )
    ],
    client=[
        Says(
            UNREAD,
            "warning",
            who="portions",
            title=[r"portions\.py hardly reads", r"5 connections to 10\.77\.0\.1:80"],
            told=[r"read \d+ bytes in all from 5 receive queues"],
            never=[r"read nothing", r"portions\.py does not read"],
        )
    ],
)
def five_readers_take_a_byte_a_second(lab: Lab) -> None:
    """Both ends see it: a window that stays shut, and a queue that would take days."""
    _portions(lab, 5, 1, 1)
    lab.client.until(lambda: lab.client.said("portions").count("pause") > 2, "bytes that are read")
    lab.server.until(lambda: _probed(lab, 80) == 5, "windows that are shut")
    lab.wait(4)


@five_readers_take_a_byte_a_second.healthy(
    over_s=14, alarm="a pause is known by those before it, of which there may be too few"
)
def players_read_a_portion_and_pause(lab: Lab) -> None:
    """Six MiB at once, then nothing for eleven seconds, of which the first look sees the last."""
    _portions(lab, 3, 6 << 20, 11)
    lab.client.until(lambda: lab.client.said("portions").count("pause") > 1, "a second pause")
    lab.wait(7.5)


def _portions(lab: Lab, count: int, size: int, pause_s: float) -> None:
    server = lab.server
    with open(lab.home / "film", "wb") as film:
        film.truncate(400 << 20)
    server.nginx("nginx", f"server {{ listen {server.address}:80; root {lab.home}; }}", 80)
    lab.client.python("portions", server.address, 80, count, "/film", size, pause_s)


@incident(
    server=[
        Says(
            "zero-window-peer",
            "warning critical",
            who="pooled",
            title=[r"10\.77\.0\.2 does not read what pooled\.py sends on 4 connections"],
            values={"connections": 4},
            listener=":8080",
        )
    ],
)
def players_that_do_not_read_take_all_threads(lab: Lab) -> None:
    """Whoever comes later is accepted, and no thread is left that reads the request."""
    _pooled(lab, 0)
    lab.server.until(lambda: _probed(lab, 8080) == 4, "windows that are shut")
    lab.client.python("browsers", lab.server.address, 8080, 4, 20)
    lab.server.until(lambda: lab.server.unread(8080) >= 10, "unread requests")
    lab.wait(2)


@players_that_do_not_read_take_all_threads.healthy()
def players_read_and_leave_threads(lab: Lab) -> None:
    _pooled(lab, 20_000_000)
    lab.server.until(lambda: not lab.server.count("ESTABLISHED", local=8080), "they have it all")
    lab.client.python("browsers", lab.server.address, 8080, 4, 20)
    lab.wait(3)


def _pooled(lab: Lab, per_s: int) -> None:
    server = lab.server
    server.python("pooled", server.address, 8080, 4, 8_000_000, port=8080)
    lab.client.python("readers", server.address, 8080, 4, "/film", per_s)
    server.until(lambda: server.count("ESTABLISHED", local=8080) > 0, "players")


class TestReading(Proving):
    incidents = (
        players_that_do_not_read_take_all_threads,
        redis_is_busy_with_one_command,
        a_server_with_a_pool_is_stopped,
        clients_stop_reading_large_answers,
        clients_vanish_while_they_close,
        clients_vanish_and_their_neighbour_entry_too,
        one_consumer_of_twenty_is_stopped,
        five_readers_take_a_byte_a_second,
    )
