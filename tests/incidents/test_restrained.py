"""Servers that their control groups freeze, or refuse CPU time or memory."""

from __future__ import annotations

import os

import pytest

from tests.incidents.incident import Says, incident
from tests.incidents.lab import FREEZERS, LIMITS, OF_TCP, QUOTAS, Lab
from tests.incidents.proving import Proving

OVERFLOW, UNREAD = "accept-queue-overflow", "recv-queue-unread"
_GUESSES = [r"gdb|py-spy|jstack", r"network file system", r"more workers if"]

pytestmark = pytest.mark.skipif(
    not (FREEZERS and QUOTAS and LIMITS and os.geteuid() == 0), reason="no control groups to make"
)


@incident(
    server=[
        Says(
            OVERFLOW,
            "critical",
            who="orders",
            title=[r"is frozen and not accepting"],
            told=[
                r"is frozen by its control group .*, for at least",
                r"docker unpause",
                r"echo \w+ > /",
            ],
            never=_GUESSES,
        )
    ],
)
def a_paused_container_does_not_accept(lab: Lab) -> None:
    """docker pause: clients connect anew for each request."""
    pid = lab.server.python("orders", lab.server.address, 7000, 511, port=7000)
    lab.server.freeze(pid, "freezer")
    lab.client.python("steady", lab.server.address, 7000, 40, 10)
    lab.server.until(lambda: lab.server.queued(7000) == 40, "40 that wait")
    lab.wait(2)


@a_paused_container_does_not_accept.healthy()
def a_container_accepts(lab: Lab) -> None:
    pid = lab.server.python("orders", lab.server.address, 7000, 511, port=7000)
    lab.server.confined(pid, next(iter(FREEZERS)))
    lab.client.python("steady", lab.server.address, 7000, 40, 10)
    lab.server.until(lambda: lab.server.count("ESTABLISHED", local=7000) == 40, "40 served")


@incident(
    server=[
        Says(
            UNREAD,
            "critical",
            who="orders",
            title=[r"is frozen and does not read", r"24 connections"],
            told=[r"is frozen by its control group .*, for at least", r"docker unpause"],
            never=[*_GUESSES, r"stacks of its threads"],
        )
    ],
)
def a_paused_container_with_a_pool_of_clients(lab: Lab) -> None:
    pid = _pool(lab)
    lab.server.freeze(pid, "")
    lab.server.until(lambda: lab.server.unread(8080) == 24, "24 with something unread")
    lab.wait(2)


@a_paused_container_with_a_pool_of_clients.healthy()
def a_container_with_a_pool_of_clients(lab: Lab) -> None:
    lab.server.confined(_pool(lab), next(iter(FREEZERS)))
    lab.wait(2)


def _pool(lab: Lab) -> int:
    server = lab.server
    pid = server.python("orders", server.address, 8080, port=8080)
    lab.client.python("pool", server.address, 8080, 24, 0.5)
    server.until(lambda: server.count("ESTABLISHED", local=8080) == 24, "24 connections")
    return pid


@incident(
    server=[
        Says(
            OVERFLOW,
            "critical",
            who="busy",
            title=[r"is throttled and too slow to accept"],
            told=[r"was throttled in", r"3% of a core", r"(?i)raise the CPU quota"],
            never=_GUESSES,
        )
    ],
)
def a_server_has_used_up_its_cpu_quota(lab: Lab) -> None:
    """3% of a core, where each request takes some 10 ms."""
    _busy(lab, 3000)
    lab.server.until(lambda: lab.server.counter("TcpExtListenOverflows") > 10, "overflows", 30)


@a_server_has_used_up_its_cpu_quota.healthy()
def a_server_has_cpu_time_enough(lab: Lab) -> None:
    """The quota is that of a core, and hardly ever used up."""
    _busy(lab, 100_000, clients=2)
    lab.wait(3)


def _busy(lab: Lab, quota_us: int, clients: int = 24) -> None:
    server = lab.server
    pid = server.python("busy", server.address, 8090, 8, port=8090)
    (server.confined(pid, "cpu") / "cpu.cfs_quota_us").write_text(str(quota_us))
    lab.client.python("browsers", server.address, 8090, clients, 5)


@incident(
    server=[
        Says(
            "orphan-or-memory-pressure",
            "warning",
            who="sink",
            title=[r"control group of sink\.py is at its limit of TCP memory"],
            told=[
                r"of 388 KiB \(/sys\S*/tcptop-test-\d+/memory\.kmem\.tcp\.limit_in_bytes\)",
                r"dropped segments",
                r"TCP(OFO|RcvQ)Drop rises by",
            ],
        )
    ],
)
def a_server_has_used_up_the_memory_of_its_sockets(lab: Lab) -> None:
    _fed(lab, 400_000)
    lab.server.until(lambda: lab.server.counter("TcpExtTCPRcvQDrop") > 10, "discards", 30)


@a_server_has_used_up_the_memory_of_its_sockets.healthy()
def a_server_has_memory_enough(lab: Lab) -> None:
    _fed(lab, 400_000_000)
    lab.wait(3)


def _fed(lab: Lab, limit: int) -> None:
    server = lab.server
    pid = server.python("sink", server.address, 8070, port=8070)
    (server.confined(pid, "memory") / OF_TCP).write_text(str(limit))
    lab.client.python("feeding", server.address, 8070, 20, 200_000)


class TestRestrained(Proving):
    incidents = (
        a_paused_container_does_not_accept,
        a_paused_container_with_a_pool_of_clients,
        a_server_has_used_up_its_cpu_quota,
        a_server_has_used_up_the_memory_of_its_sockets,
    )
