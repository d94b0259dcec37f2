"""destination-failing: what ended at one place, however little it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from tcptop.analysis.findings.settings import FindingSettings
from tcptop.model.finding import Finding
from tcptop.model.route import NO_ROUTE, Neighbour, Route, RouteKey
from tcptop.model.sample import NO_OWNERS, Deaths, Owners
from tests.unit.findings.hosts import steadily
from tests.unit.findings.watched import of, watch
from tests.unit.prepared import CURL, NETNS, TAKEN_AT, Row, mini, owners, socket, table

ID = "destination-failing"
TO = "10.0.0.9:8080"
NONE = {"AttemptFails": 0, "InDestUnreachs": 0, "TCPAbortOnTimeout": 0, "TCPTimeWaitOverflow": 0}
CLOSED_HERE = mini("TIME_WAIT", "10.0.0.1:40000", TO)
HELD = owners(*((n, CURL, n) for n in range(1, 9)))
Ended = Callable[[int], Sequence[Row]]


def ended(to: str, **info: int) -> Row:
    """One that is over, as its notice has it; with a round trip it was open."""
    return socket("CLOSE", "10.0.0.1:40000", to, info={"min_rtt": 0xFFFF_FFFF, **info})


def refused(to: str = TO) -> Row:
    return ended(to, segs_out=1, segs_in=1)


def unanswered(again: int = 1) -> Row:
    return ended(TO, segs_out=1 + again, segs_in=0, total_retrans=again)


def opened(**info: int) -> Row:
    """A request of 100 bytes that was acknowledged, and the FIN after it; nothing came."""
    asked = {"segs_out": 4, "segs_in": 3, "data_segs_out": 1, "bytes_sent": 100, "rtt": 200}
    asked |= {"min_rtt": 200, "bytes_acked": 102, "last_data_recv": 2100, "last_data_sent": 2000}
    return ended(TO, **{**asked, "bytes_received": 1, **info})  # the other end's FIN


def answered() -> Row:
    return opened(data_segs_in=1, bytes_received=10, last_data_recv=0)


def left(after_ms: int = 2000) -> Row:
    """We closed first: `found` has its TIME_WAIT."""
    return opened(last_data_sent=after_ms, last_data_recv=after_ms + 100)


def broken(idle_ms: int = 0) -> Row:
    """Reset with its request unacknowledged."""
    return opened(bytes_acked=1, last_data_sent=0, last_data_recv=idle_ms)


def found(
    rows: Ended,
    seconds: int = 8,
    now: Sequence[Row] = (),
    kept: Sequence[Row] = (CLOSED_HERE,),
    owners: Owners = NO_OWNERS,
    routes: Mapping[RouteKey, Route] | None = None,
    **counters: int,
) -> tuple[Finding, ...]:
    def deaths(number: int) -> tuple[Deaths, ...]:
        over = rows(number) if number else ()
        some = table([{**row, "cookie": 10_000 * number + n} for n, row in enumerate(over)])
        return (Deaths(NETNS, some, np.full(len(some), TAKEN_AT + number)),)

    every = watch(
        seconds,
        lambda _: [*now, *kept],
        kernel=steadily(**{**NONE, "AttemptFails": 2, **counters}),
        deaths=deaths,
        owners=owners,
        routes=routes or {},
    )
    return of(every[-1], ID)


def one(rows: Ended, seconds: int = 8, **fields: Any) -> Finding:
    (finding,) = found(rows, seconds, **fields)
    return finding


def test_a_service_that_refuses_two_a_second_is_out() -> None:
    finding = one(lambda _: [refused()] * 2)
    assert finding.severity == "warning"
    assert finding.title == f"All 16 connects to {TO} within 8 s were refused"
    assert finding.subject.destination == TO
    assert finding.since == TAKEN_AT + 1
    assert "listens on that port" in finding.advice


def test_a_service_that_restarts_is_left_alone() -> None:
    assert not found(lambda number: [refused()] * 6 * (number == 5))
    assert not found(lambda number: [refused()] * 6 * (number in (5, 6)))


@pytest.mark.parametrize(("well", "severity"), [(2, "warning"), (19, "warning"), (60, "info")])
def test_some_that_are_refused_while_others_are_answered(well: int, severity: str) -> None:
    """As by one of several servers behind an address."""
    finding = one(lambda _: [refused(), *[answered()] * well])
    assert finding.title == f"8 of {8 * (well + 1)} connects to {TO} within 8 s were refused"
    assert finding.severity == severity
    assert not found(lambda number: [refused()] * (number < 3) + [answered()] * well)


def test_very_few_are_usual() -> None:
    assert not found(lambda _: [refused(), *[answered()] * 120])
    assert not found(lambda _: [broken(), *[answered()] * 120])
    assert one(lambda _: [broken(), *[answered()] * 19]).severity == "info"


def test_a_pool_that_has_given_up_tries_now_and_then() -> None:
    every_four = one(lambda number: [refused()] * (number % 4 == 0))
    assert every_four.severity == "info"
    assert every_four.title == f"All 2 connects to {TO} within 8 s were refused"
    assert one(lambda number: [refused()] * (number % 4 == 0), seconds=21).severity == "warning"
    assert not found(lambda number: [refused()] * (number == 4))
    assert not found(lambda number: [refused() if number % 4 == 0 else answered()])


def long_open() -> list[Row]:
    """Twenty that were open before, and are answered all the time."""
    clocks = {"last_data_recv": 100, "last_data_sent": 200, "data_segs_in": 50}
    info = clocks | {"data_segs_out": 50, "bytes_received": 5000}
    return [
        socket("ESTABLISHED", f"10.0.0.1:{45_000 + n}", TO, cookie=900 + n, inode=900, info=info)
        for n in range(20)
    ]


@pytest.mark.parametrize(("answers", "told"), [(0, 1), (1, 0)])
def test_a_server_that_takes_no_new_ones_fails_however_well_older_ones_do(
    answers: int, told: int
) -> None:
    """In the incidents one has no descriptor left, and of one the thread that accepts has ended;
    not where some of the new ones are answered, and five wait for a slow page."""
    rows = lambda n: [*[left()] * 5 * (n in (2, 6)), *[answered()] * answers]  # noqa: E731
    every = found(rows, now=long_open())
    assert len(every) == told
    for finding in every:
        assert finding.severity == "warning"
        assert finding.title.startswith(f"All 10 connections to {TO} that ended within 8 s were")
        assert any("only older ones are served" in each for each in finding.evidence)
        assert "takes no new connections while it serves older ones" in finding.advice


def test_connections_that_were_open_before_are_no_connects() -> None:
    """As of a firewall that allows so many."""
    finding = one(lambda _: [refused()] * 3, now=long_open())
    assert finding.title == f"All 24 connects to {TO} within 8 s were refused"
    assert f"20 connections to {TO} that were open before brought something meanwhile." in (
        finding.evidence
    )
    assert finding.values["ended"] == 24


def test_of_what_the_kernel_has_forgotten_the_address_is_told() -> None:
    finding = one(lambda _: [ended("10.0.0.9:0")])
    assert finding.title.startswith("All 8 connects to 10.0.0.9 within 8 s were refused")
    assert "no longer knows the port" in " ".join(finding.evidence)


@pytest.mark.parametrize(("well", "severity"), [(6, "info"), (2, "warning"), (0, "warning")])
def test_where_the_port_is_unknown_all_of_the_address_count(well: int, severity: str) -> None:
    """In the incident a proxy asks one of three servers, which a deploy has taken away, whether it
    is back, and the two others serve."""
    finding = one(lambda _: [ended("10.0.0.9:0"), *[answered()] * well])
    some = f"8 of {8 + 8 * well}" if well else "All 8"
    assert finding.title == f"{some} connects to 10.0.0.9 within 8 s were refused"
    assert finding.severity == severity
    others = f"{8 * well} other connections to 10.0.0.9 opened or brought something meanwhile"
    assert any(each.startswith(others) for each in finding.evidence) is bool(well)
    assert not any("same port" in each for each in finding.evidence)


def test_counters_that_are_read_a_moment_before_the_notices_tell_the_same() -> None:
    finding = one(lambda number: [ended("10.0.0.9:0")] * (2 if number < 8 else 3))
    assert finding.title == "All 17 connects to 10.0.0.9 within 8 s were refused"
    finding = one(lambda _: [ended("10.0.0.9:0")] * 4)
    assert finding.title == "All 32 connects to 10.0.0.9 within 8 s failed"


def test_connects_that_wait_together_are_told_by_one_round() -> None:
    """In the incident with its caller, who goes on."""
    finding = one(lambda number: [unanswered()] * 4 * (number in (2, 5)), 5)
    assert finding.title == f"All 8 connects to {TO} within 5 s got no answer"
    assert not found(lambda number: [unanswered()] * 4 * (number == 4), 5)
    assert not found(lambda number: [unanswered(0)] * 2 * (number in (2, 5)), 5)


def test_ten_without_an_answer_are_an_outage() -> None:
    assert one(lambda _: [unanswered()] * 2).severity == "critical"


@pytest.mark.parametrize(("resets", "late"), [(2, True), (0, False), (9, False)])
def test_connects_that_are_given_up_before_the_answer_comes(resets: int, late: bool) -> None:
    """In the incident a connect timeout of 0.2 s is below the round trip: each SYN-ACK meets no
    socket any more. Of a host that is gone none comes; of many resets it is not known."""
    counted = {"OutRsts": resets, "AttemptFails": 0}
    finding = one(lambda _: [unanswered(again=0)] * 2, **counted)
    said = "were given up before the answer came" if late else "got no answer"
    assert finding.title == f"All 16 connects to {TO} within 8 s {said}"
    # A SYN that waits for an answer by ARP is not sent again either, for three seconds.
    assert any("none had sent the SYN again" in each for each in finding.evidence) is late
    assert finding.advice.startswith("Let the program wait longer") is late
    assert finding.severity == ("warning" if late else "critical")


def test_what_icmp_may_have_answered_is_not_told_as_unanswered() -> None:
    """In the incident a firewall that rejects, and reports it at a limited rate."""
    finding = one(lambda _: [unanswered()] * 2, InDestUnreachs=1)
    assert finding.title == (
        f"All 16 connects to {TO} within 8 s got no answer or were rejected by ICMP"
    )
    said = " ".join(finding.evidence)
    assert "16 not answered or rejected by ICMP" in said
    assert "8 ICMP unreachables came in meanwhile" in said
    assert "rejects" in finding.advice


def test_who_closes_for_want_of_an_answer_is_told_and_how_long_it_waited() -> None:
    finding = one(lambda _: [left()])
    assert finding.title.endswith("were closed here for want of an answer")
    assert "waited 2 s for an answer; 8 never got a byte" in " ".join(finding.evidence)
    assert "before the network" in finding.advice


def waiting(number: int, **info: int) -> list[Row]:
    """Those who ask anew, as long as there are any."""
    clocks = {"last_data_sent": 1500, "last_data_recv": 1600, "data_segs_out": 1, "min_rtt": 40}
    return [
        socket("ESTABLISHED", f"10.0.0.1:{41000 + n}", TO, inode=n, info={**clocks, **info})
        for n in range(1, 1 + number)
    ]


def test_one_round_is_enough_where_others_wait_already() -> None:
    """Five callers with a deadline of five seconds, who begin together."""

    def together(number: int) -> list[Row]:
        return [left(5000)] * 5 * (number == 5)

    finding = one(together, now=waiting(5))
    assert finding.title == (
        f"All 5 connections to {TO} that ended within 8 s were closed here for want of an answer"
    )
    assert (
        "5 others wait there for an answer for 1 s or longer now, the oldest for 1.5 s."
        in finding.evidence
    )
    # A handshake of TLS brings data, and no answer.
    assert one(together, now=waiting(5, data_segs_in=3, bytes_received=900))
    assert not found(together)  # a program that ends
    assert not found(together, now=[*waiting(5), *waiting(1, data_segs_in=1, last_data_sent=0)])
    assert not found(lambda n: [left(900 * n) for n in range(1, 6)] * (n == 5), now=waiting(5))


def test_one_round_of_many_is_enough_where_older_ones_are_answered() -> None:
    finding = one(lambda n: [left(5000)] * 12 * (n == 5), now=[*pool(20), *waiting(5)])
    assert finding.severity == "warning"
    assert not found(lambda n: [left(5000)] * 12 * (n == 5), now=pool(20))


def test_others_that_have_got_something_tell_of_long_requests() -> None:
    asked_anew = {"data_segs_in": 9, "data_segs_out": 10, "last_data_recv": 5100}
    late_ones = [opened(**asked_anew, last_data_sent=5000)] * 6
    assert not found(lambda n: late_ones * (n in (1, 7)), now=pool(40))


def test_who_does_not_even_close_is_told() -> None:
    closed = [mini("FIN_WAIT2", f"10.0.0.1:{42000 + n}", TO) for n in range(10)]
    finding = one(lambda _: [left()] * 2, now=closed)
    assert any(each.startswith("10 connections there that this") for each in finding.evidence)


def test_who_is_closed_by_the_other_end_without_a_byte_has_failed() -> None:
    """In the incident a proxy that expects another protocol than is spoken to it."""
    finding = one(lambda _: [left(3)], kept=())
    assert finding.title == (
        f"All 8 connections to {TO} that ended within 8 s were closed by the other end without a "
        "byte"
    )
    assert finding.severity == "warning"
    assert finding.values["cut"] == 8
    assert "ended less than 0.1 s after the last thing was sent" in " ".join(finding.evidence)
    assert "PROXY protocol" in finding.advice
    assert "ss -ltn" not in finding.advice


def test_who_is_cut_off_while_it_worked_was_not_turned_away() -> None:
    """In the incidents workers are killed, or a time limit ends slow requests; others go well."""
    finding = one(lambda _: [left(5000), answered()], kept=())
    assert "closed by the other end without a byte" in finding.title
    assert "the OOM killer" in finding.advice
    assert "PROXY" not in finding.advice
    assert "PROXY" in one(lambda _: [left(3), answered()], kept=()).advice
    assert "a proxy whose back end" in one(lambda _: [left(5000)], kept=()).advice


def unasked(after_ms: int) -> Row:
    return opened(
        data_segs_out=0, bytes_sent=0, bytes_acked=2, last_data_sent=after_ms, last_ack_recv=0
    )


def test_who_waits_for_a_greeting_and_gets_none_has_failed() -> None:
    finding = one(lambda _: [unasked(20)], kept=())
    assert "ended less than 0.1 s after they were opened" in " ".join(finding.evidence)
    both = one(lambda _: [unasked(20), left(3100)], kept=())
    assert "up to 3.1 s after the last thing was sent or they were opened; 8 had sent" in " ".join(
        both.evidence
    )
    assert not found(lambda _: [unasked(60_000)], kept=())  # in store, closed by an idle timeout


def test_who_was_answered_or_closes_first_has_not_failed() -> None:
    """A server of HTTP/1.0, a health check that connects and closes, metrics that go one way."""
    metrics = {"data_segs_out": 5, "bytes_sent": 500, "bytes_acked": 502}
    assert not found(lambda _: [answered()], kept=())
    assert not found(lambda _: [unasked(0)])
    assert not found(lambda _: [opened(**metrics)])
    assert not found(lambda _: [opened(**metrics)], kept=())
    # With no room left for TIME_WAIT it is not known who closed first.
    assert not found(lambda _: [left(3)], kept=(), TCPTimeWaitOverflow=1)


def error(to: str, **info: int) -> Row:
    said = {"data_segs_in": 1, "bytes_received": 99, "last_data_recv": 0, "last_data_sent": 2}
    return opened(**{**said, **info}) | {"remote": to}


def test_who_is_turned_away_with_an_error_has_failed() -> None:
    """In the incident PostgreSQL at max_connections, of which another program has most."""
    place = "10.0.0.9:5432"
    held = [socket("ESTABLISHED", f"10.0.0.1:{50000 + n}", place, inode=n) for n in range(1, 4)]
    finding = one(lambda _: [error(place)], now=held, kept=(), owners=HELD)
    assert finding.title == f"All 8 connections to {place} within 8 s were turned away"
    assert (
        "Those turned away were over within 1.5 s, after at most 99 bytes from the server, as an "
        "error is, while 3 connections stay open there since before."
    ) in finding.evidence
    assert finding.subject.pids == ()  # curl has those that stay
    assert "Other connections to the same address belong to curl" in " ".join(finding.evidence)
    assert "max_connections" in finding.advice
    assert not found(lambda _: [error(TO)], kept=())  # HTTP, for one, which answers and closes
    assert not found(lambda _: [error(place, bytes_received=400)], kept=())


def test_whose_client_closes_first_is_known_by_the_size_of_an_error() -> None:
    """A client that reads an error closes as soon as the server does. pg_isready is asked for a
    password, or now and then told of a role that does not exist."""
    place = "10.0.0.9:5432"
    first = [mini("TIME_WAIT", "10.0.0.1:40000", place)]
    assert one(lambda _: [error(place)], kept=first).values["turned"] == 8
    assert not found(lambda _: [error(place, bytes_received=26)], kept=first)
    assert not found(lambda number: [error(place)] * (number % 4 == 1), kept=first)


def test_sshd_resets_those_that_it_turns_away() -> None:
    broken_off = {"bytes_acked": 101, "bytes_sent": 100}
    assert one(lambda _: [error("10.0.0.9:22", **broken_off)]).values["turned"] == 8
    checks = {"data_segs_out": 0, "bytes_sent": 0, "bytes_acked": 1}
    assert not found(lambda _: [error("10.0.0.9:22", **checks)])


def asked_for_tls(**info: int) -> Row:
    """SSLRequest and its answer of one byte, then the FINs."""
    told = {"bytes_sent": 8, "bytes_acked": 10, "bytes_received": 2, "data_segs_in": 1}
    row = opened(**{**told, "last_data_sent": 8, "last_data_recv": 4, **info})
    return row | {"remote": "10.0.0.9:5432"}


def test_who_insists_on_tls_that_the_server_declines_has_failed() -> None:
    first = [mini("TIME_WAIT", "10.0.0.1:40000", "10.0.0.9:5432")]
    finding = one(lambda _: [asked_for_tls()] * 2, kept=first)
    assert finding.severity == "warning"
    assert finding.title == (
        "All 16 connections to 10.0.0.9:5432 within 8 s were closed here as the server declined TLS"
    )
    assert "ssl = on" in finding.advice
    assert finding.values["declined"] == 16
    # A check that only asks, beside sessions that live; what goes on without; others.
    session = asked_for_tls(data_segs_out=5, data_segs_in=5, bytes_sent=300, bytes_received=900)
    session["info"]["bytes_acked"] = 302
    assert not found(lambda _: [asked_for_tls(), session], kept=first)
    assert not found(lambda _: [session], kept=first)
    assert not found(lambda _: [asked_for_tls(bytes_sent=9)], kept=first)


def reused(idle_ms: int = 6000, **info: int) -> Row:
    """Answered once; what was sent after a pause was acknowledged, and then the reset came."""
    told = {"data_segs_out": 2, "data_segs_in": 1, "bytes_received": 10, "bytes_acked": 101}
    told |= {"last_data_sent": 40, "last_data_recv": idle_ms + 40}
    return opened(**{**told, **info})


def test_connections_that_a_timeout_ends_as_they_are_used_again() -> None:
    """In the incident POSTs of a Go client meet the keepAliveTimeout of node."""
    heard = {"last_ack_recv": 100, "last_data_recv": 100, "min_rtt": 40, "data_segs_in": 1}
    now = [
        socket("ESTABLISHED", f"10.0.0.1:{50000 + n}", TO, info=heard, inode=n)
        for n in range(1, 93)
    ]
    finding = one(lambda _: [reused()], now=now, kept=(), TCPAbortOnClose=0, TCPAbortOnData=0)
    assert finding.severity == "warning"
    assert finding.title == (
        f"8 of 100 connections to {TO} within 8 s were reset as they were used again after about "
        "6 s idle"
    )
    assert "closes connections that are idle for about 6 s" in finding.advice
    assert "firewall" not in finding.advice


def test_resets_that_no_timeout_of_the_other_end_makes() -> None:
    """Clients that take leave of an idle connection, and programs of this host that reset."""

    def told(rows: Ended, ours: int = 0) -> bool:
        return bool(found(rows, kept=(), TCPAbortOnClose=ours, TCPAbortOnData=0))

    assert told(lambda _: [reused()])
    assert not told(lambda _: [reused()], ours=1)
    assert not found(lambda _: [reused()], kept=())  # what this host resets is not known
    assert not told(lambda number: [reused(2000 + 1000 * number)])
    assert not told(lambda _: [reused(500)])
    assert not told(lambda _: [reused(bytes_acked=102)])  # FIN, in order


def late(**info: int) -> Row:
    """Answered once, and closed two seconds after the next request; its answer came then."""
    told = {"data_segs_out": 2, "data_segs_in": 1, "bytes_received": 10, "bytes_acked": 101}
    return opened(**{**told, "last_data_recv": 3000, **info})


def test_an_answer_after_the_deadline_is_none() -> None:
    """In the incident a database answers with an error once its lock is given up."""
    (finding,) = found(lambda _: [late()], TCPAbortOnData=1)
    assert finding.title.endswith("were closed here for want of an answer")
    (acked,) = found(lambda _: [late(bytes_acked=102)], kept=(), TCPAbortOnData=1)
    assert acked.title == finding.title
    (login,) = found(lambda _: [late(last_data_recv=2000)], TCPAbortOnData=1)  # in one tick
    assert "waited 2 s for an answer" in " ".join(login.evidence)
    assert not found(lambda _: [late(bytes_acked=102)], kept=(), TCPAbortOnData=0)
    (reset,) = found(lambda _: [late()], TCPAbortOnData=0)
    assert reset.title.endswith("were reset before an answer")
    assert not found(lambda _: [late(last_data_sent=50)], TCPAbortOnData=1)
    assert not found(lambda _: [late(last_data_recv=1000)], TCPAbortOnData=1)  # answered


def quiet(silent_ms: int = 3000, to: str = "10.0.0.9:8883") -> Row:
    """Answered, and closed by the other end after so long a silence."""
    told = {"data_segs_out": 2, "data_segs_in": 2, "bytes_received": 34}
    clocks = {"last_data_sent": silent_ms + 4, "last_data_recv": silent_ms}
    return opened(**told, **clocks) | {"remote": to}


def test_who_is_cut_off_in_silence_comes_anew() -> None:
    """In the incident haproxy's timeout is shorter than the pauses of MQTT."""
    finding = one(lambda _: [quiet()] * 3, kept=())
    assert finding.severity == "info"
    assert finding.title == ("10.0.0.9:8883 closes connections after 3 s of silence: 24 within 8 s")
    assert "timeout client" in finding.advice


