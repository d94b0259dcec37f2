"""Whether what does not get through a filter of this host are the answers to its own connects.

As of an INPUT chain that drops and lets nothing in that belongs to a connection (ct state
established): every SYN brings a SYN-ACK, or several, and none of them reaches its socket.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tcptop.analysis.findings import ended, unanswered
from tcptop.analysis.findings.observations import Observations
from tcptop.analysis.findings.summary import SampleSummary
from tcptop.analysis.findings.windows import lengths, mean, rates
from tcptop.model import tcp

LEAST = 0.5  # SYNs a second
FEWEST, MOST = 0.7, 3.0  # packets that do not get through, for each SYN: SYN-ACKs are repeated too


def kept_out(
    seen: Observations, netns: int, summaries: Sequence[SampleSummary], dropped: float
) -> bool:
    """About as many are dropped as SYNs are sent, and nobody whom this host calls is heard."""
    sent = [rates(summaries, netns, name) for name in ("ActiveOpens", "TCPSynRetrans")]
    syns = sum(mean(each, summaries) for each in sent if each is not None)
    in_step = syns >= LEAST and FEWEST * syns <= dropped <= MOST * syns
    return in_step and not _heard(seen, netns, float(lengths(summaries).sum()))


def _heard(seen: Observations, netns: int, seconds: float) -> bool:
    """Whether any other host has answered a call of this one."""
    table, closed = seen.table, ended.lately(seen, seconds)
    calls = (table.netns == netns) & ~seen.accepted & ~seen.remote_here
    if len(unanswered.answered(seen, np.flatnonzero(calls & (table.state != tcp.LISTEN)))):
        return True
    listening = table.local_port[(table.state == tcp.LISTEN) & (table.netns == netns)]
    opened = closed.opened & (closed.netns == netns) & ~np.isin(closed.local_port, listening)
    return bool(opened.any())
