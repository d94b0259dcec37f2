"""conntrack-full: the firewall's table of connections has hardly room for new ones."""

from __future__ import annotations

from collections.abc import Iterator

from tcptop.analysis.findings import words
from tcptop.analysis.findings.observations import Observations
from tcptop.analysis.findings.rule import Limits, Need, Rule, Threshold
from tcptop.model.finding import Finding, Subject
from tcptop.model.sample import Kernel

ID = "conntrack-full"
COUNT, MOST = "net.netfilter.nf_conntrack_count", "net.netfilter.nf_conntrack_max"


def find(seen: Observations, limits: Limits) -> Iterator[Finding]:
    for kernel in seen.sample.kernel:
        count, most = (seen.sysctl(kernel.netns, name) for name in (COUNT, MOST))
        if count is not None and most and count >= limits["share"] * most:
            yield _finding(seen, kernel, count, most, limits)


def _finding(seen: Observations, kernel: Kernel, count: int, most: int, limits: Limits) -> Finding:
    share = count / most
    full = count >= most
    return Finding(
        ID,
        words.key(ID, kernel.netns),
        "critical" if share >= limits["critical_share"] else "warning",
        f"conntrack {'is full' if full else 'is nearly full'}: {words.number(count)} of "
        f"{words.number(most)} connections tracked",
        Subject(kernel.netns),
        {"count": count, "max": most, "share": share},
        (
            f"{COUNT} is {words.number(count)}, {words.percent(share)} of nf_conntrack_max.",
            "When it is full, a new connection replaces one that was never answered (early_drop) "
            "or is dropped before TCP sees it: clients wait as if this host were down, and no "
            "listener counts a drop.",
            *_drops(seen, kernel.netns),
        ),
        "Open fewer connections (pools, keep-alive) and close those that are idle; do not track "
        "traffic that needs no state (notrack). Then raise the limit, outside containers: "
        f"sysctl -w {MOST}={2 * most} (now {most}), and nf_conntrack_buckets to a quarter of it or "
        "more.",
        f"sysctl {COUNT} {MOST}; dmesg | grep 'table full'",
    )


def _drops(seen: Observations, netns: int) -> Iterator[str]:
    """What it costs now, by the counters of /proc/net/stat/nf_conntrack."""
    for name, what in (
        ("drop", "new connections are dropped"),
        ("early_drop", "unanswered ones are evicted to make room"),
    ):
        rate = seen.last_rate(netns, name) or 0.0
        if rate > 0:
            yield f"{name} rises by {words.number(rate)}/s: {what}."


RULE = Rule(
    ID,
    0,
    (
        Threshold("share", 0.8, "share of nf_conntrack_max that is in use"),
        Threshold("critical_share", 0.95, "share at which it is critical"),
    ),
    find,
    frozenset({Need.SYSCTLS}),
)
