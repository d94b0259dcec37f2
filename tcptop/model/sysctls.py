"""Sysctls that are lists of ports, as values. Names are full and dotted."""

from __future__ import annotations

from collections.abc import Mapping


def port_range(sysctls: Mapping[str, str]) -> tuple[int, int] | None:
    """The first and last ephemeral port; None where not known."""
    words = sysctls.get("net.ipv4.ip_local_port_range", "").split()
    if len(words) != 2 or not all(word.isdecimal() for word in words):
        return None
    first, last = int(words[0]), int(words[1])
    return (first, last) if first <= last else None


def reserved_ports(sysctls: Mapping[str, str]) -> list[tuple[int, int]]:
    """Ports that are never given out, as ranges with both ends ("80,8000-8100")."""
    ranges = []
    for item in sysctls.get("net.ipv4.ip_local_reserved_ports", "").split(","):
        first, dash, last = item.strip().partition("-")
        if first.isdecimal() and (last.isdecimal() or not dash):
            ranges.append((int(first), int(last or first)))
    return ranges
