"""resets: a large share of what calls this host is refused, and why the listeners may do so."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import cast

import numpy as np
import pytest

from tcptop.analysis.findings.folds.destinations import same_destination
from tcptop.analysis.findings.observations import Observations
from tcptop.model.finding import Finding, Subject
from tcptop.model.sample import Deaths
from tests.unit.findings.hosts import rising, steadily
from tests.unit.findings.watched import of, watch
from tests.unit.prepared import NETNS, NGINX, TAKEN_AT, Row, mini, owners, socket, table

ID = "resets"
CALLED = {
    "InSegs": 40,
    "OutRsts": 3,
    "PassiveOpens": 3,
    "ActiveOpens": 0,
    "AttemptFails": 0,
    "EstabResets": 0,
}
ANY = socket("LISTEN", "0.0.0.0:8080", inode=1, cookie=1)
ONE = ANY | {"local": "10.0.0.3:8080"}
V6 = socket("LISTEN", "[::]:8080", inode=1, cookie=2)
V6ONLY = V6 | {"v6only": 1}
LOOPBACK = ANY | {"local": "127.0.0.1:8080"}
DEVICE = ANY | {"interface": 2}
OTHER = socket("LISTEN", "0.0.0.0:9100", inode=2, cookie=3)


def refusing(
    rows: Sequence[Row] | Callable[[int], Sequence[Row]], **counters: int
) -> Finding | None:
    each = rows if callable(rows) else lambda _: rows
    kernel = steadily(**CALLED | counters)
    told = of(watch(12, each, kernel=kernel, owners=owners((1, NGINX, 3)))[-1], ID)
    return next(iter(told), None)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([ONE, OTHER], "10.0.0.3:8080 (nginx) takes only what is sent to that address"),
        ([V6ONLY, OTHER], "[::]:8080 (nginx) takes only IPv6 (IPV6_V6ONLY)"),
        ([LOOPBACK, OTHER], "127.0.0.1:8080 (nginx) takes only what comes from this host"),
        ([DEVICE, OTHER], ":8080 (nginx) takes only what comes in by that device"),
    ],
)
def test_listeners_that_take_only_some_are_named(rows: list[Row], said: str) -> None:
    finding = refusing(rows)
    assert finding
    assert finding.severity == "info"
    assert finding.title == (
        "3 resets/s answer packets that no socket takes, and 3/s connections are accepted"
    )
    assert finding.values == {"refused_per_s": 3, "share": 0.5}
    assert said in " ".join(finding.evidence)
    assert ":9100" not in " ".join(finding.evidence)
    assert "listen where it is called" in finding.advice


@pytest.mark.parametrize("rows", [[ANY], [V6], [V6ONLY, ANY], [ONE, ANY | {"cookie": 9}]])
def test_who_listens_everywhere_is_not_named(rows: list[Row]) -> None:
    finding = refusing(rows, PassiveOpens=2)
    assert finding
    assert "takes only" not in " ".join(finding.evidence)


def test_where_nothing_is_accepted_established_connections_do_not_hide_it() -> None:
    finding = refusing([], InSegs=5, PassiveOpens=0)
    assert finding
    assert finding.title.endswith("and no connection is accepted")
    assert "Of both together 100% are such resets." in " ".join(finding.evidence)


@pytest.mark.parametrize(
    ("rows", "counters"),
    [
        ([ONE], {"PassiveOpens": 300}),  # a port scan of a busy host
        ([ANY], {"PassiveOpens": 6}),
        ([ONE], {"ActiveOpens": 10}),  # a client that hangs up: data comes after its end
        ([ONE], {"OutRsts": 4, "EstabResets": 1}),  # and where connections are aborted
    ],
)
def test_what_may_be_something_else_is_not_told(rows: list[Row], counters: dict[str, int]) -> None:
    assert refusing(rows, **counters) is None


def test_a_service_that_ends_and_is_started_again() -> None:
    def away(number: int) -> list[Row]:
        return [OTHER] if number % 3 == 1 else [OTHER, ANY]

    finding = refusing(away)
    assert finding
    assert finding.title.endswith("; the listener on :8080 goes and comes")
    assert "The listener on :8080 has gone 4 times in 12 s" in " ".join(finding.evidence)
    assert "the log of its program may say why it ends" in finding.advice


def test_one_restart_is_a_burst() -> None:
    calls = rising(lambda n: CALLED | {"OutRsts": 16 * (n > 9), "PassiveOpens": 3 * n})
    assert of(watch(12, lambda n: [] if n == 9 else [ANY], kernel=calls)[-1], ID) == ()


def test_that_others_are_refused_is_no_cause_of_what_this_host_calls_in_vain() -> None:
    refuses, fails = (
        Finding(name, name, severity, "", Subject(NETNS, destination=to), values, (), "", "")
        for name, severity, to, values in (
            (ID, "info", None, {"refused_per_s": 3.0}),
            ("destination-failing", "warning", "10.0.0.9:80", {}),
        )
    )
    seen = cast(Observations, None)
    assert not same_destination(fails, refuses, seen)
    assert same_destination(fails, replace(refuses, values={"failed_per_s": 3.0}), seen)


@pytest.mark.parametrize(
    ("embryonic", "opened", "told"),
    [
        (3, 0, True),  # hairpin NAT, a connect timeout below the round trip
        (3, 3, False),  # checks that ask whether the port is open, beside its clients
        (0, 3, False),
    ],
)
def test_handshakes_that_who_began_them_resets(embryonic: int, opened: int, told: bool) -> None:
    counted = {"EmbryonicRsts": embryonic, "AttemptFails": embryonic, "PassiveOpens": opened}
    asking = socket("SYN_RECV", "10.0.0.1:8080", "10.0.0.2:40000", cookie=7)
    kernel = steadily(**CALLED | {"OutRsts": 0} | counted)
    every = of(watch(12, lambda _: [ANY, asking], kernel=kernel)[-1], ID)
    assert bool(every) is told
    for finding in every:
        assert finding.severity == "info"
        assert finding.title == (
            "3 handshakes/s are ended by a reset of who began them, and 0/s become connections"
        )
        assert finding.evidence[1] == "Half-open now: from 10.0.0.2."


CALL = socket("ESTABLISHED", "10.0.0.1:50010", "10.0.0.2:9000", inode=1, cookie=9)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([CALL], "Ports that others hold here: :50010 (nginx to 10.0.0.2:9000). A service"),
        ([CALL | {"cookie": n, "local": f"10.0.0.1:{50_000 + n}"} for n in range(4)], None),
        ([ANY, CALL | {"local": "10.0.0.1:8080"}], None),  # a client's
    ],
)
def test_a_port_that_another_connection_holds(rows: list[Row], said: str | None) -> None:
    """In the incident a service was restarted, and its port had become the source of a call."""
    finding = refusing(rows, PassiveOpens=0)
    assert finding
    found = [each for each in finding.evidence if each.startswith("Ports that others hold")]
    assert [each.startswith(said or "?") for each in found] == [True] * (said is not None)


@pytest.mark.parametrize(
    ("idle_ms", "told"),
    [
        (3000, True),  # in the incident a server ends idle connections, which pools use again
        (5, False),  # it closes each after its answer, as HTTP without keep-alive
    ],
)
def test_what_is_used_again_after_this_host_has_closed_it(idle_ms: int, told: bool) -> None:
    info = {"data_segs_in": 4, "data_segs_out": 4, "segs_in": 9, "segs_out": 9, "rtt": 40}
    info |= {"bytes_received": 90, "bytes_sent": 60, "bytes_acked": 61, "min_rtt": 40}
    info |= {"last_data_sent": idle_ms, "last_data_recv": idle_ms}

    def end(number: int, n: int) -> str:
        return f"10.0.0.2:{40_000 + 3 * number + n}"

    def rows(number: int) -> list[Row]:
        waits = [mini("TIME_WAIT", "10.0.0.3:8080", end(number, n), cookie=n) for n in range(3)]
        return [ONE, *waits]

    def deaths(number: int) -> tuple[Deaths, ...]:
        ended = (
            socket("CLOSE", "10.0.0.3:8080", end(number, n), info=info)
            | {"cookie": 1000 + 3 * number + n}
            for n in range(3)
        )
        return (Deaths(NETNS, table(ended), np.full(3, TAKEN_AT + number - 0.5)),)

    held = owners((1, NGINX, 3))
    every = watch(12, rows, kernel=steadily(**CALLED), owners=held, deaths=deaths)[-1]
    (finding,) = of(every, ID)
    said = "closed 30 connections of :8080 first that had been idle for 1 s or longer"
    assert any(said in each for each in finding.evidence) is told
    assert ("clients use them again" in finding.advice) is told
    assert any("takes only what is sent" in each for each in finding.evidence)
