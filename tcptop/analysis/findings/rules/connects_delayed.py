"""connects-delayed: connects succeed after a second or more, as their first SYN is not answered.

Nothing fails and no error is logged; who waits for a page that needs three of them sees it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from tcptop.analysis.findings import answers_reset, first_data, unanswered, words
from tcptop.analysis.findings.answers_reset import AnswersReset
from tcptop.analysis.findings.late_handshakes import Late, late
from tcptop.analysis.findings.observations import Observations
from tcptop.analysis.findings.rule import Limits, Need, Rule, Threshold
from tcptop.model.finding import Finding, Subject
from tcptop.model.sample import Process

ID = "connects-delayed"
EACH = 0.95  # of all there: that is no chance
ASKS_FOR_ECN = (1, 3, 4)  # tcp_ecn of who connects (ip-sysctl.rst); a repeated SYN never asks
NAMED = 2


def find(seen: Observations, limits: Limits) -> Iterator[Finding]:
    for found in late(seen, limits):
        yield _finding(seen, found)


def _finding(seen: Observations, found: Late) -> Finding:
    netns, to = found.callee.netns, unanswered.called(seen, found.callee)
    first_only = first_data.only(seen, found.callee, found.seconds)
    resets = answers_reset.answers_reset(
        seen, netns, np.zeros(0, np.int64), found.number, found.seconds
    )
    return Finding(
        ID,
        words.key(ID, netns, to),
        "warning",
        f"{_some(found)} {_who(found.processes)}to {to} took a second longer, or more: the first "
        "SYN got no answer",
        Subject(netns, tuple(sorted({each.pid for each in found.processes})), destination=to),
        {"delayed": found.number, "opened": found.of, "first_data_only": float(first_only)},
        tuple(_evidence(seen, found, to, resets, first_only)),
        _advice(seen, found, to, resets, first_only),
        "nstat -az TcpExtTCPSynRetrans TcpActiveOpens; timeout 20 tcpdump -nni any 'tcp[13] & 2 != "
        f"0 and tcp port {found.callee.remote_port}'",
        since=found.first_at,
    )


def _some(found: Late) -> str:
    many = words.number(found.of)
    return (
        f"All {many} connects"
        if found.number == found.of
        else (f"{words.number(found.number)} of {many} connects")
    )


def _who(processes: Sequence[Process]) -> str:
    names = list(dict.fromkeys(words.called(each) for each in processes))
    if len(names) > NAMED:
        return f"of {names[0]} and {len(names) - 1} others "
    return f"of {words.joined(names)} " if names else ""


def _evidence(
    seen: Observations, found: Late, to: str, resets: AnswersReset, first_only: bool
) -> Iterator[str]:
    within, times = words.duration(found.seconds), words.count(found.most, "time")
    yield (
        f"{words.number(found.number)} of the {words.count(found.of, 'connection')} to {to} that "
        f"were opened in the last {within} retransmitted their SYN, {times} at most, and nothing "
        "else (total_retrans without bytes_retrans); the kernel waits a second before it does."
    )
    if found.elsewhere:
        others = words.count(found.elsewhere, "connection")
        yield f"So did {words.number(found.others)} of {others} to other places."
    if found.processes:
        yield f"They belong to {words.joined([words.who(each) for each in found.processes[:3]])}."
    if first_only:
        yield (
            "Nearly all data that was retransmitted meanwhile was the first of a connection there, "
            "often several times in a row, and hardly any was later: a full accept queue ignores "
            "it with the final ACK, while a path that loses packets loses of everything."
        )
    if _by_ecn(seen, found):
        yield (
            f"net.ipv4.tcp_ecn = {_ecn(seen, found)}: a first SYN from here asks for ECN, and a "
            "retransmitted one does not."
        )
    yield from answers_reset.told(resets, opened=True)
    dropped = seen.surely_grown(found.callee.netns, "insert_failed", found.seconds)
    if dropped:
        yield (
            f"Connection tracking of this host dropped {words.number(dropped)} packets meanwhile "
            "(insert_failed)."
        )


def _ecn(seen: Observations, found: Late) -> int | None:
    return seen.sysctl(found.callee.netns, "net.ipv4.tcp_ecn")


def _by_ecn(seen: Observations, found: Late) -> bool:
    """Each first SYN fails, and each second one does not, which differs by that."""
    return found.share >= EACH and found.most == 1 and _ecn(seen, found) in ASKS_FOR_ECN


def _advice(
    seen: Observations, found: Late, to: str, resets: AnswersReset, first_only: bool
) -> str:
    if resets:
        cause = f"Look at what answers first: {answers_reset.cause(resets, opened=True)}."
    elif _by_ecn(seen, found):
        cause = (
            f"Something on the way to {to} seems to drop SYNs that ask for ECN: for a test, "
            "sysctl -w net.ipv4.tcp_ecn=2 on this host, and see whether connects are quick then. "
            "If so, fix or report that firewall, and leave it at 2 until it is."
        )
    elif first_only:
        cause = (
            f"The accept queue of {to} seems to be full at times: see whether ListenOverflows "
            "rises there, and give that listener a larger backlog, or let its program accept more "
            "quickly."
        )
    elif found.share >= EACH:
        cause = (
            f"Each first SYN is lost and a later one is not: look on the way to {to} for a "
            "protection against floods that drops first SYNs on purpose, for a firewall, NAT or "
            "load balancer that drops what begins a connection, and for a full accept queue at "
            "the server."
        )
    else:
        cause = (
            f"Look at {to} for an accept queue that is full at times (nstat -az "
            "TcpExtListenOverflows TcpExtListenDrops there), then on the way: one of several "
            "servers or links, a rate limit for SYNs, connection tracking that drops "
            "(conntrack -S there), packet loss."
        )
    return (
        f"{cause} Capture SYNs at both ends to see where the first one stays. Keep connections "
        "open and use them again: then this is paid once."
    )


RULE = Rule(
    ID,
    5,
    (
        Threshold("connects", 5, "connects to one destination whose SYN was retransmitted"),
        Threshold("share", 0.05, "share of those there that were opened"),
        Threshold("window_s", 30, "seconds within which those count"),
    ),
    find,
    frozenset({Need.TCP_INFO, Need.COUNTERS}),
)
