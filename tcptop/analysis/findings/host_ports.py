"""Several ports of one host that do not answer one program: one trouble, told once.

Some programs call a port once and never again (the data ports of FTP, what a portmapper names), so
that at any moment another of them is old enough to be noticed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tcptop.analysis.findings import connects_given_up, failed_places, unanswered
from tcptop.analysis.findings.observations import Observations
from tcptop.analysis.findings.rule import Limits
from tcptop.analysis.findings.unheard import Silent

NAMED = 4


def with_others(seen: Observations, every: Sequence[Silent], limits: Limits) -> Iterator[Silent]:
    """And other ports of these hosts that the same programs have called in vain, if only once."""
    yield from every
    known = {told.case.callee for told in every}
    callers = {
        (told.case.callee._replace(remote_port=0), each.pid)
        for told in every
        for each in told.processes
    }
    for to, given in connects_given_up.in_vain(seen, limits).items():
        mine = any((to._replace(remote_port=0), p.pid) in callers for p in given.calls.processes)
        if mine and to not in known and not unanswered.is_here(seen, to):
            told = Silent(seen, unanswered.ended(to, given))
            if not told.opened:
                yield told


def of_one_host(group: Sequence[Silent]) -> bool:
    hosts = {told.case.callee._replace(remote_port=0) for told in group}
    return len(group) > 1 and len(hosts) == 1


def host(group: Sequence[Silent]) -> str:
    told = group[0]
    return failed_places.said(told.seen, told.case.callee._replace(remote_port=0))


def attempts(told: Silent, limits: Limits) -> int:
    """Lately: the kernel reports those too that were too few to be noticed, beside what waits."""
    ended = unanswered.noticed(told.seen, told.case.callee, limits["window_s"])
    waiting = len(unanswered.asking(told.seen, told.case.callee))
    return max(told.attempts, ended + waiting)


def said(group: Sequence[Silent], most: int) -> str:
    """10.0.0.9 at 4 ports (:30000, :30001, :30002 and others)"""
    ports = sorted(f":{told.case.callee.remote_port}" for told in group)
    more = " and others" if len(ports) > NAMED else ""
    or_more = " or more" if len(ports) >= most else ""
    return f"{host(group)} at {len(ports)} ports{or_more} ({', '.join(ports[:NAMED])}{more})"