@pytest.mark.parametrize(
    "rows",
    [
        lambda _: [quiet(to=TO)] * 3,  # HTTP: a keep-alive timeout, which nobody misses
        lambda n: [quiet(2000 + 700 * m) for m in range(3)],
        lambda _: [quiet(), quiet(20)],
        lambda n: [quiet()] * 12 * (n == 5),  # a broker that restarts
    ],
)
def test_who_is_closed_otherwise_is_not_cut_off_in_silence(rows: Ended) -> None:
    assert not found(rows, kept=())


def test_longer_silence_on_others_speaks_against_a_time_limit() -> None:
    info = {"last_data_sent": 9000, "last_data_recv": 9000, "data_segs_in": 9, "min_rtt": 40}
    stays = socket("ESTABLISHED", "10.0.0.1:45000", "10.0.0.9:8883", inode=1, info=info)
    assert not found(lambda _: [quiet()] * 3, kept=(), now=[stays])
    ours = [mini("TIME_WAIT", "10.0.0.1:40000", "10.0.0.9:8883")]
    assert not found(lambda _: [quiet()] * 3, kept=ours)  # we closed first


def test_what_the_network_lost_is_no_fault_of_the_program() -> None:
    lost = {"bytes_acked": 1, "total_retrans": 3, "retransmits": 3, "bytes_retrans": 0}
    finding = one(lambda _: [opened(**lost)])
    assert finding.title.endswith("were lost: what they had sent was not acknowledged")
    assert "had been retransmitted 3 times before" in " ".join(finding.evidence)
    assert "path to" in finding.advice
    assert "its program did not answer" not in " ".join(finding.evidence)


