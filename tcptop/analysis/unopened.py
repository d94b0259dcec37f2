"""Sockets that ended before they were open, and what the kernel forgets of a socket that ends.

tcp_disconnect (net/ipv4/tcp.c) clears the counters, the port of the other end and the own address:
where connect() itself waited for an answer that was a reset, and where a program resets its
connection (SO_LINGER 0). Only the shortest round trip stays.
"""

from __future__ import annotations

from collections import Counter

import numpy as np

from tcptop.model import tcp
from tcptop.model.arrays import isin
from tcptop.model.named_tuple import NamedTuple
from tcptop.model.sample import Deaths, Sample
from tcptop.model.table import Bools, SocketTable

PLACES = 500  # of a namespace


class FailedConnect(NamedTuple):
    """Sockets that ended before they were open, of one destination.

    Port 0 is not known: the kernel had forgotten it. `answered`: a segment came, which was a reset;
    else nothing did, or that was forgotten too.
    """

    netns: int
    interface: int
    remote_hi: int
    remote_lo: int
    remote_port: int
    answered: bool
    number: int


def failed_connects(sample: Sample) -> tuple[FailedConnect, ...] | None:
    """Since the sample before; None where it is not told what ends."""
    if not sample.deaths:
        return None
    return tuple(each for deaths in sample.deaths for each in _failed(deaths, sample.sockets))


def _failed(deaths: Deaths, now: SocketTable) -> list[FailedConnect]:
    """Not those of ports where somebody listens, which were accepted."""
    if not len(deaths.sockets):
        return []
    table, listening = deaths.sockets, (now.state == tcp.LISTEN) & (now.netns == deaths.netns)
    accepted = isin(table.local_port, now.local_port[listening])
    rows = np.flatnonzero(never_open(table) & ~accepted)
    answered = table.tcp_info("segs_in")[rows] > 0
    names = ("interface", "remote_hi", "remote_lo", "remote_port")
    columns = (getattr(table, name)[rows].tolist() for name in names)
    number = Counter(zip(*columns, answered.tolist(), strict=True))
    return [
        FailedConnect(deaths.netns, device, hi, lo, port, heard, many)
        for (device, hi, lo, port, heard), many in number.most_common(PLACES)
    ]


def never_open(table: SocketTable) -> Bools:
    """Sockets of notices that nobody took anything of; a round trip was never measured."""
    bare = (table.tcp_info("bytes_acked") == 0) & (table.tcp_info("rtt") == 0)
    bare &= ~table.tcp_info_known("min_rtt")
    never: Bools = bare & (table.tcp_info("data_segs_in") == 0)
    return never


def forgotten(table: SocketTable) -> Bools:
    """Those whose counters the kernel has cleared: of every socket that called or was called
    segments went out."""
    counted = table.tcp_info_known("segs_out")
    cleared: Bools = counted & (table.tcp_info("segs_out") == 0) & (table.tcp_info("segs_in") == 0)
    return cleared
