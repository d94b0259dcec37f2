"""close-wait-leak: the peer closed, our process has read all that came and never calls close()."""

from __future__ import annotations

from collections.abc import Iterator

from tcptop.analysis.findings import close_wait, fds, words
from tcptop.analysis.findings.close_wait import CloseWaits, Said
from tcptop.analysis.findings.observations import Observations
from tcptop.analysis.findings.rule import Limits, Need, Rule, Threshold
from tcptop.model.finding import Finding

ID = "close-wait-leak"


def find(seen: Observations, limits: Limits) -> Iterator[Finding]:
    return close_wait.findings(seen, limits, ID, False, _said)


def _said(seen: Observations, each: CloseWaits) -> Said:
    name, count = words.called(each.process), len(each.rows)
    unread = seen.table.recv_q[each.rows].any()
    left = "Recv-Q 0, or 1 for the unread end" if unread else "Recv-Q 0"
    return Said(
        f"{name} leaks sockets: {words.count(count, 'connection')}{each.ends.where} left in "
        "CLOSE-WAIT",
        f"that the peer has closed: all data has been read ({left}), but close() was not called.",
        _advice(each, name),
        {},
    )


def _advice(each: CloseWaits, name: str) -> str:
    """A read() of exactly the last byte takes the FIN along: a pool need not have seen it."""
    first = (
        f"Close them in {name} when read() returns 0 and on every error path. The usual cause is "
        "an HTTP client whose responses are not closed, or a pool that keeps dead connections. If "
        f"they are idle in a pool, let it drop them sooner than {_server(each)} closes them."
        if len(each.ends.called) * 2 > len(each.rows)
        else f"Close them in {name} when read() returns 0 and on every error path, also when a "
        "client leaves before it has its answer."
    )
    return f"{first} No sysctl ends CLOSE-WAIT; a restart frees the sockets until it leaks again."


def _server(each: CloseWaits) -> str:
    return each.ends.destination or "the server"


RULE = Rule(
    ID,
    0,
    (
        Threshold("sockets", 20, "CLOSE-WAIT sockets of one process"),
        Threshold("age_s", 60, "seconds each has been in that state"),
        Threshold("per_s", 3, "or so many more each second, and none fewer"),
        *fds.THRESHOLDS,
    ),
    find,
    frozenset({Need.OWNERS, Need.CLOCKS}),
)