def test_what_is_closed_and_not_acknowledged_is_told() -> None:
    closed = [
        socket("FIN_WAIT1", f"10.0.0.1:{43000 + n}", TO, send_q=61, info={"backoff": 1 + n})
        for n in range(5)
    ]
    assert (
        "4 connections there that this host has closed retransmit what was sent last or the FIN, "
        "and nothing is acknowledged (FIN-WAIT-1, LAST-ACK or CLOSING, backoff 5 at most)."
    ) in one(lambda _: [refused()], now=closed).evidence


@pytest.mark.parametrize("after_ms", [0, 50, 300])
def test_who_wants_no_answer_does_not_wait_for_one(after_ms: int) -> None:
    assert not found(lambda _: [left(after_ms)])


def test_a_tenth_is_told_where_all_had_one_deadline() -> None:
    others = [answered()] * 7
    assert one(lambda _: [left(), *others]).severity == "warning"
    assert not found(lambda number: [left(500 + 400 * number), *others])


@pytest.mark.parametrize(
    ("sizes", "told"), [((314, 315), True), ((314, 2000), False), ((9000, 9000), False)]
)
def test_the_same_few_bytes_for_all_others_are_an_error_page(
    sizes: tuple[int, int], told: bool
) -> None:
    """In the incident nginx answers 502 at once while php-fpm's queue is full; the rest waits."""
    others = [opened(data_segs_in=1, bytes_received=n, last_data_recv=0) for n in sizes]
    two_rounds = lambda n: [*[left(15_000)] * 3 * (n in (3, 6)), *others]  # noqa: E731
    every = found(two_rounds)
    assert len(every) == told
    for finding in every:
        assert finding.severity == "warning"
        assert "315 bytes each, all the same: a health check or a small file" in " ".join(
            finding.evidence
        )


