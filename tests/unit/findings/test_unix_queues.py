"""accept-queue-overflow of a listener on a path: the back end of a proxy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from tcptop.model.finding import Finding
from tcptop.model.sample import Process, UnixListener
from tests.unit.findings.test_doing import IDLE
from tests.unit.findings.watched import of, watch
from tests.unit.prepared import CURL, NETNS, NGINX, owners

ID = "accept-queue-overflow"
PATH = "/run/php/fpm.sock"
FPM = replace(CURL, pid=400, name="php-fpm8.2", label=None, cgroup=None)
CLIENTS = range(101, 121)
Clients = Callable[[int], tuple[int, ...]]


def found(
    clients: Clients, seconds: int = 5, backlog: int = 4, caller: Process = NGINX, state: str = ""
) -> tuple[Finding, ...]:
    """`clients` are the sockets that wait at each sample, 0 those that were closed."""

    def listeners(number: int) -> tuple[UnixListener, ...]:
        waiting = clients(number)
        return (UnixListener(90, PATH, len(waiting), backlog, waiting, NETNS),)

    held = owners((90, FPM, 6), *((inode, caller, inode) for inode in CLIENTS))
    facts = {FPM.pid: replace(IDLE, pid=FPM.pid, state=state)} if state else {}
    last = watch(seconds, lambda _: [], owners=held, unix_listeners=listeners, facts=facts)[-1]
    return of(last, ID)


def still(*clients: int) -> Clients:
    return lambda _: clients


def test_a_full_queue_that_stands_still() -> None:
    (finding,) = found(still(101, 102, 103, 104, 105))
    assert finding.severity == "critical"
    assert finding.title == f"php-fpm8.2 on {PATH} is not accepting: its queue is full (5 of 5)"
    assert finding.subject.listener == PATH
    assert finding.subject.pids == (FPM.pid,)
    assert finding.values == {
        "queued": 5,
        "capacity": 5,
        "oldest_s": 5,
        "given_up": 0,
        "stalled_s": 5,
    }
    assert any(f"Waiting: nginx (pid {NGINX.pid}, " in said for said in finding.evidence)
    assert "pm.max_children" in finding.advice
    assert finding.confirm == f"ss -xlp | grep -F {PATH}"


def test_one_that_is_stopped() -> None:
    (finding,) = found(still(101, 102, 103, 104, 105), state="stopped")
    assert "is stopped and not accepting" in finding.title
    assert f"kill -CONT {FPM.pid}," in finding.advice


def test_a_full_queue_that_moves() -> None:
    (finding,) = found(lambda n: tuple(range(101 + n, 106 + n)))
    assert finding.severity == "critical"
    assert (
        finding.title == f"php-fpm8.2 on {PATH} is too slow to accept: its queue is full (5 of 5)"
    )
    assert finding.values["stalled_s"] == 0


def test_a_queue_that_grows_and_from_which_nobody_is_accepted() -> None:
    def grows(number: int) -> tuple[int, ...]:
        return tuple(range(101, 102 + number))

    (finding,) = found(grows, backlog=511)
    assert finding.severity == "warning"
    assert finding.title == f"php-fpm8.2 on {PATH} is not accepting: 6 connections wait"
    (finding,) = found(grows, backlog=511, seconds=11)
    assert finding.severity == "critical"


@pytest.mark.parametrize(("caller", "severity"), [(NGINX, "critical"), (CURL, "warning")])
def test_all_have_given_up(caller: Process, severity: str) -> None:
    """A proxy finds it full each time anew; without one it may be long over."""
    (finding,) = found(still(0, 0), backlog=1, caller=caller)
    assert finding.severity == severity
    assert finding.values["given_up"] == 2
    assert any(
        said == "2 clients have given up: they closed before accept()." for said in finding.evidence
    )


@pytest.mark.parametrize(
    ("clients", "backlog"),
    [
        (still(), 4),
        (still(101, 102), 4),  # two wait, for less than 10 s
        (lambda n: tuple(range(101 + n, 105 + n)), 4),  # it moves, and has room
        (lambda n: (101 + n, 102 + n), 1),  # a tiny one that moves
        (lambda n: (101, 102, 103, 104, 105) if n < 2 else (101,), 4),  # it is over
    ],
)
def test_guards(clients: Clients, backlog: int) -> None:
    assert found(clients, backlog=backlog) == ()


def test_one_look_tells_nothing() -> None:
    assert found(still(101, 102, 103, 104, 105), seconds=0) == ()


def test_one_that_waits_for_long_is_worth_knowing() -> None:
    (finding,) = found(still(101), seconds=10)
    assert finding.severity == "info"
    assert finding.title == f"php-fpm8.2 on {PATH} is not accepting: 1 connection waits"
