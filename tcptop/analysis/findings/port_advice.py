"""What to do where local ports run out, with this host's own values."""

from __future__ import annotations

from tcptop.analysis.findings.observations import Observations
from tcptop.model import sysctls

RANGE = "net.ipv4.ip_local_port_range"
REUSE = "net.ipv4.tcp_tw_reuse"
USUAL = (32768, 60999)  # the kernel's default since 4.2
WIDE = (16384, 65535)  # leaves the ports of most services alone


def wider(seen: Observations, netns: int) -> str:
    """sysctl -w net.ipv4.ip_local_port_range="32768 60999" (now 40000 40199)"""
    now = sysctls.port_range(seen.sample.kernel_of(netns).sysctls)
    if now is None:
        return f"widen {RANGE}"
    new = USUAL if now[1] - now[0] < USUAL[1] - USUAL[0] else WIDE
    first, last = min(now[0], new[0]), max(now[1], new[1])
    return f'sysctl -w {RANGE}="{first} {last}" (now {now[0]} {now[1]})'


def reuse(seen: Observations, netns: int) -> str:
    """A note on tcp_tw_reuse, empty where it is on."""
    mode = seen.sysctl(netns, REUSE)
    if mode is None or mode == 1:
        return ""
    now = {0: "0: never", 2: "2: on the loopback alone"}.get(mode, str(mode))
    return (
        f" {REUSE} = 1 (now {now}) would let connect() take a port again after 1 s in TIME_WAIT, "
        "where both ends use TCP timestamps: it spares ports, not handshakes."
    )