def test_a_pause_before_resets_is_told() -> None:
    finding = one(lambda _: [broken(4500)])
    assert finding.title.endswith("were reset before an answer")
    assert "the shortest for 4.5 s" in " ".join(finding.evidence)
    assert "idle" in finding.advice
    assert "idle" not in one(lambda _: [broken()]).advice


def test_what_is_forgotten_again_and_again_is_no_notice() -> None:
    """Others there go well; a pool that dials anew now and then is not harmed."""
    others = [answered()]
    assert one(lambda _: [broken(4500), *others]).severity == "warning"
    assert one(lambda _: [broken(4500), *others * 5], 30).severity == "info"


def test_who_sends_on_what_the_server_has_closed_is_told() -> None:
    """In the incident a pool whose limit is above the keep-alive timeout of the server."""

    def deaths(number: int) -> tuple[Deaths, ...]:
        over = [broken(3050) | {"cookie": 10_000 + number}] if number else []
        return (Deaths(NETNS, table(over), np.full(len(over), TAKEN_AT + number)),)

    def told(state: str) -> Finding:
        every = watch(
            8,
            lambda number: [socket(state, "10.0.0.1:40000", TO, cookie=10_001 + number)],
            kernel=steadily(**{**NONE, "AttemptFails": 2}),
            deaths=deaths,
        )
        (finding,) = of(every[-1], ID)
        return finding

    finding = told("CLOSE_WAIT")
    assert "8 of those reset were in CLOSE-WAIT when last seen" in " ".join(finding.evidence)
    assert "closes idle connections, after about 3 s or less" in finding.advice
    assert "firewall" not in finding.advice
    unknown = told("ESTABLISHED")
    assert "CLOSE-WAIT" not in " ".join(unknown.evidence)
    assert "firewall" in unknown.advice


