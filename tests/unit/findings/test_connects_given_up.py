"""connect-unanswered: attempts that each end too soon to be noticed by their age."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from tcptop.analysis.findings import folding
from tcptop.analysis.findings.observations import Observations
from tcptop.model.finding import Finding, Subject
from tcptop.model.route import Link, Neighbour, Route, RouteKey
from tcptop.model.sample import Deaths
from tests.unit.findings.hosts import host, rising
from tests.unit.findings.watched import of, once, watch
from tests.unit.prepared import (
    CURL,
    NETNS,
    TAKEN_AT,
    WORKER,
    Row,
    derived,
    mini,
    owners,
    sample,
    socket,
    table,
)

ID = "connect-unanswered"
HELD = owners(*((n, CURL, n) for n in range(1, 60)))
TO = "192.0.2.1:443"
TRIED = {"ActiveOpens": 20, "AttemptFails": 0, "InSegs": 0}  # in a second


def dialing(cookie: int, waited_ms: int = 300, to: str = TO, inode: int = 1, **more: Any) -> Row:
    info = {"rto": 1_000_000, "min_rtt": 0xFFFF_FFFF}
    given: Row = {"inode": inode, "timer": 1, "expires": 1000 - waited_ms, "info": info}
    given |= {"cookie": cookie, "send_q": 1}
    return socket("SYN_SENT", f"10.0.0.1:{30_000 + cookie % 30_000}", to, **given | more)


def others(number: int, at_once: int, **more: Any) -> list[Row]:
    """As many as were there a second ago, and not one of those."""
    return [dialing(1000 * number + n + 1, inode=n + 1, **more) for n in range(at_once)]


def counted(**per_s: int) -> Callable[[int], Any]:
    return rising(lambda number: {name: n * number for name, n in (TRIED | per_s).items()})


def found(rows: Callable[[int], Sequence[Row]], seconds: int = 6, **fields: Any) -> Finding | None:
    given: dict[str, Any] = {"owners": HELD, "kernel": counted()}
    told = of(watch(seconds, rows, **given | fields)[-1], ID)
    assert len(told) <= 1
    return told[0] if told else None


def test_an_outage_behind_short_timeouts_is_critical() -> None:
    finding = found(lambda number: others(number, 4))
    assert finding
    assert finding.severity == "critical"
    assert finding.title == (
        f"curl gets no answer from {TO}: 28 connection attempts seen in 6 s, none answered"
    )
    assert finding.values["attempts"] == 28
    assert finding.values["given_up"] == 24
    assert finding.subject.destination == TO
    assert finding.subject.pids == (CURL.pid,)
    assert "program itself gives up" in "".join(finding.evidence)
    assert "connect timeout" not in finding.advice


def silent(number: int, each: int) -> tuple[Deaths, ...]:
    """Notices of those that nobody answered, which looks saw a part of."""
    info = {"min_rtt": 0xFFFF_FFFF, "segs_out": 1, "segs_in": 0}
    rows = [
        socket("CLOSE", f"10.0.0.1:{20_000 + n}", TO, cookie=100 * number + n, info=info)
        for n in range(each)
    ]
    return (Deaths(NETNS, table(rows), np.full(each, TAKEN_AT + number - 0.5)),)


def test_the_kernel_sees_each_attempt_and_looks_a_part() -> None:
    finding = found(lambda n: others(n, 4), deaths=lambda n: silent(n, 10) if n else ())
    assert finding
    assert "64 connection attempts in 6 s, none answered" in finding.title
    assert finding.values["given_up"] == 60
    fewer = found(lambda n: others(n, 4), deaths=lambda n: silent(n, 1) if n else ())
    assert fewer
    assert "28 connection attempts seen in 6 s" in fewer.title


@pytest.mark.parametrize(
    ("waited_ms", "at_once", "severity"),
    [(300, 1, None), (500, 1, "warning"), (300, 2, "critical"), (50, 4, "critical")],
)
def test_one_caller_that_tries_again_is_a_warning(
    waited_ms: int, at_once: int, severity: str | None
) -> None:
    """A few that have waited as long as an answer may take are no proof: InSegs rise here."""
    kernel = counted(InSegs=100)
    told = found(lambda n: others(n, at_once, waited_ms=waited_ms), kernel=kernel)
    assert (told and told.severity) == severity


@pytest.mark.parametrize("seconds", [6, 8, 10])
def test_a_longer_look_does_not_make_it_less(seconds: int) -> None:
    """Three at once each two seconds: less than two a second, and more than one caller."""

    def rows(number: int) -> list[Row]:
        return others(number // 2, 3, waited_ms=900)

    told = found(rows, seconds)
    assert told
    assert told.severity == "critical"


def test_one_caller_stays_a_warning_however_long_the_look() -> None:
    told = found(lambda n: others(n, 1, waited_ms=500), 10, kernel=counted(InSegs=100))
    assert told
    assert (told.values["attempts"], told.severity) == (11, "warning")


def test_it_needs_no_more_than_a_short_look() -> None:
    told = watch(3, lambda n: others(n, 4), owners=HELD, kernel=counted())
    assert [bool(of(each, ID)) for each in told] == [False, False, False, True]


def opened(number: int, at_once: int) -> list[Row]:
    """Those that waited a second ago are open."""
    now = others(number, at_once)
    past = [
        socket("ESTABLISHED", row["local"], TO, cookie=row["cookie"])
        for row in others(number - 1, at_once)
    ]
    return [*now, *past] if number else now


def closed(number: int, at_once: int) -> list[Row]:
    """One more connection there was over at once."""
    over = mini("TIME_WAIT", f"10.0.0.1:{20_000 + number}", TO, cookie=500_000 + number)
    return [*others(number, at_once), over]


def test_what_was_answered_is_none_of_it() -> None:
    assert found(lambda number: opened(number, 4)) is None


def test_what_was_open_and_is_over_between_two_samples_is_none_of_it() -> None:
    """Their notices say that a round trip was measured."""

    def ended(number: int) -> tuple[Deaths, ...]:
        before = others(number - 1, 4) if number else []
        over: Row = {"state": "CLOSE", "info": {"min_rtt": 200, "rtt": 200}}
        some = table([each | over for each in before])
        return (Deaths(NETNS, some, np.full(len(some), TAKEN_AT + number)),)

    waiting = {"waited_ms": 900}
    assert found(lambda number: others(number, 4, **waiting)) is not None
    assert found(lambda number: others(number, 4, **waiting), deaths=ended) is None


def test_a_destination_that_others_reach_is_not_said_to_answer_nobody() -> None:
    assert found(lambda number: closed(number, 4)) is None
    finding = found(lambda number: [*closed(number, 4)[4:], *others(number, 4, waited_ms=900)])
    assert finding
    assert finding.severity == "warning"
    assert "at times" in finding.title
    assert "none answered" not in finding.title


def over(number: int, quick: int, to: str = TO) -> tuple[Deaths, ...]:
    """Others that were opened and had ended before a sample saw them."""
    info = {"rtt": 200, "min_rtt": 200, "segs_out": 4, "segs_in": 4, "data_segs_out": 1}
    info |= {"data_segs_in": 1, "last_data_sent": 5, "last_data_recv": 4, "last_ack_recv": 4}
    rows = [
        socket("CLOSE", f"10.0.0.1:{20_000 + 100 * number + n}", to, info=info)
        | {"cookie": 700_000 + 100 * number + n}
        for n in range(quick)
    ]
    return (Deaths(NETNS, table(rows), np.full(quick, TAKEN_AT + number - 0.5)),)


def test_what_was_answered_in_between_two_samples_is_told() -> None:
    """A limit on new connections: five wait, and many times as many are answered at once."""
    waits = [dialing(n, expires=900, retrans=2, inode=n) for n in range(1, 6)]
    told = found(lambda _: waits, deaths=lambda n: over(n, 10) if n else ())
    assert told
    assert told.severity == "warning"
    assert told.title.startswith(f"curl gets no answer from {TO} at times: 5 connection attempts")
    assert "a limit on new connections" in told.advice
    others_ = found(lambda _: waits, deaths=lambda n: over(n, 10, "192.0.2.1:80") if n else ())
    assert others_
    assert others_.title.endswith("5 connection attempts waiting")


def test_ten_that_wait_are_no_outage_where_more_are_answered() -> None:
    waits = [dialing(n, expires=900, retrans=2, inode=n) for n in range(1, 13)]
    told = [found(lambda _: waits, deaths=lambda n, m=m: over(n, m) if n else ()) for m in (0, 10)]
    assert [each and each.severity for each in told] == ["critical", "warning"]


def test_refused_ones_wait_for_a_round_trip_too() -> None:
    assert found(lambda number: others(number, 8), kernel=counted(AttemptFails=20)) is None


def test_what_is_not_counted_is_no_proof() -> None:
    assert found(lambda number: others(number, 8), kernel=rising(lambda _: {})) is None


def test_a_program_that_ends_is_none() -> None:
    assert found(lambda number: others(0, 12) if number < 3 else []) is None


def test_connects_that_go_on_waiting_are_told_by_their_age() -> None:
    finding = found(lambda number: [dialing(1, expires=500, retrans=min(number, 2))])
    assert finding
    assert finding.title.endswith("1 connection attempt waiting")


def test_a_check_of_one_that_is_down_is_worth_knowing_where_another_answers() -> None:
    held = owners((1, WORKER, 3), (2, WORKER, 4))

    def rows(number: int) -> list[Row]:
        other = socket("ESTABLISHED", "10.0.0.1:41000", "192.0.2.2:443", inode=2, cookie=7)
        return [other, *others(number, 1, waited_ms=900)]

    finding = found(rows, owners=held)
    assert finding
    assert finding.severity == "info"
    alone = found(lambda number: others(number, 1, waited_ms=900), owners=held)
    assert alone
    assert alone.severity == "warning"


def test_rejected_by_icmp() -> None:
    kernel = counted(AttemptFails=4, InDestUnreachs=8)
    finding = found(lambda number: others(number, 4, waited_ms=900), kernel=kernel)
    assert finding
    assert finding.title == (
        f"curl gets no connection to {TO}: 24 connection attempts seen to fail in 6 s, ICMP "
        "unreachables come in"
    )
    assert "48 ICMP unreachables came in" in finding.evidence[1]
    assert "program itself gives up" not in "".join(finding.evidence)
    assert "rejects" in finding.advice


def test_rejected_by_a_filter_of_this_host() -> None:
    """The SYN that the kernel repeats is rejected, too, and connect() told."""
    own = {"InDestUnreachs": 8, "OutDestUnreachs": 8, "OutRequests": 16, "OutTransmits": 8}
    kernel = counted(AttemptFails=4, **own)
    finding = found(lambda number: others(number, 4, waited_ms=900), kernel=kernel)
    assert finding
    assert finding.title == (
        f"curl gets no connection to {TO}: 24 connection attempts seen to fail in 6 s, this host "
        "rejects them"
    )
    assert "A filter of this host rejects them, by ICMP of its own" in finding.evidence[1]
    assert "nft list ruleset" in finding.advice


def test_some_unreachables_are_told() -> None:
    finding = found(
        lambda number: others(number, 4, waited_ms=900), kernel=counted(InDestUnreachs=1)
    )
    assert finding
    assert "ICMP unreachables came in meanwhile" in finding.evidence[1]


WAY = RouteKey(NETNS, "10.0.0.1", "192.0.2.1")


def way(state: str, gateway: str | None = None) -> Mapping[RouteKey, Route]:
    """REACHABLE is what was heard of now; AGED was before, and has kept that state."""
    since = {"REACHABLE": 0.2, "AGED": 29.0}.get(state)
    state = "REACHABLE" if state == "AGED" else state
    neighbour = Neighbour(gateway or "192.0.2.1", state, None, since)
    return {WAY: Route(2000.0, kind="unicast", gateway=gateway, neighbour=neighbour)}


@pytest.mark.parametrize(
    ("state", "gateway", "told", "never"),
    [
        ("FAILED", None, "192.0.2.1 does not answer ARP (ip neigh).", "firewall"),
        ("INCOMPLETE", "10.0.0.254", "10.0.0.254 does not answer ARP (ip neigh), the gateway to"
         f" {TO}.", "firewall"),
        ("REACHABLE", None, "192.0.2.1 answers ARP: that host is up.", "host that is down"),
        ("REACHABLE", "10.0.0.254", "down behind a router", "answers ARP"),
        ("AGED", None, "was last heard of 29 s ago", "that host is up"),
        ("AGED", None, "a host that is down", "answers ARP"),
        ("STALE", None, "a host that is down", "router"),
    ],
)  # fmt: skip
def test_whom_the_host_asks_on_its_link(
    state: str, gateway: str | None, told: str, never: str
) -> None:
    """Whatever is sent again meanwhile by others."""
    kernel = counted(TCPSynRetrans=3)
    routes = way(state, gateway)
    finding = found(lambda number: others(number, 4), kernel=kernel, routes=routes)
    assert finding
    said = " ".join([*finding.evidence, finding.advice])
    assert told in said
    assert never not in said
    patience = host({"TCPSynRetrans": 3}, {}, {"net.ipv4.tcp_syn_retries": "6"})
    told_late = once([dialing(1, retrans=2)], owners=HELD, kernel=patience, routes=routes)
    (late,) = of(told_late, ID)
    said = " ".join([*late.evidence, late.advice])
    assert told in said
    assert never not in said
    assert ("ETIMEDOUT" in said) is (state not in ("FAILED", "INCOMPLETE"))


def test_ipv6_asks_by_neighbour_discovery() -> None:
    to, key = "[2001:db8::9]:443", RouteKey(NETNS, "2001:db8::1", "2001:db8::9")
    route = Route(1000.0, kind="unicast", neighbour=Neighbour("2001:db8::9", "FAILED", None))
    row = dialing(1, retrans=2) | socket("SYN_SENT", "[2001:db8::1]:40001", to, cookie=1, retrans=2)
    (finding,) = of(watch(1, lambda _: [row], routes={key: route})[-1], ID)
    assert "2001:db8::9 does not answer neighbour discovery" in "".join(finding.evidence)
    assert "ARP" not in "".join([*finding.evidence, finding.advice])


def test_a_short_look_after_another_loses_nothing() -> None:
    """Samples that follow each other closely are remembered as one."""
    told = watch(40, lambda n: others(n, 4), step=0.2, owners=HELD, kernel=counted())
    (finding,) = of(told[-1], ID)
    assert finding.values["given_up"] == 4 * 40
    assert finding.values["attempts"] == 4 * 41


def test_several_destinations_of_one_program_are_one_trouble() -> None:
    """An outage where nobody else answers it."""

    def rows(number: int) -> list[Row]:
        places = [f"192.0.2.{n}:443" for n in range(1, 6)]
        every = [dialing(100 * number + n, to=to) for n, to in enumerate(places, 1)]
        return [*every, dialing(100 * number + 50, to="192.0.2.9:443", inode=2)]

    held = owners((1, CURL, 3), (2, WORKER, 4), (3, CURL, 5), (4, CURL, 6))
    given: dict[str, Any] = {"owners": held, "kernel": counted()}
    together, alone = of(watch(8, rows, **given)[-1], ID)
    assert together.severity == "critical"
    assert together.title == (
        "curl gets no answer from 5 destinations: 45 connection attempts without one"
    )
    assert together.subject.pids == (CURL.pid,)
    assert together.values == {"destinations": 5, "sockets": 5, "attempts": 45}
    assert together.evidence[3] == "The others: 192.0.2.4:443 and 192.0.2.5:443."
    assert alone.subject.destination == "192.0.2.9:443"
    heard = {"last_ack_recv": 100, "last_data_recv": 100, "min_rtt": 40}
    other = socket("ESTABLISHED", "10.0.0.1:41000", "10.0.0.7:5432", inode=3, info=heard)
    told = of(watch(8, lambda n: [*rows(n), other | {"cookie": 9}], **given)[-1], ID)
    assert [each.severity for each in told] == ["warning", "warning"]


@pytest.mark.parametrize("each_answers", [True, False])
def test_what_several_that_answer_a_part_have_in_common(each_answers: bool) -> None:
    """One of several links behind the gateway is lost."""
    hosts = [f"192.0.2.{n}" for n in (1, 2, 3)]
    link = Link("eth0", 2, 1500, True, True, None)
    route = Route(2000.0, kind="unicast", gateway="10.0.0.254", link=link)
    routes = {RouteKey(NETNS, "10.0.0.1", host): route for host in hosts}

    def over(number: int) -> tuple[Deaths]:
        info = {"min_rtt": 40, "rtt": 40, "segs_in": 3, "data_segs_in": 1, "bytes_received": 9}
        rows = [
            socket(
                "CLOSE", "10.0.0.1:20000", f"{host}:443", cookie=9000 + 9 * number + n, info=info
            )
            for n, host in enumerate(hosts if each_answers else hosts[:2])
        ]
        return (Deaths(NETNS, table(rows), np.full(len(rows), TAKEN_AT + number - 0.5)),)

    def rows(number: int) -> list[Row]:
        return [
            dialing(100 * number + n, waited_ms=500, to=f"{host}:443")
            for n, host in enumerate(hosts, 1)
        ]

    finding = found(rows, 8, deaths=over, routes=routes)
    assert finding
    text = " ".join([*finding.evidence, finding.advice])
    assert (" at times, all behind the gateway 10.0.0.254: " in finding.title) is each_answers
    assert ("of several links or ways behind it one may be lost" in text) is each_answers
    assert "none of these became a connection, while others there did" in text


def test_programs_that_try_both_families_go_on() -> None:
    def rows(number: int) -> list[Row]:
        by_v4 = mini("TIME_WAIT", f"10.0.0.1:{50_000 + number}", "192.0.2.1:443", expires=59_000)
        to = "[2001:db8::1]:443"
        v6 = {"local": "[2001:db8::9]:40000"}
        asking = [each | v6 for each in others(number, 4, to=to)]
        return [*asking, by_v4 | {"cookie": 900_000 + number}]

    finding = found(rows)
    assert finding
    assert finding.severity == "warning"
    assert "to the same port by IPv4 got an answer meanwhile" in finding.evidence[-1]


@pytest.mark.parametrize(("again", "severity"), [(0, "info"), (1, "warning")])
def test_what_a_dead_address_of_a_name_costs_where_the_other_answers(
    again: int, severity: str
) -> None:
    """Programs that try both at once go on after a quarter of a second; others wait."""
    to, here = "[2001:db8::1]:443", {"local": "[2001:db8::9]:40000"}

    def rows(number: int) -> list[Row]:
        asking = [each | here for each in others(number, 2, waited_ms=250, to=to, retrans=again)]
        over = [
            mini("TIME_WAIT", f"10.0.0.1:{50_000 + 2 * n + k}", "192.0.2.1:443", expires=59_000)
            | {"cookie": 900_000 + 2 * n + k}
            for n in range(max(number - 5, 0), number + 1)
            for k in (0, 1)
        ]
        return [*asking, *over]

    finding = found(rows)
    assert finding
    assert finding.severity == severity
    assert ("that is what it costs them" in finding.evidence[-1]) is (severity == "info")


@pytest.mark.parametrize(("address", "folded"), [("192.0.2.1", True), ("192.0.2.9", False)])
def test_a_black_hole_there_explains_those_that_gave_up_for_now(address: str, folded: bool) -> None:
    rows = [socket("ESTABLISHED", "10.0.0.1:46000", f"{address}:5432", cookie=1)]
    seen = Observations(derived(sample(rows)), ())
    effect = Finding(ID, "effect", "critical", "", Subject(NETNS, destination=TO))
    cause = Finding("black-hole", "cause", "critical", "", Subject(NETNS, cookies=(1,)))
    told, _ = folding.folded([effect, cause], seen)
    assert told.because == ("cause" if folded else None)


def data_ports(number: int) -> list[Row]:
    """Another port each two seconds, as of FTP, each with three seconds until it is given up."""
    ports = [port for port in (2 * (number // 2), 2 * (number // 2) - 2) if port >= 0]
    return [
        dialing(
            100 + port,
            waited_ms=900,
            retrans=min(number - port, 3),
            to=f"192.0.2.1:{30_000 + port}",
        )
        for port in ports
    ]


def test_a_host_that_is_silent_at_several_ports_is_one_trouble() -> None:
    """Each is called once."""
    told = watch(9, data_ports, owners=owners((1, CURL, 3)), kernel=counted())
    (finding,) = of(told[-1], ID)
    assert finding.title == (
        "curl gets no answer from 192.0.2.1 at 4 ports (:30000, :30002, :30004, :30006): "
        "4 connection attempts without one"
    )
    assert finding.subject.destination == "192.0.2.1"
    assert "a host that is down" in finding.advice
    effect = Finding("destination-failing", "e", "info", "", Subject(NETNS, destination=TO))
    first, _ = folding.folded([effect, finding], Observations(derived(sample([])), ()))
    assert first.because == finding.key


def test_two_hosts_that_are_silent_are_two_troubles() -> None:
    def rows(number: int) -> list[Row]:
        return [dialing(n, 900, f"192.0.2.{n}:30000", retrans=number) for n in (1, 2)]

    told = of(watch(6, rows, owners=owners((1, CURL, 3)), kernel=counted())[-1], ID)
    assert [each.subject.destination for each in told] == ["192.0.2.1:30000", "192.0.2.2:30000"]


@pytest.mark.parametrize(("ago_s", "told"), [(20, True), (1, False)])
def test_what_ended_well_before_is_told(ago_s: int, told: bool) -> None:
    over = [
        mini("TIME_WAIT", f"10.0.0.1:{50_000 + n}", TO, cookie=9000 + n, expires=60_000)
        for n in range(3)
    ]

    def rows(number: int) -> list[Row]:
        left_ms = 60_000 - 1000 * (ago_s + number)
        return [*others(number, 4), *(each | {"expires": left_ms} for each in over)]

    finding = found(rows)
    assert finding
    said = "3 earlier connections there ended at both ends (TIME-WAIT), the last 26 s ago"
    assert (said in " ".join(finding.evidence)) is told
