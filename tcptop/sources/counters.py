"""Counters, socket statistics and sysctls of one network namespace."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tcptop.model.sample import Kernel
from tcptop.sources import namespaces, procfs

_IPV4 = """
ip_local_port_range ip_local_reserved_ports tcp_abort_on_overflow tcp_congestion_control
tcp_fin_timeout tcp_keepalive_intvl tcp_keepalive_probes tcp_keepalive_time tcp_max_orphans
tcp_max_syn_backlog tcp_max_tw_buckets tcp_mem tcp_no_metrics_save tcp_orphan_retries tcp_retries1
tcp_retries2 tcp_rmem tcp_slow_start_after_idle tcp_syn_retries tcp_synack_retries tcp_syncookies
tcp_timestamps tcp_tw_recycle tcp_tw_reuse tcp_tw_reuse_delay tcp_wmem
"""
_CORE = "rmem_max somaxconn wmem_max"
_NETFILTER = "nf_conntrack_count nf_conntrack_max"
SYSCTLS = (
    *(f"net.ipv4.{name}" for name in _IPV4.split()),
    *(f"net.core.{name}" for name in _CORE.split()),
    *(f"net.netfilter.{name}" for name in _NETFILTER.split()),
)


def read_kernel(netns: int, pid: int | None = None) -> Kernel:
    """What the kernel counts and allows in a namespace; what it lacks is absent.

    Read through a process in it, or else as the calling thread's own. Sysctls are known only to a
    thread inside: /proc/sys/net shows the namespace of whoever reads.
    """
    inside = namespaces.current_inode() == netns
    where = f"/proc/{pid}/net" if pid is not None else "/proc/thread-self/net"
    return Kernel(
        netns=netns,
        counters=_merged(procfs.counters, f"{where}/netstat", f"{where}/snmp"),
        sockstat=_merged(procfs.sockstat, f"{where}/sockstat", f"{where}/sockstat6"),
        sysctls=read_sysctls() if inside else {},
    )


def read_sysctls(root: str = "/proc/sys") -> Mapping[str, str]:
    """Sysctls by full name, their words parted by one space.

    A name is absent where the kernel has not got it: newer, older (tcp_tw_recycle), or only in the
    first namespace (tcp_mem, tcp_max_orphans).
    """
    found = {}
    for name in SYSCTLS:
        data = procfs.read(f"{root}/{name.replace('.', '/')}")
        if data is not None:
            found[name] = " ".join(procfs.text(data).split())
    return found


def _merged(
    parse: Callable[[bytes], Mapping[str, Mapping[str, int]]], *paths: str
) -> Mapping[str, Mapping[str, int]]:
    sections: dict[str, Mapping[str, int]] = {}
    for path in paths:
        sections.update(parse(procfs.read(path) or b""))
    return sections