@pytest.mark.parametrize(
    ("last", "asked", "severity"),
    [
        (100, 5, "warning"),  # as long as each before
        (5, 5, "info"),  # a farewell
        (100, 1, "info"),  # dialed anew for each request
    ],
)
def test_what_is_sent_after_a_fin_may_be_a_farewell(last: int, asked: int, severity: str) -> None:
    """A pool that closes what the server has closed says goodbye first, and is answered by a reset
    as a request is. In the incident each use of Redis after five seconds idle fails, and those
    after 0.3 s go well."""
    sent = 100 * asked
    told = {"data_segs_out": asked + 1, "data_segs_in": asked, "bytes_sent": sent + last}
    told |= {"bytes_acked": sent + 1, "last_data_sent": 0, "last_data_recv": 3050}

    def deaths(number: int) -> tuple[Deaths, ...]:
        over = [opened(**told, bytes_received=50) | {"cookie": 10_000 + number}]
        over += [answered() | {"cookie": 90_000 + number}]
        return (Deaths(NETNS, table(over), np.full(len(over), TAKEN_AT + number)),)

    def rows(number: int) -> list[Row]:
        info = {"bytes_sent": sent, "data_segs_out": asked, "data_segs_in": asked}
        waits = socket("CLOSE_WAIT", "10.0.0.1:40000", TO, cookie=10_001 + number, info=info)
        return [waits, CLOSED_HERE]

    every = watch(
        20,
        rows,
        kernel=steadily(**{**NONE, "AttemptFails": 2}),
        deaths=lambda n: deaths(n) if n else (),
    )
    (finding,) = of(every[-1], ID)
    assert finding.severity == severity
    assert "closes idle connections" in finding.advice


