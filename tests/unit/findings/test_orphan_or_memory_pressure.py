"""orphan-or-memory-pressure: numbers of the whole host, and counters that rise."""

from __future__ import annotations

from tcptop.analysis.findings.settings import FindingSettings
from tests.unit.findings.hosts import host
from tests.unit.findings.watched import once, watch
from tests.unit.prepared import OTHER_NETNS

ID = "orphan-or-memory-pressure"
LIMITS = {"net.ipv4.tcp_max_orphans": "1000", "net.ipv4.tcp_mem": "100 200 300"}


def test_many_orphans() -> None:
    assert once([], kernel=host({}, {"orphan": 499, "mem": 199}, LIMITS)) == ()
    (finding,) = once([], kernel=host({}, {"orphan": 500, "mem": 199}, LIMITS))
    assert (finding.id, finding.severity) == (ID, "warning")
    assert finding.title == "500 of at most 1,000 TCP orphans on this host"
    assert "tcp_max_orphans=2000 (now 1000)" in finding.advice
    lower = FindingSettings({ID: {"orphan_share": 0.1}})
    assert once([], lower, kernel=host({}, {"orphan": 100}, LIMITS))


def test_pages_past_the_pressure_mark() -> None:
    (finding,) = once([], kernel=host({}, {"orphan": 0, "mem": 200}, LIMITS))
    assert finding.title == "TCP on this host is short of memory: 200 pages in use"
    assert finding.values["pressure_pages"] == 200
    assert "(now 100 200 300)" in finding.advice


def test_unknown_is_not_zero() -> None:
    assert once([], kernel=host({}, {"orphan": 9999, "mem": 9999}, {})) == ()
    assert once([], kernel=host({}, {}, LIMITS)) == ()
    assert once([], kernel=()) == ()


def test_limits_that_only_another_namespace_shows_count_for_the_host() -> None:
    child = host({}, {"orphan": 600, "mem": 1}, {}, OTHER_NETNS)
    first = host({}, {"orphan": 600, "mem": 1}, LIMITS)
    assert len(once([], kernel=(*child, *first))) == 1


def test_pressure_that_is_counted() -> None:
    found = watch(
        2, lambda _: [], kernel=lambda n: host({"TCPMemoryPressures": n}, {"mem": 10}, LIMITS)
    )
    assert found[0] == ()
    assert [f.severity for f in found[1]] == ["warning"]


def test_aborts_are_critical_and_told_once() -> None:
    found = watch(
        2,
        lambda _: [],
        kernel=lambda n: host({"TCPAbortOnMemory": 3 * n}, {"orphan": 900, "mem": 10}, LIMITS),
    )
    (finding,) = found[-1]
    assert finding.severity == "critical"
    assert "3 connections/s are aborted" in finding.title
