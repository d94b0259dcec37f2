"""syn-queue-full and syn-flood: half-open connections that stay half-open."""

from collections.abc import Mapping
from typing import Any

import pytest

from tcptop.analysis.findings.settings import FindingSettings
from tests.unit.findings.counting import counters
from tests.unit.findings.watched import Findings, of, watch
from tests.unit.prepared import NGINX, Row, mini, owners, socket

FULL, FLOOD = "syn-queue-full", "syn-flood"
HELD = owners((1, NGINX, 6))
COOKIES = {"TCPReqQFullDoCookies": 10, "SyncookiesSent": 10, "SyncookiesRecv": 0}
DROPS = {"TCPReqQFullDrop": 10, "ListenDrops": 10, "ListenOverflows": 0}
NO_COOKIES = {"net.ipv4.tcp_syncookies": "0", "net.ipv4.tcp_max_syn_backlog": "128"}


def listener(backlog: int, **columns: Any) -> Row:
    given: Row = {"send_q": backlog, "inode": 1, "cookie": 7} | columns
    return socket("LISTEN", "0.0.0.0:8443", **given)


def half_open(count: int, retrans: int = 1, addresses: int = 4) -> list[Row]:
    return [
        mini(
            *("SYN_RECV", "10.0.0.1:8443", f"10.77.0.{n % addresses}:{3000 + n}"),
            retrans=retrans,
            cookie=100 + n,
        )
        for n in range(count)
    ]


def seen(
    rows: list[Row],
    per_s: Mapping[str, float],
    sysctls: dict[str, str] | None = None,
    settings: FindingSettings | None = None,
) -> Findings:
    given = settings or FindingSettings()
    found = watch(3, lambda _: rows, given, kernel=counters(per_s, sysctls), owners=HELD)
    assert of(found[0], FULL) == of(found[0], FLOOD) == ()  # one look knows no rate
    return found[-1]


def test_a_warning_while_cookies_are_sent() -> None:
    (finding,) = of(seen([listener(16), *half_open(17)], COOKIES), FULL)
    assert finding.severity == "warning"
    assert finding.title == (
        "nginx on :8443 has 17 half-open connections, the most that fit: "
        "10 SYNs/s answered with cookies"
    )
    assert finding.subject.listener == "0.0.0.0:8443"
    assert finding.subject.pids == (NGINX.pid,)
    assert len(finding.subject.cookies) == 18
    assert "17 half-open connections from 4 addresses, where 17 fit" in finding.evidence[0]


def test_critical_where_syns_are_dropped() -> None:
    (finding,) = of(seen([listener(16), *half_open(17)], DROPS, NO_COOKIES), FULL)
    assert finding.severity == "critical"
    assert "10 SYNs/s dropped" in finding.title
    assert "net.ipv4.tcp_syncookies=1 (now 0)" in finding.advice


def test_without_cookies_the_limit_may_be_that_of_all_listeners() -> None:
    rows, drops = [listener(4096), *half_open(97)], {"ListenDrops": 5, "ListenOverflows": 0}
    (finding,) = of(seen(rows, drops, NO_COOKIES), FULL)
    assert finding.values["limit"] == 97
    assert finding.evidence[-1].startswith("Without cookies net.ipv4.tcp_max_syn_backlog = 128")
    assert "net.ipv4.tcp_max_syn_backlog=4096 (now 128)" in finding.advice
    assert "somaxconn" not in finding.advice
    assert of(seen(rows, drops, NO_COOKIES | {"net.ipv4.tcp_syncookies": "1"}), FULL) == ()


@pytest.mark.parametrize(
    ("rows", "per_s"),
    [
        ([listener(16), *half_open(17)], {}),
        ([listener(16), *half_open(17)], dict.fromkeys(COOKIES, 0)),
        ([listener(16), *half_open(15)], COOKIES),
        ([listener(0), *half_open(1)], COOKIES),  # one slow handshake
        ([listener(1), *half_open(2)], COOKIES),
        (half_open(40), COOKIES),  # their listener is gone
    ],
)
def test_syn_queue_guards(rows: list[Row], per_s: Mapping[str, float]) -> None:
    assert of(seen(rows, per_s), FULL) == ()


