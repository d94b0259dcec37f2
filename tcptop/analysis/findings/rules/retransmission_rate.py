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
from tcptop.analysis.findings.summary import Remote, SampleSummary
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
from tcptop.model.named_tuple import NamedTuple
from tcptop.model.table import F64

NOW = 3  # intervals: what has stopped since is over
HEARD_S, LOSING = 3.0, 3  # since an acknowledgement, of connections that lose and go on

ID = "retransmission-rate"
WORST = 3  # remotes to name
MOSTLY = 2 / 3  # of what is sent again, to one remote
OURS = 0.1  # of the repeats, kept back by this host: hardly anything else does that
OWN = (
    "Look at this host first: the drops of its own queues (tc -s qdisc), where a shaper or a limit "
    "may be left over, then filters in OUTPUT (nft list ruleset). "
)
ADVICE = (
    "One remote: its path, or that host. One network: a link on the path to it. All of them: "
    "this host's own link, cable, driver or share of bandwidth. A program that writes "
    "megabytes at once into a slow path should write steadily. No sysctl fixes a path."
)


class RepeatRates(NamedTuple):
    """Segments a second: repeats, and all that was sent with them; repeats that this host did not
    let out. `many` are enough to be critical."""

    repeats: float
    sent: float
    kept_back: float
    many: bool


class LossyRemote(NamedTuple):
    address: str
    per_s: float
    share: float  # of all that is sent again


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
            found = RepeatRates(
                mean(repeated, summaries),
                mean(sent, summaries),
                mean(rates_or_zero(summaries, kernel.netns, "TCPRetransFail"), summaries),
                many,
            )
            yield _finding(
                seen, limits, kernel.netns, found, _remotes(seen, summaries, kernel.netns)
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
    seen: Observations, limits: Limits, netns: int, found: RepeatRates, remotes: list[LossyRemote]
) -> Finding:
    share = found.repeats / found.sent
    worst = remotes[0].address if remotes and remotes[0].share >= MOSTLY else None
    return Finding(
        ID,
        words.key(ID, netns),
        "critical" if share > limits["critical_share"] and found.many else "warning",
        f"{share * 100:.1f}% of all segments are retransmissions{_ours(found) or _where(remotes)}",
        Subject(netns, destination=worst),
        {
            "share": share,
            "retransmits_per_s": found.repeats,
            "segments_per_s": found.sent,
            "kept_back_per_s": found.kept_back,
            "worst_share": remotes[0].share if remotes else 0.0,
        },
        tuple(_evidence(limits, found, remotes)),
        (OWN if found.kept_back >= OURS * found.repeats else "") + ADVICE,
        "nstat -az TcpOutSegs TcpRetransSegs TcpExtTCPTimeouts TcpExtTCPSpuriousRTOs "
        "TcpExtTCPRetransFail" + (f"; ss -tin 'dst {words.in_filter(worst)}'" if worst else ""),
    )


def _ours(found: RepeatRates) -> str:
    kept = words.number(found.kept_back)
    return f": this host itself drops {kept}/s" if found.kept_back >= OURS * found.repeats else ""


def _where(remotes: Sequence[LossyRemote]) -> str:
    if not remotes:
        return ""
    if len(remotes) > 1 and remotes[0].share < MOSTLY:
        return f", spread over {len(remotes)} remotes"
    return f", {'mostly ' if len(remotes) > 1 else ''}to {remotes[0].address}"


def _evidence(limits: Limits, found: RepeatRates, remotes: Sequence[LossyRemote]) -> Iterator[str]:
    seconds = words.number(limits["window_s"])
    yield (
        f"{words.number(found.repeats)} of {words.number(found.sent)} segments/s were "
        f"retransmissions in the last {seconds} s (RetransSegs less TCPSynRetrans and "
        "TCPDSACKRecv; of OutSegs, which leaves retransmissions out, and these)."
    )
    if found.kept_back >= OURS * found.repeats:
        yield (
            f"This host itself kept {words.number(found.kept_back)} retransmissions/s back "
            "(TCPRetransFail): a queue of its own that is full, such as a shaper's, or a filter."
        )
    for each in remotes[:WORST]:
        yield f"{each.address}: {words.number(each.per_s)} retransmits/s in that time."


def _remotes(
    seen: Observations, summaries: Sequence[SampleSummary], netns: int
) -> list[LossyRemote]:
    """All that something was sent again to, the most first."""
    number: dict[Remote, float] = {}
    for to, many in (item for each in summaries[1:] for item in each.repeats.items()):
        if to.netns == netns:
            number[to] = number.get(to, 0.0) + many
    seconds, total = float(lengths(summaries).sum()), sum(number.values())
    return [
        LossyRemote(_address(seen, to), many / seconds, many / total)
        for to, many in sorted(number.items(), key=lambda item: -item[1])
    ]


def _address(seen: Observations, to: Remote) -> str:
    return address.text(to.hi, to.lo) + seen.sample.zone(to.netns, to.interface)


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
