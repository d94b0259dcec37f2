"""orphan-or-memory-pressure: numbers of the whole host, counters that rise, and control groups."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from tcptop.analysis.findings.settings import FindingSettings
from tcptop.model.sample import ProcessFacts, SocketMemory
from tests.unit.findings.hosts import host
from tests.unit.findings.watched import Findings, of, once, watch
from tests.unit.prepared import NGINX, OTHER_NETNS, owners, socket

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


UNIT = "/sys/fs/cgroup/system.slice/nginx.service/memory.max"
MiB = 1 << 20


def discarding(
    memory: SocketMemory | None, per_s: int = 5, sysctls: Mapping[str, str] = LIMITS, pages: int = 9
) -> Findings:
    """Connections that drop what arrives, of a process with that limit."""
    rows = [
        socket(
            "ESTABLISHED",
            "10.0.0.1:80",
            f"10.0.0.7:{51000 + inode}",
            inode=inode,
            memory={"drops": 10 * inode},
            info={"last_data_recv": 20},
        )
        for inode in (1, 2)
    ]
    facts = ProcessFacts(NGINX.pid, "sleeping", 0.0, 0.0, 1, 1, 0.0, 1, None, None, memory=memory)
    found = watch(
        7,
        lambda _: rows,
        owners=owners((1, NGINX, 6), (2, NGINX, 7)),
        facts={NGINX.pid: facts},
        kernel=lambda n: host(
            {"TCPRcvQDrop": per_s * n, "PruneCalled": n}, {"mem": pages}, sysctls
        ),
    )
    return of(found[-1], ID)


def test_a_control_group_that_is_at_its_limit() -> None:
    (finding,) = discarding(SocketMemory(UNIT, 100 * MiB, 99 * MiB, 20 * MiB, 12))
    assert finding.severity == "warning"
    assert finding.title == (
        "The control group of nginx is at its limit of memory: 5 segments/s that have arrived are "
        "discarded"
    )
    assert f"uses 99 MiB of 100 MiB ({UNIT}), 20 MiB of it in sockets" in finding.evidence[0]
    assert "met that limit 12 times lately" in finding.evidence[0]
    assert finding.evidence[1] == (
        "2 open connections have dropped segments since they began, of nginx (pid 100, "
        "nginx.service); most of them, 20, the one with 10.0.0.7:51002."
    )
    assert "TCPRcvQDrop rises by 5/s and PruneCalled rises by 1/s" in finding.evidence[2]
    assert "MemoryMax=209715200" in finding.advice


@pytest.mark.parametrize(
    "memory",
    [
        None,
        SocketMemory(UNIT, 100 * MiB, 99 * MiB, 20 * MiB, 0),  # caches fill it
        SocketMemory(UNIT, 100 * MiB, 99 * MiB, MiB, 12),  # others than sockets do
        SocketMemory(UNIT, 100 * MiB, 99 * MiB, None, 12),
        SocketMemory(UNIT, 100 * MiB, 50 * MiB, 20 * MiB, 12),
    ],
)
def test_else_a_buffer_is_full(memory: SocketMemory | None) -> None:
    (finding,) = discarding(memory)
    assert finding.severity == "info"
    assert finding.title == (
        "This host discards 5 segments/s that have arrived: no room in a receive buffer"
    )


def test_few_discards_are_usual_and_pressure_has_its_own_sentence() -> None:
    assert discarding(None, per_s=0) == ()
    (finding,) = discarding(None, pages=200)
    assert finding.title.startswith("TCP on this host is short of memory")