def test_who_tries_the_other_family_too_is_not_harmed() -> None:
    there = {"last_ack_recv": 100, "last_data_recv": 100, "min_rtt": 40}
    now = [
        socket("ESTABLISHED", f"[2001:db8::1]:{port}", "[2001:db8::9]:8080", info=there)
        for port in range(40000, 40010)
    ]
    assert one(lambda _: [refused()], now=now).severity == "info"


@pytest.mark.parametrize(("others", "severity"), [(1, "critical"), (6, "warning"), (10, "info")])
def test_who_goes_on_by_the_other_family_later_is_no_outage(others: int, severity: str) -> None:
    """Fewer of its connections are seen than fail: some are still under way, or over."""
    heard = {"last_ack_recv": 100, "last_data_recv": 100, "min_rtt": 40}
    there = "[2001:db8::9]:8080"
    now = [
        socket("ESTABLISHED", f"[2001:db8::1]:{port}", there, info=heard)
        for port in range(40000, 40000 + others)
    ]
    assert one(lambda _: [unanswered()] * 2, now=now).severity == severity


def test_what_was_accepted_here_is_no_call_of_ours() -> None:
    listener = socket("LISTEN", "10.0.0.1:40000", "0.0.0.0:0")
    assert not found(lambda _: [left(), broken()], now=[listener])


def test_without_notices_nothing_is_said() -> None:
    every = watch(8, lambda _: [], kernel=steadily(**NONE))
    assert not of(every[-1], ID)


def test_a_host_that_does_not_answer_on_the_link_is_told() -> None:
    """The SYNs do not leave; neither firewall nor accept queue is to blame."""

    def deaths(number: int) -> tuple[Deaths, ...]:
        over = [unanswered(0) | {"cookie": 10_000 * number + n} for n in range(2 if number else 0)]
        return (Deaths(NETNS, table(over), np.full(len(over), TAKEN_AT + number)),)

    def asking(number: int) -> list[Row]:
        row = socket("SYN_SENT", "10.0.0.1:41000", TO, timer=1, cookie=500 + number)
        return [row | {"expires": 900, "info": {"rto": 1_000_000}}]

    gone = Neighbour("10.0.0.9", "FAILED", None)
    way = {RouteKey(NETNS, "10.0.0.1", "10.0.0.9"): Route(2000.0, kind="unicast", neighbour=gone)}
    kernel = steadily(**{**NONE, "AttemptFails": 2})
    alone = FindingSettings(ignored=frozenset({"connect-unanswered"}))
    every = watch(8, asking, alone, kernel=kernel, deaths=deaths, routes=way)[-1]
    (finding,) = of(every, ID)
    said = "The SYNs do not leave this host: 10.0.0.9 does not answer ARP (ip neigh)."
    assert said in finding.evidence
    assert finding.advice.startswith("Find out why 10.0.0.9 does not answer")


V6 = "[2001:db8:9::1]:0"


def unrouted(to: str = V6, **ways: Any) -> dict[str, Any]:
    """For `found`: to that address no packet leaves."""
    own, there = ("::", "2001:db8:9::1") if to == V6 else ("0.0.0.0", to.partition(":")[0])
    return {
        "routes": {RouteKey(NETNS, own, there): Route(2000.0, **(ways or {"why_not": NO_ROUTE}))}
    }


def test_a_host_without_a_route_is_told_of_its_own() -> None:
    """No packet has left: nobody there is to be asked."""
    finding = one(lambda _: [ended(V6)] * 2, AttemptFails=0, **unrouted())
    assert finding.severity == "warning"
    assert finding.title == (
        "All 16 connects to 2001:db8:9::1 within 8 s failed: this host has no route to it"
    )
    assert "On the host of" not in finding.advice
    assert finding.confirm.startswith("ip route get 2001:db8:9::1;")
    assert "ENETUNREACH" in " ".join(finding.evidence)
    prohibited = {"kind": "prohibit", "why_not": "a prohibit route: …"}
    finding = one(lambda _: [ended(V6)] * 2, AttemptFails=0, **unrouted(**prohibited))
    assert "ENETUNREACH" not in " ".join(finding.evidence)


def test_without_a_way_by_ipv6_what_goes_well_by_ipv4_is_no_alarm() -> None:
    """As of nginx, whose resolver gives it both addresses of a name."""
    both = one(lambda _: [ended(V6), answered()], AttemptFails=0, **unrouted())
    assert both.severity == "info"
    assert any("by IPv4 go well" in each for each in both.evidence)
    used = [socket("ESTABLISHED", "[2001:db8::1]:40000", "[2001:db8:1::9]:80")]
    lost = one(lambda _: [ended(V6), answered()], now=used, AttemptFails=0, **unrouted())
    assert lost.severity == "warning"


def test_what_was_refused_there_has_had_a_route() -> None:
    """It is gone only now, and the counter tells of resets."""
    finding = one(lambda _: [ended(V6)] * 2, AttemptFails=2, **unrouted())
    assert "were refused" in finding.title


def torn(size: int) -> Row:
    """Reset while something of its answer was missing."""
    return opened(
        segs_in=90, data_segs_in=80, bytes_received=size, bytes_acked=101, last_data_recv=0
    )


