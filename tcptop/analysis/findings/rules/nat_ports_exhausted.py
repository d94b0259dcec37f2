"""nat-ports-exhausted: NAT of this gateway finds no port for new connections."""

from __future__ import annotations

from collections.abc import Iterator

from tcptop.analysis.findings import words
from tcptop.analysis.findings.observations import Observations
from tcptop.analysis.findings.rule import Limits, Need, Rule, Threshold
from tcptop.analysis.findings.windows import mean, rates, window
from tcptop.model.finding import Finding, Subject
from tcptop.model.sample import Kernel

ID = "nat-ports-exhausted"
COUNT, MOST = "net.netfilter.nf_conntrack_count", "net.netfilter.nf_conntrack_max"
ROOM = 0.95  # a fuller table drops too, which is conntrack-full


def find(seen: Observations, limits: Limits) -> Iterator[Finding]:
    summaries = window(seen, limits["window_s"])
    for kernel in seen.sample.kernel if summaries else ():
        rising = rates(summaries, kernel.netns, "insert_failed")
        if rising is None or _full(seen, kernel):
            continue  # clients that retry come in waves: not in every interval
        per_s = mean(rising, summaries)
        if per_s >= limits["per_s"]:
            yield _finding(seen, kernel, per_s)


def _full(seen: Observations, kernel: Kernel) -> bool:
    count, most = (seen.sysctl(kernel.netns, name) for name in (COUNT, MOST))
    return count is not None and most is not None and count >= ROOM * most


def _finding(seen: Observations, kernel: Kernel, per_s: float) -> Finding:
    count = seen.sysctl(kernel.netns, COUNT)
    tracked = "" if count is None else f" ({words.number(count)} connections are tracked)"
    return Finding(
        ID,
        words.key(ID, kernel.netns),
        "warning",
        f"NAT of this host has no free port: {words.number(per_s)} packets/s of new connections "
        "are dropped",
        Subject(kernel.netns),
        {"insert_failed_per_s": per_s},
        (
            f"insert_failed of conntrack rises by {words.number(per_s)}/s: two connections would "
            f"look the same after translation, so the second is dropped{tracked}.",
            "Usually all ports that the NAT rule allows from an outside address to one address and "
            "port are in use. The clients' connects get no answer.",
        ),
        "Find the destination with the most connections (conntrack -L -p tcp --src-nat, or "
        "/proc/net/nf_conntrack), and open fewer to it: pools and keep-alive at the clients. Then "
        "add outside addresses or widen the port range of the SNAT rule (to :1024-65535, random). "
        "UDP (two DNS queries at once) raises insert_failed too: check the protocol first.",
        "conntrack -S; cat /proc/net/stat/nf_conntrack",
    )


RULE = Rule(
    ID,
    5,
    (
        Threshold("window_s", 5, "seconds for which insert_failed or drop rises"),
        Threshold("per_s", 0.5, "packets a second dropped for it"),
    ),
    find,
    frozenset({Need.COUNTERS}),
)
