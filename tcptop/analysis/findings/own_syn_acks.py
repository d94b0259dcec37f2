"""SYN-ACKs that this host itself keeps back, by a filter on its way out: nobody gets in.

Such a SYN-ACK counts as no retransmission (tcp_rtx_synack, net/ipv4/tcp_output.c), and the
half-open connection is dropped as its timer runs out: it never looks old (reqsk_timer_handler).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from tcptop.analysis.findings import accept_queues, servers, syn_queues, words
from tcptop.analysis.findings.ended import lately
from tcptop.analysis.findings.filtered import FEW, steady
from tcptop.analysis.findings.kept_back import lost
from tcptop.analysis.findings.kept_back_words import OWN_RULE
from tcptop.analysis.findings.observations import Observations
from tcptop.analysis.findings.subjects import named
from tcptop.analysis.findings.summary import SampleSummary
from tcptop.analysis.findings.windows import lengths, mean, rates_or_zero
from tcptop.model import tcp
from tcptop.model.arrays import rows_by_key
from tcptop.model.finding import Finding
from tcptop.model.table import Index

LEAST, MANY = 3, 10  # half-open connections; so many are critical
REPEATED = 0.2  # of the timers that run out: what is repeated does leave


def told(
    id: str, seen: Observations, netns: int, summaries: Sequence[SampleSummary]
) -> Iterator[Finding]:
    table = seen.table
    rows = syn_queues.half_open(seen)
    rows = rows[(table.netns[rows] == netns) & (seen.snapshot.queue[rows] >= 0)]
    if len(rows) < LEAST or table.retrans[rows].any():
        return
    per_s = steady(lost(summaries, netns), summaries)
    timeouts, repeated = (
        mean(rates_or_zero(summaries, netns, name), summaries)
        for name in ("TCPTimeouts", "TCPSynRetrans")
    )
    if per_s <= FEW or not timeouts or repeated > REPEATED * timeouts:
        return
    seconds = float(lengths(summaries).sum())
    for group in rows_by_key(rows, seen.snapshot.queue[rows].astype(np.uint64)):
        if len(group) >= LEAST and not _any_opened(seen, group, seconds):
            yield _finding(id, seen, group, per_s, seconds)


def _any_opened(seen: Observations, rows: Index, seconds: float) -> bool:
    """Whether anybody has got a connection on that port meanwhile."""
    table, row = seen.table, int(rows[0])
    here = (table.netns == table.netns[row]) & (table.local_port == table.local_port[row])
    here &= (table.state != tcp.LISTEN) & (table.state != tcp.SYN_RECV)
    closed = lately(seen, seconds)
    over = closed.opened & (closed.netns == table.netns[row])
    over &= closed.local_port == table.local_port[row]
    return bool((here & (seen.snapshot.seen_s < seconds)).any() or over.any())


def _finding(id: str, seen: Observations, rows: Index, per_s: float, seconds: float) -> Finding:
    listener = int(seen.snapshot.queue[rows[0]])
    where, netns = words.local(seen.sample, listener), int(seen.table.netns[listener])
    holders = accept_queues.processes(seen, np.array([listener]))
    number, lasted = len(rows), words.duration(seconds)
    return Finding(
        id,
        words.key(id, netns, where, "syn-acks"),
        "critical" if number >= MANY else "warning",
        f"This host keeps back its own SYN-ACKs: nobody gets a connection to "
        f"{servers.title(seen, listener, holders)}, {words.count(number, 'handshake')} half-open",
        named(seen, np.append(rows, listener), holders, where),
        {"handshakes": number, "lost_per_s": per_s},
        (
            f"{words.number(per_s)} packets/s that this host sends did not reach a device in "
            f"{lasted} (IpOutRequests less IpOutTransmits): a filter of its own takes them.",
            f"{words.count(number, 'connection')} to {where} {'is' if number == 1 else 'are'} "
            "half-open, and of none a SYN-ACK was repeated that left, though the timers for it run "
            f"out. No connection there has been opened in {lasted}.",
        ),
        f"{OWN_RULE}A chain of output that drops by default lets answers out by ct state "
        "established,related accept, before all else. The network never sees these packets.",
        "nstat -az IpOutRequests IpOutTransmits TcpPassiveOpens TcpExtTCPTimeouts; nft list "
        "ruleset; iptables-save -c",
        since=seen.sample.taken_at - seconds,
    )
