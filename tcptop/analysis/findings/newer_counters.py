"""Counters that kernels in use still lack, and what a rule does not see there for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from tcptop.analysis.stalls import unsent
from tcptop.model import tcp
from tcptop.model.named_tuple import NamedTuple
from tcptop.model.sample import Kernel
from tcptop.model.snapshot import Snapshot


class Newer(NamedTuple):
    """`rule` reads a counter of a section, `since` that Linux; without it, it is blind `to_what`.

    `may_be`: whether there is something in a namespace that it might have told.
    """

    section: str
    name: str
    since: str
    rule: str
    to_what: str
    may_be: Callable[[Snapshot, int], bool]


def _waits_to_be_sent(snapshot: Snapshot, netns: int) -> bool:
    table = snapshot.sample.sockets
    asks_again = (table.state == tcp.SYN_SENT) & (table.retrans > 0) & (table.netns == netns)
    return bool(asks_again.any() or (table.netns[unsent(table)] == netns).any())


def _rejected_by_time(snapshot: Snapshot, netns: int) -> bool:
    """Before, these were among PAWSEstab."""
    rates = snapshot.kernel_rates.get(netns, {}).get("TcpExt", {})
    return bool(np.nan_to_num(rates.get("PAWSEstab", 0.0)) > 0)


NEWER = (
    Newer(
        "Ip",
        "OutTransmits",
        "6.7",
        "packets-rejected",
        "what a filter of this host takes of its own packets",
        _waits_to_be_sent,
    ),
    Newer(
        "TcpExt",
        "PAWSTimewait",
        "6.16",
        "packets-rejected",
        "SYNs that a TIME-WAIT of the same ports rejects",
        _rejected_by_time,
    ),
)


def lacked(snapshot: Snapshot) -> Iterator[Newer]:
    """Those that some namespace does not count, where it might have mattered."""
    for newer in NEWER:
        kernels = (each for each in snapshot.sample.kernel if _lacks(each, newer))
        if any(newer.may_be(snapshot, kernel.netns) for kernel in kernels):
            yield newer


def _lacks(kernel: Kernel, newer: Newer) -> bool:
    section = kernel.counters.get(newer.section, {})
    return bool(section) and newer.name not in section
