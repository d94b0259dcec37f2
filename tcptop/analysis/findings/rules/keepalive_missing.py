"""keepalive-missing: idle for longer than the way remembers it, and nothing will notice."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tcptop.analysis.findings import idle, words
from tcptop.analysis.findings.groups import ConnectionGroup, grouped
from tcptop.analysis.findings.observations import Observations
from tcptop.analysis.findings.rule import Limits, Need, Rule, Threshold
from tcptop.model.arrays import isin_codes
from tcptop.model.finding import Finding
from tcptop.model.table import Index

ID = "keepalive-missing"


def find(seen: Observations, limits: Limits) -> Iterator[Finding]:
    for group in grouped(seen, _rows(seen, idle.timeout(seen, limits)), by_process=False):
        yield _finding(seen, limits, group)


def _rows(seen: Observations, timeout_s: float) -> Index:
    """Segments that come although no data does are the peer's keepalive: it keeps it alive."""
    table = seen.table
    unarmed = idle.held(seen) & isin_codes(table.timer, idle.NO_TIMER)
    rows = np.flatnonzero(unarmed & ~seen.remote_here) if unarmed.any() else np.flatnonzero(unarmed)
    if not len(rows):
        return rows
    rows = rows[idle.quiet_s(seen, rows) > timeout_s]
    spoken = seen.snapshot.durations.silent_s[rows] < min(seen.watched_s, timeout_s) - 1
    return rows[~spoken]


def _finding(seen: Observations, limits: Limits, group: ConnectionGroup) -> Finding:
    timeout_s = idle.timeout(seen, limits)
    quiet = float(idle.quiet_s(seen, group.rows).max())
    certain = seen.watched_s >= timeout_s
    many = words.count(len(group.rows), "idle connection")
    return Finding(
        ID,
        group.key(ID),
        "info" if seen.settings.idle_timeout_s is None else "warning",
        f"{group.who}: {many} {group.where} without keepalive"
        + ("" if certain else " (suspected)"),
        group.subject(seen),
        {"connections": len(group.rows), "idle_s": quiet, "idle_timeout_s": timeout_s},
        tuple(_evidence(seen, group, timeout_s, quiet, certain)),
        f"Enable SO_KEEPALIVE in {group.who} with TCP_KEEPIDLE below {timeout_s:.0f} s, or the "
        "keepalive of its protocol or pool (idle test, maximum idle time). The sysctls "
        "net.ipv4.tcp_keepalive_* only affect sockets with SO_KEEPALIVE.",
        "ss -tno state established | grep -v timer:",
    )


def _evidence(
    seen: Observations, group: ConnectionGroup, timeout_s: float, quiet: float, certain: bool
) -> Iterator[str]:
    yield (
        f"No data for up to {words.duration(quiet)}, and no keepalive timer is armed: if the peer "
        "or anything on the path is gone, nobody here notices before the next write, which then "
        "hangs or is reset."
    )
    whose = "the idle timeout given" if seen.settings.idle_timeout_s is not None else "common"
    yield f"Load balancers and NAT drop idle connections; {timeout_s:.0f} s is {whose}."
    if not certain:
        yield (
            f"Suspected: tcptop watched for only {words.duration(seen.watched_s)}, and the peer "
            "may send keepalive probes less often than that."
        )


RULE = Rule(
    ID,
    0,
    (Threshold("idle_s", 350, "seconds idle, without --idle-timeout"),),
    find,
    frozenset({Need.TCP_INFO}),
)
