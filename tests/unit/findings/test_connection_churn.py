"""connection-churn: short connections to one destination, seen or inferred; not pools or bursts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from tcptop.analysis.findings.settings import FindingSettings
from tcptop.model.finding import Finding
from tcptop.model.sample import Kernel
from tests.unit.findings.hosts import host, rising, steadily
from tests.unit.findings.watched import Findings, ids, of, watch
from tests.unit.prepared import CURL, NGINX, Row, mini, owners, socket

ID = "connection-churn"
THERE = "10.0.0.9:80"
SYSCTLS = {"net.ipv4.ip_local_port_range": "32768 60999"}
UNKNOWN = {"net.ipv4.ip_local_port_range": ""}
STAYING = [
    socket("ESTABLISHED", "10.0.0.1:60000", THERE, inode=7, cookie=7),
    socket("ESTABLISHED", "10.0.0.1:60001", THERE, inode=8, cookie=8),
]
HELD = owners((7, CURL, 3), (8, CURL, 4))


def opened(
    births: Callable[[int], int], number: int, to: Callable[[int], str] = lambda _: THERE
) -> list[Row]:
    """TIME_WAIT of the connections that each second's births have left."""
    rows = []
    for second in range(max(number - 59, 0), number + 1):
        for each in range(births(second)):
            cookie = 1_000_000 + second * 1000 + each
            port = 33_000 + (second * 1000 + each) % 27_000
            left = 60_000 - (number - second) * 1000
            rows.append(
                mini("TIME_WAIT", f"10.0.0.1:{port}", to(each), cookie=cookie, expires=left)
            )
    return rows


def counted(births: Callable[[int], int]) -> Callable[[int], tuple[Kernel]]:
    def at(number: int) -> tuple[Kernel]:
        active = sum(births(second) for second in range(number + 1))
        none = {"AttemptFails": 0, "EstabResets": 0, "PassiveOpens": 0}
        return host(none | {"ActiveOpens": active}, {}, SYSCTLS)

    return at


def churn(births: Callable[[int], int], seconds: int, **more: Any) -> list[Findings]:
    fields: dict[str, Any] = {"owners": HELD, "kernel": counted(births)} | more
    return watch(seconds, lambda n: STAYING + opened(births, n), **fields)


def fired(found: Sequence[Findings]) -> list[bool]:
    return [ID in ids(each) for each in found]


def test_it_needs_ten_seconds_and_says_where_and_who() -> None:
    found = churn(lambda _: 80, 12)
    assert fired(found) == [False] * 10 + [True] * 3
    (finding,) = of(found[-1], ID)
    assert finding.severity == "warning"
    assert finding.title == "80 short connections/s to 10.0.0.9:80, apparently by curl"
    assert finding.subject.pids == (CURL.pid,)
    assert finding.subject.destination == THERE
    assert "28,232 local ports sustain 471 connections/s" in "".join(finding.evidence)
    assert finding.values["inferred_per_s"] == 0


def test_who_opens_them_is_not_who_holds_a_pool_there() -> None:
    def rows(n: int) -> list[Row]:
        fresh = socket("ESTABLISHED", "10.0.0.1:60100", THERE, inode=9, cookie=9000 + n)
        return [*STAYING, fresh, *opened(lambda _: 80, n)]

    held = owners((7, NGINX, 3), (8, NGINX, 4), (9, CURL, 5))
    (finding,) = of(watch(12, rows, owners=held, kernel=counted(lambda _: 80))[-1], ID)
    assert finding.title.endswith("apparently by curl")
    assert finding.subject.pids == (CURL.pid,)


def test_what_opened_between_two_reads_is_not_inferred() -> None:
    """ActiveOpens is read after the sockets."""

    def ahead(number: int) -> tuple[Kernel]:
        return counted(lambda n: 84 if n == number else 80)(number)

    (finding,) = of(churn(lambda _: 80, 12, kernel=ahead)[-1], ID)
    assert finding.values["inferred_per_s"] == 0


