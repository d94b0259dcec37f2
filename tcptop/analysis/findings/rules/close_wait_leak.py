"""close-wait-leak: the peer closed, our process read the end of file and never calls close()."""

from __future__ import annotations

from collections.abc import Iterator

from tcptop.analysis.findings import close_wait, fds, words
from tcptop.analysis.findings.close_wait import CloseWaits
from tcptop.analysis.findings.observations import Observations
from tcptop.analysis.findings.rule import Limits, Need, Rule, Threshold
from tcptop.analysis.findings.subjects import named
from tcptop.model.finding import Finding

ID = "close-wait-leak"


def find(seen: Observations, limits: Limits) -> Iterator[Finding]:
    for each in close_wait.close_waits(seen, unread=False):
        leaked = each.rows[each.age_s >= limits["age_s"]]
        growing = close_wait.grew(seen, each.process, len(each.rows))
        if max(len(leaked), len(each.rows) * growing) >= limits["sockets"]:
            yield _finding(seen, limits, each, growing)


def _finding(seen: Observations, limits: Limits, each: CloseWaits, growing: bool) -> Finding:
    process, count = each.process, len(each.rows)
    filling = fds.filling(seen, process)
    full = filling.share >= limits["fd_share"] or filling.full_in_s < limits["full_in_s"]
    oldest = float(each.age_s.max())
    return Finding(
        ID,
        words.key(ID, process.pid),
        "critical" if full else "warning",
        f"{words.called(process)} does not close: {words.count(count, 'connection')} "
        "left in CLOSE_WAIT",
        named(seen, each.rows, [process]),
        {"sockets": count, "oldest_s": oldest, "fd_share": filling.share},
        (
            f"{words.who(process)} holds {words.count(count, 'socket')} whose peer has closed; "
            "it has read all data of each (Recv-Q 0) and not closed them.",
            f"Oldest: at least {words.duration(oldest)} in this state"
            + ("; their number grew through three minutes." if growing else "."),
            *filling.evidence,
        ),
        f"Close the connection in {words.called(process)} once read() returns 0, also on "
        "the error paths: a connection pool or HTTP client whose responses are not closed is the "
        "usual cause. No sysctl ends CLOSE_WAIT; a restart frees the sockets until it leaks again.",
        f"ss -tanp state close-wait | grep pid={process.pid},",
        since=seen.sample.taken_at - oldest,
    )


RULE = Rule(
    ID,
    0,
    (
        Threshold("sockets", 20, "CLOSE_WAIT sockets of one process"),
        Threshold("age_s", 60, "seconds that each has been so"),
        Threshold("fd_share", 0.8, "share of its descriptors from which it is critical"),
        Threshold("full_in_s", 600, "seconds until they run out below which it is critical"),
    ),
    find,
    frozenset({Need.OWNERS, Need.CLOCKS}),
)
