"""close-wait-unread: the peer closed, and our process has not even read the end of file."""

from __future__ import annotations

from collections.abc import Iterator

from tcptop.analysis.findings import close_wait, fds, words
from tcptop.analysis.findings.close_wait import CloseWaits
from tcptop.analysis.findings.groups import accepted
from tcptop.analysis.findings.observations import Observations
from tcptop.analysis.findings.rule import Limits, Need, Rule, Threshold
from tcptop.analysis.findings.subjects import named
from tcptop.model.finding import Finding

ID = "close-wait-unread"


def find(seen: Observations, limits: Limits) -> Iterator[Finding]:
    for each in close_wait.close_waits(seen, unread=True):
        stuck = each.rows[each.age_s >= limits["age_s"]]
        growing = close_wait.grew(seen, each.process, len(each.rows))
        if max(len(stuck), len(each.rows) * growing) >= limits["sockets"]:
            yield _finding(seen, each, growing)


def _finding(seen: Observations, each: CloseWaits, growing: bool) -> Finding:
    process, count, name = each.process, len(each.rows), words.called(each.process)
    unread = int(seen.table.recv_q[each.rows].sum()) - count  # a FIN counts 1 in Recv-Q
    oldest = float(each.age_s.max())
    return Finding(
        ID,
        words.key(ID, process.pid),
        "warning",
        f"{name} does not read: {words.count(count, 'connection')} in CLOSE_WAIT with an unread "
        "end of file",
        named(seen, each.rows, [process]),
        {"sockets": count, "unread_bytes": unread, "oldest_s": oldest},
        (
            f"{words.who(process)} holds {words.count(count, 'socket')} whose peer has closed and "
            f"whose end of file is unread (Recv-Q 1 or more), and with it {words.size(unread)} of "
            "data.",
            f"Oldest: at least {words.duration(oldest)} in this state"
            + ("; their number grew through three minutes." if growing else "."),
            *fds.filling(seen, process).evidence,
        ),
        _of_pool(name) if unread == 0 and _dialed(seen, each) else _of_server(name),
        f"ss -tanp state close-wait | grep pid={process.pid},",
        since=seen.sample.taken_at - oldest,
    )


def _dialed(seen: Observations, each: CloseWaits) -> bool:
    """Whether the process has opened most of them: no listener here has their local port."""
    return float(accepted(seen)[each.rows].mean()) < 0.5


def _of_pool(name: str) -> str:
    return (
        f"{name} opened these connections, and the servers have closed them: so does an idle pool "
        "look. Let it close idle connections sooner than the server does, and look for the end of "
        "file before it lends one out; or each costs a failed request. No sysctl helps."
    )


def _of_server(name: str) -> str:
    return (
        f"See what {name} does now (a stack or thread dump): all workers wait for one slow back "
        "end or one lock, or sockets dropped out of its event loop. Give its calls a timeout "
        "shorter than its clients', and let it turn requests away early. No sysctl helps."
    )


RULE = Rule(
    ID,
    0,
    (
        Threshold("sockets", 20, "CLOSE_WAIT sockets of one process with the end unread"),
        Threshold("age_s", 60, "seconds that each has been so"),
    ),
    find,
    frozenset({Need.OWNERS, Need.CLOCKS}),
)
