"""close-wait-unread: the peer closed, and our process has not even read the end of file.

It is stuck, or it is a client whose idle connections the server has closed first.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tcptop.analysis import stalls
from tcptop.analysis.findings import busy, close_wait, fds, parties, words
from tcptop.analysis.findings.awaiting import PLACE
from tcptop.analysis.findings.close_wait import CloseWaits, Said
from tcptop.analysis.findings.observations import Observations
from tcptop.analysis.findings.rule import Limits, Need, Rule, Threshold
from tcptop.model import tcp
from tcptop.model.finding import Finding
from tcptop.model.table import Bools, Index

ID = "close-wait-unread"
MOSTLY = 0.8  # of the connections, from which they are called a pool
USED = "Data has come on {others} of it to that server since: the pool as a whole is in use."


def find(seen: Observations, limits: Limits) -> Iterator[Finding]:
    return close_wait.findings(seen, limits, ID, True, _said)


def _said(seen: Observations, each: CloseWaits) -> Said:
    count = len(each.rows)
    unread = int(seen.table.recv_q[each.rows].sum()) - count  # a FIN counts 1 in Recv-Q
    used = 0
    if (each.per_s or each.fills) and _mostly(_begun(seen, each.rows)):
        title, what, advice = _dropped(each, unread)
    else:
        pooled = int(np.count_nonzero(_idle(seen, each.ends.called))) >= MOSTLY * count
        early = seen.watched_s < close_wait.FAST_S
        title, what, advice = _pool(each, early) if pooled else _stuck(each, unread)
        advice = (pooled and advice) or busy.advice(seen, [each.process]) or advice
        used = len(_used_since(seen, each)) if pooled else 0
    evidence = (USED.format(others=words.count(used, "other connection")),) if used else ()
    return Said(title, what, advice, {"unread_bytes": unread}, evidence, used > 0)


def _used_since(seen: Observations, each: CloseWaits) -> Index:
    """Others that the same process has opened to that server, on which data came after it closed
    these: a pool that looks, or dials anew, works."""
    table = seen.table
    mine = parties.held(seen, each.process)
    mine = mine[(table.state[mine] == tcp.ESTABLISHED) & ~seen.accepted[mine]]
    for name in PLACE if each.ends.destination else ():
        mine = mine[getattr(table, name)[mine] == getattr(table, name)[each.rows[0]]]
    came = table.info_of("bytes_received", mine) > 0
    used: Index = mine[came & (table.since_s("last_data_recv", mine) < float(each.age_s.min()))]
    return used if each.ends.destination else used[:0]


def _idle(seen: Observations, rows: Index) -> Bools:
    """Connections that owed no answer when the other end closed them.

    A goodbye may lie unread before the FIN: a TLS alert, a database's error message. The SYN
    counts one among the bytes that were acknowledged.
    """
    table = seen.table
    answered = table.info_of("bytes_received", rows) > table.recv_q[rows]
    unused = (table.info_of("bytes_acked", rows) <= 1) & (table.recv_q[rows] == 1)
    asked, heard = (table.since_s(f"last_data_{way}", rows) for way in ("sent", "recv"))
    quiet = (table.recv_q[rows] <= stalls.TINY) & (table.send_q[rows] == 0)
    idle: Bools = quiet & (unused | answered & (heard <= asked))
    return idle


def _begun(seen: Observations, rows: Index) -> Bools:
    """Of which something was read, or all that came; a server has answered what came last, too.

    Both numbers count the FIN. Where nothing was sent, the clock of what was began as the other.
    """
    table = seen.table
    every = table.recv_q[rows] <= 1
    read = every | (table.info_of("bytes_received", rows) > table.recv_q[rows])
    sent, came = (table.since_s(f"last_data_{way}", rows) for way in ("sent", "recv"))
    answered = every | (table.info_of("data_segs_out", rows) > 0)
    begun: Bools = read & (~seen.accepted[rows] | answered & (sent <= came))
    return begun


def _mostly(some: Bools) -> bool:
    return int(np.count_nonzero(some)) >= MOSTLY * len(some)


def _dropped(each: CloseWaits, unread: int) -> tuple[str, str, str]:
    """They took descriptors that nobody gives back: a process that hangs takes none."""
    name, calls = words.called(each.process), len(each.ends.called) * 2 > len(each.rows)
    read = "all that came was read but the end of file (Recv-Q 1)"
    if unread:
        read = (
            "what came was read in part, the rest and the end of file were not "
            f"({words.size(unread)} in all)"
        )
    usual = (
        "an HTTP client whose responses are neither read to their end nor closed"
        if calls
        else "a connection that a handler keeps for itself, or an error path that only returns"
    )
    return (
        f"{name} leaks sockets: {words.count(len(each.rows), 'connection')}{each.ends.where} left "
        f"in CLOSE-WAIT, {'read in part' if unread else 'their end unread'}",
        f"that the peer has closed: {read}, and close() was not called.",
        f"Close them in {name} when it has what it wants, and on every error path. The usual cause "
        f"is {usual}. No sysctl ends CLOSE-WAIT; a restart frees the sockets until it leaks again.",
    )


def _pool(each: CloseWaits, early: bool) -> tuple[str, str, str]:
    """A leak looks the same until it is seen to grow."""
    name, server = words.called(each.process), each.ends.destination or "the server"
    many = words.count(len(each.rows), "idle connection")
    return (
        f"{server} has closed {many} that {name} still keeps",
        "in CLOSE-WAIT, as an idle pool does: no answer was due when the server closed them, and "
        "they have not been read since (Recv-Q is the unread end of file).",
        f"Let the pool of {name} drop idle connections sooner than {server} closes them (idle "
        "limit or maximum lifetime below the server's idle timeout), or test a connection before "
        "it is used. A request that is sent on one of these is answered with a reset; a pool that "
        "looks first (urllib3, database drivers with a pre-ping) drops them and dials anew, and "
        "then nothing fails."
        + (
            f" If they become more and more, they are a leak: close them in {name}."
            if early
            else ""
        ),
    )


def _stuck(each: CloseWaits, unread: int) -> tuple[str, str, str]:
    name = words.called(each.process)
    calls = len(each.ends.called) * 2 > len(each.rows)
    waits = "usually all its workers wait for one slow back end or one lock"
    return (
        f"{name} does not read: {words.count(len(each.rows), 'connection')}{each.ends.where} in "
        "CLOSE-WAIT with an unread end of file",
        f"that the peer has closed, with an unread end of file (Recv-Q 1 or more) and "
        f"{words.size(unread)} of unread data.",
        f"Find out what {name} is doing (a stack or thread dump): "
        + (
            f"it opened these connections and does not read them; {waits}, or the code that "
            "should read the answers is gone. Give requests a deadline and close after it."
            if calls
            else f"{waits}, or the sockets dropped out of its event loop. Give its calls a timeout "
            "shorter than its clients', and let it reject requests early."
        )
        + " No sysctl helps.",
    )


RULE = Rule(
    ID,
    0,
    (
        Threshold("sockets", 20, "CLOSE-WAIT sockets of one process with the end unread"),
        Threshold("age_s", 60, "seconds each has been in that state"),
        Threshold("per_s", 3, "or so many more each second, and none fewer"),
        *fds.THRESHOLDS,
    ),
    find,
    frozenset({Need.OWNERS, Need.CLOCKS}),
)
