"""turned-away: the server closes first, where clients usually do."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from tcptop.analysis.findings import servers
from tcptop.model.finding import Finding
from tcptop.model.sample import Deaths, Kernel, Owners, Process
from tcptop.model.table import concat
from tests.unit.findings.hosts import host, steadily
from tests.unit.findings.watched import of, watch
from tests.unit.prepared import (
    CURL,
    NETNS,
    NGINX,
    TAKEN_AT,
    WORKER,
    Row,
    mini,
    owners,
    socket,
    table,
)

ID, CHURN = "turned-away", "connection-churn"
POSTGRES = Process(300, "postgres", "postgres -D d", 0, 7000, "/system.slice", 60, 1024, 0)
NONE = {"AttemptFails": 0, "EstabResets": 0, "ActiveOpens": 0, "PassiveOpens": 0}
SYSCTLS = {"net.ipv4.ip_local_port_range": "32768 60999"}
THERE = "10.0.0.9:5432"


def held(count: int) -> list[Row]:
    """A listener and clients that stay."""
    ends = ((f"10.0.0.2:{50_000 + n}", n) for n in range(1, count + 1))
    return [
        socket("LISTEN", "0.0.0.0:5432", inode=900, cookie=900),
        *(
            socket("ESTABLISHED", "10.0.0.1:5432", end, inode=n, cookie=n, info={"rtt": 40})
            for end, n in ends
        ),
    ]


def closed(number: int, births: Callable[[int], int]) -> list[Row]:
    """TIME_WAIT at the server's end, of the last ten seconds."""
    return [
        mini(
            "TIME_WAIT",
            "10.0.0.1:5432",
            f"10.0.0.2:{10_000 + second * 300 + n}",
            cookie=10_000 + second * 300 + n,
            expires=60_000 - (number - second) * 1000,
        )
        for second in range(max(0, number - 9), number + 1)
        for n in range(births(second))
    ]


def at_server(process: Process, stay: int, per_s: Callable[[int], int]) -> tuple[Finding, ...]:
    owned = owners((900, process, 3), *((n, process, n + 3) for n in range(1, stay + 1)))
    kernel = lambda _: host(NONE, {}, SYSCTLS)  # noqa: E731
    rows = lambda number: [*held(stay), *closed(number, per_s)]  # noqa: E731
    return of(watch(8, rows, owners=owned, kernel=kernel)[-1], ID)


def test_a_database_at_its_limit() -> None:
    (finding,) = at_server(POSTGRES, 20, lambda _: 30)
    assert finding.severity == "warning"
    assert finding.title == ("postgres on :5432 closes 30 connections/s soon after it accepts them")
    assert finding.subject.pids == (POSTGRES.pid,)
    assert finding.subject.listener == "0.0.0.0:5432"
    assert "20 other connections stay open there all that time." in finding.evidence
    assert "max_connections" in finding.advice
    assert dict(finding.values) == {"per_s": 30, "staying": 20}


def test_with_few_that_stay_it_may_be_the_clients_way() -> None:
    (finding,) = at_server(POSTGRES, 3, lambda _: 30)
    assert finding.severity == "info"


@pytest.mark.parametrize(
    ("process", "per_s"),
    [
        (NGINX, lambda _: 30),  # HTTP: it closes first when all is well
        (POSTGRES, lambda _: 9),
        (POSTGRES, lambda second: 200 if second == 8 else 0),  # a burst
    ],
)
def test_not(process: Process, per_s: Callable[[int], int]) -> None:
    assert at_server(process, 20, per_s) == ()


LISTENING = [socket("LISTEN", "0.0.0.0:5432", inode=900, cookie=900)]


