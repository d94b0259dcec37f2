"""resets: where connects go that fail at once, and whom this host refuses."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tcptop.model.finding import Finding
from tcptop.model.sample import Deaths
from tests.unit.findings.hosts import steadily
from tests.unit.findings.watched import of, watch
from tests.unit.prepared import CURL, NETNS, NGINX, TAKEN_AT, Row, mini, owners, socket, table

ID = "resets"
NONE = {"AttemptFails": 0, "EstabResets": 0, "ActiveOpens": 0, "PassiveOpens": 0, "OutRsts": 0}
FAILING = NONE | {"AttemptFails": 20, "ActiveOpens": 20}
HERE = FAILING | {"OutRsts": 20}
HELD = owners((1, CURL, 3), (2, NGINX, 4))


def failed(to: str, number: int = 20, answered: bool = True) -> list[Row]:
    """Sockets whose connect failed. `to` may lack its port: 10.0.0.9:0."""
    near = "[2001:db8::1]:40000" if "[" in to else "10.0.0.1:40000"
    info = {"segs_in": int(answered), "segs_out": 1, "min_rtt": 0xFFFF_FFFF}
    return [socket("CLOSE", near, to, info=info)] * number


def dead(rows: Iterable[list[Row]]) -> tuple[Deaths]:
    every = (row for each in rows for row in each)
    sockets = table({"cookie": 50_000 + n} | row for n, row in enumerate(every))
    return (Deaths(NETNS, sockets, np.full(len(sockets), TAKEN_AT)),)


def found(
    *told: list[Row], rows: Sequence[Row] = (), counters: Mapping[str, int] = FAILING
) -> Finding:
    every = watch(
        8,
        lambda _: rows,
        kernel=steadily(**counters),
        owners=HELD,
        deaths=lambda number: dead(told) if told and number > 1 else (),
    )
    (finding,) = of(every[-1], ID)
    return finding


def test_who_refuses_is_named() -> None:
    finding = found(failed("10.0.0.9:80", 14), failed("10.0.0.9:81", 4), failed("10.0.0.8:1", 1))
    assert (
        finding.title == "20 connects/s fail: 10.0.0.9:80, 10.0.0.9:81 and 10.0.0.8:1 refuse them"
    )
    assert finding.subject.destination is None
    assert "133 sockets" in finding.evidence[2]
    assert "98 to 10.0.0.9:80" in finding.evidence[2]
    assert "The process is unknown" in finding.evidence[-1]
    assert "Start the service" not in finding.advice


def at_times(*told: list[Row]) -> tuple[Finding, ...]:
    """With the moments of the notices, by which it is seen that it lasts."""

    def deaths(number: int) -> tuple[Deaths, ...]:
        (made,) = dead(told)
        made.sockets.cookie[:] += 1000 * number
        return (replace(made, at=made.at + number),) if number > 1 else ()

    kernel = steadily(**FAILING)
    return watch(8, lambda _: [], kernel=kernel, owners=HELD, deaths=deaths)[-1]


def test_what_fails_at_a_rate_is_not_told_twice() -> None:
    (one,) = at_times(failed("10.0.0.9:80"))
    assert one.id == ID
    # Of several places each is told, beneath.
    every = at_times(failed("10.0.0.9:80", 10), failed("10.0.0.9:81", 10))
    assert [each.id for each in every] == [ID, *["destination-failing"] * 2]
    assert {each.because for each in every[1:]} == {every[0].key}


def test_who_was_seen_to_call_is_told_for_certain() -> None:
    """Connects that wait for a moment are in a sample, and their process with them."""

    def rows(number: int) -> list[Row]:
        return [socket("SYN_SENT", "10.0.0.1:40000", "10.0.0.9:80", inode=1, cookie=number + 1)]

    def deaths(number: int) -> tuple[Deaths, ...]:
        (made,) = dead([failed("10.0.0.9:80")])
        made.sockets.cookie[:] += 1000 * number
        made.sockets.cookie[0] = number  # that of the sample before
        return (replace(made, at=made.at + number),) if number else ()

    every = watch(8, rows, kernel=steadily(**FAILING), owners=HELD, deaths=deaths)
    (finding,) = of(every[-1], ID)
    assert finding.title == "20 connects/s fail: 10.0.0.9:80 refuses them (by curl)"
    assert finding.evidence[-1] == "Those seen before they ended belonged to curl (pid 200)."
    assert finding.subject.pids == (CURL.pid,)


def rejected(came: int, answered: bool = False) -> list[str]:
    """Of 20 connects a second that AttemptFails does not count."""
    told = failed("10.0.0.9:80", answered=answered)
    every = watch(
        8,
        lambda _: [],
        kernel=steadily(**NONE | {"ActiveOpens": 20, "InDestUnreachs": came}),
        deaths=lambda number: dead([told]) if number > 1 else (),
    )
    return [finding.title for finding in of(every[-1], ID)]


def test_an_icmp_error_that_the_program_reads_itself_is_a_failure() -> None:
    (title,) = rejected(18)
    assert title == "18 connects/s fail with ICMP unreachable: to 10.0.0.9:80"
    assert rejected(5) == rejected(0) == []
    assert rejected(20, answered=True) == []  # refused, which AttemptFails would count


def established(to: str, ms: int, inode: int = 1) -> Row:
    info = {"last_ack_recv": ms, "last_data_recv": ms, "min_rtt": 40}
    return socket("ESTABLISHED", "10.0.0.1:40001", to, inode=inode, info=info)


@pytest.mark.parametrize(
    ("to", "ms", "named", "picky"),
    [
        ("10.0.0.9:80", 100, True, True),  # others get through
        ("10.0.0.9:80", 60_000, True, False),  # they did, before
        ("10.0.0.9:22", 100, True, False),
        ("10.0.0.7:80", 100, False, False),
    ],
)
def test_other_connections_there_tell_that_some_are_answered_and_not_who_is_refused(
    to: str, ms: int, named: bool, picky: bool
) -> None:
    finding = found(failed("10.0.0.9:80"), rows=[established(to, ms)])
    assert "curl" not in finding.title
    assert finding.subject.pids == ()
    assert ("addresses belong to curl (pid 200)" in finding.evidence[-1]) is named
    assert finding.subject.destination == "10.0.0.9:80"
    assert ("limit that is reached" in finding.advice) is picky
    assert ("may be down" in finding.advice) is not picky


def test_a_port_that_the_kernel_has_forgotten() -> None:
    finding = found(failed("10.0.0.9:0", answered=False))
    assert finding.title == "20 connects/s fail: 10.0.0.9 refuses them"
    assert "the port is no longer known" in "".join(finding.evidence)
    assert finding.subject.destination is None


def test_a_port_scan_is_worth_knowing() -> None:
    finding = found(*(failed(f"10.0.0.9:{port}", 1) for port in range(100, 120)))
    assert finding.severity == "info"
    assert "port scan of 10.0.0.9" in finding.title
    assert "20 ports of 10.0.0.9" in finding.evidence[2]


@pytest.mark.parametrize(
    ("counters", "answered", "title"),
    [
        (
            {"InDestUnreachs": 20},
            False,
            "20 connects/s fail with ICMP unreachable: to",
        ),
        ({"InDestUnreachs": 10}, False, "rejected by ICMP or unanswered: to 10.0.0.9:80"),
        ({"TCPAbortOnTimeout": 15}, False, "rejected by ICMP or unanswered: to 10.0.0.9:80"),
        ({"InDestUnreachs": 10}, True, "10.0.0.9:80 refuses them"),  # that ICMP was for others
        ({}, False, "rejected by ICMP or unanswered: to 10.0.0.9:80"),
    ],
)
def test_refused_is_said_of_what_a_reset_ended(
    counters: dict[str, int], answered: bool, title: str
) -> None:
    finding = found(failed("10.0.0.9:80", answered=answered), counters=FAILING | counters)
    assert title in finding.title
    assert ("refuses" in finding.title) is answered


def test_without_notices_counters_alone_tell() -> None:
    told = found(counters=FAILING | {"TCPAbortOnTimeout": 15})
    assert told.title == "20 connects/s fail: refused, rejected by ICMP or unanswered"
    assert found().title == "20 connects/s fail, most of them refused"
    assert "Start the service" not in found().advice


@pytest.mark.parametrize(("per_s", "severity"), [(20, "info"), (5, "warning")])
def test_who_gets_through_by_the_other_family_is_spared(per_s: int, severity: str) -> None:
    ends = [(f"10.0.0.1:{40_000 + n}", "10.0.0.9:80") for n in range(per_s * 8)]
    closed = [mini("TIME_WAIT", *each, expires=55_000) for each in ends]
    finding = found(failed("[2001:db8::9]:80"), rows=closed)
    assert finding.severity == severity
    assert ("by the other family" in "".join(finding.evidence)) is (severity == "info")


LISTENER = socket("LISTEN", "127.0.0.1:6379", inode=2)
MINE = socket("LISTEN", "10.0.0.5:22", inode=9)  # the address is this host's


@pytest.mark.parametrize(
    ("rows", "title", "advice"),
    [
        (
            [LISTENER, MINE],
            "nothing listens on 10.0.0.5:6379, 127.0.0.1:6379 does",
            "Let the service",
        ),
        ([MINE], "nothing listens on 10.0.0.5:6379", "Start the service of 10.0.0.5:6379"),
    ],
)
def test_this_host_refuses_itself(rows: list[Row], title: str, advice: str) -> None:
    finding = found(failed("10.0.0.5:6379"), rows=rows, counters=HERE)
    assert finding.title == f"This host itself refuses 20 connects/s: {title}"
    assert finding.advice.startswith(advice)


def test_a_proxy_that_refuses_and_is_refused_is_not_said_to_refuse_itself() -> None:
    every = watch(
        8,
        lambda _: [MINE],
        kernel=steadily(**HERE),
        deaths=dead([failed("10.0.0.9:80")]),
    )
    assert "10.0.0.9:80 refuses them" in of(every[-1], ID)[0].title


REFUSING = NONE | {"OutRsts": 30}


def refusing(
    rows: Callable[[int], Sequence[Row]], counters: Mapping[str, int] = REFUSING, **fields: Any
) -> Finding | None:
    told = of(watch(8, rows, kernel=steadily(**counters), owners=HELD, **fields)[-1], ID)
    return next((each for each in told if each.key.endswith("/refuses")), None)


@pytest.mark.parametrize(
    ("rows", "severity", "title"),
    [
        ([], "info", "30 resets/s answer packets that no socket takes"),
        ([MINE], "info", "30 resets/s answer"),
        (
            [LISTENER],
            "warning",
            "refuses 30 connects/s, and listens only on 127.0.0.1:6379 (nginx)",
        ),
        ([LISTENER, MINE], "info", "30 resets/s answer"),
    ],
)
def test_a_host_that_refuses_others(rows: list[Row], severity: str, title: str) -> None:
    finding = refusing(lambda _: rows)
    assert finding
    assert finding.severity == severity
    assert title in finding.title
    assert ("127.0.0.1:6379 (nginx)" in "".join(finding.evidence)) is (LISTENER in rows)


def test_who_has_stopped_listening() -> None:
    web = socket("LISTEN", "0.0.0.0:80", inode=1, cookie=7)
    finding = refusing(lambda number: [MINE, web] if number < 2 else [MINE])
    assert finding
    assert finding.severity == "warning"
    assert "nothing listens on :80 any more" in finding.title
    assert refusing(lambda _: [MINE, web])


FEW = NONE | {"OutRsts": 6, "InSegs": 6}


@pytest.mark.parametrize(
    ("rows", "severity", "title"),
    [
        ([], "info", "This host answers nearly all that arrives with a reset: 6/s"),
        ([MINE], "info", "nearly all that arrives"),
        ([LISTENER], "warning", "refuses 6 connects/s, and listens only on 127.0.0.1:6379 (nginx)"),
    ],
)
def test_a_host_where_hardly_anything_else_arrives(
    rows: list[Row], severity: str, title: str
) -> None:
    finding = refusing(lambda _: rows, FEW)
    assert finding
    assert finding.severity == severity
    assert title in finding.title
    assert "In the last 5 s 30 segments arrived (InSegs), and 30 resets were sent." in (
        finding.evidence
    )
    assert "The kernel does not count which port." in finding.evidence[0]


def test_a_listener_on_one_address_may_be_the_one_that_is_missed() -> None:
    finding = refusing(lambda _: [MINE], FEW)
    assert finding
    assert any(
        each.startswith(f"Bound to one address: {MINE['local']}") for each in finding.evidence
    )
    assert "listen on the address that is used" in finding.advice
    everywhere = refusing(lambda _: [MINE | {"local": "0.0.0.0:22"}], FEW)
    assert everywhere
    assert not any(each.startswith("Bound") for each in everywhere.evidence)


CHECKED = FEW | {"InSegs": 26, "ActiveOpens": 1, "PassiveOpens": 1}
CHECK = mini("TIME_WAIT", "127.0.0.1:40000", "127.0.0.1:6379")
SSHD = socket("LISTEN", "0.0.0.0:22", inode=3, cookie=8)
SESSION = socket("ESTABLISHED", "10.0.0.5:22", "10.0.0.7:40000", inode=4, cookie=9)


@pytest.mark.parametrize(
    ("rows", "severity"),
    [
        ([LISTENER, CHECK], "warning"),
        ([LISTENER, CHECK, SSHD, SESSION], "info"),
        ([SSHD, CHECK], "info"),  # all can reach what listens
        ([LISTENER, CHECK, mini("TIME_WAIT", "10.0.0.5:40000", "10.0.0.9:80")], "info"),
    ],
)
def test_a_health_check_within_does_not_hide_that_others_are_refused(
    rows: list[Row], severity: str
) -> None:
    finding = refusing(lambda _: rows, CHECKED)
    assert finding
    assert finding.severity == severity
    assert ("127.0.0.1:6379 (nginx)" in "".join(finding.evidence)) is (LISTENER in rows)
    served = refusing(lambda _: rows, CHECKED | {"PassiveOpens": 5})
    assert served
    assert served.severity == "info"
    for each, to_itself in ((finding, severity == "warning" or SESSION in rows), (served, False)):
        assert ("it serves to itself" in "".join(each.evidence)) is to_itself


def test_a_few_that_call_a_service_which_has_ended() -> None:
    web = socket("LISTEN", "0.0.0.0:5672", inode=1, cookie=7)
    finding = refusing(lambda number: [MINE, web] if number < 2 else [MINE], FEW)
    assert finding
    assert finding.severity == "warning"
    assert finding.title.endswith("refuses 6 connects/s, and nothing listens on :5672 any more")


def test_a_few_resets_among_other_traffic_are_nothing() -> None:
    assert refusing(lambda _: [MINE], FEW | {"InSegs": 80, "PassiveOpens": 30}) is None
    assert refusing(lambda _: [MINE], FEW | {"AttemptFails": 6, "ActiveOpens": 6}) is None


@pytest.mark.parametrize(
    "counters",
    [
        {"OutRsts": 8, "PassiveOpens": 40},
        {"OutRsts": 30, "TCPAbortOnClose": 25},
        {"OutRsts": 30, "TCPAbortOnData": 25},
        {"OutRsts": 30, "AttemptFails": 30, "ActiveOpens": 30},  # its own connects
        {"OutRsts": 30, "EstabResets": 30, "PassiveOpens": 30},
    ],
)
def test_resets_of_sockets_are_none_of_those(counters: dict[str, int]) -> None:
    assert refusing(lambda _: [LISTENER], NONE | counters) is None


def test_busy_local_connections_are_no_proof_that_others_call() -> None:
    counters = REFUSING | {"PassiveOpens": 40, "ActiveOpens": 40}
    finding = refusing(lambda _: [LISTENER], counters)
    assert finding
    assert finding.severity == "info"
