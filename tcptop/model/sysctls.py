"""Sysctls as values: numbers and lists of ports."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from tcptop.model.digits import whole

Sysctls = Mapping[str, str]  # full dotted name -> text

SOMAXCONN = "net.core.somaxconn"
# Of the whole host, and absent in other namespaces than the first (net/ipv4/sysctl_net_ipv4.c).
FIRST_ONLY = ("net.ipv4.tcp_mem", "net.ipv4.tcp_max_orphans")
SET_IN_FIRST = (
    "net.netfilter.nf_conntrack_max",
    "net.netfilter.nf_conntrack_buckets",
)  # read-only in others (nf_conntrack_standalone.c)


def numbers(sysctls: Sysctls, name: str) -> tuple[int, ...]:
    """All numbers of a sysctl; empty where it is not known or is no list of numbers."""
    return _numbers(sysctls.get(name, ""))


@lru_cache(256)  # they are as they were a sample ago
def _numbers(text: str) -> tuple[int, ...]:
    found = [whole(word) for word in text.split()]
    known = tuple(number for number in found if number is not None)
    return known if len(known) == len(found) else ()


def number(sysctls: Sysctls, name: str) -> int | None:
    """A sysctl that is one number; None where it is not known."""
    found = numbers(sysctls, name)
    return found[0] if len(found) == 1 else None


def port_range(sysctls: Sysctls) -> tuple[int, int] | None:
    """The first and last ephemeral port; None where not known."""
    found = numbers(sysctls, "net.ipv4.ip_local_port_range")
    if len(found) != 2:
        return None
    first, last = found
    return (first, last) if first <= last else None


def reserved_ports(sysctls: Sysctls) -> list[tuple[int, int]]:
    """Ports that are never given out, as ranges with both ends ("80,8000-8100")."""
    ranges = []
    for item in sysctls.get("net.ipv4.ip_local_reserved_ports", "").split(","):
        first, dash, last = item.strip().partition("-")
        begin, end = whole(first), whole(last if dash else first)
        if begin is not None and end is not None:
            ranges.append((begin, end))
    return ranges