def dead(
    number: int, per_s: int, came: int, sent: int, received: int | None = None
) -> tuple[Deaths]:
    """The kernel's notices of those that have ended in the last second."""
    info = {"data_segs_in": came, "data_segs_out": sent, "rtt": 40, "min_rtt": 40, "segs_in": 3}
    info |= {
        "bytes_sent": 30 * sent,
        "bytes_acked": 30 * sent + 1,
        "bytes_received": came if received is None else received,
    }
    info |= {"segs_out": 3, "last_data_recv": 10, "last_data_sent": 10, "last_ack_recv": 4}
    table_ = table(
        socket("CLOSE", "10.0.0.1:5432", f"10.0.0.2:{10_000 + number * 300 + n}", info=info)
        | {"cookie": 10_000 + number * 300 + n}
        for n in range(per_s)
    )
    return (Deaths(NETNS, table_, np.full(per_s, TAKEN_AT + number - 0.5)),)


def unheard(per_s: int, stay: int, came: int = 0, sent: int = 1) -> list[str]:
    """What is said of nginx, whose clients need not close first, and how bad it is."""
    owned = owners((900, NGINX, 3), *((n, NGINX, n + 3) for n in range(1, stay + 1)))
    every = watch(
        8,
        lambda number: [*held(stay), *closed(number, lambda _: per_s)],
        owners=owned,
        kernel=lambda _: host(NONE, {}, SYSCTLS),
        deaths=lambda number: dead(number, per_s, came, sent),
    )
    return [f"{finding.severity}: {finding.evidence[0]}" for finding in of(every[-1], ID)]


def test_any_server_that_closes_before_it_was_asked_anything() -> None:
    said = "connections/s to 0.0.0.0:5432 were closed by this end within the last 5 s, before any"
    (told,) = unheard(30, 20)
    assert told.startswith(f"warning: 30 {said}")
    assert [each.partition(":")[0] for each in unheard(30, 3)] == ["info"]  # greetings, maybe
    assert [each.partition(":")[0] for each in unheard(30, 3, sent=0)] == ["warning"]
    assert unheard(30, 20, came=1) == unheard(9, 20) == []


def opening(active: int, **more: int) -> Callable[[int], tuple[Kernel]]:
    """So many connections a second are opened."""
    counters = NONE | {"ActiveOpens": active} | more
    return lambda n: host({name: 1000 + value * n for name, value in counters.items()}, {}, SYSCTLS)


def pool(count: int, to: str = THERE) -> list[Row]:
    return [
        socket("ESTABLISHED", f"10.0.0.1:{40_000 + n}", to, inode=n, cookie=n)
        for n in range(1, count + 1)
    ]


def at_client(
    rows: list[Row], kernel: Callable[[int], tuple[Kernel]], seconds: int = 8
) -> tuple[Finding, ...]:
    owned = owners(*((row["inode"], CURL, row["inode"]) for row in rows))
    return watch(seconds, lambda _: rows, owners=owned, kernel=kernel)[-1]


def test_at_the_client_the_port_tells() -> None:
    (finding,) = of(at_client(pool(20), opening(30)), ID)
    assert finding.severity == "warning"
    assert finding.title == (
        "10.0.0.9:5432 apparently closes 30 connections/s soon after they are opened"
    )
    assert finding.subject.destination == THERE
    assert finding.subject.pids == ()  # curl has those that stay
    assert "Those belong to curl (pid 200)." in " ".join(finding.evidence)
    assert "max_connections of PostgreSQL" in finding.advice


def test_those_that_end_in_a_reset_are_told_so() -> None:
    """A server that is full answers, and closes with the request unread."""

    def over(number: int) -> tuple[Deaths, ...]:
        info = {"data_segs_in": 1, "data_segs_out": 1, "bytes_sent": 6, "bytes_acked": 1}
        info |= {"segs_out": 3, "segs_in": 3, "rtt": 40, "min_rtt": 40, "bytes_received": 36}
        rows = (
            socket("CLOSE", f"10.0.0.1:{33_000 + 30 * number + n}", THERE, info=info)
            | {"cookie": 10_000 + 300 * number + n}
            for n in range(30)
        )
        return (Deaths(NETNS, table(rows), np.full(30, TAKEN_AT + number - 0.5)),)

    rows = pool(20)
    owned = owners(*((row["inode"], CURL, row["inode"]) for row in rows))

    def told(resets: int) -> tuple[Finding, ...]:
        kernel = opening(30, EstabResets=resets)
        return watch(8, lambda _: rows, owners=owned, kernel=kernel, deaths=over)[-1]

    (finding,) = of(told(8), ID)
    assert "closes 30 connections/s" in finding.title
    assert "and 150 of these ended in a reset" in finding.evidence[0]
    assert "without a reset" not in finding.evidence[0]
    # Some are counted as resets of open connections too: they are no trouble of their own.
    cause, effect = of(told(15), ID)[0], of(told(15), "resets")[0]
    assert (cause.because, effect.because) == (None, cause.key)
    (finding,) = of(told(30), ID)  # all of them
    assert "closes 30 connections/s" in finding.title


