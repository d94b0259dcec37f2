"""Connections whose full segments are lost while small ones get through: a path with a smaller MTU
that tells nobody (RFC 2923)."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tcptop.analysis import stalls
from tcptop.analysis.findings import ended, networks
from tcptop.analysis.findings.lost import JUST_S
from tcptop.analysis.findings.observations import Observations
from tcptop.model import tcp
from tcptop.model.arrays import isin_codes, row_hash, rows_by_key
from tcptop.model.named_tuple import NamedTuple
from tcptop.model.table import Bools, Index

PROBING = "net.ipv4.tcp_mtu_probing"
TIMEOUTS, CHANGED = 2, 5  # in a row: with none passed yet; with some, of a path that has changed
SURE = 3  # connections
DROPPED_HERE = (
    "The wait between two tries does not double (backoff 0): this host itself drops them, by a "
    "queue that is full, or a device whose other end takes no packets of that size (veth)."
)
LOOK_HERE = (
    "Look at this host first: the drops of its queues (tc -s qdisc), where a shaper may be left "
    "over, and the MTU of the other end of its device (ip -d link)."
)
LOCAL = ("netns", "local_hi", "local_lo")


class Large(NamedTuple):
    """Rows towards one address; `small` are the connections there that got answers meanwhile."""

    rows: Index
    small: int


def lost(seen: Observations, retransmits: float) -> list[Large]:
    """Where every connection that retransmits has a full segment out, and others are answered."""
    table = seen.table
    rows = np.flatnonzero(isin_codes(table.timer, (tcp.RETRANSMIT, tcp.PERSIST)))
    rows = rows[table.retrans[rows] > 0]
    rows = rows[isin_codes(table.state[rows], stalls.TALKING)]
    return list(_by_address(seen, rows, retransmits)) if len(rows) else []


def _by_address(seen: Observations, rows: Index, retransmits: float) -> Iterator[Large]:
    table = seen.table
    talking = np.flatnonzero(isin_codes(table.state, stalls.TALKING))
    ours, theirs = networks.address_keys(table, rows), networks.address_keys(table, talking)
    for at in rows_by_key(np.arange(len(rows)), ours):
        mine = rows[at]
        full = _full(seen, mine)
        often = (table.retrans[mine] >= retransmits) & _stuck(seen, mine) & full
        off = seen.sysctl(int(table.netns[mine[0]]), PROBING) == 0
        if not often.any() or not off:
            continue
        if not (full.all() or _by_device(seen, mine[often])):
            continue
        silent = seen.table.since_s("last_ack_recv", mine[often])
        others = talking[theirs == ours[at[0]]]
        others = others[~np.isin(others, mine)]
        small = int(np.count_nonzero(_heard(seen, others, float(silent.min()))))
        small = small or _ended(seen, mine, float(silent.min()))
        if small or _still_sends(seen, mine).any():
            yield Large(mine[often], small)


def _by_device(seen: Observations, rows: Index) -> bool:
    """A device of this host refuses all of these, whatever others wait for: for the answers to
    small requests, that are as large, say."""
    return len(rows) >= SURE and bool(dropped_here(seen, rows).all())


def _full(seen: Observations, rows: Index) -> Bools:
    """A whole segment waits to be acknowledged, or for this host's own device, which drops it: then
    the kernel probes each half second (tcp_send_probe0), though the window is open."""
    table = seen.table
    mss = table.info_of("snd_mss", rows)
    out = table.info_of("unacked", rows) > 0
    held = (table.timer[rows] == tcp.PERSIST) & (table.info_of("snd_wnd", rows) >= mss)
    held &= table.info_of("backoff", rows) == 0
    full: Bools = (mss > 0) & (table.send_q[rows] >= mss) & (out | held)
    return full


def _stuck(seen: Observations, rows: Index) -> Bools:
    """The segment that is due is lost each time, and not at random. What a queue of this host drops
    is tried each half second, and backoff stays 0 (tcp_retransmit_timer): so is what a device drops
    for its size, but of that no full segment has ever passed."""
    backoff = seen.table.info_of("backoff", rows)
    new = _none_passed(seen, rows)
    here = (backoff == 0) & ~_from_full_queues(seen, rows)
    stuck: Bools = (backoff >= CHANGED) | (new & ((backoff >= TIMEOUTS) | here))
    return stuck


def dropped_here(seen: Observations, rows: Index) -> Bools:
    """Sent again more than once, and the wait has not doubled: this host itself drops it."""
    here: Bools = (seen.table.info_of("backoff", rows) == 0) & (seen.table.retrans[rows] > 1)
    return here


def _none_passed(seen: Observations, rows: Index) -> Bools:
    """No full segment has been acknowledged yet."""
    small = ended.small_only(seen.table, rows)
    none: Bools = small | (seen.table.info_of("bytes_acked", rows) <= 1)
    return none


def _from_full_queues(seen: Observations, rows: Index) -> Bools:
    """Those whose local address has other connections that lost some and got full ones through."""
    table = seen.table
    lossy = np.flatnonzero(table.tcp_info("total_retrans") > 0)
    lossy = lossy[~_none_passed(seen, lossy)]
    ours, theirs = (
        row_hash(*(getattr(table, name)[each] for name in LOCAL)) for each in (rows, lossy)
    )
    full: Bools = np.isin(ours, theirs)
    return full


def suspected(seen: Observations, rows: Index) -> bool:
    """Whether all of these have a full segment out, and had nothing but small ones acknowledged."""
    return bool(_full(seen, rows).all() and ended.small_only(seen.table, rows).all())


def _ended(seen: Observations, rows: Index, silent_s: float) -> int:
    """Short connections there that went well meanwhile. Behind one address there may be many
    hosts, of which one has died; but then its connections do not all end at their first full
    segment."""
    if not ended.small_only(seen.table, rows).all():
        return 0
    closed = ended.answered(seen, rows, silent_s - JUST_S)
    return int(np.count_nonzero(closed.known("bytes_acked") > 1))


def _heard(seen: Observations, rows: Index, silent_s: float) -> Bools:
    """Of these something was acknowledged, or came, while the others were silent."""
    heard: Bools = seen.table.since_s("last_ack_recv", rows) < silent_s - JUST_S
    return heard


def _still_sends(seen: Observations, rows: Index) -> Bools:
    """The peer's own segments were seen to come, and acknowledge nothing new."""
    sends: Bools = seen.snapshot.durations.silent_s[rows] < seen.watched_s - JUST_S
    return sends
