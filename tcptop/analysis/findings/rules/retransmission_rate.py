"""retransmission-rate: too many of the segments that this host sends are repeats.

SYNs and SYN-ACKs are left out: nobody answers them, or a listener drops them, which are findings
of their own. So is what the peer says it had already (RFC 2883): a loss probe that a slow
acknowledgement provoked. OutSegs does not count repeats (net/ipv4/tcp_output.c).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from tcptop.analysis.findings import words
from tcptop.analysis.findings.look import Look
from tcptop.analysis.findings.moments import Moment
from tcptop.analysis.findings.rule import Limits, Rule, Threshold
from tcptop.analysis.findings.windows import halves, mean, mean_of, rates, rates_or_zero, window
from tcptop.model import address
from tcptop.model.finding import Finding, Subject
from tcptop.model.table import F64

ID = "retransmission-rate"
WORST = 3  # remotes to name


def find(look: Look, limits: Limits) -> Iterator[Finding]:
    moments = window(look, limits["window_s"])
    for kernel in look.sample.kernel if moments else ():
        repeated = _repeated(moments, kernel.netns)
        sent = rates(moments, kernel.netns, "OutSegs")
        if repeated is None or sent is None or mean(sent, moments) <= limits["segments_per_s"]:
            continue
        if _lasting(repeated, sent, moments, limits["share"]):
            yield _finding(look, limits, kernel.netns, mean(repeated, moments), mean(sent, moments))


def _repeated(moments: Sequence[Moment], netns: int) -> F64 | None:
    every = rates(moments, netns, "RetransSegs")
    if every is None:
        return None
    handshakes = rates_or_zero(moments, netns, "TCPSynRetrans")
    needless = rates_or_zero(moments, netns, "TCPDSACKRecv")
    repeated: F64 = np.maximum(every - handshakes - needless, 0)
    return repeated


def _lasting(repeated: F64, sent: F64, moments: Sequence[Moment], share: float) -> bool:
    """Through the whole window, and in its older and its newer half: one burst is none."""
    both = (
        mean_of(repeated, moments, part) > share / 2 * mean_of(sent, moments, part)
        for part in halves(moments)
    )
    return mean(repeated, moments) > share * mean(sent, moments) and all(both)


def _finding(look: Look, limits: Limits, netns: int, repeated: float, sent: float) -> Finding:
    share = repeated / sent
    worst = _worst(look, netns)
    where = f", mostly to {worst[0][0]}" if worst else ""
    seconds = words.number(limits["window_s"])
    return Finding(
        ID,
        words.key(ID, netns),
        "critical" if share > limits["critical_share"] else "warning",
        f"{share * 100:.1f} % of all segments are sent again{where}",
        Subject(netns, destination=worst[0][0] if worst else None),
        {"share": share, "retransmits_per_s": repeated, "segments_per_s": sent},
        (
            f"{words.number(repeated)} of {words.number(sent)} segments/s were repeats in the last "
            f"{seconds} s (RetransSegs without TCPSynRetrans and TCPDSACKRecv, OutSegs).",
            *(f"{to}: {words.number(rate)} repeats/s just now." for to, rate in worst),
        ),
        "One remote: its path, or that host. One network: a link on the way to it. All of them: "
        "this host's own link, cable, driver or share of bandwidth. A program that writes "
        "megabytes at once into a slow path should write steadily. No sysctl mends a path.",
        "nstat -az TcpOutSegs TcpRetransSegs TcpExtTCPTimeouts TcpExtTCPSpuriousRTOs"
        + (f"; ss -tin 'dst {words.in_filter(worst[0][0])}'" if worst else ""),
    )


def _worst(look: Look, netns: int) -> list[tuple[str, float]]:
    """The remotes that most is sent again to, in the last interval."""
    remotes = look.snapshot.remotes
    rate = np.where(remotes.netns == netns, np.nan_to_num(remotes.retransmits_per_s), 0.0)
    order = np.argsort(-rate, kind="stable")[:WORST]
    return [
        (address.text(int(remotes.remote_hi[g]), int(remotes.remote_lo[g])), float(rate[g]))
        for g in order.tolist()
        if rate[g] > 0
    ]


RULE = Rule(
    ID,
    10,
    (
        Threshold("share", 0.01, "share of the segments that are repeats"),
        Threshold("critical_share", 0.05, "share from which it is critical"),
        Threshold("segments_per_s", 100, "segments a second below which it is not judged"),
        Threshold("window_s", 10, "seconds that are looked at"),
    ),
    find,
)