@pytest.mark.parametrize(
    ("rows", "kernel"),
    [
        (pool(20), opening(30, EstabResets=30)),  # resets
        (pool(20), opening(30, AttemptFails=30)),  # never open
        (pool(20), opening(30, InDestUnreachs=30, OutDestUnreachs=30)),  # rejected here
        (pool(20), opening(30, TCPTimeWaitOverflow=30)),  # closed here, and no room for TIME-WAIT
        (pool(20), opening(9)),
        (pool(20, "10.0.0.9:80"), opening(30)),  # HTTP
        ([*pool(20), *pool(60, "10.0.0.8:5432")[40:]], opening(30)),  # which of two is not known
        ([], opening(30)),
    ],
)
def test_not_at_the_client(rows: list[Row], kernel: Callable[[int], tuple[Kernel]]) -> None:
    assert of(at_client(rows, kernel), ID) == ()


def test_connects_that_fail_at_once_were_never_opened() -> None:
    """A filter of this host refuses them: ActiveOpens counts such a connect, AttemptFails not."""

    def over(number: int) -> tuple[Deaths]:
        info = {"segs_out": 1, "segs_in": 0, "min_rtt": 0xFFFF_FFFF}
        row = socket("CLOSE", "10.0.0.1:40000", THERE, info=info)
        some = table(row | {"cookie": 10_000 * number + n} for n in range(30))
        return (Deaths(NETNS, some, np.full(30, TAKEN_AT + number)),)

    found = watch(8, lambda _: pool(20), kernel=opening(30), deaths=over)
    assert of(found[-1], ID) == of(found[-1], CHURN) == ()


def test_it_explains_churn() -> None:
    row = socket("ESTABLISHED", "10.0.0.1:39999", THERE, inode=999)

    def rows(number: int) -> list[Row]:
        return [*pool(20), *(row | {"cookie": 5000 + number * 10 + n} for n in range(3))]

    owned = owners(*((n, CURL, n) for n in (*range(1, 21), 999)))
    found = watch(14, rows, owners=owned, kernel=opening(80))[-1]
    (cause,), (effect,) = of(found, ID), of(found, CHURN)
    assert effect.because == cause.key
    assert "See first why the other end closes" in effect.advice


SSHD = Process(301, "sshd", "sshd -D", 0, 7001, "/system.slice", 9, 1024, 0)


def few(
    process: Process,
    stay: int = 12,
    came: int = 1,
    sent: int = 1,
    answered: int = 0,
    seconds: Callable[[int], int] = lambda _: 2,
    first: Callable[[int], int] | None = None,
) -> tuple[Finding, ...]:
    """So many a second are over at once, with so many segments, of which this end has closed some
    `first`, or all; others were answered well."""
    owned = owners((900, process, 3), *((n, process, n + 3) for n in range(1, stay + 1)))

    def deaths(number: int) -> tuple[Deaths]:
        (turned,) = dead(number, seconds(number), came, sent)
        (well,) = dead(number + 100, answered, came=9, sent=9)
        at = np.full(len(turned.at) + len(well.at), TAKEN_AT + number - 0.5)
        return (Deaths(NETNS, concat([turned.sockets, well.sockets]), at),)

    rows = lambda number: [*held(stay), *closed(number, first or seconds)]  # noqa: E731
    kernel = lambda _: host(NONE, {}, SYSCTLS)  # noqa: E731
    return of(watch(8, rows, owners=owned, kernel=kernel, deaths=deaths)[-1], ID)


