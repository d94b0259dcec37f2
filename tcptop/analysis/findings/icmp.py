"""ICMP messages that say that what was sent does not get there: from outside, or of our own.

Why is not counted: no route, no such host, no such port, or forbidden by a filter.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tcptop.analysis.findings.observations import Observations
from tcptop.analysis.findings.summary import SampleSummary
from tcptop.analysis.findings.windows import rates_or_zero
from tcptop.model.table import F64


def unreachable(summaries: Sequence[SampleSummary], netns: int) -> F64:
    """A second in each interval. A neighbour that does not answer makes this host tell itself
    (ipv4_link_failure, net/ipv4/route.c), which counts in OutDestUnreachs too."""
    came, ours = (rates_or_zero(summaries, netns, f"{way}DestUnreachs") for way in ("In", "Out"))
    return np.maximum(came - ours, 0.0)


def own(summaries: Sequence[SampleSummary], netns: int) -> F64:
    """A second in each interval: what this host told itself, of its own packets, by a filter that
    rejects them or for want of a neighbour; without what was for closed UDP ports here."""
    came, ours, udp = (
        rates_or_zero(summaries, netns, name)
        for name in ("InDestUnreachs", "OutDestUnreachs", "NoPorts")
    )
    return np.maximum(np.minimum(came, ours) - udp, 0.0)


def came(seen: Observations, netns: int, seconds: float) -> float:
    """How many came from outside in a window of so many seconds; 0 where it is not known."""
    came, ours = (seen.grown(netns, f"{way}DestUnreachs", seconds) for way in ("In", "Out"))
    return max(came[0] - (ours[0] if ours else 0), 0) if came else 0.0
