"""What the texts say of limits and sysctls, tried in real namespaces."""

from __future__ import annotations

import resource
import subprocess
from pathlib import Path

import pytest

from tcptop.demo.namespace import DemoNamespace


def child_of(namespace: DemoNamespace, *names: str) -> list[str]:
    """Values in a new namespace that this one makes."""
    return namespace.command(["unshare", "-n", "sysctl", "-n", *names]).splitlines()


def test_a_new_namespace_has_the_defaults_and_not_its_maker_s(namespace: DemoNamespace) -> None:
    values = {"net.core.somaxconn": "16", "net.ipv4.tcp_keepalive_time": "60"}
    for name, value in values.items():
        namespace.sysctl(name, value)
    assert child_of(namespace, *values) == ["4096", "7200"]


def test_a_few_come_from_the_first_namespace(namespace: DemoNamespace) -> None:
    """Not from the maker either (tcp_sk_init, net/ipv4/tcp_ipv4.c)."""
    names = ("net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem", "net.ipv4.tcp_congestion_control")
    before = child_of(namespace, *names)
    for name, value in zip(names, ("4096 8192 16384", "4096 8192 16384", "reno"), strict=True):
        namespace.sysctl(name, value)
    assert child_of(namespace, *names) == before


def test_time_wait_has_room_for_half_as_many_as_the_table(namespace: DemoNamespace) -> None:
    names = ["net.ipv4.tcp_max_tw_buckets", "net.ipv4.tcp_ehash_entries"]
    most, table = namespace.command(["sysctl", "-n", *names]).split()
    assert 2 * int(most) == abs(int(table))  # less than 0: shared with the host
    namespace.sysctl("net.ipv4.tcp_child_ehash_entries", 4096)
    assert child_of(namespace, *names) == ["2048", "4096"]


def test_limits_of_the_host_are_not_seen_in_other_namespaces(namespace: DemoNamespace) -> None:
    for name in ("tcp_max_orphans", "tcp_mem"):
        with pytest.raises(RuntimeError, match="No such file"):
            namespace.command(["cat", f"/proc/sys/net/ipv4/{name}"])


def test_a_limit_of_descriptors_changes_live_and_not_beyond_nr_open() -> None:
    beyond = int(Path("/proc/sys/fs/nr_open").read_text()) + 1
    process = subprocess.Popen(["sleep", "60"])
    try:
        with pytest.raises(PermissionError):
            resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (beyond, beyond))
        resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (300, 300))
        assert resource.prlimit(process.pid, resource.RLIMIT_NOFILE) == (300, 300)
    finally:
        process.kill()
        process.wait()