def test_a_full_server_is_told_however_few_it_turns_away() -> None:
    """In the incident three a second, each of which is an error for somebody."""
    (finding,) = few(POSTGRES)
    assert finding.severity == "warning"
    assert finding.title == (
        "postgres on :5432 has turned away all 16 connections that came within 8 s"
    )
    first, second, _ = finding.evidence
    assert "with 30 bytes sent to it at most" in first
    assert "They came from 10.0.0.2." in first
    assert second == "12 other connections stay open there all that time."
    assert "max_connections" in finding.advice
    assert dict(finding.values) == {"per_s": 2, "staying": 12, "turned_away": 16, "came": 16}
    assert few(SSHD)
    assert few(POSTGRES, first=lambda _: 1)  # a client that reads an error closes too
    (later,) = few(POSTGRES, sent=2, first=lambda _: 0)  # and sooner, each time
    assert "closed by this end first" not in later.evidence[0]


def test_what_is_closed_without_a_byte_is_told_of_any_server() -> None:
    """In the incident nginx expects the PROXY protocol of a balancer that does not speak it."""
    (finding,) = few(NGINX, 0, sent=0)
    assert finding.title.endswith("came within 8 s without sending a byte")
    assert "had sent something" in finding.evidence[0]
    assert "PROXY protocol" in finding.advice
    (unasked,) = few(NGINX, 0, came=0, sent=0)
    assert "had sent something" not in unasked.evidence[0]


def test_of_several_processes_the_name_is_told_once() -> None:
    assert servers.programs([NGINX, WORKER]) == (
        "nginx (pid 100, nginx.service) and 1 more process of that name"
    )
    assert servers.programs([NGINX, CURL]).count("pid") == 2
    (finding,) = few(NGINX, 0, sent=0)
    assert not any(each.startswith("No other connection") for each in finding.evidence)


RELAY = Process(303, "socat", "socat TCP-LISTEN:5432,fork TCP:db:5432", 0, 7002, None, 9, 1024, 0)
PROXY = Process(302, "haproxy", "haproxy -f h.cfg", 0, 7002, "/system.slice", 9, 1024, 0)


@pytest.mark.parametrize(
    ("process", "backends", "folded"),
    [(PROXY, 2, 1), (RELAY, 2, 1), (PROXY, 5, 0), (SSHD, 2, 0)],
)
def test_a_proxy_whose_back_end_closes_is_not_told_beside_it(
    process: Process, backends: int, folded: int
) -> None:
    """In the incident the back end expects the PROXY protocol; the client is on this host, too."""
    to, asked = "10.0.0.3:80", {"segs_out": 4, "segs_in": 3, "data_segs_out": 1, "bytes_sent": 100}
    asked |= {"rtt": 200, "min_rtt": 200, "bytes_acked": 102, "last_data_sent": 3}
    asked |= {"bytes_received": 1}  # the other end's FIN

    def over(number: int) -> tuple[Deaths]:
        (turned,) = dead(number, 2, 1, 0)
        ends = (("10.0.0.1:30000", to, backends), ("10.0.0.2:30001", "10.0.0.1:5432", 2))
        rows = [
            socket("CLOSE", local, remote, info=asked | {"last_data_recv": 100})
            for local, remote, many in ends
            for _ in range(many)
        ]
        calls = table(row | {"cookie": 90_000 + 10 * number + n} for n, row in enumerate(rows))
        some = concat([turned.sockets, calls])
        return (Deaths(NETNS, some, np.full(len(some), TAKEN_AT + number - 0.5)),)

    every = watch(
        8,
        lambda number: [*held(0), *closed(number, lambda _: 2)],
        owners=owners((900, process, 3)),
        kernel=lambda _: host(NONE | {"TCPTimeWaitOverflow": 0}, {}, SYSCTLS),
        deaths=over,
    )[-1]
    (turned,) = of(every, ID)
    back_end, front = sorted(of(every, "destination-failing"), key=lambda each: each.key)[::-1]
    assert back_end.subject.destination == to
    assert front.because == turned.key
    assert (back_end.because, turned.because) == (None, back_end.key if folded else None)