def test_a_reuse_port_group_is_one_subject() -> None:
    rows = [listener(16, cookie=n) for n in range(4)]
    (finding,) = of(seen([*rows, *half_open(20)], COOKIES), FULL)
    assert finding.values["half_open"] == 20


def test_a_flood_by_cookies() -> None:
    per_s = COOKIES | {"SyncookiesSent": 80, "SyncookiesRecv": 10}
    found = seen([listener(16), *half_open(17)], per_s)
    (finding,) = of(found, FLOOD)
    assert finding.severity == "critical"
    assert finding.title == ("SYN flood against nginx on :8443: 70 handshakes/s never completed")
    (full,) = of(found, FULL)
    assert full.because == finding.key


def test_the_host_that_most_come_from_is_named() -> None:
    per_s = COOKIES | {"SyncookiesSent": 80, "SyncookiesRecv": 10}
    one, many = half_open(20, addresses=1), half_open(12, addresses=12)[1:]
    found = seen(
        [listener(16), *one, *(row | {"cookie": 900 + n} for n, row in enumerate(many))], per_s
    )
    (flood,), (full,) = of(found, FLOOD), of(found, FULL)
    assert flood.title.endswith("never completed, most from 10.77.0.0")
    assert "31 half-open connections from 12 addresses (most from 10.77.0.0)" in flood.evidence[0]
    assert "from 12 addresses (most from 10.77.0.0), where 17 fit" in full.evidence[0]
    (flood,) = of(seen([listener(16), *one], per_s), FLOOD)
    assert "20 half-open connections from 10.77.0.0 did not" in flood.evidence[0]


@pytest.mark.parametrize("per_s", [COOKIES | {"SyncookiesSent": 90, "SyncookiesRecv": 45}, COOKIES])
def test_cookies_that_come_back_are_no_flood(per_s: Mapping[str, float]) -> None:
    assert of(seen([listener(16), *half_open(17)], per_s), FLOOD) == ()


def test_a_flood_without_a_listener_in_sight() -> None:
    (finding,) = of(seen([], {"SyncookiesSent": 80, "SyncookiesRecv": 0}), FLOOD)
    assert "against this host" in finding.title


def test_a_flood_by_half_open_connections() -> None:
    (finding,) = of(seen([listener(128), *half_open(16, addresses=16)], {}), FLOOD)
    assert finding.title == (
        "SYN flood against nginx on :8443 (suspected): 16 addresses do not complete the handshake"
    )
    assert finding.subject.listener == "0.0.0.0:8443"


def test_what_a_flood_left_is_no_flood() -> None:
    """The last SYN came 15 s ago; those rows are kept for another 48 s."""
    left = [listener(128), *half_open(40, retrans=4, addresses=40)]
    old = [row | {"expires": 15_500} for row in left]
    assert of(seen(old, {}), FLOOD) == ()
    assert of(seen(old, DROPS, NO_COOKIES), FLOOD)
    (new,) = half_open(1)
    assert of(seen([*old, new | {"cookie": 99}], {}), FLOOD)


@pytest.mark.parametrize(
    ("rows", "per_s"),
    [
        ([listener(128), *half_open(15, addresses=15)], {}),
        ([listener(128), *half_open(30, addresses=15)], {}),
        ([listener(128), *half_open(30, addresses=30, retrans=0)], {}),
        # Their last ACK was dropped: the accept queue is full.
        ([listener(16, recv_q=17), *half_open(17, addresses=17)], {}),
        # A busy public server, some of whose clients vanish.
        ([listener(4096), *half_open(100, addresses=100)], {"PassiveOpens": 500}),
    ],
)
def test_flood_guards(rows: list[Row], per_s: Mapping[str, float]) -> None:
    assert of(seen(rows, per_s), FLOOD) == ()


