"""connections-growing: a client made anew for each request, whose connections all stay open."""

from __future__ import annotations

import math
from collections.abc import Iterator

from tcptop.analysis.findings import doing, fds, words
from tcptop.analysis.findings.growing import Growing, growing
from tcptop.analysis.findings.observations import Observations
from tcptop.analysis.findings.rule import Limits, Need, Rule, Threshold
from tcptop.analysis.findings.subjects import named
from tcptop.model.finding import Finding

ID = "connections-growing"


def find(seen: Observations, limits: Limits) -> Iterator[Finding]:
    for each in growing(seen, limits["connections"], limits["window_s"]):
        yield _finding(seen, limits, each)


def _finding(seen: Observations, limits: Limits, each: Growing) -> Finding:
    to, name = words.remote(seen.sample, int(each.rows[0])), words.called(each.process)
    count, rate = len(each.rows), words.number(each.per_s)
    fds_in_s, ports_in_s = _fds_in_s(seen, each), _ports_in_s(seen, each)
    full_in_s = min(fds_in_s, ports_in_s)
    values = {"connections": count, "idle": each.idle, "growth_per_s": each.per_s}
    return Finding(
        ID,
        words.key(ID, int(seen.table.netns[each.rows[0]]), each.process.pid, to),
        _severity(limits, full_in_s),
        f"{name} keeps opening connections to {to}: {words.number(count)} open, {rate}/s more",
        named(seen, each.rows, [each.process], destination=to),
        values | ({"full_in_s": full_in_s} if math.isfinite(full_in_s) else {}),
        (
            f"{words.who(each.process)} holds {words.count(count, 'connection')} to {to}: "
            f"{words.number(each.idle)} are idle, {words.number(each.few)} have hardly been used "
            "since they were opened.",
            f"{words.number(each.opened)} of them were opened in the last "
            f"{words.duration(each.window_s)}; they grow by {rate}/s.",
            *_limits(seen, each, fds_in_s, ports_in_s),
            *doing.evidence(seen, [each.process]),
        ),
        f"Create one client in {name} and share it (an http.Client with its Transport, a Session, "
        "a pool) instead of a new one for each request; limit its pool, and close connections that "
        "are no longer needed. Higher limits only delay the failure, and the server's may be "
        "reached first.",
        f"ss -Htan state established 'dst {words.in_filter(to)}' | wc -l; sleep 10; "
        f"ss -Htan state established 'dst {words.in_filter(to)}' | wc -l",
        since=seen.sample.taken_at - each.oldest_s,
    )


def _severity(limits: Limits, full_in_s: float) -> str:
    if full_in_s < limits["critical_in_s"]:
        return "critical"
    return "warning" if full_in_s < limits["warn_in_s"] else "info"


def _fds_in_s(seen: Observations, each: Growing) -> float:
    """Until its descriptors run out: as fd-limit says, where they are seen to grow."""
    process = each.process
    if process.open_fds is None or not process.fd_limit or process.opens_no_more:
        return math.inf
    forecast = fds.filling(seen, process).full_in_s
    if math.isfinite(forecast):
        return forecast
    return max(process.fd_limit - process.open_fds, 0) / each.per_s


def _ports_in_s(seen: Observations, each: Growing) -> float:
    """Until the local ports to there do."""
    return float(seen.snapshot.ports.headroom[each.group]) / each.per_s


def _limits(seen: Observations, each: Growing, fds_in_s: float, ports_in_s: float) -> Iterator[str]:
    process = each.process
    if math.isfinite(fds_in_s):
        yield (
            f"{words.number(process.open_fds or 0)} of {words.number(process.fd_limit or 0)} file "
            f"descriptors are in use; at this rate they run out in {words.duration(fds_in_s)}."
        )
    left = int(seen.snapshot.ports.headroom[each.group])
    yield (
        f"{words.count(left, 'local port')} to {words.remote(seen.sample, int(each.rows[0]))} "
        f"{'is' if left == 1 else 'are'} left, enough for {words.duration(ports_in_s)}."
    )


RULE = Rule(
    ID,
    5,
    (
        Threshold("connections", 100, "connections of a process to one destination"),
        Threshold("window_s", 30, "seconds for which they grow"),
        Threshold("warn_in_s", 3600, "seconds until a limit below which it is a warning"),
        Threshold("critical_in_s", 600, "seconds until a limit below which it is critical"),
    ),
    find,
    frozenset({Need.OWNERS, Need.CLOCKS, Need.SYSCTLS}),
)
