"""Requests that arrive and are not answered."""

from __future__ import annotations

import os
import signal

from tests.incidents.incident import Says, healthy, incident
from tests.incidents.lab import Lab
from tests.incidents.proving import Proving

UNANSWERED = "requests-unanswered"


@incident(
    server=[
        Says(
            "requests-queued",
            who="haproxy",
            title=[r"haproxy on :80\b", r"127\.0\.0\.1:9000$"],
            told=[r"maxconn"],
        )
    ],
    client=[
        Says(
            UNANSWERED,
            "info",
            who="askers",
            title=[r"askers\.py", r"10\.77\.0\.1:80\b"],
            told=[r"(?i)answers do come", r"long poll"],
            destination="10.77.0.1:80",
        )
    ],
)
def requests_queue_before_a_limit(lab: Lab) -> None:
    """haproxy lets two at a time to a server that takes two seconds for each; 40 clients ask."""
    _balanced(lab, "maxconn 2")
    lab.wait(22)


@requests_queue_before_a_limit.healthy()
def requests_are_passed_on_at_once(lab: Lab) -> None:
    _balanced(lab, "")
    lab.wait(12)


def _balanced(lab: Lab, limit: str) -> None:
    server = lab.server
    server.python("pages", "127.0.0.1", 9000, 2, port=9000)
    front = f"frontend f\n bind {server.address}:80\n default_backend b"
    back = f"backend b\n timeout queue 120s\n server s1 127.0.0.1:9000 {limit}"
    server.haproxy("haproxy", f" timeout client 120s\n{front}\n{back}", 80)
    lab.client.python("askers", server.address, 80, 40, 0.05)


@incident(
    server=[
        Says(
            "requests-queued",
            "warning",
            who="haproxy",
            title=[r"^12 clients of haproxy on :80 sent something and have no answer yet"],
            told=[r"may have no whole request yet", r"\b1,000 bytes have arrived"],
            never=[r"no connection to a back end", r"wait for an answer"],
        )
    ],
)
def the_rest_of_requests_never_arrives(lab: Lab) -> None:
    """As of a ClientHello whose second segment is dropped; there is no back end at all."""
    _half(lab, 12, "GET / HTTP/1.1\r\nX: ".ljust(1000, "x"))
    lab.wait(13)


@the_rest_of_requests_never_arrives.healthy()
def all_of_requests_arrives(lab: Lab) -> None:
    _half(lab, 12, "GET / HTTP/1.1\r\nHost: shop\r\n\r\n")
    lab.wait(13)


def _half(lab: Lab, count: int, said: str) -> None:
    server = lab.server
    front = f"frontend f\n bind {server.address}:80\n"
    server.haproxy(
        "haproxy",
        f" timeout client 120s\n timeout http-request 120s\n{front}"
        ' http-request return status 200 content-type text/plain string "ok"',
        80,
    )
    lab.client.python("saying", server.address, 80, count, said)


@incident(
    client=[
        Says(
            UNANSWERED,
            "warning",
            title=[r"10\.77\.0\.1:8080 has stopped answering"],
            never=[r"Answers do come"],
            destination="10.77.0.1:8080",
        )
    ],
)
def a_server_answers_nobody_any_more(lab: Lab) -> None:
    """It is stopped; its clients have a pool, and new ones come."""
    pid = _asked(lab)
    os.kill(pid, signal.SIGSTOP)
    lab.client.python("steady", lab.server.address, 8080, 100, 2)
    lab.wait(12)


@a_server_answers_nobody_any_more.healthy()
def a_server_answers(lab: Lab) -> None:
    _asked(lab)
    lab.client.python("steady", lab.server.address, 8080, 100, 2)
    lab.wait(12)


def _asked(lab: Lab) -> int:
    pid = lab.server.python("orders", lab.server.address, 8080, port=8080)
    lab.client.python("pool", lab.server.address, 8080, 12, 0.5)
    lab.wait(2)
    return pid


@incident(
    client=[
        Says(
            UNANSWERED,
            "warning",
            title=[r"10\.77\.0\.1:8000 stops answering again and again: [2-9] times"],
            told=[r"event loop", r"In between it answers", r"were new and never answered"],
            destination="10.77.0.1:8000",
        )
    ],
)
def an_event_loop_is_blocked_again_and_again(lab: Lab) -> None:
    """For four seconds each time, less than would be noticed of one wait."""
    _event_loop(lab, 0.5, 4)


@an_event_loop_is_blocked_again_and_again.healthy()
def an_event_loop_is_blocked_for_a_moment(lab: Lab) -> None:
    _event_loop(lab, 1, 0.3)


def _event_loop(lab: Lab, every_s: float, for_s: float) -> None:
    lab.server.python("blocked", lab.server.address, 8000, every_s, for_s, port=8000)
    lab.client.python("pool", lab.server.address, 8000, 20, 0.1)
    lab.client.python("crowd", lab.server.address, 8000, 8, 0.5)
    lab.wait(5)


@healthy(over_s=12)
def workers_get_jobs_in_batches(lab: Lab) -> None:
    """Each gets five at once, and then none for four seconds, which no server owes them."""
    lab.server.redis("redis", 6379)
    lab.client.python("workers", lab.server.address, 6379, 20, 4, 100)
    lab.wait(5)


@healthy(over_s=12)
def crowds_ask_what_takes_its_time(lab: Lab) -> None:
    """Twenty at once, each of whom is answered after three seconds, every five."""
    lab.server.python("orders", lab.server.address, 8080, 128, 3, port=8080)
    lab.client.python("crowd", lab.server.address, 8080, 20, 5)
    lab.wait(5)


@healthy()
def workers_wait_for_jobs(lab: Lab) -> None:
    """60 of them, with a blocking command each, and a job now and then."""
    lab.server.redis("redis", 6379)
    lab.client.python("workers", lab.server.address, 6379, 60, 1)
    lab.wait(13)


@incident(
    server=[
        Says(
            "requests-queued",
            "warning",
            title=[
                r"[45] clients of .*on_disk.* on :8080 wait .* a disk or a network file system$"
            ],
            told=[r"hangs in part: 1 of its \d+ threads is in uninterruptible sleep", r"\bdmesg\b"],
        )
    ],
)
def a_disk_stops_answering(lab: Lab) -> None:
    """One thread is in state D, those behind it wait for a lock."""
    _on_disk(lab, 40)


@a_disk_stops_answering.healthy()
def a_disk_answers(lab: Lab) -> None:
    _on_disk(lab, 1_000_000)


def _on_disk(lab: Lab, good: int) -> None:
    lab.server.python("on_disk", lab.server.address, 8080, good, port=8080)
    lab.client.python("askers", lab.server.address, 8080, 5, 0.1)
    lab.wait(13)


class TestWaiting(Proving):
    incidents = (
        a_disk_stops_answering,
        requests_queue_before_a_limit,
        the_rest_of_requests_never_arrives,
        a_server_answers_nobody_any_more,
        an_event_loop_is_blocked_again_and_again,
    )
    loads = (
        workers_wait_for_jobs,
        workers_get_jobs_in_batches,
        crowds_ask_what_takes_its_time,
    )