def test_answers_that_are_reset_half_way_are_told() -> None:
    """Five of ten thousand bytes came whole for each of which a part came."""

    def over(number: int) -> list[Row]:
        whole = opened(segs_in=90, data_segs_in=80, bytes_received=10_000, last_data_recv=0)
        return [torn(number * 900), *[whole] * 5]

    def told(rows: Ended, resets: int = 2, own: int = 0) -> tuple[Finding, ...]:
        return found(rows, AttemptFails=0, OutRsts=resets, TCPAbortOnData=own)

    (finding,) = told(over)
    assert finding.severity == "warning"
    assert finding.title == (
        f"8 of 48 connections to {TO} that ended within 8 s were reset in the middle of an answer"
    )
    assert "INVALID" in finding.advice
    assert "INVALID" not in told(over, resets=0)[0].advice
    assert not told(over, own=1)  # this host wanted no more
    assert not told(lambda number: [torn(300), *over(number)[1:]])  # short ones, all alike
    assert not told(lambda number: [torn(9_900), *over(number)[1:]])  # whole, and reset then


NO_OWN: dict[str, Any] = {"TCPAbortOnClose": 0, "TCPAbortOnData": 0}


def struck(**info: int) -> Row:
    """One whose earlier requests were answered, reset with the next one unacknowledged."""
    used = {"data_segs_in": 5, "data_segs_out": 6, "bytes_received": 50, "last_data_recv": 200}
    return opened(**{**used, "bytes_acked": 81, "last_data_sent": 0, **info})


def test_connections_that_are_reset_in_use_again_and_again() -> None:
    """Two hosts have one address: each resets what the other has opened."""
    finding = one(lambda n: [struck()] * 3 * (n % 2), **NO_OWN)
    assert finding.severity == "warning"
    assert finding.title == (
        f"All 12 connections to {TO} that ended within 8 s were reset in use with a request "
        "unanswered"
    )
    assert "12 of those reset had been answered before" in " ".join(finding.evidence)
    assert "in vain" not in finding.evidence[0]
    assert "second host with the same address" in finding.advice


def test_who_resets_in_use_for_a_reason() -> None:
    assert not found(lambda n: [struck()] * 12 * (n == 5), **NO_OWN)  # a server that restarts
    assert not found(lambda n: [struck()] * 12 * (n in (3, 5)), **NO_OWN)
    assert not found(lambda _: [struck()], TCPAbortOnClose=0, TCPAbortOnData=1)  # this host does
    error = {"data_segs_in": 1, "data_segs_out": 1, "bytes_acked": 1}  # of a server that is full
    assert not found(lambda _: [struck(**error)] * 3, **NO_OWN)
    whole = {"bytes_acked": 101}  # a health check that has its answer
    assert not found(lambda _: [struck(**whole)] * 3, **NO_OWN)
    assert not found(lambda n: [struck()] * 3 + [answered()] * 300, **NO_OWN)


def by_turns(number: int) -> list[Row]:
    """Away for two seconds, there for two."""
    return [refused()] * 6 if number % 4 in (0, 1) else [answered()] * 3


def pool(number: int = 3) -> list[Row]:
    clocks = {"last_data_recv": 100, "last_data_sent": 200, "data_segs_in": 50}
    info = clocks | {"data_segs_out": 50, "bytes_received": 5000}
    return [
        socket("ESTABLISHED", f"10.0.0.1:{45_000 + n}", TO, cookie=900 + n, inode=900, info=info)
        for n in range(number)
    ]


def test_a_service_that_is_started_again_and_again_has_no_limit() -> None:
    """It refuses all or nothing, and its connections end with it."""
    finding = one(by_turns, seconds=10)
    assert finding.advice.startswith(f"{TO} goes and comes: ")
    assert "limit" not in finding.advice


@pytest.mark.parametrize(
    ("rows", "now"),
    [
        (by_turns, pool()),  # these stay open: a limit, or one of several servers
        (lambda _: [*[refused()] * 6, *[answered()] * 7], ()),  # at the same time
    ],
)
def test_where_some_are_open_meanwhile_a_limit_is_looked_for(
    rows: Ended, now: Sequence[Row]
) -> None:
    advice = one(rows, seconds=10, now=now).advice
    assert advice.startswith(f"{TO} accepts others: look for a limit")


def test_what_is_gone_for_good_does_not_come_again() -> None:
    advice = one(lambda n: [refused()] * 6 if n > 4 else [answered()] * 3, seconds=10).advice
    assert advice.startswith(f"On the host of {TO} check that something listens")


def here(begins: int) -> Callable[[int], Sequence[Row]]:
    """A listener on this host, from some sample on."""
    listener = socket("LISTEN", TO, inode=5, cookie=3)
    return lambda number: [listener] * (number >= begins)


@pytest.mark.parametrize(("begins", "started"), [(6, True), (0, False), (3, False)])
def test_what_listens_since_the_last_was_refused_has_started(begins: int, started: bool) -> None:
    """Others that are refused later are refused by something else."""
    ended_at = [refused(), refused(), answered()]

    def deaths(number: int) -> tuple[Deaths, ...]:
        over = ended_at if 0 < number < 6 else [answered()] if number else ()
        some = table([{**row, "cookie": 10_000 * number + n} for n, row in enumerate(over)])
        return (Deaths(NETNS, some, np.full(len(some), TAKEN_AT + number)),)

    rows = here(begins)
    every = watch(
        6,
        lambda n: [CLOSED_HERE, mini("TIME_WAIT", TO, "10.0.0.1:40000"), *rows(n)],
        kernel=steadily(**{**NONE, "AttemptFails": 2}),
        deaths=deaths,
    )
    (finding,) = of(every[-1], ID)
    assert finding.advice.startswith(f"What listens on {TO} has begun to") == started


