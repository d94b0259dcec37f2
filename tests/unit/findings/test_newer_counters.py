"""Every counter that a rule reads is one of all kernels, or its lack is declared."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tcptop.analysis.findings.newer_counters import NEWER
from tcptop.analysis.findings.rules import RULES
from tcptop.analysis.findings.settings import DEFAULTS, FindingSettings
from tcptop.analysis.findings.silence import silences
from tcptop.analysis.findings.summary import COUNTERS
from tcptop.model.sample import Sample
from tests.unit.prepared import derived, kernel, later, sample, socket

# Linux 4.19: net/ipv4/proc.c, net/ipv6/proc.c and ct_cpu_seq_show of nf_conntrack_standalone.c.
_OF_4_19 = """
ActiveOpens PassiveOpens AttemptFails EstabResets OutRsts OutSegs InSegs RetransSegs InCsumErrors
InErrs InHdrErrors InAddrErrors OutNoRoutes InDestUnreachs OutDestUnreachs InReceives InDelivers
ForwDatagrams InDiscards InUnknownProtos ReasmReqds OutRequests FragFails
ListenOverflows ListenDrops TCPReqQFullDoCookies TCPReqQFullDrop SyncookiesSent SyncookiesRecv
SyncookiesFailed TCPDeferAcceptDrop EmbryonicRsts TW TWRecycled TCPTimeWaitOverflow
TCPMemoryPressures TCPAbortOnMemory TCPAbortOnTimeout TCPAbortOnClose TCPAbortOnData
TCPSynRetrans TCPDSACKRecv TCPTimeouts PruneCalled RcvPruned OfoPruned IPReversePathFilter
PAWSActive PAWSEstab TCPMD5NotFound TCPMD5Unexpected TCPMD5Failure TCPSYNChallenge
TCPChallengeACK TCPRcvQDrop TCPOFODrop TCPZeroWindowDrop TCPSpuriousRtxHostQueues TCPRetransFail
insert_failed drop early_drop
"""
OF_4_19 = frozenset(_OF_4_19.split())
# Before the first nothing was rejected for it, without TCP-AO nobody signs with it, and of a limit
# on ICMP the sentence says that there may be more.
NO_LOSS = frozenset({"TSEcrRejected", "TCPAOBad", "TCPAOKeyNotFound", "TCPAORequired"})
NO_LOSS |= {"OutRateLimitHost", "OutRateLimitGlobal"}


def test_each_is_old_or_declared() -> None:
    newer = {each.name for each in NEWER} | NO_LOSS
    assert not newer & OF_4_19
    assert newer & COUNTERS == COUNTERS - OF_4_19
    assert {each.name for each in NEWER} <= COUNTERS


def test_they_feed_rules_that_there_are() -> None:
    assert {each.rule for each in NEWER} <= {rule.id for rule in RULES}


def sampled(lacking: str, paws: int, retrans: int) -> Sample:
    """A connect that is repeated or not, at a kernel without a counter."""
    row = socket("SYN_SENT", "10.0.0.1:40001", "10.0.0.7:80", inode=3, retrans=retrans)
    counters = {
        "Ip": {"OutRequests": 9, "OutTransmits": 9},
        "Tcp": {"ActiveOpens": 9},
        "TcpExt": {"PAWSEstab": paws, "PAWSTimewait": 0},
    }
    kept = {s: {n: v for n, v in of.items() if n != lacking} for s, of in counters.items()}
    return sample([row], kernel=(replace(kernel(), counters=kept),))


def told(lacking: str, *, paws: int = 0, retrans: int = 0, ignored: str = "") -> list[str]:
    first = sampled(lacking, 0, retrans)
    snapshot = derived(first, later(sampled(lacking, paws, retrans), 1.0))
    found = silences(
        snapshot, FindingSettings(ignored=frozenset({ignored})) if ignored else DEFAULTS
    )
    return [each.note for each in found if "since" in each.note]


def test_what_an_older_kernel_does_not_count_is_declared() -> None:
    assert told("OutTransmits", retrans=2) == [
        "Linux counts IpOutTransmits since 6.7, and not here: packets-rejected could not look for "
        "what a filter of this host takes of its own packets."
    ]
    assert told("PAWSTimewait", paws=3) == [
        "Linux counts TcpExtPAWSTimewait since 6.16, and not here: packets-rejected could not look "
        "for SYNs that a TIME-WAIT of the same ports rejects."
    ]


@pytest.mark.parametrize(
    ("lacking", "paws", "retrans", "ignored"),
    [
        ("OutTransmits", 3, 0, ""),  # nothing waits to be sent
        ("PAWSTimewait", 0, 2, ""),  # nothing is rejected
        ("", 3, 2, ""),
        ("OutTransmits", 0, 2, "packets-rejected"),
    ],
)
def test_where_nothing_is_missed_nothing_is_declared(
    lacking: str, paws: int, retrans: int, ignored: str
) -> None:
    assert told(lacking, paws=paws, retrans=retrans, ignored=ignored) == []