def test_servers_that_answer_and_close_are_well() -> None:
    assert few(NGINX) == ()  # HTTP/1.0, or "Connection: close", beside a pool that stays
    assert few(POSTGRES, came=4, sent=4) == ()  # a session, however short
    assert few(POSTGRES, first=lambda _: 0) == ()  # health checks, which pg_isready ends
    assert few(SSHD, came=9, sent=9) == ()
    assert few(NGINX, 0, came=0) == ()  # a greeting
    assert few(POSTGRES, answered=2) == ()  # others get in
    assert few(NGINX, 0, sent=0, seconds=lambda number: 9 * (number == 7)) == ()  # a burst
    assert few(NGINX, 0, sent=0, seconds=lambda number: 3 * (number in (1, 3))) == ()  # over


@pytest.mark.parametrize(
    ("name", "unread", "told"),
    [
        ("redis-server", 4, True),  # DENIED, and HELLO of the client unread
        ("redis-server", 0, False),  # a check that asks, is answered and resets
        ("app", 4, False),  # it may have answered
    ],
)
def test_an_error_that_is_sent_without_having_read(name: str, unread: int, told: bool) -> None:
    server = Process(300, name, name, 0, 7000, None, 60, 1024, 0)

    def over(number: int) -> tuple[Deaths, ...]:
        info = {"data_segs_in": 1, "data_segs_out": 1, "bytes_sent": 1067, "bytes_received": 60}
        info |= {"segs_out": 3, "segs_in": 3, "rtt": 40, "min_rtt": 40, "bytes_acked": 1067}
        rows = (
            socket("CLOSE", "10.0.0.1:6379", f"10.0.0.2:{40_000 + 4 * number + n}", info=info)
            | {"cookie": 10_000 + 4 * number + n}
            for n in range(4)
        )
        return (Deaths(NETNS, table(rows), np.full(4, TAKEN_AT + number - 0.5)),)

    listening = [socket("LISTEN", "0.0.0.0:6379", inode=900, cookie=900)]
    counted = {"PassiveOpens": 4, "EstabResets": 4, "TCPAbortOnClose": unread}
    found = watch(
        8,
        lambda _: listening,
        owners=owners((900, server, 3)),
        kernel=steadily(**NONE | counted),
        deaths=over,
    )
    assert bool(of(found[-1], ID)) is told


@pytest.mark.parametrize(("received", "told"), [(0, True), (1, False)])
def test_requests_that_come_after_a_full_server_has_closed(received: int, told: bool) -> None:
    """Nothing had come when its FIN was acknowledged; of a check by connect() a FIN came first,
    which counts as a byte."""
    kernel = steadily(**NONE | {"PassiveOpens": 12, "EstabResets": 0, "OutRsts": 4})
    over = lambda number: dead(number, 4, 0, 0, received)  # noqa: E731
    found = watch(
        8, lambda _: LISTENING, owners=owners((900, NGINX, 3)), kernel=kernel, deaths=over
    )
    assert [each.title for each in of(found[-1], ID)] == [
        "nginx on :5432 has closed all 32 connections that came within 8 s without sending a byte"
    ] * told


@pytest.mark.parametrize(("counted", "told"), [(4, True), (0, False)])
def test_what_is_closed_unread_after_a_shutdown(counted: int, told: bool) -> None:
    """Its FIN was acknowledged, then close() finds the request unread; not what a log takes in,
    whose clients close first."""
    kernel = steadily(**NONE | {"PassiveOpens": 4, "EstabResets": 0, "TCPAbortOnClose": counted})
    over = lambda number: dead(number, 4, 1, 0, 60)  # noqa: E731
    found = watch(
        8, lambda _: LISTENING, owners=owners((900, NGINX, 3)), kernel=kernel, deaths=over
    )
    assert bool(of(found[-1], ID)) is told


