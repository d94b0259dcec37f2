"""conntrack-full: a share of the table, where there is one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tcptop.analysis.findings.settings import FindingSettings
from tcptop.model.sample import Kernel
from tests.unit.findings.hosts import host
from tests.unit.findings.watched import Findings, once, watch

ID = "conntrack-full"
COUNT, MOST = "net.netfilter.nf_conntrack_count", "net.netfilter.nf_conntrack_max"


def findings_of(count: str, most: str, settings: FindingSettings | None = None) -> Findings:
    return once([], settings or FindingSettings(), kernel=host(sysctls={COUNT: count, MOST: most}))


def test_a_full_table_is_critical_and_says_what_to_set() -> None:
    (finding,) = findings_of("1000", "1000")
    assert (finding.id, finding.severity) == (ID, "critical")
    assert finding.title == "conntrack is full: 1,000 of 1,000 connections tracked"
    assert "nf_conntrack_max=2000 (now 1000)" in finding.advice


def test_the_share_decides() -> None:
    assert findings_of("799", "1000") == ()
    assert [f.severity for f in findings_of("800", "1000")] == ["warning"]
    assert [f.severity for f in findings_of("950", "1000")] == ["critical"]
    assert findings_of("500", "1000", FindingSettings({ID: {"share": 0.5}}))[0].id == ID


def test_what_is_dropped_is_told() -> None:
    def kernel(number: int) -> tuple[Kernel, ...]:
        counters = {"conntrack": {"drop": 7 * number, "early_drop": 0}}
        (full,) = host(sysctls={COUNT: "1000", MOST: "1000"})
        return (replace(full, counters=counters),)

    (finding,) = watch(2, lambda _: [], kernel=kernel)[-1]
    assert finding.evidence[-1] == "drop rises by 7/s: new connections are dropped."


@pytest.mark.parametrize("sysctls", [{}, {COUNT: "9"}, {MOST: "9"}, {COUNT: "0", MOST: "0"}])
def test_what_is_not_known_or_not_there_is_no_trouble(sysctls: dict[str, str]) -> None:
    assert once([], kernel=host(sysctls=sysctls)) == ()
