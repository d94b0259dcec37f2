"""The ephemeral range of each namespace, and which of its ports connect() and bind(0) may pick."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import numpy as np

from tcptop.model import sysctls, tcp
from tcptop.model.dataclass import dataclass
from tcptop.model.sample import Kernel, Sample
from tcptop.model.table import Bools

REUSE_DELAY_MS = 1_000  # tcp_tw_reuse_delay has been a sysctl since 6.14


@dataclass(frozen=True, eq=False, slots=True)
class PortRange:
    """The ports that connect() and bind(0) may pick in one namespace; masks over 65536 ports."""

    candidate: Bools
    missed: int  # candidates that one search leaves out: 1 in a range of an odd number of ports
    listening: Bools  # ports of present listeners, and of past ones whose connections live
    blocked: Bools  # candidates that no connect() can take: listening, or bound and idle
    reuse_after_ms: int | None  # age at which connect() takes a TIME_WAIT port; None: never
    reuse_loopback_only: bool

    @property
    def capacity(self) -> int:
        return max(int(np.count_nonzero(self.candidate)) - self.missed, 0)

    @property
    def listening_ports(self) -> frozenset[int]:
        return frozenset(np.flatnonzero(self.listening).tolist())


def port_ranges(sample: Sample, past: Mapping[int, frozenset[int]]) -> dict[int, PortRange]:
    """By namespace; one whose range is not known has none. `past` are ports of past listeners."""
    found = {}
    for kernel in sample.kernel:
        picked = candidates(kernel.sysctls)
        if picked is not None:
            found[kernel.netns] = _range(
                sample, kernel, past.get(kernel.netns, frozenset()), *picked
            )
    return found


def candidates(values: Mapping[str, str]) -> tuple[Bools, int] | None:
    """Mask of the ports that may be picked, the range less the reserved ones, and `missed`.

    A search takes an even number of steps (`remaining &= ~1`). Of an odd range it leaves out the
    first or the last port, depending on where it starts; 32768 to 32770 never give 32770.
    """
    bounds = sysctls.port_range(values)
    return None if bounds is None else _candidates(*bounds, tuple(sysctls.reserved_ports(values)))


@lru_cache(64)
def _candidates(lo: int, hi: int, reserved: tuple[tuple[int, int], ...]) -> tuple[Bools, int]:
    """Settings: the same in every sample."""
    size = hi - lo + 1
    mask = np.zeros(65536, bool)
    mask[lo : hi + 1] = True
    for first, last in reserved:
        mask[first : last + 1] = False
    mask.flags.writeable = False
    return mask, size & 1 if size > 1 else 0


def _range(
    sample: Sample, kernel: Kernel, past: frozenset[int], candidate: Bools, missed: int
) -> PortRange:
    table, bound = sample.sockets, sample.bound
    here = table.netns == kernel.netns
    listening = np.zeros(65536, bool)
    present = np.zeros(65536, bool)
    present[table.local_port[here]] = True
    listening[[*past]] = True
    listening &= present
    listening[table.local_port[here & (table.state == tcp.LISTEN)]] = True
    blocked = listening.copy()
    blocked[bound.local_port[bound.netns == kernel.netns]] = True
    reuse, loopback = _reuse(kernel)
    return PortRange(candidate, missed, listening, blocked & candidate, reuse, loopback)


def _reuse(kernel: Kernel) -> tuple[int | None, bool]:
    """After how many ms a TIME_WAIT port is taken again (tcp_twsk_unique), loopback only or not."""
    mode, timestamps, delay_ms = (
        sysctls.number(kernel.sysctls, f"net.ipv4.tcp_{name}")
        for name in ("tw_reuse", "timestamps", "tw_reuse_delay")
    )
    if not mode or timestamps == 0:
        return None, False
    return REUSE_DELAY_MS if delay_ms is None else delay_ms, mode == 2


def port_bounds(sample: Sample) -> dict[int, tuple[int, int]]:
    """The ephemeral range, first and last port, by namespace."""
    bounds = {kernel.netns: sysctls.port_range(kernel.sysctls) for kernel in sample.kernel}
    return {netns: value for netns, value in bounds.items() if value is not None}