def test_thresholds() -> None:
    rows = [listener(128), *half_open(4)]
    lower = FindingSettings(limits={FLOOD: {"half_open": 4}})
    assert of(seen(rows, {}, settings=lower), FLOOD)
    assert of(
        seen(rows, COOKIES, settings=FindingSettings(limits={FLOOD: {"cookies_per_s": 9}})), FLOOD
    )
    higher = FindingSettings(limits={FULL: {"half_open": 20}})
    assert of(seen([listener(16), *half_open(17)], COOKIES, settings=higher), FULL) == ()


COME_BACK = COOKIES | {"SyncookiesRecv": 10}


def advised(per_s: Mapping[str, float], rows: list[Row], drops: int = 0) -> str:
    memory: Row = {"memory": {"drops": drops}, "memory_count": 9}
    every = [listener(16) | memory, *rows]
    found = watch(7, lambda n: every if n > 5 else [], kernel=counters(per_s), owners=HELD)
    return of(found[-1], FULL)[0].advice


def test_cookies_that_come_back_are_of_clients_that_are_reached() -> None:
    young = half_open(17, retrans=0)
    assert advised(COME_BACK, young).startswith("The cookies come back")
    assert "forged. If" in advised(COOKIES, young)  # none comes back
    assert "forged. If" in advised(COME_BACK, half_open(17))  # those that stay are not reached


@pytest.mark.parametrize(
    ("opened", "back", "addresses", "severity"),
    [
        (0, 0, 1, "critical"),  # the client's own filter drops the SYN-ACKs
        (1, 0, 1, "warning"),  # others get in
        (0, 10, 1, "warning"),  # a storm of reconnects over a long way: cookies come back
        (0, 0, 17, "warning"),  # forged addresses
    ],
)
def test_nobody_gets_in(opened: int, back: int, addresses: int, severity: str) -> None:
    per_s = COOKIES | {"PassiveOpens": opened, "SyncookiesRecv": back}
    every = [listener(16), *half_open(17, addresses=addresses)]
    found = watch(7, lambda n: every if n > 5 else [], kernel=counters(per_s), owners=HELD)
    (finding,) = of(found[-1], FULL)
    assert finding.severity == severity
    assert finding.title.endswith("none is completed") is (severity == "critical")
    assert ("larger backlog changes nothing" in finding.advice) is (severity == "critical")


def test_where_bare_acks_are_ignored_the_clients_are_reached() -> None:
    """They are too young to tell whether they are waited for."""
    young, deferring = half_open(17, retrans=0), COME_BACK | {"TCPDeferAcceptDrop": 1}
    assert "greeting, take TCP_DEFER_ACCEPT" in advised(deferring, young, drops=40)
    assert "TCP_DEFER" not in advised(deferring, young)  # of another listener
    assert "TCP_DEFER" not in advised(deferring, half_open(17), drops=40)


def test_where_first_data_is_waited_for_the_queue_is_full_of_that() -> None:
    """TCP_DEFER_ACCEPT: they have been acknowledged, and no SYN-ACK was retransmitted."""
    waiting = [row | {"expires": 3500} for row in half_open(17, retrans=0)]
    memory: Row = {"memory": {"drops": 40}, "memory_count": 9}
    rows = [listener(16) | memory, *waiting]
    per_s = COME_BACK | {"TCPDeferAcceptDrop": 1}
    found = watch(7, lambda _: rows, kernel=counters(per_s), owners=HELD)[-1]
    (cause,), (full,) = of(found, "handshake-unfinished"), of(found, FULL)
    assert "TCP_DEFER_ACCEPT" in cause.title
    assert full.because == cause.key
    assert cause.severity == "warning"  # as what follows from it
