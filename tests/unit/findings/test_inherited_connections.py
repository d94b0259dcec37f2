"""inherited-connections: others than the server hold what it has accepted, and do not use it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tcptop.model.sample import Process
from tests.unit.findings.test_doing import IDLE
from tests.unit.findings.watched import Findings, of, once
from tests.unit.prepared import NGINX, WORKER, Row, owners, socket

ID = "inherited-connections"
JOB = Process(300, "backup", "backup -a", 0, 9000, None, 9, 1024, 1)
SLEEPS = replace(IDLE, pid=JOB.pid, sleeps_in="hrtimer_nanosleep")


def connection(number: int, sent_s: float = 12, received_s: float = 13, **columns: Any) -> Row:
    info = {"last_data_sent": int(sent_s * 1000), "last_data_recv": int(received_s * 1000)}
    info |= {"data_segs_out": 1, "data_segs_in": 1}
    row = socket("ESTABLISHED", "10.0.0.1:8080", f"10.0.0.7:{51000 + number}", info=info)
    return row | {"inode": number, "cookie": number} | columns


def found(
    *rows: Row, heir: Process = JOB, fd: int = 7, also: tuple[Any, ...] = (), **facts: Any
) -> Findings:
    listener = socket("LISTEN", "0.0.0.0:8080", inode=90, cookie=90)
    held = owners((90, NGINX, 6), *((row["inode"], heir, fd) for row in rows), *also)
    known = {heir.pid: replace(SLEEPS, pid=heir.pid, **facts)}
    return of(once([listener, *rows], owners=held, facts=known), ID)


def three(**columns: Any) -> list[Row]:
    return [connection(number, **columns) for number in (1, 2, 3)]


def test_a_job_holds_what_its_server_has_closed() -> None:
    (finding,) = found(*three())
    assert finding.severity == "warning"
    assert finding.title == "backup holds 3 connections of nginx on :8080 that nobody uses"
    assert finding.subject.pids == (JOB.pid,)
    assert finding.values == {"connections": 3, "processes": 1, "longest_s": 12}
    assert finding.evidence[0] == (
        "3 connections to 0.0.0.0:8080, where nginx (pid 100, nginx.service) listens, are held by "
        "backup (pid 300) alone: nginx has closed them."
    )
    assert "is in a timed sleep" in finding.evidence[-1]


def test_it_may_have_inherited_the_listener_too() -> None:
    (finding,) = found(*three(), also=((90, JOB, 5),))
    assert "where nginx (pid 100, nginx.service) listens, are held by backup" in finding.evidence[0]


@pytest.mark.parametrize(
    ("rows", "more"),
    [
        (three()[:2], {}),
        (three(sent_s=2), {}),
        (three(sent_s=14), {}),  # a request is under way
        (three(state="FIN_WAIT2"), {}),
        (three(), {"fd": 0}),  # as inetd hands them over
        (three(), {"also": ((1, NGINX, 8),)}),
        (three(), {"threads": 2}),
        (three(), {"sleeps_in": "ep_poll"}),
        (three(), {"sleeps_in": None}),
        (three(), {"heir": WORKER, "also": ((90, WORKER, 6),)}),
    ],
)
def test_guards(rows: list[Row], more: dict[str, Any]) -> None:
    assert found(*rows, **more) == ()


def test_a_process_for_each_connection_was_forked_for_it() -> None:
    """Each answers and sleeps before it goes on: its name is the server's."""
    rows, workers = three(), [replace(WORKER, pid=400 + n, start_time=9) for n in range(3)]
    held = owners((90, NGINX, 6), *((n + 1, each, 7) for n, each in enumerate(workers)))
    facts = {each.pid: replace(SLEEPS, pid=each.pid) for each in workers}
    listener = socket("LISTEN", "0.0.0.0:8080", inode=90, cookie=90)
    assert of(once([listener, *rows], owners=held, facts=facts), ID) == ()
    assert len(found(*rows, heir=workers[0])) == 1
