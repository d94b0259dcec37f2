"""Counters, socket statistics and sysctls of one network namespace."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache

from tcptop.model.sample import Kernel
from tcptop.model.sysctls import Sysctls
from tcptop.sources import namespaces, procfs

_IPV4 = """
ip_local_port_range ip_local_reserved_ports tcp_abort_on_overflow tcp_congestion_control
tcp_ecn tcp_fin_timeout tcp_keepalive_intvl tcp_keepalive_probes tcp_keepalive_time tcp_max_orphans
tcp_max_syn_backlog tcp_max_tw_buckets tcp_mem tcp_moderate_rcvbuf tcp_mtu_probing
tcp_no_metrics_save tcp_notsent_lowat tcp_orphan_retries tcp_retries1 tcp_retries2 tcp_rmem
tcp_rto_max_ms tcp_rto_min_us tcp_sack tcp_slow_start_after_idle tcp_syn_linear_timeouts
tcp_syn_retries tcp_synack_retries tcp_syncookies tcp_thin_linear_timeouts tcp_timestamps
tcp_tw_recycle tcp_tw_reuse tcp_tw_reuse_delay tcp_window_scaling tcp_wmem
"""
_CORE = "netdev_max_backlog rmem_max somaxconn wmem_max"
_NETFILTER = "nf_conntrack_count nf_conntrack_max nf_conntrack_tcp_timeout_established"
SYSCTLS = (
    *(f"net.ipv4.{name}" for name in _IPV4.split()),
    *(f"net.core.{name}" for name in _CORE.split()),
    *(f"net.netfilter.{name}" for name in _NETFILTER.split()),
)
CONNTRACK = "conntrack"  # the section of /proc/net/stat/nf_conntrack, where it is loaded
SYSCTLS_S = 8.0
# One for the whole host, which most kernels show in the first namespace alone.
HOST_WIDE = (
    "net.ipv4.tcp_max_orphans",
    "net.ipv4.tcp_mem",
    "net.core.netdev_max_backlog",
    "net.core.rmem_max",
    "net.core.wmem_max",
    "net.netfilter.nf_conntrack_max",
)
# Where the first namespace may be found: tcptop's own first thread, and the first process.
_FIRST = ("/proc/self/ns/net", "/proc/1/ns/net")
Read = Callable[[str], bytes | None]


class KernelReader:
    """Reads the same namespace in every sample, with its files kept open. Close it.

    For a thread that stays inside.
    """

    def __init__(self, netns: int) -> None:
        self._netns = netns
        self._here, self._first = procfs.OpenFiles(), procfs.OpenFiles()

    def read(self) -> Kernel:
        return read_kernel(self._netns, here=self._here, first=self._first)

    def close(self) -> None:
        self._here.close()
        self._first.close()


class VisitingKernelReader:
    """For a thread that is inside to read only. Sysctls, which take most of the time, are read
    again when they are SYSCTLS_S old."""

    def __init__(self, netns: int) -> None:
        self._netns = netns
        self._sysctls: Sysctls = {}
        self._due = 0.0

    def read(self) -> Kernel:
        now = time.monotonic()
        if now < self._due:
            return replace(_counted(self._netns), sysctls=self._sysctls)
        kernel = read_kernel(self._netns)
        self._sysctls, self._due = kernel.sysctls, now + SYSCTLS_S + self._netns % 4
        return kernel

    def close(self) -> None:
        """Nothing is kept open."""


def read_kernel(
    netns: int,
    pid: int | None = None,
    here: procfs.OpenFiles | None = None,
    first: procfs.OpenFiles | None = None,
) -> Kernel:
    """What the kernel counts and allows in a namespace; what it lacks is absent.

    Read through a process in it, or else as the calling thread's own. Sysctls are known only to a
    thread inside: /proc/sys/net shows the namespace of whoever reads. `here` keeps this
    namespace's files open, `first` those of the host's first one.
    """
    kernel = _counted(netns, "thread-self" if pid is None else str(pid), here)
    if namespaces.current_inode() != netns:
        return kernel
    sysctls = read_sysctls(read=here.read if here else procfs.read)
    return replace(kernel, sysctls={**sysctls, **_host_wide(sysctls, first)})


def _counted(
    netns: int, process: str = "thread-self", files: procfs.OpenFiles | None = None
) -> Kernel:
    """Without sysctls."""
    where, read = f"/proc/{process}/net", files.read if files else procfs.read
    tracked = procfs.conntrack(read(f"{where}/stat/nf_conntrack") or b"")
    counters = dict(_merged(procfs.counters, read, f"{where}/netstat", f"{where}/snmp"))
    counters |= _merged(procfs.icmp6, read, f"{where}/snmp6")
    return Kernel(
        netns=netns,
        counters=counters | ({CONNTRACK: tracked} if tracked else {}),
        sockstat=_merged(procfs.sockstat, read, f"{where}/sockstat", f"{where}/sockstat6"),
    )


def read_sysctls(
    root: str = "/proc/sys", names: Sequence[str] = SYSCTLS, read: Read = procfs.read
) -> dict[str, str]:
    """Sysctls by full name, their words parted by one space.

    A name is absent where the kernel has not got it: newer, older (tcp_tw_recycle), or only in the
    first namespace (tcp_mem, tcp_max_orphans).
    """
    found = {}
    for name in names:
        data = read(_path(root, name))
        if data is not None:
            found[name] = _words(data)
    return found


@lru_cache(256)
def _path(root: str, name: str) -> str:
    return f"{root}/{name.replace('.', '/')}"


@lru_cache(256)
def _words(data: bytes) -> str:
    return " ".join(procfs.text(data).split())


def _host_wide(sysctls: Sysctls, first: procfs.OpenFiles | None) -> dict[str, str]:
    """Those that this namespace does not show, from one that does, if that may be entered.

    In a container there may be none.
    """
    found: dict[str, str] = {}
    if first and (names := _absent(sysctls)):
        found = read_sysctls(names=names, read=first.read_again)
    for path in _FIRST:
        if names := _absent({**sysctls, **found}):
            found.update(_read_in(path, names, first.read if first else procfs.read))
    return found


def _absent(sysctls: Sysctls) -> list[str]:
    return [name for name in HOST_WIDE if _missing(name, sysctls)]


def _missing(name: str, sysctls: Sysctls) -> bool:
    """The limit of conntrack is of no use where it counts nothing."""
    of_use = "nf_conntrack" not in name or "net.netfilter.nf_conntrack_count" in sysctls
    return of_use and name not in sysctls


def _read_in(path: str, names: Sequence[str], read: Read) -> dict[str, str]:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return {}
    try:
        with namespaces.entered(descriptor):
            return read_sysctls(names=names, read=read)
    except namespaces.NamespaceError:
        return {}
    finally:
        os.close(descriptor)


def _merged(
    parse: Callable[[bytes], Mapping[str, Mapping[str, int]]], read: Read, *paths: str
) -> Mapping[str, Mapping[str, int]]:
    sections: dict[str, Mapping[str, int]] = {}
    for path in paths:
        sections.update(parse(read(path) or b""))
    return sections