def dying(
    number_at_once: int = 1,
    answered: bool = False,
    stays: bool = False,
    every: int = 1,
    waited_ms: int = 600,
) -> tuple[Finding, ...]:
    """Each second, or every so many, workers end that hold a connection each, and others begin."""

    def worker(number: int, n: int) -> Process:
        pid = 500 if stays else 500 + 10 * (number // every) + n
        return Process(pid, "uwsgi", "uwsgi app.ini", 0, pid, None, 9, 1024, 0)

    def row(number: int, n: int, state: str = "ESTABLISHED") -> Row:
        cookie = 5000 + 10 * (number // every) + n
        info = {"data_segs_in": 3, "data_segs_out": 2, "segs_in": 5, "segs_out": 5, "rtt": 40}
        info |= {"bytes_received": 90, "bytes_sent": 60, "bytes_acked": 61, "min_rtt": 40}
        info |= {"last_data_recv": waited_ms, "last_data_sent": 500 if answered else 900}
        remote = f"10.0.0.2:{10_000 + cookie}"
        of_it = socket(state, "10.0.0.1:5432", remote, inode=cookie, cookie=cookie, info=info)
        return of_it if state == "ESTABLISHED" else of_it | {"inode": 0}

    def rows(number: int) -> list[Row]:
        return [*LISTENING, *(row(number, n) for n in range(number_at_once))]

    def held(number: int) -> Owners:
        each = [(row(number, n)["inode"], worker(number, n), 9) for n in range(number_at_once)]
        master = Process(499, "uwsgi", "uwsgi app.ini", 0, 499, None, 9, 1024, 0)
        return owners((900, master, 3), *((900, who, 3) for _, who, _ in each), *each)

    def deaths(number: int) -> tuple[Deaths, ...]:
        ended = number and number % every == 0
        some = table(row(number - 1, n, "CLOSE") for n in range(number_at_once * bool(ended)))
        return (Deaths(NETNS, some, np.full(len(some), TAKEN_AT + number - 0.5)),)

    kernel = steadily(**NONE | {"PassiveOpens": 1})
    return of(watch(9, rows, owners=held, kernel=kernel, deaths=deaths)[-1], ID)


def test_workers_that_die_in_the_middle_of_a_request() -> None:
    """In the incidents by the out-of-memory killer, and by a time limit of their master."""
    (finding,) = dying()
    assert finding.severity == "warning"
    assert finding.title == (
        "uwsgi on :5432 ended 9 of 9 connections within 9 s with their request unanswered: its "
        "processes ended"
    )
    assert (
        "the processes that held them are no more: uwsgi, pid 500, 510, 520"
        in (finding.evidence[0])
    )
    assert dying(answered=True) == ()  # they are replaced, as after so many requests
    assert dying(stays=True) == ()  # the worker goes on: another fault
    assert dying(waited_ms=20) == ()  # closed for being idle as a request came: nginx -s reload


def test_a_server_that_ends_all_its_sessions_again_and_again() -> None:
    """In the incident one process of PostgreSQL crashes, and all others are ended with it."""
    (finding,) = dying(number_at_once=5, answered=True, every=3)
    assert finding.title == (
        "uwsgi on :5432 ended all its connections at once, 3 times in 9 s: its processes ended"
    )
    assert dying(number_at_once=5, answered=True, every=6) == ()  # one restart
    assert dying(number_at_once=2, answered=True, every=3) == ()
    # Sessions of a moment, each of which was told to end: pgbench -C.
    assert dying(number_at_once=5, answered=False, every=3, waited_ms=10) == ()


@pytest.mark.parametrize(
    ("received", "answered", "told"),
    [(9, 0, True), (60, 0, False), (9, 2, False)],  # who goes on without; others have sessions
)
def test_clients_that_insist_on_tls(received: int, answered: int, told: bool) -> None:
    def over(number: int) -> tuple[Deaths, ...]:
        info = {"data_segs_in": 1, "data_segs_out": 1, "segs_in": 5, "segs_out": 5, "rtt": 40}
        info |= {"bytes_sent": 1, "bytes_acked": 2, "bytes_received": received, "min_rtt": 40}
        rows = table(
            socket("CLOSE", "10.0.0.1:5432", f"10.0.0.2:{10_000 + 2 * number + n}", info=info)
            | {"cookie": 7000 + 2 * number + n}
            for n in range(2)
        )
        (well,) = dead(number + 100, answered, came=9, sent=9)
        some = concat([rows, well.sockets])
        return (Deaths(NETNS, some, np.full(len(some), TAKEN_AT + number - 0.5)),)

    kernel = steadily(**NONE | {"PassiveOpens": 2})
    held = owners((900, POSTGRES, 3))
    found = of(watch(8, lambda _: LISTENING, owners=held, kernel=kernel, deaths=over)[-1], ID)
    assert [each.title for each in found] == [
        "postgres on :5432 has turned away all 16 connections that came within 8 s"
    ] * told
    assert all(each.advice.startswith("Each asked for TLS") for each in found)


@pytest.mark.parametrize(
    ("process", "works", "folded"),
    [(PROXY, False, True), (PROXY, True, False), (SSHD, False, False)],
)
def test_a_proxy_whose_back_end_is_down_asks_for_it_now_and_then(
    process: Process, works: bool, folded: bool
) -> None:
    """In the incident twenty checks are refused while a thousand clients come; not where another
    back end is connected."""

    def over(number: int) -> tuple[Deaths]:
        (turned,) = dead(number, 9, 1, 0)
        refused = {"segs_out": 1, "segs_in": 1, "min_rtt": 0xFFFF_FFFF}
        row = socket("CLOSE", "10.0.0.1:40000", "127.0.0.1:9000", info=refused)
        some = concat([turned.sockets, table([row | {"cookie": 90_000 + number}])])
        return (Deaths(NETNS, some, np.full(len(some), TAKEN_AT + number - 0.5)),)

    back = socket("ESTABLISHED", "10.0.0.1:50000", "10.0.0.9:9001", inode=901, cookie=901)
    rows = [*([back] if works else [])]
    counted = {"PassiveOpens": 9, "EstabResets": 0, "TCPAbortOnClose": 0, "TCPTimeWaitOverflow": 0}
    kernel = steadily(**NONE | counted | {"ActiveOpens": 1, "AttemptFails": 1})
    held = owners((900, process, 3), (901, process, 4))
    waits = lambda number: [*rows, *LISTENING, *closed(number, lambda _: 9)]  # noqa: E731
    every = watch(8, waits, owners=held, kernel=kernel, deaths=over)[-1]
    (turned,), (back_end,) = of(every, ID), of(every, "destination-failing")
    assert back_end.title.startswith("All 8 connects to 127.0.0.1:9000")
    assert (turned.because == back_end.key) is folded


def greeted(number: int, per_s: int, asked: int, acked: int) -> Deaths:
    """So many a second were sent 110 bytes, of which so many had been acknowledged at the end."""
    info = {"data_segs_out": 1, "bytes_sent": 110, "bytes_acked": acked, "data_segs_in": asked}
    info |= {"segs_out": 4, "segs_in": 4, "rtt": 40, "min_rtt": 40, "bytes_received": 60 * asked}
    first = 10_000 + 300 * number + 50 * asked + 20 * (acked < 110)
    some = table(
        socket("CLOSE", "10.0.0.1:5432", f"10.0.0.2:{port}", cookie=port, info=info)
        for port in range(first, first + per_s)
    )
    return Deaths(NETNS, some, np.full(per_s, TAKEN_AT + number - 0.5))


def of_mysql(refused: int, checks: int, served: int = 0) -> tuple[Finding, ...]:
    """Checks leave as soon as they are connected: the message of the server meets a reset."""
    server = Process(300, "mariadbd", "mariadbd", 0, 7000, None, 60, 1024, 0)
    each = ((refused, 0, 112), (checks, 0, 1), (served, 3, 112))
    every = watch(
        8,
        lambda number: [*LISTENING, *closed(number, lambda _: refused)],
        owners=owners((900, server, 3)),
        kernel=lambda _: host(NONE, {}, SYSCTLS),
        deaths=lambda number: tuple(greeted(number, *some) for some in each if some[0]),
    )
    return of(every[-1], ID)


def test_checks_tell_nothing_of_how_others_are_served() -> None:
    """In the incident it has blocked a host, as a balancer there only looks whether it is up."""
    (finding,) = of_mysql(3, 2)
    assert (finding.values["turned_away"], finding.values["came"]) == (24, 24)
    assert finding.evidence[1].startswith("Checks apart: 16 others have left at once")
    assert of_mysql(0, 4) == ()
    assert of_mysql(0, 2, served=9) == ()


@pytest.mark.parametrize(("served", "severity"), [(2, "warning"), (6, "info"), (20, None)])
def test_a_limit_that_is_met_again_and_again(served: int, severity: str | None) -> None:
    """Others get in meanwhile, as one of those who hold the places leaves."""
    found = of_mysql(3, 0, served)
    assert [each.severity for each in found] == ([severity] if severity else [])
    assert not severity or f"24 of {8 * (3 + served)} connections" in found[0].title


def pushing(
    silent_ms: int = 3000, spread_ms: int = 0, port: int = 8883, quiet_ms: int = 1000
) -> tuple[Finding, ...]:
    """Three a second that were in use are closed after so long a silence, and leave TIME-WAIT; one
    is open, and silent for a while."""

    def remote(n: int) -> str:
        return f"10.0.0.2:{20_000 + n}"

    def deaths(number: int) -> tuple[Deaths]:
        born = range(3 * number, 3 * number + 3)
        some = table(
            socket("CLOSE", f"10.0.0.1:{port}", remote(n), cookie=n + 20_000, info=used(n))
            for n in born
        )
        return (Deaths(NETNS, some, np.full(3, TAKEN_AT + number - 0.5)),)

    def used(n: int) -> dict[str, int]:
        silent = silent_ms + spread_ms * (n % 4)
        info = {"data_segs_in": 2, "data_segs_out": 2, "bytes_sent": 20, "bytes_received": 20}
        info |= {"segs_in": 6, "segs_out": 6, "rtt": 40, "min_rtt": 40, "bytes_acked": 22}
        return info | {"last_data_sent": silent, "last_data_recv": silent}

    def rows(number: int) -> list[Row]:
        quiet = {"last_data_sent": quiet_ms, "last_data_recv": quiet_ms}
        minis = (
            mini("TIME_WAIT", f"10.0.0.1:{port}", remote(n), cookie=n + 20_000, expires=59_000)
            for n in range(3 * number + 3)
        )
        return [
            socket("LISTEN", f"0.0.0.0:{port}", inode=900, cookie=900),
            socket("ESTABLISHED", f"10.0.0.1:{port}", "10.0.0.3:999", inode=901, info=quiet),
            *minis,
        ]

    kernel = lambda _: host(NONE, {}, SYSCTLS)  # noqa: E731
    held = owners((900, NGINX, 3), (901, NGINX, 4))
    return of(watch(8, rows, owners=held, kernel=kernel, deaths=deaths)[-1], ID)


def test_a_server_that_closes_after_the_same_silence_each() -> None:
    """In the incident haproxy, with a time limit for HTTP, before a broker of MQTT."""
    (finding,) = pushing()
    assert finding.severity == "info"
    assert finding.title == (
        "nginx on :8883 closes connections of clients after 3 s of silence: 24 within 8 s"
    )
    assert "usually that of MQTT" in finding.evidence[1]


@pytest.mark.parametrize(
    "given",
    [
        {"port": 80},  # idle connections of HTTP, which nobody misses
        {"silent_ms": 200},
        {"spread_ms": 1500},
        {"quiet_ms": 30_000},  # another is silent for longer
    ],
)
def test_no_time_limit(given: dict[str, int]) -> None:
    assert pushing(**given) == ()
