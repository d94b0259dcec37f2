"""time-wait-pressure: the limit counts, never the number."""

from __future__ import annotations

from tcptop.analysis.findings.settings import FindingSettings
from tests.unit.findings.hosts import host
from tests.unit.findings.watched import Findings, of, once, watch
from tests.unit.prepared import mini, socket

ID = "time-wait-pressure"
LIMIT = "net.ipv4.tcp_max_tw_buckets"


def findings_of(held: int, most: int, settings: FindingSettings | None = None) -> Findings:
    return once(
        [], settings or FindingSettings(), kernel=host({}, {"tw": held}, {LIMIT: str(most)})
    )


def test_a_share_of_the_limit() -> None:
    assert findings_of(799, 1000) == ()
    (finding,) = findings_of(800, 1000)
    assert (finding.id, finding.severity) == (ID, "warning")
    assert "800 of 1,000" in finding.title
    assert f"{LIMIT}=2000 (now 1000)" in finding.advice
    assert findings_of(300, 1000, FindingSettings({ID: {"share": 0.3}}))


def test_a_large_number_alone_is_healthy() -> None:
    assert findings_of(100_000, 131_072) == ()


def test_unknown_is_no_trouble() -> None:
    assert once([], kernel=host({}, {}, {LIMIT: "10"})) == ()
    assert once([], kernel=host({}, {"tw": 10}, {})) == ()
    assert once([], kernel=host({}, {"tw": 0}, {LIMIT: "0"})) == ()


def test_overflow_is_critical_also_where_the_limit_is_not_known() -> None:
    found = watch(2, lambda _: [], kernel=lambda n: host({"TCPTimeWaitOverflow": 7 * n}))
    assert found[0] == ()
    (finding,) = found[1]
    assert finding.severity == "critical"
    assert "7 connections/s end without it" in finding.title
    assert "max" not in finding.values


def test_no_advice_shortens_time_wait() -> None:
    (finding,) = findings_of(900, 1000)
    for forbidden in ("tcp_tw_recycle", "tcp_fin_timeout", "SO_LINGER"):
        assert forbidden not in finding.advice


def test_it_says_where_they_are() -> None:
    rows = [
        socket("LISTEN", "0.0.0.0:8080", inode=1),
        *(mini("TIME_WAIT", "10.0.0.1:8080", f"10.0.0.9:{n}") for n in range(50_000, 50_005)),
        *(mini("TIME_WAIT", f"10.0.0.1:{n}", "10.0.0.9:5432") for n in range(41_000, 41_003)),
    ]
    kernel = host({}, {"tw": 8}, {LIMIT: "10"})
    (finding,) = of(once(rows, kernel=kernel), ID)
    assert (
        finding.evidence[-1] == "Most of them, 5, are at our port 8080, where they block no client."
    )
    (finding,) = of(once(rows[6:], kernel=kernel), ID)
    assert finding.evidence[-1] == "Most of them, 3, are towards port 5432."
