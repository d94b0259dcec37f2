"""retransmission-rate: too many of the segments that this host sends are repeats.

SYNs and SYN-ACKs are left out: nobody answers them, or a listener drops them, which are findings
of their own. So is what the peer says it had already (RFC 2883): a loss probe that a slow
acknowledgement provoked. OutSegs does not count repeats (RFC 1213; net/ipv4/tcp_output.c): of all
that is sent, they are a part of both together.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from tcptop.analysis.findings import words
from tcptop.analysis.findings.ended import lately
from tcptop.analysis.findings.observations import Observations
from tcptop.analysis.findings.rule import Limits, Need, Rule, Threshold
from tcptop.analysis.findings.summary import SampleSummary
from tcptop.analysis.findings.windows import (
    halves,
    lengths,
    mean,
    mean_of,
    rates,
    rates_or_zero,
    window,
)
from tcptop.model import address, tcp
from tcptop.model import closed as codes
from tcptop.model.finding import Finding, Subject
from tcptop.model.table import F64

NOW = 3  # intervals: what has stopped since is over
HEARD_S, LOSING = 3.0, 3  # since an acknowledgement, of connections that lose and go on

ID = "retransmission-rate"
WORST = 3  # remotes to name


def find(seen: Observations, limits: Limits) -> Iterator[Finding]:
    summaries = window(seen, limits["window_s"])
    for kernel in seen.sample.kernel if summaries else ():
        repeated = _repeated(summaries, kernel.netns)
        first = rates(summaries, kernel.netns, "OutSegs")
        if repeated is None or first is None:
            continue
        sent = first + _repeats(summaries, kernel.netns)
        many = mean(first, summaries) > limits["segments_per_s"]
        share = limits["share" if many else "critical_share"]
        if not _lasting(repeated, sent, summaries, share):
            continue
        if many or _few(seen, kernel.netns, repeated, summaries, limits):
            yield _finding(
                seen, limits, kernel.netns, mean(repeated, summaries), mean(sent, summaries), many
            )


def _few(
    seen: Observations,
    netns: int,
    repeated: F64,
    summaries: Sequence[SampleSummary],
    limits: Limits,
) -> bool:
    """Of few segments a share says little, and one dead connection repeats most of them: several
    have to lose some and go on."""
    number = mean(repeated, summaries) * float(lengths(summaries).sum())
    return number >= limits["repeats"] and _go_on(seen, netns, limits["window_s"]) >= LOSING


def _go_on(seen: Observations, netns: int, seconds: float) -> int:
    """Connections that have sent something again and are answered all the same."""
    table = seen.table
    rows = np.flatnonzero((table.state == tcp.ESTABLISHED) & (table.netns == netns))
    rows = rows[table.tcp_info("total_retrans")[rows] > 0]
    heard = table.since_s("last_ack_recv", rows) < HEARD_S
    closed = lately(seen, seconds)
    over = closed.opened & (closed.netns == netns) & (closed.known("total_retrans") > 0)
    over &= closed.reset == codes.NO
    return int(np.count_nonzero(heard)) + int(np.count_nonzero(over))


def _repeated(summaries: Sequence[SampleSummary], netns: int) -> F64 | None:
    if rates(summaries, netns, "RetransSegs") is None:
        return None
    needless = rates_or_zero(summaries, netns, "TCPDSACKRecv")
    repeated: F64 = np.maximum(_repeats(summaries, netns) - needless, 0)
    return repeated


def _repeats(summaries: Sequence[SampleSummary], netns: int) -> F64:
    """Without handshakes: needless ones too were sent."""
    every = rates_or_zero(summaries, netns, "RetransSegs")
    repeats: F64 = np.maximum(every - rates_or_zero(summaries, netns, "TCPSynRetrans"), 0)
    return repeats


def _lasting(repeated: F64, sent: F64, summaries: Sequence[SampleSummary], share: float) -> bool:
    """Through the whole window, in its older and its newer half, and still: one burst is none."""
    parts = (
        mean_of(repeated, summaries, part) > share / 2 * mean_of(sent, summaries, part)
        for part in (*halves(summaries), slice(-NOW, None))
    )
    return mean(repeated, summaries) > share * mean(sent, summaries) and all(parts)


def _finding(
    seen: Observations, limits: Limits, netns: int, repeated: float, sent: float, many: bool
) -> Finding:
    share = repeated / sent
    worst = _worst(seen, netns)
    where = f", mostly to {worst[0][0]}" if worst else ""
    seconds = words.number(limits["window_s"])
    return Finding(
        ID,
        words.key(ID, netns),
        "critical" if share > limits["critical_share"] and many else "warning",
        f"{share * 100:.1f}% of all segments are retransmissions{where}",
        Subject(netns, destination=worst[0][0] if worst else None),
        {"share": share, "retransmits_per_s": repeated, "segments_per_s": sent},
        (
            f"{words.number(repeated)} of {words.number(sent)} segments/s were retransmissions in "
            f"the last {seconds} s (RetransSegs less TCPSynRetrans and TCPDSACKRecv; of OutSegs, "
            "which leaves retransmissions out, and these).",
            *(f"{to}: {words.number(rate)} retransmits/s just now." for to, rate in worst),
        ),
        "One remote: its path, or that host. One network: a link on the path to it. All of them: "
        "this host's own link, cable, driver or share of bandwidth. A program that writes "
        "megabytes at once into a slow path should write steadily. No sysctl fixes a path.",
        "nstat -az TcpOutSegs TcpRetransSegs TcpExtTCPTimeouts TcpExtTCPSpuriousRTOs"
        + (f"; ss -tin 'dst {words.in_filter(worst[0][0])}'" if worst else ""),
    )


def _worst(seen: Observations, netns: int) -> list[tuple[str, float]]:
    """The remotes that most is sent again to, in the last interval."""
    remotes = seen.snapshot.remotes
    rate = np.where(remotes.netns == netns, np.nan_to_num(remotes.retransmits_per_s), 0.0)
    order = np.argsort(-rate, kind="stable")[:WORST]
    return [
        (_address(seen, group), float(rate[group])) for group in order.tolist() if rate[group] > 0
    ]


def _address(seen: Observations, group: int) -> str:
    remotes = seen.snapshot.remotes
    zone = seen.sample.zone(int(remotes.netns[group]), int(remotes.interface[group]))
    return address.remote_text(remotes, group) + zone


RULE = Rule(
    ID,
    10,
    (
        Threshold("share", 0.01, "share of segments that are retransmitted"),
        Threshold("critical_share", 0.05, "share above which it is critical"),
        Threshold("segments_per_s", 100, "segments a second below which it is never critical"),
        Threshold("repeats", 10, "retransmitted segments that are enough of fewer ones"),
        Threshold("window_s", 10, "seconds that are averaged"),
    ),
    find,
    frozenset({Need.COUNTERS}),
)
