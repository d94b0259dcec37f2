"""What to do where local ports run out, with this host's own values."""

from __future__ import annotations

from tcptop.analysis.findings.observations import Observations
from tcptop.model import sysctls, tcp
from tcptop.model.arrays import sorted_unique
from tcptop.model.sysctls import Sysctls

FirstLast = tuple[int, int]  # ports from the one to the other

RANGE = "net.ipv4.ip_local_port_range"
RESERVED = "net.ipv4.ip_local_reserved_ports"
REUSE = "net.ipv4.tcp_tw_reuse"
USUAL = (32768, 60999)  # the kernel's default since 4.2
WIDE = (16384, 65535)
# Redis Sentinel, MongoDB, Kubernetes NodePorts.
SERVICES = ((26379, 26379), (27017, 27017), (30000, 32767))
MOST = 8  # listeners that are named


def wider(seen: Observations, netns: int) -> str:
    """sysctl -w net.ipv4.ip_local_port_range="32768 60999" (now 40000 40199), and before it which
    ports to reserve."""
    values = seen.sample.kernel_of(netns).sysctls
    now = sysctls.port_range(values)
    if now is None:
        return f"widen {RANGE}"
    new = USUAL if now[1] - now[0] < USUAL[1] - USUAL[0] else WIDE
    first, last = min(now[0], new[0]), max(now[1], new[1])
    reserve = _reserve(values, _services(seen, netns, (first, last), now))
    return f'{reserve}sysctl -w {RANGE}="{first} {last}" (now {now[0]} {now[1]})'


def reserve(seen: Observations, netns: int, port: int) -> str:
    """sysctl -w net.ipv4.ip_local_reserved_ports=33100 (now none)"""
    known = sysctls.reserved_ports(seen.sample.kernel_of(netns).sysctls)
    return f"sysctl -w {RESERVED}={_ports([*known, (port, port)])} (now {_ports(known) or 'none'})"


def _services(seen: Observations, netns: int, new: FirstLast, now: FirstLast) -> list[FirstLast]:
    """Ports that clients must not take: those of listeners, and usual ones in what is added."""
    table = seen.table
    listening = (table.netns == netns) & (table.state == tcp.LISTEN)
    here = sorted_unique(table.local_port[listening]).tolist()
    added = ((new[0], now[0] - 1), (now[1] + 1, new[1]))
    usual = [(a, b) for a, b in SERVICES if any(a <= last and first <= b for first, last in added)]
    return [(port, port) for port in here if new[0] <= port <= new[1]][:MOST] + usual


def _reserve(values: Sysctls, services: list[FirstLast]) -> str:
    known = sysctls.reserved_ports(values)
    open_ = [s for s in services if not any(k[0] <= s[0] and s[1] <= k[1] for k in known)]
    if not open_:
        return ""
    ports = _ports([*known, *open_])
    return f"sysctl -w {RESERVED}={ports}, so that no client takes a service's port, then "


def _ports(ranges: list[FirstLast]) -> str:
    """80,8000-8100, as the sysctl is written"""
    return ",".join(f"{a}-{b}" if a < b else str(a) for a, b in sorted(set(ranges)))


def reuse(seen: Observations, netns: int) -> str:
    """A note on tcp_tw_reuse, empty where it is on."""
    mode = seen.sysctl(netns, REUSE)
    if mode is None or mode == 1:
        return ""
    now = {0: "0: never", 2: "2: loopback only"}.get(mode, str(mode))
    return (
        f" {REUSE} = 1 (now {now}) would let connect() reuse a port after 1 s in TIME-WAIT if "
        "both ends use TCP timestamps; it saves ports, not handshakes."
    )
