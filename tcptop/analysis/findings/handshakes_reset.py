"""Handshakes that who began them ends with a reset, as this host's SYN-ACK reaches him.

A scan and a health check without a connection do so too, beside connections that are used.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from tcptop.analysis.findings import ends, words
from tcptop.analysis.findings import resets_without_socket as resets
from tcptop.analysis.findings.observations import Observations
from tcptop.analysis.findings.reset_rates import ID
from tcptop.analysis.findings.summary import SampleSummary
from tcptop.analysis.findings.windows import mean, rates
from tcptop.model import tcp
from tcptop.model.finding import Finding, Subject

NEARLY_ALL = 0.95  # of the handshakes: beside clients, checks end so


def told(seen: Observations, netns: int, summaries: Sequence[SampleSummary]) -> Iterator[Finding]:
    ended, opened = (rates(summaries, netns, name) for name in ("EmbryonicRsts", "PassiveOpens"))
    if ended is None or opened is None or not resets.often(summaries, ended):
        return
    per_s, taken = mean(ended, summaries), mean(opened, summaries)
    if per_s >= NEARLY_ALL * (per_s + taken):
        yield _finding(seen, netns, per_s, taken)


def _finding(seen: Observations, netns: int, per_s: float, taken: float) -> Finding:
    number, accepted = words.number(per_s), words.number(taken)
    half_open = (seen.table.state == tcp.SYN_RECV) & (seen.table.netns == netns)
    rows = np.flatnonzero(half_open)
    return Finding(
        ID,
        words.key(ID, netns, "handshakes"),
        "info",
        f"{number} handshakes/s are ended by a reset of who began them, and {accepted}/s become "
        "connections",
        Subject(netns, over=True),
        {"ended_per_s": per_s, "opened_per_s": taken},
        (
            f"{number}/s half-open connections were reset (EmbryonicRsts): the SYN-ACKs of this "
            "host arrive, and whom they reach knows nothing of a connect. The kernel does not "
            "count from where.",
            *([f"Half-open now: from {ends.addresses(seen.sample, rows)}."] if len(rows) else []),
        ),
        "See who it is: tcpdump -c 20 -nni any 'tcp[13] & 7 != 0'. A client that gives up sooner "
        "than an answer takes on its way has a connect timeout that is too short. One that goes on "
        "trying gets the answer from another address than it called (NAT in one direction, direct "
        "server return). Forged addresses, scans and checks that only ask whether a port is open "
        "end so too: ignore those.",
        "nstat -az TcpExtEmbryonicRsts TcpPassiveOpens; ss -tan state syn-recv",
    )
