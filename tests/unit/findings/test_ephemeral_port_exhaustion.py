"""ephemeral-port-exhaustion: what is left, and whether it will last. 100 ports, 40000 to 40099."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from tcptop.analysis.findings.settings import FindingSettings
from tcptop.model.finding import Finding
from tests.unit.findings.watched import ids, of, once, watch
from tests.unit.prepared import CURL, Row, kernel, mini, owners, socket, table

ID = "ephemeral-port-exhaustion"
THERE = "10.0.0.9:80"
HELD = owners(*((n, CURL, n) for n in range(40_000, 40_100)))


def live(count: int, first: int = 40_000, to: str = THERE, **columns: object) -> list[Row]:
    return [
        socket("ESTABLISHED", f"10.0.0.1:{n}", to, **{"inode": n, "cookie": n} | columns)
        for n in range(first, first + count)
    ]


def waiting(ports: Sequence[int], left_ms: Callable[[int], int], to: str = THERE) -> list[Row]:
    return [mini("TIME_WAIT", f"10.0.0.1:{n}", to, cookie=n, expires=left_ms(n)) for n in ports]


def found(rows: list[Row], **fields: Any) -> tuple[Finding, ...]:
    return of(once(rows, **{"owners": HELD} | fields), ID)


def test_one_look_at_what_is_left() -> None:
    assert found(live(79)) == ()
    (finding,) = found(live(80))
    assert finding.severity == "warning"
    assert finding.title == "curl runs out of local ports to 10.0.0.9:80: 80 of 100 used"
    assert finding.subject.pids == (CURL.pid,)
    assert finding.subject.destination == THERE
    assert finding.values["headroom"] == 20
    assert 'ip_local_port_range="32768 60999" (now 40000 40099)' in finding.advice
    assert found(live(95))[0].severity == "critical"
    assert found(live(100))[0].title.startswith("curl has no local ports left to 10.0.0.9:80")


def test_services_are_reserved_before_the_range_is_widened() -> None:
    wide = {
        "net.ipv4.ip_local_port_range": "32768 60999",
        "net.ipv4.ip_local_reserved_ports": "27017,40000",
    }
    rows = [*live(28_000, 32_768), socket("LISTEN", "0.0.0.0:20000", cookie=1)]
    (finding,) = found(rows, kernel=(kernel(sysctls=wide),))
    first, _, second = finding.advice.partition(", then sysctl -w net.ipv4.ip_local_port_range")
    assert "ip_local_reserved_ports=20000,26379,27017,30000-32767,40000, " in first
    assert second.startswith('="16384 65535" (now 32768 60999)')


def test_the_limit_is_for_each_destination() -> None:
    assert found(live(70) + live(70, to="10.0.0.9:81", cookie=0)) == ()


def test_time_wait_counts_where_the_kernel_does_not_reuse_it() -> None:
    rows = waiting(range(40_000, 40_085), lambda _: 30_000)
    (finding,) = found(rows)
    assert finding.values["time_wait"] == 85
    assert "tcp_tw_reuse = 1 (now 2: loopback only)" in finding.advice
    assert found(rows, kernel=(kernel(sysctls={"net.ipv4.tcp_tw_reuse": "1"}),)) == ()


def test_a_tiny_range_is_full_only_when_nothing_is_left() -> None:
    tiny = (kernel(sysctls={"net.ipv4.ip_local_port_range": "40000 40003"}),)
    assert found(live(3), kernel=tiny) == ()
    assert [f.severity for f in found(live(4), kernel=tiny)] == ["critical"]


def test_no_range_no_finding() -> None:
    assert found(live(100), kernel=(kernel(sysctls={"net.ipv4.ip_local_port_range": ""}),)) == ()


def test_a_leak_is_foreseen_after_ten_seconds() -> None:
    seen = watch(14, lambda n: live(10 + 3 * n), owners=HELD)
    assert [ID in ids(each) for each in seen] == [False] * 10 + [True] * 5
    (finding,) = of(seen[-1], ID)
    assert finding.severity == "critical"
    assert finding.values["exhausted_in_s"] == pytest.approx(48 / 3, abs=1)
    assert "none is left in about" in finding.evidence[1]


def test_less_than_a_quarter_is_not_judged() -> None:
    assert not any(ids(each) for each in watch(12, lambda n: live(n * 2), owners=HELD))


def test_a_pool_that_fills_in_a_burst_is_none() -> None:
    seen = watch(20, lambda n: live(min(n // 8, 1) * 60 + 5), owners=HELD)
    assert not any(ID in ids(each) for each in seen)


@pytest.mark.parametrize(("per_s", "fires"), [(1, False), (3, True)])
def test_a_churn_that_began_levels_off_below_the_range_or_does_not(per_s: int, fires: bool) -> None:
    """One a second holds 60 ports in the end, three would hold 180."""

    def rows(number: int) -> list[Row]:
        since = {40_000 + n: number - n // per_s for n in range(min(number * per_s, 99))}
        alive = [port for port in since if since[port] < 60]
        return waiting(alive, lambda port: 60_000 - since[port] * 1000)

    seen = watch(75 if not fires else 30, rows)
    assert any(ID in ids(each) for each in seen) == fires


def test_bound_sockets_take_ports_from_everybody() -> None:
    idle = [
        socket("CLOSE", f"10.0.0.1:{n}", inode=n, info=None, memory=None)
        for n in range(40_000, 40_090)
    ]
    (finding,) = found(live(3, 40_095), bound=table(idle))
    assert finding.title == "curl keeps local ports from every connect(): 90 of 100 are bound"
    assert finding.subject.pids == (CURL.pid,)
    assert "IP_BIND_ADDRESS_NO_PORT" in finding.advice
    few = table(idle[:70])
    assert found(live(3, 40_095), bound=few) == ()
    (finding,) = found(live(15, 40_080), bound=few)
    assert finding.title.startswith("curl runs out of local ports to")
    assert "70 ports are lost to every connect()" in "".join(finding.evidence)


def test_connections_that_were_bound_share_one_range() -> None:
    rows = live(45) + live(45, 40_045, "10.0.0.8:80")
    (finding,) = found(rows)
    assert finding.title == "curl runs out of local ports to bind() on 10.0.0.1: 10 of 100 left"
    assert "so they were apparently bound first" in finding.evidence[0]


def test_connections_that_were_not_bound_share_ports() -> None:
    assert found(live(70) + live(70, 40_020, "10.0.0.8:80", cookie=0)) == ()


@pytest.mark.parametrize("port", [40_010, 40_098])  # of the other destination's, and another
def test_a_destination_more_does_not_look_bound(port: int) -> None:
    (finding,) = found(live(97) + live(1, port, "10.0.0.8:80", cookie=0))
    assert finding.title == "curl runs out of local ports to 10.0.0.9:80: 97 of 100 used"


def test_a_leak_explains_it_unless_that_is_less_bad() -> None:
    info = {"last_ack_recv": 90_000, "last_data_sent": 900_000}
    leaked = [row | {"state": "CLOSE_WAIT", "info": info} for row in live(85)]
    both = once(leaked, owners=HELD)
    assert [each.id for each in both] == ["close-wait-leak", ID]
    assert both[1].because == both[0].key
    leaked = [row | {"state": "CLOSE_WAIT", "info": info} for row in live(97)]
    assert [each.because for each in once(leaked, owners=HELD)] == [None, None]


def test_thresholds() -> None:
    settings = FindingSettings({ID: {"headroom_share": 0.5, "critical_share": 0.4}})
    assert [f.severity for f in of(once(live(50), settings, owners=HELD), ID)] == ["warning"]
    assert [f.severity for f in of(once(live(60), settings, owners=HELD), ID)] == ["critical"]
