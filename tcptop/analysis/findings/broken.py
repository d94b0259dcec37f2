"""Connections that fail or break off, a second: how many, by whom, and whom it harms.

Nothing stays of them, no row and no TIME_WAIT, so the kernel's counters are the evidence:
AttemptFails (never open) and EstabResets (ESTABLISHED or CLOSE_WAIT), tcp_set_state and tcp_done,
net/ipv4/tcp.c. What is reset because data comes after close() is in FIN_WAIT1 then, and counts in
TCPAbortOnData alone (tcp_rcv_state_process, net/ipv4/tcp_input.c).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tcptop.analysis.findings import icmp
from tcptop.analysis.findings.ended import lately
from tcptop.analysis.findings.observations import Observations
from tcptop.analysis.findings.summary import SampleSummary
from tcptop.analysis.findings.windows import lengths, rates, rates_or_zero
from tcptop.analysis.peers import is_loopback
from tcptop.model import tcp
from tcptop.model.arrays import row_hash
from tcptop.model.closed import YES
from tcptop.model.named_tuple import NamedTuple
from tcptop.model.table import F64, MAPPED

HERE = 0.5  # share of the connections with both ends here from which each reset counts twice
NOBODY = (0, int(MAPPED))  # 0.0.0.0 and ::, of what was closed before it called
RESETS_S, TOLD = 10.0, 10  # resets within which so many decide that
MIXED = 0.2  # of the connections of one direction, from which those of the other one count


class Broken(NamedTuple):
    """A second, in each interval.

    `ours` were reset by this host, `theirs` by the other end, health checks of ours apart; both
    are none of those that only were `refused` or otherwise never open (`failed`). `late` are those
    of ours, at least, that got data after close().
    """

    failed: F64
    ours: F64
    theirs: F64
    late: F64
    dialed: F64  # opened from here
    accepted: F64

    @property
    def reset(self) -> F64:
        return self.ours + self.theirs

    @property
    def every(self) -> F64:
        return self.failed + self.reset

    @property
    def opened(self) -> F64:
        return self.failed + self.dialed + self.accepted

    @property
    def harmful(self) -> F64:
        """Without those that the one who called may have ended himself, once he had his answer.

        As many more as were accepted than dialed can be clients that reset; as many more as were
        dialed, this host's own.
        """
        clients = np.maximum(self.accepted - self.dialed, 0)
        own = np.maximum(self.dialed - self.accepted, 0)
        resets = np.maximum(self.theirs - clients, 0) + np.maximum(self.ours - own, 0)
        total: F64 = self.failed + resets
        return total

    @property
    def mixed(self) -> bool:
        """Called and calling, as a proxy is: whose connections are reset is not known."""
        dialed, accepted = float(self.dialed.sum()), float(self.accepted.sum())
        return min(dialed, accepted) > MIXED * max(dialed, accepted)


def broken(seen: Observations, summaries: Sequence[SampleSummary], netns: int) -> Broken | None:
    """None where the counters are not known, or nothing is broken."""
    names = ("AttemptFails", "EstabResets", "ActiveOpens", "PassiveOpens")
    failed, reset, active, passive = (rates(summaries, netns, name) for name in names)
    if failed is None or reset is None or active is None or passive is None:
        return None
    unread, aborted, embryonic = (
        rates_or_zero(summaries, netns, name)
        for name in ("TCPAbortOnClose", "TCPAbortOnData", "EmbryonicRsts")
    )
    # Clients that only ask whether the port is open reset half-open connections: no harm to us.
    failed = np.maximum(failed - embryonic, rejected(summaries, netns))
    if not (failed + reset + aborted).any():
        return None
    ends = 2 if both_here(seen, netns) else 1
    late = np.clip(ends * (unread + aborted) - reset, 0, aborted)
    # A health check hangs up what it opened with SO_LINGER 0, which TCPAbortOnData counts.
    checks = np.minimum(aborted - late, active)
    reset = np.maximum(np.maximum(reset / ends, unread + aborted) - checks, 0)
    ours = np.minimum(reset, unread + aborted - checks)
    return Broken(failed, ours, reset - ours, late, np.maximum(active - failed, 0), passive)


def rejected(summaries: Sequence[SampleSummary], netns: int) -> F64:
    """Connects that ended without an answer while as many ICMP unreachables came.

    AttemptFails does not count what the program itself closes: an ICMP message that comes while
    connect() still holds the socket is an error that it reads (tcp_v4_err, net/ipv4/tcp_ipv4.c).
    """
    noticed = _noticed(summaries, netns, answered=False)
    return np.minimum(noticed, icmp.unreachable(summaries, netns)) if noticed.any() else noticed


def unopened(summaries: Sequence[SampleSummary], netns: int) -> F64:
    """Connects that never opened, by counters or by notices, whichever tells of more.

    What a filter of this host rejects fails within connect(), which no counter of TCP tells, while
    ActiveOpens counts it (tcp_connect, net/ipv4/tcp_output.c).
    """
    counted = np.maximum(
        rates_or_zero(summaries, netns, "AttemptFails"), icmp.own(summaries, netns)
    )
    noticed = _noticed(summaries, netns, answered=False)
    noticed += _noticed(summaries, netns, answered=True)
    found: F64 = np.maximum(counted, noticed)
    return found


def _noticed(summaries: Sequence[SampleSummary], netns: int, answered: bool) -> F64:
    """Sockets a second that called somebody, and ended before they were open."""
    if not any(m.failed for m in summaries[1:]):
        return np.zeros(len(summaries) - 1)
    number = [
        sum(
            f.number
            for f in m.failed or ()
            if f.netns == netns and f.answered == answered and f.remote_lo not in NOBODY
        )
        for m in summaries[1:]
    ]
    return np.array(number, np.float64) / lengths(summaries)


def both_here(seen: Observations, netns: int) -> bool:
    """Whether most connections have both ends here: a reset then counts at each of them. Of those
    that were reset where the kernel told of some, as they leave no row."""
    told = _resets_here(seen, netns)
    if told is not None:
        return told > HERE
    table = seen.table
    rows = (table.netns == netns) & (table.state != tcp.LISTEN)
    return bool(rows.any()) and float(seen.remote_here[rows].mean()) > HERE


def _resets_here(seen: Observations, netns: int) -> float | None:
    """The share of the ends that were reset whose other end is here; None where few were told."""
    closed, table = lately(seen, RESETS_S), seen.table
    rows = np.flatnonzero((closed.netns == netns) & (closed.reset == YES) & closed.opened)
    if len(rows) < TOLD:
        return None
    hi, lo = closed.remote_hi[rows], closed.remote_lo[rows]
    mine = table.netns == netns
    here = np.isin(row_hash(hi, lo), row_hash(table.local_hi[mine], table.local_lo[mine]))
    return float((here | is_loopback(hi, lo)).mean())