def test_far_from_running_out_it_is_worth_knowing_and_no_more() -> None:
    (finding,) = of(churn(lambda _: 60, 12)[-1], ID)
    assert finding.severity == "info"
    settings = FindingSettings({ID: {"share": 0.1}})
    rows = lambda n: STAYING + opened(lambda _: 60, n)  # noqa: E731
    found = watch(12, rows, settings, owners=HELD, kernel=counted(lambda _: 60))
    assert of(found[-1], ID)[0].severity == "warning"


def test_fewer_are_none() -> None:
    assert not any(fired(churn(lambda _: 49, 14)))


@pytest.mark.parametrize(
    ("per_s", "severity"), [(9, None), (20, "info"), (49, "info"), (80, "warning")]
)
def test_a_login_for_each_query_is_worth_knowing_sooner(per_s: int, severity: str | None) -> None:
    """As pgbench -C does; PostgreSQL begins a process for each."""

    def rows(number: int) -> list[Row]:
        return opened(lambda _: per_s, number, lambda _: "10.0.0.9:5432")

    found = of(watch(12, rows, kernel=counted(lambda _: per_s))[-1], ID)
    assert [each.severity for each in found] == [severity] * (severity is not None)
    assert all("costs the database a login" in each.advice for each in found)


def test_without_counters_the_rows_tell() -> None:
    assert fired(churn(lambda _: 80, 12, kernel=lambda _: host({}, {}, SYSCTLS)))[-1]


def test_a_burst_is_none() -> None:
    assert not any(fired(churn(lambda second: 900 if second == 4 else 0, 16)))


def test_it_ends() -> None:
    found = fired(churn(lambda second: 80 if second < 14 else 0, 24))
    assert found[13]
    assert not any(found[20:])


def test_many_destinations_are_none() -> None:
    def rows(number: int) -> list[Row]:
        return opened(lambda _: 80, number, lambda each: f"10.0.1.{each % 40}:443")

    assert not any(fired(watch(14, rows, kernel=counted(lambda _: 80))))


def test_a_pool_that_fills_is_none() -> None:
    def rows(number: int) -> list[Row]:
        return [
            socket("ESTABLISHED", f"10.0.0.1:{33000 + n}", THERE, inode=n + 9, cookie=n + 9)
            for n in range(80 * (number + 1))
        ]

    assert not any(fired(watch(14, rows, kernel=counted(lambda _: 80))))


def test_a_pool_that_is_closed_is_none() -> None:
    ends = [f"10.0.0.1:{33000 + n}" for n in range(800)]
    pool = [socket("ESTABLISHED", end, THERE, inode=9, cookie=9 + n) for n, end in enumerate(ends)]

    def rows(number: int) -> list[Row]:
        closed = 80 * max(number - 12, 0)
        gone = (mini("TIME_WAIT", e, THERE, cookie=9 + n) for n, e in enumerate(ends[:closed]))
        return [*gone, *pool[closed:]]

    assert not any(fired(watch(22, rows, kernel=lambda _: host({}, {}, SYSCTLS))))


def test_a_host_that_does_not_answer_is_another_finding() -> None:
    def rows(number: int) -> list[Row]:
        return [
            socket("SYN_SENT", f"10.0.0.1:{33000 + n}", THERE, inode=9, cookie=number * 100 + n)
            for n in range(80)
        ]

    assert not any(fired(watch(14, rows, kernel=counted(lambda _: 80))))


def seen_at_times(number: int) -> list[Row]:
    """The other end closes first: one that lives now, and nothing of the others."""
    here = f"10.0.0.1:{33000 + number}"
    return [*STAYING, socket("ESTABLISHED", here, THERE, inode=900, cookie=900 + number)]


