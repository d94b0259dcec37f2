"""requests-unanswered and requests-queued: what is asked is acknowledged, and no answer comes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tcptop.model.finding import Finding
from tcptop.model.sample import Deaths, Frozen, Process, StuckThreads
from tests.unit.findings.test_doing import IDLE
from tests.unit.findings.watched import of, once, watch
from tests.unit.prepared import (
    CURL,
    INFO_SIZE,
    NETNS,
    NGINX,
    TAKEN_AT,
    Row,
    mini,
    owners,
    socket,
    table,
)

UNANSWERED, QUEUED = "requests-unanswered", "requests-queued"
POOLER = Process(300, "pgbouncer", "pgbouncer b.ini", 0, 7000, "/system.slice", 60, 1024, 0)
DATABASE, SHOP, WEB = "10.0.0.9:5432", "10.0.0.1:6432", "10.0.0.9:8080"


def info(sent_s: float, received_s: float, out: int, into: int) -> dict[str, int]:
    return {
        "last_data_sent": int(sent_s * 1000),
        "last_data_recv": int(received_s * 1000),
        "data_segs_out": out,
        "data_segs_in": into,
        "bytes_received": 100 * into,
    }


def calls(
    count: int,
    *,
    sent_s: float = 12,
    received_s: float = 15,
    out: int = 5,
    into: int = 4,
    first: int = 1,
    **more: Any,
) -> list[Row]:
    """Connections from here to the database."""
    clocks = info(sent_s, received_s, out, into)
    return [
        socket("ESTABLISHED", f"10.0.0.1:{40_000 + n}", DATABASE, inode=n, cookie=n, info=clocks)
        | more
        for n in range(first, first + count)
    ]


def clients(count: int, sent_s: float, received_s: float) -> list[Row]:
    """Connections to the pooler, and its listener."""
    clocks = info(sent_s, received_s, 4, 5)
    return [
        socket("LISTEN", "0.0.0.0:6432", inode=500, cookie=500),
        *(
            socket("ESTABLISHED", SHOP, f"10.0.0.2:{50_000 + n}", inode=n, cookie=n, info=clocks)
            for n in range(501, 501 + count)
        ),
    ]


def unanswered(rows: list[Row]) -> tuple[Finding, ...]:
    held = owners(*((row["inode"], CURL, row["inode"]) for row in rows if row["inode"]))
    return of(once(rows, owners=held), UNANSWERED)


def test_new_connections_that_never_got_a_byte_are_no_long_poll() -> None:
    """As PostgreSQL does while it looks for the name of its client."""
    busy = calls(4, sent_s=0.1, received_s=0.2, first=50)
    (finding,) = unanswered([*calls(6, sent_s=6, received_s=6, out=1, into=0), *busy])
    assert finding.severity == "warning"
    assert finding.title == (
        "10.0.0.9:5432 does not answer 6 new connections of curl: not a byte has come, the oldest "
        "waits for 6 s"
    )
    assert "long poll" not in " ".join((*finding.evidence, *finding.guesses))
    old = unanswered(calls(20, sent_s=12, received_s=12, out=1, into=0))
    assert [each.severity for each in old] == ["warning"]


@pytest.mark.parametrize(
    "rows",
    [
        calls(6, sent_s=6, received_s=7, out=5, into=4),  # slow first queries
        calls(4, sent_s=6, received_s=6, out=1, into=0),
        calls(9, sent_s=4, received_s=4, out=1, into=0),
        calls(9, sent_s=6, received_s=6, out=1, into=0, remote=WEB),  # a long poll
        calls(9, sent_s=6, received_s=6, out=1, into=0, send_q=8),  # on its way
    ],
)
def test_what_may_wait_for_long_is_not_taken_for_that(rows: list[Row]) -> None:
    assert unanswered(rows) == ()


def test_requests_that_nobody_answers() -> None:
    (finding,) = unanswered(calls(20))
    assert finding.severity == "info"
    assert finding.title == (
        "20 connections of curl to 10.0.0.9:5432 sent something and have no answer yet, the "
        "oldest for 12 s"
    )
    assert "No data has come on any connection to it for 15 s." in finding.evidence
    assert finding.subject.pids == (CURL.pid,)
    assert finding.subject.destination == DATABASE
    assert dict(finding.values) == {"connections": 20, "longest_s": 12, "others": 0}


def test_a_process_for_each_connection_is_one_trouble() -> None:
    rows = calls(12)
    workers = [replace(CURL, pid=200 + n) for n in range(12)]
    held = owners(*((row["inode"], w, 3) for row, w in zip(rows, workers, strict=True)))
    (finding,) = of(once(rows, owners=held), UNANSWERED)
    assert finding.values["connections"] == 12


@pytest.mark.parametrize(("curls", "first"), [(1, "nginx"), (12, "curl")])
def test_of_several_programs_the_one_that_has_most_is_named(curls: int, first: str) -> None:
    rows = calls(13)
    held = owners(*((n, CURL if n <= curls else NGINX, n) for n in range(1, 14)))
    (finding,) = of(once(rows, owners=held), UNANSWERED)
    assert finding.title.startswith(f"13 connections of {first} and others to")


def test_answers_that_do_come_are_told() -> None:
    (finding,) = unanswered([*calls(20), *calls(5, sent_s=3, received_s=2, first=100)])
    assert "Answers do come: the last data on any connection to it came 2 s ago." in (
        finding.evidence
    )
    assert finding.values["others"] == 5


def test_where_requests_are_sent_and_nothing_at_all_comes_it_is_worse() -> None:
    (finding,) = unanswered([*calls(8), *calls(8, sent_s=4, received_s=30, first=100)])
    assert finding.severity == "warning"
    assert finding.title == (
        "10.0.0.9:5432 has stopped answering: 16 connections of curl wait, the oldest for 12 s"
    )


def test_what_ended_at_both_ends_before_the_first_look_speaks_against_stopped() -> None:
    waiting = [*calls(8), *calls(8, sent_s=4, received_s=30, first=100)]

    def told(ago_s: int, remote: str = DATABASE) -> Finding:
        over = socket("TIME_WAIT", "10.0.0.1:39999", remote, inode=0, expires=60_000 - 1000 * ago_s)
        (finding,) = unanswered([*waiting, over])
        return finding

    assert told(6).severity == "info"
    assert "stopped" not in told(6).title
    assert any(
        each.startswith("1 connection there ended at both ends while most of these waited")
        and "the last 6 s ago" in each
        for each in told(6).evidence
    )
    assert told(20).severity == "warning"  # before these were asked
    assert told(6, "10.0.0.8:5432").severity == "warning"


def test_a_database_that_answers_none_of_a_program_is_worse_than_a_long_poll() -> None:
    """Others, of another program, wait for nothing; nor do a few of its own."""
    idle, own = calls(4, sent_s=30, received_s=29, first=100), calls(3, sent_s=1, received_s=0.5)
    held = owners(*((n, CURL, n) for n in range(1, 100)), *((n, NGINX, n) for n in range(100, 110)))

    def told(waited_s: float, port: int = 5432, others: Sequence[Row] = ()) -> list[Finding]:
        waits = calls(12, sent_s=waited_s, received_s=waited_s + 1, first=10)
        rows = [*waits, *idle, *others]
        to = f"10.0.0.9:{port}"
        rows = [row | socket(str(row["state"]), str(row["local"]), to) | row for row in rows]
        rows = [row | {"remote": to} for row in rows]
        return [*of(once(rows, owners=held), UNANSWERED)]

    for others in ((), own):
        (finding,) = told(24, others=others)
        assert finding.severity == "warning"
        assert finding.title == (
            "10.0.0.9:5432 does not answer 12 connections of curl: the oldest waits for 24 s"
        )
        assert "pg_stat_activity" in finding.advice
        assert not any("long poll" in each for each in finding.evidence)
    calm = [told(19), told(24, 6379), told(24, others=calls(9, sent_s=1, received_s=0.5))]
    assert [[each.severity for each in found] for found in calm] == [["info"]] * 3


def test_answers_on_connections_that_have_ended_are_answers() -> None:
    """Those that are open were never answered; another, which is over, was."""
    fresh = calls(12, sent_s=13, received_s=13, out=1, into=0, remote=WEB)
    (finding,) = unanswered(fresh)
    assert "No data has ever come on any connection to it that is open." in finding.evidence

    def rows(number: int) -> list[Row]:
        return [
            *fresh,
            *calls(8, sent_s=4, received_s=4, out=1, into=0, first=100 + 20 * number, remote=WEB),
        ]

    def ended(number: int) -> tuple[Deaths, ...]:
        over = calls(1, sent_s=0.3, received_s=0.2, out=1, into=1, first=900 + number, remote=WEB)
        opened = {"rtt": 200, "min_rtt": 200, "segs_out": 4, "segs_in": 4}
        some = table([each | {"state": "CLOSE", "info": each["info"] | opened} for each in over])
        return (Deaths(NETNS, some, np.full(len(some), TAKEN_AT + number)),)

    held = owners(*((inode, CURL, 3) for inode in range(1, 1000)))
    (silent,) = of(watch(6, rows, owners=held)[-1], UNANSWERED)
    assert silent.severity == "warning"
    (answers,) = of(watch(6, rows, owners=held, deaths=ended)[-1], UNANSWERED)
    assert answers.severity == "info"
    assert any(each.startswith("Answers do come: the last data") for each in answers.evidence)


def greeted(number: int, came_s: float = 0.0, **more: int) -> tuple[Deaths, ...]:
    """The end of one that had logged in, and left after 25 s without an answer."""
    clocks = info(25, 25 - came_s, 3, 2) | {"rtt": 200, "min_rtt": 200, "segs_out": 7, "segs_in": 6}
    clocks |= {"bytes_sent": 85, "bytes_acked": 87}
    row = socket("CLOSE", "10.0.0.1:39999", WEB, cookie=9000 + number)
    over = table([row | {"info": clocks | more}])
    return (Deaths(NETNS, over, np.full(1, TAKEN_AT + number)),)


def pooled(number: int) -> list[Row]:
    """Each second one connects, logs in and asks; nobody is answered."""
    ages = (25 - n for n in range(25))
    rows = [
        row
        for n, age_s in enumerate(ages)
        for row in calls(1, sent_s=age_s, received_s=age_s + 0.01, out=3, into=2, remote=WEB,
                         first=1 + number + n)
    ]  # fmt: skip
    return [*rows, mini("TIME_WAIT", "10.0.0.1:39999", WEB)]  # we closed first


@pytest.mark.parametrize(
    ("over", "severity"),
    [
        ({}, "warning"),
        ({"data_segs_out": 2}, "info"),  # as many answers: an idle limit of the caller's pool
        ({"last_data_recv": 100}, "info"),
        ({"last_data_sent": 300, "last_data_recv": 300}, "info"),
    ],
)
def test_a_greeting_is_no_answer(over: dict[str, int], severity: str) -> None:
    """In the incident sessions that do nothing hold a pooler's connections; all others log in,
    wait, and leave after 25 s."""
    held = owners(*((inode, CURL, 3) for inode in range(1, 100)))

    def deaths(number: int) -> tuple[Deaths, ...]:
        return greeted(number, **over) if number else ()

    (finding,) = of(watch(8, pooled, owners=held, deaths=deaths)[-1], UNANSWERED)
    assert finding.severity == severity
    assert any("a greeting, a login" in each for each in finding.evidence) is bool(not over)
    assert bool(finding.guesses) is bool(over)


def test_who_stays_may_wait_for_a_job() -> None:
    held = owners(*((inode, CURL, 3) for inode in range(1, 100)))
    (finding,) = of(watch(8, pooled, owners=held)[-1], UNANSWERED)
    assert finding.severity == "info"


KEEPALIVE = 2


@pytest.mark.parametrize(
    ("timer", "waited_s", "others", "told"),
    [(0, 31, 5, True), (KEEPALIVE, 31, 5, False), (0, 15, 5, False), (0, 31, 0, False)],
)
def test_who_waits_without_keepalive_may_wait_for_a_host_that_has_restarted(
    timer: int, waited_s: float, others: int, told: bool
) -> None:
    """In the incident the server lost its power in the middle of twelve requests."""
    waits = calls(12, sent_s=waited_s, received_s=waited_s + 1, timer=timer)
    (finding,) = unanswered([*waits, *calls(others, sent_s=3, received_s=2, first=100)])
    assert any("No keepalive timer runs" in each for each in finding.evidence) is told
    assert ("it has restarted" in finding.advice) is told


def test_new_connections_that_were_never_answered_are_no_sign_of_life() -> None:
    fresh = calls(8, sent_s=4, received_s=4, out=1, into=0, first=100, remote=WEB)
    (finding,) = unanswered([*calls(8, remote=WEB), *fresh])
    assert finding.severity == "warning"


def test_a_small_pool_is_told_where_all_of_it_waits() -> None:
    held = owners(*((inode, CURL, 3) for inode in range(1, 10)))

    def pool(*others: Row, waited_s: float = 12) -> tuple[Finding, ...]:
        def rows(number: int) -> list[Row]:
            since = waited_s - 6 + number
            return [*calls(8, sent_s=since, received_s=since + 1), *others]

        return of(watch(6, rows, owners=held)[-1], UNANSWERED)

    (finding,) = pool()
    assert finding.severity == "info"
    assert finding.title.startswith("8 connections of curl to 10.0.0.9:5432 sent something")
    assert not pool(*calls(1, sent_s=3, received_s=2, first=9))
    assert not pool(waited_s=9)


@pytest.mark.parametrize(
    ("to", "out", "open_s", "told"),
    [
        ("10.0.0.9:25", 0, 8, True),
        ("10.0.0.9:25", 0, 4, False),
        ("10.0.0.9:25", 1, 8, False),
        ("10.0.0.9:80", 0, 8, False),
        ("10.0.0.9:3306", 0, 8, False),  # a pool's store
    ],
)
def test_new_connections_that_are_not_greeted(to: str, out: int, open_s: float, told: bool) -> None:
    mute = calls(6, sent_s=open_s, received_s=open_s, out=out, into=0, remote=to)
    found = [each for each in unanswered(mute) if "does not greet 6 new" in each.title]
    assert [each.severity for each in found] == ["warning"] * told


@pytest.mark.parametrize(
    ("waits", "answers", "to", "told"),
    [
        (6, 40, DATABASE, True),
        (6, 4, DATABASE, False),  # an analyst's session, and its one long query
        (3, 40, DATABASE, False),
        (6, 40, "10.0.0.9:6379", False),
    ],
)
def test_most_of_a_pool_that_was_answered_often_before(
    waits: int, answers: int, to: str, told: bool
) -> None:
    """In the incident the disk under PostgreSQL is frozen, and two of eight only read."""
    held = owners(*((inode, CURL, 3) for inode in range(1, 10)))

    def rows(number: int) -> list[Row]:
        sent_s = 18 + number
        late = calls(waits, sent_s=sent_s, received_s=sent_s + 1, out=answers + 1, into=answers)
        well = calls(8 - waits, sent_s=0.5, received_s=0.4, out=80, into=80, first=waits + 1)
        return [row | {"remote": to} for row in [*late, *well]]

    found = of(watch(6, rows, owners=held)[-1], UNANSWERED)
    assert [each.severity for each in found] == ["info"] * told  # reports look the same


@pytest.mark.parametrize(
    "rows",
    [
        calls(9),
        calls(20, sent_s=4, received_s=5),  # not for long
        calls(20, sent_s=12, received_s=11),  # answered since
        calls(20, sent_s=700, received_s=800),  # idle
        calls(20, out=0, into=0),  # nothing was asked: a subscription by connecting
        calls(20, out=500, into=1),  # one-way: a log, a metric
        calls(20, send_q=100),  # not acknowledged
        calls(20, recv_q=100),  # ours does not read
        calls(20, inode=0),  # nobody has it open
        calls(20, info_size=INFO_SIZE, info={}),
    ],
)
def test_not(rows: list[Row]) -> None:
    assert unanswered(rows) == ()


@pytest.mark.parametrize(
    ("out", "into", "waits"),
    [
        (1, 0, True),  # the first request
        (5, 4, True),
        (5, 8, True),  # two segments an answer
        (5, 5, False),
        (5, 10, False),
        (5, 7, False),  # not known
        (2, 2, False),
        (2, 3, False),  # MySQL: a greeting, and two answers
        (5, 6, False),  # the same with more requests
        (5, 11, False),  # a greeting, and two segments an answer
        (2, 1, False),  # a header and a body, or a second request
        (3, 4, False),
        (3, 8, False),  # TLS with tickets
    ],
)
def test_within_one_tick_of_the_clock_segments_tell(out: int, into: int, waits: bool) -> None:
    rows = calls(20, sent_s=12, received_s=12, out=out, into=into)
    assert bool(unanswered(rows)) is waits


@pytest.mark.parametrize(
    ("acked_s", "waits"),
    [
        (11.96, True),  # 40 ms later, alone: the program there has not answered
        (12, False),  # with the answer
        (3, False),  # a keepalive
    ],
)
def test_an_acknowledgement_that_comes_alone_tells(acked_s: float, waits: bool) -> None:
    rows = calls(20, sent_s=12, received_s=12, out=2, into=1)
    acked = {"last_ack_recv": round(acked_s * 1000)}
    rows = [row | {"info": row["info"] | acked} for row in rows]
    assert bool(unanswered(rows)) is waits


def stalling(
    *,
    cycle_s: int = 5,
    stall_s: int = 4,
    per_cycle: int = 3,
    new: int = 8,
    seconds: int = 20,
    mute: int = 0,
) -> tuple[Finding, ...]:
    """Ten of a pool and some that are new; all wait while nobody is answered."""

    def rows(number: int) -> list[Row]:
        cycle, at = divmod(number, cycle_s)
        asked, stalled = 1 + per_cycle * (cycle + 1), at < stall_s
        if not stalled:
            return calls(10, sent_s=0.2, received_s=0.1, out=asked, into=asked * (cycle >= mute))
        waits: dict[str, Any] = {"sent_s": at, "received_s": at + 0.1}
        pool = calls(10, out=asked, into=(asked - 1) * (cycle >= mute), **waits)
        if not new:
            return pool
        return [*pool, *calls(new, out=1, into=0, first=100 + 100 * cycle, **waits)]

    held = owners(*((inode, CURL, 3) for inode in range(1, 1000)))
    return of(watch(seconds, rows, owners=held)[-1], UNANSWERED)


def test_a_server_that_stands_still_again_and_again() -> None:
    (finding,) = stalling()
    assert finding.severity == "warning"
    assert finding.title == (
        "10.0.0.9:5432 stops answering again and again: 4 times in 20 s, for up to 3.1 s, while "
        "up to 18 connections of curl waited"
    )
    assert finding.evidence[1] == (
        "In between it answers: one connection sent 9 segments between the first of these pauses "
        "and the last."
    )
    assert finding.values == {"times": 4, "connections": 18, "longest_s": pytest.approx(3.1)}
    assert finding.subject.destination == DATABASE


def test_before_its_first_answer_it_has_not_stopped_answering() -> None:
    (finding,) = stalling(mute=1)
    assert finding.values == {"times": 3, "connections": 18, "longest_s": pytest.approx(3.1)}


def test_workers_that_get_jobs_in_batches_look_the_same_so_it_is_info() -> None:
    (finding,) = stalling(new=0)
    assert finding.severity == "info"
    assert "BLPOP" in finding.evidence[2]


@pytest.mark.parametrize(
    "how",
    [
        {"seconds": 6},  # once
        {"stall_s": 2},  # not for long
        {"per_cycle": 1},  # a long poll, which ends for all at once
    ],
)
def test_not_again_and_again(how: dict[str, int]) -> None:
    assert stalling(**how) == ()


def queued(pooler: Process, *, ours: int, in_use: int, sent_s: float = 15) -> tuple[Finding, ...]:
    used = calls(in_use, sent_s=0.5, received_s=0.7)
    idle = calls(ours - in_use, sent_s=5, received_s=4, first=1 + in_use)
    rows = [*used, *idle, *clients(40, sent_s, 12)]
    held = owners(*((row["inode"], pooler, row["inode"]) for row in rows))
    return of(once(rows, owners=held), QUEUED)


def test_a_pooler_whose_pool_is_in_use() -> None:
    (finding,) = queued(POOLER, ours=2, in_use=2)
    assert finding.severity == "warning"
    assert finding.title == (
        "40 clients of pgbouncer on :6432 wait for an answer, the oldest for 12 s: 2 requests are "
        "under way to 10.0.0.9:5432"
    )
    assert finding.subject.pids == (POOLER.pid,)
    assert "default_pool_size" in finding.advice


def test_of_another_proxy_it_is_not_sure() -> None:
    (finding,) = queued(NGINX, ours=2, in_use=1)
    assert finding.severity == "info"
    assert "sent something and have no answer yet" in finding.title
    assert "It has 2 connections to 10.0.0.9:5432, and on 1 a request is under way." in (
        finding.evidence
    )


@pytest.mark.parametrize(
    ("pooler", "ours", "in_use", "sent_s"),
    [
        (NGINX, 4, 1, 15),  # it has room
        (NGINX, 20, 20, 15),  # each may have its own
        (POOLER, 35, 35, 15),  # nearly each has its own
        (POOLER, 2, 2, 11),  # they have their answers
    ],
)
def test_not_queued(pooler: Process, ours: int, in_use: int, sent_s: float) -> None:
    assert queued(pooler, ours=ours, in_use=in_use, sent_s=sent_s) == ()


def session(pid: int, title: str) -> Process:
    return Process(pid, "postgres", f"postgres: pg shop {title}", 0, 7000, None, 60, 1024, 0)


def test_a_pooler_whose_connections_are_held_by_idle_sessions() -> None:
    """Clients and answers within one tick, few connections, and the database is on this host."""
    clocks = info(24, 24, 2, 3)
    waits = [
        row | ({"info": clocks} if row["state"] != "LISTEN" else {}) for row in clients(15, 1, 1)
    ]
    near = "127.0.0.1:5432"
    idle = [row | {"remote": near} for row in calls(4, sent_s=26, received_s=26, out=3, into=3)]
    ends = [
        socket("ESTABLISHED", near, str(row["local"]), inode=70 + n, cookie=70 + n)
        for n, row in enumerate(idle)
    ]
    listens = socket("LISTEN", near, inode=69, cookie=69)
    title = "127.0.0.1(40000) idle in transaction"
    held = owners(
        *((row["inode"], POOLER, row["inode"]) for row in [*waits, *idle]),
        *((70 + n, session(400 + n, title), 9) for n in range(4)),
    )
    (finding,) = of(once([*waits, *idle, *ends, listens], owners=held), QUEUED)
    assert finding.severity == "warning"
    assert finding.title == (
        "15 clients of pgbouncer on :6432 wait for an answer, the oldest for 24 s: the sessions "
        "of its 4 connections to 127.0.0.1:5432 are idle in transaction"
    )
    assert finding.evidence[2] == (
        "At the other ends are 4 sessions of postgres on this host whose titles say "
        '"idle in transaction".'
    )
    assert "idle_in_transaction_session_timeout" in finding.advice


def fresh(number: int, waited_s: float, first: int = 501) -> list[Row]:
    """Clients with a first request, which was never answered."""
    clocks = info(waited_s, waited_s, 0, 1)
    return [
        socket("ESTABLISHED", SHOP, f"10.0.0.2:{50_000 + n}", inode=n, cookie=n, info=clocks)
        for n in range(first, first + number)
    ]


def test_haproxy_keeps_first_requests_back_for_less_than_its_timeout() -> None:
    """Two back ends with two each, and all are in use."""
    haproxy = replace(POOLER, name="haproxy", cmdline="haproxy -f h.cfg")
    used = [row | {"remote": to} for to in ("127.0.0.1:81", "127.0.0.1:82") for row in calls(2)]
    used = [
        row | {"cookie": n, "inode": n, "local": f"127.0.0.1:{n}"} for n, row in enumerate(used, 1)
    ]
    listens = socket("LISTEN", "0.0.0.0:6432", inode=500, cookie=500)

    def told(number: int, waited_s: float, process: Process = haproxy) -> tuple[Finding, ...]:
        rows = [*used, listens, *fresh(number, waited_s)]
        held = owners(*((row["inode"], process, row["inode"]) for row in rows))
        return of(once(rows, owners=held), QUEUED)

    (finding,) = told(16, 4)
    assert finding.severity == "warning"
    assert finding.title.endswith("4 requests are under way to 127.0.0.1:81 and 127.0.0.1:82")
    assert "maxconn" in finding.advice
    assert told(16, 1.5) == told(13, 4) == told(16, 4, NGINX) == ()


def test_a_proxy_that_has_no_connection_to_a_back_end() -> None:
    squid = replace(POOLER, name="squid", cmdline="squid -N")
    listens = socket("LISTEN", "0.0.0.0:6432", inode=500, cookie=500)

    def told(process: Process, *others: Row, waited_s: float = 18) -> tuple[Finding, ...]:
        rows = [listens, *fresh(14, waited_s), *others]
        held = owners(*((row["inode"], process, row["inode"]) for row in rows))
        return of(once(rows, owners=held), QUEUED)

    (finding,) = told(squid)
    assert finding.severity == "warning"
    assert finding.title == (
        "14 clients of squid on :6432 sent something and have no answer yet, the oldest for 18 s"
    )
    assert "resolver" in finding.advice
    dials = socket("SYN_SENT", "10.0.0.1:40000", DATABASE, inode=900, cookie=900)
    assert told(squid, dials) == told(squid, waited_s=4) == told(CURL) == ()


def test_sessions_of_postgres_that_wait_for_a_standby() -> None:
    """Of each the answer to its login came in the same tick as its INSERT."""
    listens = socket("LISTEN", "10.0.0.1:5432", inode=500, cookie=500)
    rows = [row | {"local": "10.0.0.1:5432", "info": info(26, 26, 2, 3)} for row in fresh(12, 26)]

    def told(title: str) -> tuple[Finding, ...]:
        workers = ((row["inode"], session(row["inode"], title), 7) for row in rows)
        return of(once([listens, *rows], owners=owners(*workers)), QUEUED)

    (finding,) = told("10.0.0.2(50501) INSERT waiting for 0/1547B8")
    assert finding.severity == "warning"
    assert finding.title == (
        "12 clients of postgres on :5432 wait for an answer, the oldest for 26 s: their sessions "
        "wait for a synchronous standby"
    )
    assert "SyncRep" in finding.advice
    (finding,) = told("10.0.0.2(50501) UPDATE waiting")
    assert finding.title.endswith("their sessions wait for a lock")
    assert told("10.0.0.2(50501) INSERT") == ()


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"state": "disk-sleep", "state_s": 12.0}, "curl (pid 200) is in uninterruptible sleep"),
        (
            {"threads": 23, "stuck": StuckThreads(2, 12.0)},
            "2 of its 23 threads are in uninterruptible sleep (state D), the longest for at least",
        ),
        ({"state": "disk-sleep", "state_s": 2.0}, None),  # a disk that works
        ({"threads": 23, "stuck": StuckThreads(1, 2.0)}, None),
        ({"state": "disk-sleep", "state_s": 12.0, "frozen": Frozen("")}, None),
        ({}, None),
    ],
)
def test_a_server_whose_disk_does_not_answer(facts: dict[str, Any], said: str | None) -> None:
    def told(number: int, sent_s: float = 12) -> tuple[Finding, ...]:
        rows = clients(number, sent_s=15, received_s=sent_s)
        held = owners(*((row["inode"], CURL, row["inode"]) for row in rows))
        known = {CURL.pid: replace(IDLE, pid=CURL.pid, **facts)}
        return of(once(rows, owners=held, facts=known), QUEUED)

    assert told(2) == told(5, sent_s=8) == ()
    assert [said in each.evidence[1] for each in told(3) if said] == [True] * bool(said)
    assert bool(told(3)) == bool(said)


def test_a_pooler_whose_back_end_is_gone() -> None:
    """One request was acknowledged, seven are sent again: all of them are under way."""
    again = {"backoff": 7, "rto": 26_000_000, "last_ack_recv": 16_000}
    gone = [
        row
        | {"send_q": 27, "timer": 1, "retrans": 7, "expires": 20_000}
        | {"info": info(16, 16, 5, 5) | again}
        for row in calls(7, sent_s=16, received_s=16, first=2)
    ]
    rows = [*calls(1, sent_s=16, received_s=16.1), *gone, *clients(40, 15, 12)]
    held = owners(*((row["inode"], POOLER, row["inode"]) for row in rows))
    every = once(rows, owners=held)
    (queue,) = of(every, "requests-queued")
    (lost,) = of(every, "black-hole")
    assert "8 requests are under way to" in queue.title
    assert queue.values["in_use"] == 8
    assert queue.because == lost.key
    assert "pg_stat_activity" not in queue.advice