@pytest.mark.parametrize(
    ("came", "told"),
    [([(900, 1)] * 3, True), ([(900, 1)] * 2 + [(60_000, 42)], False), ([], False)],
)
def test_short_answers_do_not_tell_that_the_way_back_carries_long_ones(
    came: list[tuple[int, int]], told: bool
) -> None:
    """In the incident a link of a smaller MTU, and no ICMP."""
    others = [
        opened(data_segs_in=segments, bytes_received=n, last_data_recv=0) for n, segments in came
    ]
    (finding,) = found(lambda _: [*[left(6000)] * 3, *others])
    (soon,) = found(
        lambda _: [*[left(1000)] * 3, *others]
    )  # whatever is slow meets such a deadline
    assert "compare the MTUs" not in soon.advice
    assert ("came in small segments" in " ".join(finding.evidence)) is told
    assert ("compare the MTUs" in finding.advice) is told


@pytest.mark.parametrize(("came", "number"), [(37, 24), (5, 8)])
def test_who_had_asked_is_reset_after_the_same_error(came: int, number: int) -> None:
    """In the incident Redis at maxclients: it closes with the first command unread."""
    place = "10.0.0.9:6379"
    unasked = {"data_segs_out": 0, "bytes_sent": 0, "bytes_acked": 2, "bytes_received": 38}
    asked = {"bytes_sent": 100, "bytes_acked": 101, "bytes_received": came}
    finding = one(lambda _: [error(place, **unasked), *[error(place, **asked)] * 2], kept=())
    assert finding.values["turned"] == number


@pytest.mark.parametrize(("every_s", "severity"), [([1], "info"), ([1, 2], "warning")])
def test_who_calls_an_unknown_port_without_a_rhythm_is_no_check(
    every_s: list[int], severity: str
) -> None:
    """Of a port that the kernel has forgotten it is not known whether all that call it fail."""
    times = np.cumsum([0.0, *([1.0] * 9 if every_s == [1] else [1, 2, 0.3, 1, 2, 0.5, 1.4])])
    others = [answered()] * 8

    def rows(number: int) -> list[Row]:
        asked = np.count_nonzero((times >= number - 1) & (times < number))
        return [*[ended("10.0.0.9:0")] * int(asked), *others]

    assert one(rows, 10).severity == severity


@pytest.mark.parametrize(("sent", "number"), [(50, 0), (180, 8)])
def test_a_check_that_names_a_user_is_no_login_that_is_refused(sent: int, number: int) -> None:
    """haproxy's mysql-check sends a user's name and QUIT, and MySQL closes after it has said OK."""
    place = "10.0.0.9:3306"
    info = {"data_segs_in": 2, "bytes_received": 116, "bytes_sent": sent, "bytes_acked": sent + 2}
    told = found(lambda _: [error(place, **info)], kept=())
    assert [each.values["turned"] for each in told] == [number] * (number > 0)


def mute(open_ms: int, to: str) -> Row:
    """Open for so long, and not a byte either way."""
    silent = {"data_segs_out": 0, "bytes_sent": 0, "bytes_acked": 2, "bytes_received": 0}
    return opened(last_data_sent=open_ms, last_data_recv=open_ms, **silent) | {"remote": to}


def test_who_waits_for_a_server_that_speaks_first_leaves_for_want_of_a_greeting() -> None:
    """In the incident haproxy with defer-accept before a mail server."""
    place = "10.0.0.9:25"
    finding = one(lambda _: [mute(8000, place)])
    assert finding.severity == "warning"
    assert finding.title.endswith("were closed here for want of a greeting")
    assert "open for 8 s, and nothing had gone either way" in " ".join(finding.evidence)
    assert "take TCP_DEFER_ACCEPT from this listener" in finding.advice
    assert "(ss -tan state syn-recv there)" in finding.advice
    assert not found(lambda _: [mute(40, place)])  # a check of the port
    assert not found(lambda _: [mute(8000, "10.0.0.9:80")])  # connected ahead


@pytest.mark.parametrize(("after_ms", "told"), [(1500, True), (20, False)])
def test_who_gives_up_sooner_than_a_round_trip_has_its_answer_too_late(
    after_ms: int, told: bool
) -> None:
    """In the incident an upload fills a queue on the way, and each call gives up after two
    seconds. Whoever wants no answer closes at once."""
    late = {"data_segs_in": 1, "bytes_received": 0, "bytes_acked": 101, "rtt": 1_500_000}
    late |= {"min_rtt": 1_500_000, "last_data_sent": after_ms, "last_data_recv": after_ms}
    every = found(lambda _: [opened(**late)], kept=(), TCPAbortOnData=1)
    assert len(every) == told
    for finding in every:
        assert "came nevertheless, 1.5 s after the request" in " ".join(finding.evidence)
        assert finding.advice.startswith("Let the program wait longer")
        assert finding.severity == "warning"


def hello(segments: int = 2, came: int = 1343, to: str = "10.0.0.9:443") -> Row:
    """Broken off here after the certificate, with an alert."""
    sent = 517 + 7 * (segments - 1)
    info = {"data_segs_out": segments, "data_segs_in": 1, "bytes_sent": sent, "bytes_acked": 518}
    return opened(**info, bytes_received=came, last_data_sent=0, last_data_recv=4) | {"remote": to}


def test_a_certificate_that_the_client_refuses_is_told() -> None:
    """Again and again, without a rhythm."""

    def times(number: int) -> int:
        return (number % 3 > 0) + (number % 4 == 0)

    def told(*others: Row, each: Row | None = None) -> tuple[Finding, ...]:
        return found(lambda n: [*[each or hello()] * times(n), *others], 10)

    (finding,) = told()
    assert finding.severity == "info"
    assert finding.title.endswith("were broken off here after the server's first answer")
    assert "got 1,343 bytes at most" in " ".join(finding.evidence)
    assert not told(hello(3))  # one that goes on
    assert not told(each=hello(3))
    assert not told(each=hello(to="10.0.0.9:80"))
    assert not told(each=hello(came=90))
    assert not found(lambda _: [hello()], 10)  # a check
