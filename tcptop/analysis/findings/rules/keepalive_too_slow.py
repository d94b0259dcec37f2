"""keepalive-too-slow: it will probe only after the way has forgotten the connection."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tcptop.analysis.findings import idle, words
from tcptop.analysis.findings.groups import ConnectionGroup, grouped
from tcptop.analysis.findings.observations import Observations
from tcptop.analysis.findings.rule import Limits, Need, Rule, Threshold
from tcptop.model import tcp
from tcptop.model.finding import Finding
from tcptop.model.table import F64, Index

ID = "keepalive-too-slow"
SILENT_S = 5.0  # what is in use, or lives for milliseconds, is at no such risk


def find(seen: Observations, limits: Limits) -> Iterator[Finding]:
    armed = idle.held(seen) & (seen.table.timer == tcp.KEEPALIVE)
    if armed.any():
        # Nothing on the way forgets a connection that does not leave this host.
        rows = np.flatnonzero(armed & ~seen.remote_here)
        late = rows[_first_probe_s(seen, rows) > idle.timeout(seen, limits)]
        late = late[idle.quiet_s(seen, late) >= SILENT_S]
        for group in grouped(seen, late, by_process=False):
            yield _finding(seen, limits, group, float(_first_probe_s(seen, group.rows).max()))


def _first_probe_s(seen: Observations, rows: Index) -> F64:
    """Seconds of silence before the first probe, at least.

    The timer was set when the connection was last heard of, or before: tcp_keepalive_timer,
    net/ipv4/tcp_timer.c, sets it anew only when it runs out.
    """
    return idle.unheard_s(seen, rows) + seen.table.expires[rows] / 1000


def _finding(seen: Observations, limits: Limits, group: ConnectionGroup, first: float) -> Finding:
    timeout_s = idle.timeout(seen, limits)
    many = words.count(len(group.rows), "connection")
    return Finding(
        ID,
        group.key(ID),
        "info",
        f"{group.who}: keepalive of {many} {group.where} probes later than {timeout_s:.0f} s",
        group.subject(seen),
        {"connections": len(group.rows), "first_probe_s": first, "idle_timeout_s": timeout_s},
        tuple(_evidence(seen, group, timeout_s, first)),
        f"Set TCP_KEEPIDLE below {timeout_s:.0f} s in {group.who} (client libraries and servers "
        f"have an option for it), or for all that do not set it: sysctl -w "
        f"net.ipv4.tcp_keepalive_time={max(int(timeout_s * 0.8), 1)} "
        f"(now {_sysctl(seen, group, 'time', 7200)}), which applies to timers set from then on: "
        "connections that are idle now keep theirs.",
        "ss -tno state established | grep keepalive",
    )


def _evidence(
    seen: Observations, group: ConnectionGroup, timeout_s: float, first: float
) -> Iterator[str]:
    yield (
        f"Keepalive is on, but its first probe comes after at least {words.duration(first)} of "
        f"silence; a firewall, NAT or load balancer on the path may drop the connection after "
        f"{timeout_s:.0f} s."
    )
    idle_s, interval, probes = (
        _sysctl(seen, group, name, default)
        for name, default in (("time", 7200), ("intvl", 75), ("probes", 9))
    )
    yield (
        "With this host's sysctls a dead peer is noticed after "
        f"{words.exactly(idle_s + interval * probes)} ({idle_s} s + {probes} x {interval} s)."
    )


def _sysctl(seen: Observations, group: ConnectionGroup, name: str, default: int) -> int:
    value = seen.sysctl(int(seen.table.netns[group.rows[0]]), f"net.ipv4.tcp_keepalive_{name}")
    return default if value is None else value


RULE = Rule(
    ID,
    0,
    (Threshold("idle_s", 350, "seconds of silence, without --idle-timeout"),),
    find,
    frozenset({Need.TCP_INFO}),
)