def test_where_the_other_end_closes_first_it_is_inferred() -> None:
    found = watch(12, seen_at_times, owners=HELD, kernel=counted(lambda _: 70))
    (finding,) = of(found[-1], ID)
    assert finding.title == "70 short connections/s to 10.0.0.9:80, apparently by curl"
    assert finding.values["inferred_per_s"] > 60
    assert "inferred" in finding.evidence[1]


def test_where_none_is_seen_it_is_said() -> None:
    found = watch(12, lambda _: STAYING, owners=HELD, kernel=counted(lambda _: 70))
    (finding,) = of(found[-1], ID)
    assert finding.title.startswith("70 connections/s open and close too fast to see where they go")
    assert finding.subject.destination is None


def test_a_full_time_wait_table_is_why_none_is_seen() -> None:
    def kernel(number: int) -> tuple[Kernel]:
        (made,) = counted(lambda _: 70)(number)
        return host(dict(made.counters["Tcp"]) | {"TCPTimeWaitOverflow": 70 * number}, {}, SYSCTLS)

    found = watch(12, lambda _: STAYING, owners=HELD, kernel=kernel)
    (finding,) = of(found[-1], ID)
    assert "find the TIME-WAIT table full (TCPTimeWaitOverflow)" in finding.evidence[0]
    assert "the other end" not in finding.evidence[0]


def test_connections_from_other_ports_are_seen_too() -> None:
    def rows(number: int) -> list[Row]:
        made = opened(lambda _: 70, number, lambda each: f"10.0.1.{each}:443")
        return [row | {"local": f"10.0.0.1:{n + 2000}"} for n, row in enumerate(made)]

    assert not any(fired(watch(12, rows, kernel=counted(lambda _: 70))))


def test_without_a_known_range_nothing_is_inferred() -> None:
    kernel = counted(lambda _: 70)
    found = watch(
        12, lambda _: STAYING, kernel=lambda n: host(kernel(n)[0].counters["Tcp"], {}, UNKNOWN)
    )
    assert not any(fired(found))


@pytest.mark.parametrize("lost", ["AttemptFails", "EstabResets"])
def test_what_fails_or_is_reset_is_no_churn(lost: str) -> None:
    kernel = steadily(**{"ActiveOpens": 70, "AttemptFails": 0, "EstabResets": 0, lost: 60})
    assert not any(fired(watch(12, seen_at_times, owners=HELD, kernel=kernel)))


def served(number: int, client: str) -> list[Row]:
    """The server's side of connections that it closes first."""
    listener = socket("LISTEN", "0.0.0.0:8080", inode=5, cookie=5)
    return [
        listener,
        *(
            row | {"local": "127.0.0.1:8080", "remote": f"{client}:{20000 + n}"}
            for n, row in enumerate(opened(lambda _: 80, number))
        ),
    ]


def test_a_server_that_closes_first_is_not_the_one_that_churns() -> None:
    none = rising(lambda n: {"ActiveOpens": 0, "AttemptFails": 0, "EstabResets": 0})
    assert not any(fired(watch(14, lambda n: served(n, "10.0.0.7"), kernel=none)))


def test_its_clients_on_the_same_host_are() -> None:
    found = watch(12, lambda n: served(n, "127.0.0.1"), kernel=counted(lambda _: 80))
    (finding,) = of(found[-1], ID)
    assert finding.title == "80 short connections/s to 127.0.0.1:8080"
    assert finding.subject.destination == "127.0.0.1:8080"
    assert "'src 127.0.0.1:8080'" in finding.confirm  # the server's end waits in TIME_WAIT


def proxied(number: int, asked: int, peer: str = "nginx") -> list[Row]:
    """Its clients stay, and ask through it: 80 connections a second to its back end."""
    info = {"bytes_received": 100 * asked * number, "data_segs_in": asked * number, "min_rtt": 40}
    front = socket("ESTABLISHED", "10.0.0.1:80", "10.0.0.7:5000", inode=1, cookie=1, info=info)
    listeners = [socket("LISTEN", "10.0.0.1:80", inode=3, cookie=3)]
    return [front, *listeners, *served(number, "127.0.0.1")]


