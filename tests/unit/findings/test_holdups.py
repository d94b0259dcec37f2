"""Why a server does not accept: its back ends, its clients, its limit, its log."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tcptop.analysis.derive import derive
from tcptop.analysis.findings import doing, holdups, servers
from tcptop.analysis.findings.holdups import Holdup
from tcptop.analysis.findings.observations import Observations
from tcptop.analysis.history import History
from tcptop.model.route import Neighbour, Route, RouteKey
from tcptop.model.sample import BusyThread, Process, ProcessFacts
from tests.unit.findings.test_doing import IDLE
from tests.unit.findings.watched import at as look
from tests.unit.prepared import NETNS, NGINX, Row, derived, owners, sample, socket

WORKERS = tuple(
    replace(NGINX, pid=pid, name="gunicorn", cmdline="/usr/bin/python3 /usr/bin/gunicorn")
    for pid in (11, 12, 13)
)
BACK = replace(NGINX, pid=20, name="postgres", cmdline="postgres")
LISTENER = socket("LISTEN", "127.0.0.1:8000", inode=1)
ASKED = {"data_segs_out": 1, "last_data_sent": 9000, "last_data_recv": 10000}


def asks(number: int, state: str = "ESTABLISHED", **info: int) -> Row:
    ends = (f"127.0.0.1:4000{number}", "127.0.0.1:5432")
    return socket(state, *ends, inode=10 + number, cookie=number, info=ASKED | info)


def answers(number: int) -> Row:
    return socket("ESTABLISHED", "127.0.0.1:5432", f"127.0.0.1:4000{number}", inode=20 + number)


def seen(rows: list[Row], **facts: Any) -> Observations:
    pids = [(each, 10 + n) for n, each in enumerate(WORKERS)]
    held = owners(
        *((inode, each, 5) for each, inode in pids),
        *((1, each, 3) for each in WORKERS),
        *((20 + n, BACK, n) for n in range(3)),
    )
    sleeping: dict[str, Any] = {"sleeps_in": "wait_woken", **facts}
    known = {each.pid: replace(IDLE, pid=each.pid, **sleeping) for each in WORKERS}
    return Observations(derived(sample([LISTENER, *rows], owners=held, facts=known)), ())


def held_up(rows: list[Row], **facts: Any) -> Holdup:
    listener = np.array([0])
    return holdups.of_listener(seen(rows, **facts), listener, listener, WORKERS, stands=True)


def test_workers_that_wait_for_one_back_end() -> None:
    found = held_up(
        [*map(asks, range(3)), *map(answers, range(3)), socket("LISTEN", "0.0.0.0:5432")]
    )
    assert found.evidence == (
        "3 of its 3 processes wait for 127.0.0.1:5432 (postgres): 3 requests without an answer, "
        "the oldest for 9 s.",
    )
    assert "Find out why 127.0.0.1:5432 (postgres) does not answer gunicorn" in found.advice
    assert "pg_blocking_pids" in found.advice


def test_workers_that_call_their_own_server_wait_for_themselves() -> None:
    """Nobody is left to accept what they ask."""
    listener = LISTENER | {"local": "127.0.0.1:5432"}
    mine = [row | {"inode": 0} for row in map(answers, range(3))]
    observed = seen([listener, *map(asks, range(3)), *mine])
    at = np.array([1])
    found = holdups.of_listener(observed, at, at, WORKERS, stands=True)
    assert "wait for 127.0.0.1:5432, where gunicorn itself listens: 3" in found.evidence[0]
    assert found.advice.startswith("gunicorn calls itself: ")


@pytest.mark.parametrize(
    ("rows", "facts"),
    [
        ([asks(0)], {}),  # one of three
        ([asks(n, last_data_recv=8000) for n in range(3)], {}),  # they have their answer
        ([asks(n, last_data_sent=1500, last_data_recv=1500) for n in range(3)], {}),
        ([], {}),
    ],
)
def test_who_waits_for_no_back_end(rows: list[Row], facts: dict[str, Any]) -> None:
    assert held_up(rows, **facts) == Holdup(())


def test_a_call_in_the_only_thread_is_told_while_it_is_young() -> None:
    """One after another, each of three seconds: a blocking call in an event loop."""
    young, listener = asks(0, last_data_sent=1200), np.array([0])
    for facts, told in ({}, True), ({"threads": 2}, False), ({"sleeps_in": "ep_poll"}, False):
        observed = seen([young], **facts)
        found = holdups.of_listener(observed, listener, listener, WORKERS[:1], stands=True)
        assert ("waits for 127.0.0.1:5432: 1 request" in "".join(found.evidence)) == told
        assert ("takes so long to answer gunicorn. gunicorn waits in" in found.advice) == told


@pytest.mark.parametrize("facts", [{"threads": 8}, {"sleeps_in": "ep_poll"}, {"sleeps_in": None}])
def test_others_may_accept_while_one_waits(facts: dict[str, Any]) -> None:
    found = held_up([asks(n) for n in range(3)], **facts)
    assert len(found.evidence) == 1
    assert found.advice == ""
    assert found.suspect.startswith("Find out why 127.0.0.1:5432 does not answer gunicorn.")
    assert "If not, find where gunicorn hangs (py-spy dump --pid 11)" in found.suspect


def client(number: int, **info: int) -> Row:
    """Whose request a worker has read and not answered."""
    ends = ("127.0.0.1:8000", f"127.0.0.1:4200{number}")
    read = {"data_segs_in": 1, "last_data_recv": 2000, "bytes_received": 80}
    return socket("ESTABLISHED", *ends, inode=10 + number, cookie=60 + number, info=read | info)


@pytest.mark.parametrize(
    ("rows", "sleeps_in", "told"),
    [
        ([client(n) for n in range(3)], "do_poll", True),  # in the incident for a dead DNS server
        ([client(0), client(1)], "do_poll", False),  # one has none: it may wait for its listener
        ([client(n) for n in range(3)], "hrtimer_nanosleep", False),
        ([asks(n) for n in range(3)], "do_poll", False),  # for a back end, which is named
    ],
)
def test_workers_that_poll_for_what_is_no_tcp(rows: list[Row], sleeps_in: str, told: bool) -> None:
    found = held_up(rows, sleeps_in=sleeps_in)
    assert ("port 53 of a DNS server" in found.suspect) is told
    assert any("waits in poll(), and none of them" in each for each in found.evidence) is told


@pytest.mark.parametrize(
    ("upload", "clients", "told"),
    [
        ({}, 1, True),  # in the incident 200 bytes a second, to one worker that has no other
        ({"data_segs_out": 1}, 1, False),  # it was answered
        ({}, 2, False),  # another one is served beside it
    ],
)
def test_one_slow_upload_that_holds_the_only_worker(
    upload: dict[str, int], clients: int, told: bool
) -> None:
    who, history = WORKERS[0], History()
    held = owners((1, who, 3), *((10 + n, who, 5 + n) for n in range(2)))
    facts = {who.pid: replace(IDLE, pid=who.pid, sleeps_in="wait_woken")}
    for number in range(8):
        slow = {"data_segs_in": 4 + number, "bytes_received": 400 + 200 * number} | upload
        rows = [LISTENER, *(client(n, last_data_recv=200, **slow) for n in range(clients))]
        snapshot, history = derive(look(float(number), rows, owners=held, facts=facts), history)
    place = np.array([0])
    observed = Observations(snapshot, ())
    found = holdups.of_listener(observed, place, place, [who], stands=True)
    said = "client sends its request slowly, at 200 bytes/s just now"
    assert any(said in each for each in found.evidence) is told
    assert found.advice.startswith("Give gunicorn a deadline for a whole request") is told


def queued(waited_ms: int) -> Row:
    waits = {"last_data_sent": waited_ms, "last_data_recv": waited_ms}
    return socket("ESTABLISHED", "127.0.0.1:8000", "127.0.0.1:41000", cookie=90, info=waits)


@pytest.mark.parametrize(
    ("waited_ms", "started_ago_s", "told"),
    [
        (25_000, 2, True),
        (25_000, 3600, False),  # they were there when it came
        (2_500, 2, False),  # a worker that was replaced, and will accept at once
    ],
)
def test_workers_that_never_get_as_far_as_accept(
    waited_ms: int, started_ago_s: float, told: bool
) -> None:
    at = sample([]).taken_at - started_ago_s
    found = held_up([queued(waited_ms)], started_at=at, sleeps_in="hrtimer_nanosleep")
    assert found.advice.startswith("See in the log of gunicorn how far they come") == told
    assert any("have been started since the oldest" in each for each in found.evidence) == told
    assert "py-spy" not in found.advice


def test_of_workers_only_some_of_which_are_young_nothing_is_said() -> None:
    """One that was there before them could accept."""
    young = sample([]).taken_at - 2
    observed, at = seen([queued(25_000)], started_at=young), np.array([0])
    facts = dict(observed.sample.facts)
    facts[11] = replace(facts[11], started_at=young - 3600)
    rows, held = [LISTENER, queued(25_000)], observed.sample.owners
    observed = Observations(derived(sample(rows, owners=held, facts=facts)), ())
    assert holdups.of_listener(observed, at, at, WORKERS, stands=True) == Holdup(())


def test_nobody_reads_their_log() -> None:
    found = held_up([], sleeps_in="anon_pipe_write", writes_to=2)
    assert "Whoever should read stderr of gunicorn" in found.advice
    assert held_up([], sleeps_in="anon_pipe_read").advice == ""
    said = doing.asleep(replace(IDLE, sleeps_in="pipe_write", writes_to=7))
    assert said == "waits to write to descriptor 7, a pipe that is full (pipe_write)"


PLAYER = replace(NGINX, pid=40, name="mpv", cmdline="mpv song")


def left_alone(rows: list[Row], **facts: Any) -> Holdup:
    """One process has the listener, and the connections among these rows."""
    held = owners((1, PLAYER, 3), *((row["inode"], PLAYER, 4) for row in rows))
    sleeping: dict[str, Any] = {"pid": 40, "sleeps_in": "hrtimer_nanosleep", "parent": 1, **facts}
    known = {40: replace(IDLE, **sleeping)}
    observed = Observations(derived(sample([LISTENER, *rows], owners=held, facts=known)), ())
    listener = np.array([0])
    return holdups.of_listener(observed, listener, listener, [PLAYER], stands=True)


def test_a_child_has_outlived_its_server_and_holds_the_listener() -> None:
    found = left_alone([])
    assert not found.serves
    assert (
        "mpv (pid 40) has no connection on this port and does not wait for any"
        in (found.evidence[0])
    )
    assert "end it (kill 40) and start that server again" in found.advice


@pytest.mark.parametrize(
    ("rows", "facts"),
    [
        ([socket("ESTABLISHED", "127.0.0.1:8000", "127.0.0.1:40000", inode=9)], {}),  # serves one
        ([], {"parent": 812}),  # a worker, or run by hand
        ([], {"sleeps_in": "inet_csk_accept"}),
        ([], {"sleeps_in": "do_epoll_wait"}),
        ([], {"threads": 2}),  # what the others do is not known
    ],
)
def test_a_server_that_hangs_has_not_outlived_one(rows: list[Row], facts: dict[str, Any]) -> None:
    assert left_alone(rows, **facts).serves


NODE = replace(NGINX, pid=40, name="node", cmdline="node app.js")


@pytest.mark.parametrize(
    ("watched", "held", "said"),
    [
        ({7}, False, "node seems to have been given this socket, and not to use it"),
        ({1, 7}, False, "node runs JavaScript in one thread"),  # a long piece blocks its loop
        ({7}, True, "Check its limit of connections and its log"),  # it took some before
    ],
)
def test_an_inherited_listener_that_nobody_watches(
    watched: set[int], held: bool, said: str
) -> None:
    """In the incident systemd passes it, and the program listens on a port of its own."""
    own = socket("LISTEN", "127.0.0.1:3000", inode=7, cookie=7)
    client = socket("ESTABLISHED", "127.0.0.1:8000", "127.0.0.1:40000", inode=9, cookie=9)
    rows = [LISTENER, own, *([client] if held else [])]
    facts = replace(IDLE, pid=40, threads=11, parent=1, waits_for=frozenset(watched))
    of = owners(*((row["inode"], NODE, 3 + n) for n, row in enumerate(rows)))
    observed = Observations(derived(sample(rows, owners=of, facts={40: facts})), ())
    at = np.array([0])
    found = holdups.of_listener(observed, at, at, [NODE], stands=False)
    assert found.advice.startswith(said)
    serves = any("It does serve 127.0.0.1:3000." in each for each in found.evidence)
    assert serves is ("given this socket" in said)


def test_of_nobody_nothing_is_known() -> None:
    listener, observed = np.array([0]), seen([])
    assert holdups.of_listener(observed, listener, listener, (), stands=True) == Holdup(())
    assert holdups.of_processes(observed, ()) == Holdup(())
    assert servers.hangs(()).startswith("Find which process holds this listener")


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"name": "java", "cmdline": "/usr/bin/java -jar a.jar"}, "jstack 11"),
        ({"name": "shop", "cmdline": "/opt/venv/bin/python3.11 shop.py"}, "py-spy dump --pid 11"),
        ({"name": "srv", "cmdline": "/srv python"}, "cat /proc/11/task/*/stack"),
        ({"name": "haproxy", "cmdline": "haproxy -f java.cfg"}, "(cat /proc/11/task/*/stack):"),
        ({"name": "api", "cmdline": "/srv/api"}, "of a Go program /debug/pprof/goroutine?debug=2"),
        ({"name": "node", "cmdline": "node /srv/app.js"}, "node inspect -p 11"),
        ({"name": "php-fpm8.2", "cmdline": "php-fpm: pool www"}, "pm.max_children"),
        ({"name": "apache2", "cmdline": "apache2 -k start"}, "MaxRequestWorkers"),
    ],
)
def test_advice_fits_the_program(fields: dict[str, Any], said: str) -> None:
    process: Process = replace(WORKERS[0], **fields)
    assert said in servers.hangs([process])
    assert "gdb" not in servers.hangs([process])


def test_stacks_are_those_of_a_worker() -> None:
    """Whoever keeps the workers holds their listener too, and only waits for them."""
    names = ("gunicorn: master [shop]", "gunicorn: worker [shop]", "gunicorn: worker [shop]")
    every = [
        replace(WORKERS[0], pid=20 + n, name="gunicorn", cmdline=title)
        for n, title in enumerate(names)
    ]
    assert servers.stacks(every) == "py-spy dump --pid 21"
    assert servers.stacks(every[:1]) == "py-spy dump --pid 20"
    pm2 = [
        replace(WORKERS[0], pid=30, name="PM2 v5.3.0: God", cmdline="PM2 v5.3.0: God Daemon (/x)"),
        replace(WORKERS[0], pid=31, name="node", cmdline="node /srv/app.js"),
    ]
    assert servers.stacks(pm2) == "node inspect -p 31"


def test_one_that_collects_garbage_is_told_how_to_see_it() -> None:
    java = replace(NGINX, pid=11, name="java", cmdline="java -jar app.jar", label="app.jar")
    thread = BusyThread("VM Thread", 0.5, 0.45)
    busy = replace(IDLE, pid=11, threads=30, cpu_share=0.5, busiest=thread)
    found = holdups.of_processes(of_java(java, busy), [java])
    assert "app.jar collects garbage nearly all the time" in found.advice
    assert "jstat -gcutil 11 1000" in found.advice
    other = replace(busy, busiest=BusyThread("http-nio-1", 0.6, 0.4))
    found = holdups.of_processes(of_java(java, other), [java])
    assert "Find what thread http-nio-1 of app.jar computes" in found.advice


@pytest.mark.parametrize("busiest", [None, BusyThread("VM Thread", 0.3, 0.1)])
def test_one_that_waits_does_not_compute(busiest: BusyThread | None) -> None:
    java = replace(NGINX, pid=11, name="java")
    waits = replace(IDLE, pid=11, threads=30, cpu_share=0.4, busiest=busiest)
    assert holdups.of_processes(of_java(java, waits), [java]) == Holdup(())


def of_java(java: Process, facts: ProcessFacts) -> Observations:
    held = owners((1, java, 3))
    return Observations(derived(sample([LISTENER], owners=held, facts={java.pid: facts})), ())


def looks_up(*servers: tuple[str, ...], sleeps_in: str = "poll_schedule_timeout") -> Observations:
    """Each worker has sockets to these DNS servers; 10.0.0.9 is on the link, and silent."""
    known = {
        each.pid: replace(IDLE, pid=each.pid, sleeps_in=sleeps_in, dns_servers=mine)
        for each, mine in zip(WORKERS, servers, strict=True)
    }
    silent = Neighbour("10.0.0.9", "FAILED", None)
    routes = {RouteKey(NETNS, "0.0.0.0", "10.0.0.9"): Route(0.0, neighbour=silent)}
    held = owners(*((1, each, 3) for each in WORKERS))
    return Observations(derived(sample([LISTENER], owners=held, facts=known, routes=routes)), ())


def test_workers_that_look_names_up_at_a_server_that_is_gone() -> None:
    workers = [replace(each, netns=NETNS) for each in WORKERS]
    found = holdups.of_processes(looks_up(("10.0.0.9",), (), ("10.0.0.9", "10.0.0.8")), workers)
    assert found.whom == "10.0.0.8:53 and 10.0.0.9:53"
    assert found.evidence == (
        "2 of its 3 processes wait in poll() and have a UDP socket to 10.0.0.8:53 and 10.0.0.9:53: "
        "to look up a name (DNS). 10.0.0.9 does not answer ARP.",
    )
    assert "/etc/resolv.conf" in found.advice


@pytest.mark.parametrize(
    ("servers", "sleeps_in"),
    [
        ((("10.0.0.9",), (), ()), "poll_schedule_timeout"),
        ((("10.0.0.9",),) * 3, "ep_poll"),
        (((),) * 3, "poll_schedule_timeout"),
    ],
)
def test_workers_that_wait_for_something_else(
    servers: tuple[tuple[str, ...], ...], sleeps_in: str
) -> None:
    found = holdups.of_processes(looks_up(*servers, sleeps_in=sleeps_in), WORKERS)
    assert "DNS" not in "".join(found.evidence)
    assert not found.whom
