"""How much of what is limited is in use: orphans, memory, TIME_WAITs, conntrack entries."""

from __future__ import annotations

from tcptop.model.named_tuple import NamedTuple
from tcptop.model.sample import Kernel
from tcptop.model.sysctls import number, numbers


class Level(NamedTuple):
    """None is not known: conntrack that is not loaded, a limit that may not be read."""

    used: int | None
    limit: int | None

    @property
    def share(self) -> float | None:
        """Used / limit."""
        if self.used is None or not self.limit:
            return None
        return self.used / self.limit


def orphans(kernel: Kernel) -> Level:
    """Closed by their processes and not finished; host-wide."""
    return Level(_sockstat(kernel, "orphan"), number(kernel.sysctls, "net.ipv4.tcp_max_orphans"))


def memory_pages(kernel: Kernel) -> Level:
    """Pages of all TCP buffers, host-wide, and the mark above which TCP saves (tcp_mem[1])."""
    marks = memory_marks(kernel)
    return Level(_sockstat(kernel, "mem"), marks[1] if marks else None)


def memory_marks(kernel: Kernel) -> tuple[int, int, int] | None:
    """tcp_mem in pages: pressure ends below the first, begins at the second; full at the third."""
    found = numbers(kernel.sysctls, "net.ipv4.tcp_mem")
    return (found[0], found[1], found[2]) if len(found) == 3 else None


def time_waits(kernel: Kernel) -> Level:
    """TIME_WAIT and FIN_WAIT2 mini-sockets of the namespace."""
    return Level(_sockstat(kernel, "tw"), number(kernel.sysctls, "net.ipv4.tcp_max_tw_buckets"))


def conntrack(kernel: Kernel) -> Level:
    """Connections that the namespace's connection tracking remembers, of every protocol."""
    return Level(
        number(kernel.sysctls, "net.netfilter.nf_conntrack_count"),
        number(kernel.sysctls, "net.netfilter.nf_conntrack_max"),
    )


def _sockstat(kernel: Kernel, name: str) -> int | None:
    return kernel.sockstat.get("TCP", {}).get(name)