@pytest.mark.parametrize(
    ("asked", "by"),
    [(80, "nginx"), (300, "nginx"), (20, "")],  # as many requests as connections, or more
)
def test_a_proxy_is_known_by_the_requests_that_it_gets(asked: int, by: str) -> None:
    held = owners((1, NGINX, 3), (5, CURL, 4))
    found = watch(12, lambda n: proxied(n, asked), owners=held, kernel=counted(lambda _: 80))
    (finding,) = of(found[-1], ID)
    assert finding.title.removeprefix("80 short connections/s to 127.0.0.1:8080") == (
        f", apparently by {by}" if by else ""
    )
    assert finding.subject.pids == ((NGINX.pid,) if by else ())
    assert ("proxy_http_version 1.1" in finding.advice) is bool(by)


def test_ports_that_are_in_use_again_leave_no_time_wait() -> None:
    """Half of the server's TIME_WAIT rows are gone: one destination, and no second finding."""

    def rows(number: int) -> list[Row]:
        return [row for row in served(number, "127.0.0.1") if row.get("cookie", 0) % 2]

    found = watch(12, rows, kernel=counted(lambda _: 80))
    (finding,) = of(found[-1], ID)
    assert finding.title == "80 short connections/s to 127.0.0.1:8080"
    assert finding.values["inferred_per_s"] == pytest.approx(40, abs=4)
    assert "in use again" in finding.evidence[1]
    assert "other end" not in "".join(finding.evidence)


def explained(found: Findings, rule: str) -> tuple[Finding, Finding]:
    ((cause,), (effect,)) = of(found, ID), of(found, rule)
    return cause, effect


@pytest.mark.parametrize(("soon_s", "severity"), [(0, "warning"), (60, "critical")])
def test_it_explains_time_wait_and_ports_and_is_as_bad(soon_s: float, severity: str) -> None:
    settings = FindingSettings({"ephemeral-port-exhaustion": {"exhausted_in_s": soon_s}})

    def kernel(number: int) -> tuple[Kernel]:
        (made,) = counted(lambda _: 80)(number)
        limits = {
            "net.ipv4.tcp_max_tw_buckets": "1000",
            "net.ipv4.ip_local_port_range": "33000 34199",
        }
        return host(made.counters["Tcp"], {"tw": 900}, limits)

    def rows(number: int) -> list[Row]:
        made = opened(lambda _: 80, number)
        return [row | {"local": f"10.0.0.1:{33000 + n}"} for n, row in enumerate(made)]

    found = watch(12, rows, settings, kernel=kernel)[-1]
    cause, effect = explained(found, "time-wait-pressure")
    assert effect.because == cause.key
    cause, effect = explained(found, "ephemeral-port-exhaustion")
    assert (effect.severity, effect.because) == (severity, cause.key)
    assert cause.severity == severity


def test_thresholds() -> None:
    settings = FindingSettings({ID: {"per_s": 5, "window_s": 3}})

    def births(_: int) -> int:
        return 8

    found = watch(5, lambda n: opened(births, n), settings, kernel=counted(births))
    assert fired(found) == [False] * 3 + [True] * 3


@pytest.mark.parametrize(("requests", "fires"), [(400, False), (3, True)])
def test_a_busy_pool_that_replaces_its_connections_is_none(requests: int, fires: bool) -> None:
    """nginx ends a connection after a thousand requests: at full load many times a second."""

    def rows(number: int) -> list[Row]:
        fresh = [
            socket(
                "ESTABLISHED",
                f"10.0.0.1:{60_100 + each}",
                THERE,
                cookie=2_000_000 + number * 10 + each,
                info={"data_segs_out": requests, "min_rtt": 40},
            )
            for each in range(4)
        ]
        return [*STAYING, *opened(lambda _: 80, number), *fresh]

    kernel = counted(lambda _: 84)
    assert fired(watch(12, rows, owners=HELD, kernel=kernel))[-1] is fires
