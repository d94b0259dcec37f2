"""ephemeral-port-exhaustion: no local port is left to connect from, or soon none will be.

The limit is per (local address, remote address, remote port); `analysis.ports` counts it, and
leaves out what the kernel would take again from TIME_WAIT.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from tcptop.analysis.findings import bound_ports, parties, words
from tcptop.analysis.findings.observations import Observations
from tcptop.analysis.findings.parties import Party
from tcptop.analysis.findings.port_advice import RANGE, reuse, wider
from tcptop.analysis.findings.port_forecast import Forecast, forecast
from tcptop.analysis.findings.rule import Limits, Need, Rule, Threshold
from tcptop.analysis.findings.subjects import named
from tcptop.model import address
from tcptop.model.finding import Finding
from tcptop.model.table import Bools, Index

ID = "ephemeral-port-exhaustion"
MOST = 20  # groups: the fullest
FEW = 8  # ports: of so few, 20 % are one; only none left counts


def find(seen: Observations, limits: Limits) -> Iterator[Finding]:
    yield from bound_ports.findings(seen, limits, ID)
    ports = seen.snapshot.ports
    near = _near(seen, limits)
    filling = (ports.used >= limits["used_share"] * ports.capacity) & (ports.capacity >= FEW)
    groups = np.flatnonzero((near | filling) & ~bound_ports.blocked(seen, limits))
    order = np.argsort(ports.headroom[groups] / np.maximum(ports.capacity[groups], 1))
    for group in groups[order][:MOST].tolist():
        rows = np.flatnonzero(ports.group == group)
        soon = forecast(seen, group, rows, limits["growth_s"])
        if near[group] or soon.exhausted_in_s < limits["exhausted_in_s"]:
            yield _finding(seen, limits, group, rows, soon)


def _near(seen: Observations, limits: Limits) -> Bools:
    ports = seen.snapshot.ports
    low = ports.headroom <= limits["headroom_share"] * ports.capacity
    near: Bools = low & (ports.capacity > 0) & ((ports.capacity >= FEW) | (ports.headroom == 0))
    return near


def _finding(
    seen: Observations, limits: Limits, group: int, rows: Index, soon: Forecast
) -> Finding:
    ports = seen.snapshot.ports
    used, left, capacity = (
        int(column[group]) for column in (ports.used, ports.headroom, ports.capacity)
    )
    who, to = parties.parties(seen, rows), parties.destination(seen, group)
    source = address.local_text(ports, group)
    goal = words.in_filter(to)
    worst = left <= limits["critical_share"] * capacity
    return Finding(
        ID,
        words.key(ID, int(ports.netns[group]), source, to),
        "critical" if worst or soon.exhausted_in_s < limits["exhausted_in_s"] else "warning",
        f"{_name(who)} {'has no' if left == 0 else 'runs out of'} local ports "
        f"{'left ' if left == 0 else ''}to {to}: {words.number(used)} of {words.number(capacity)} "
        "used",
        named(seen, rows, (each.process for each in who), destination=to),
        _values(seen, group, soon),
        (
            f"{words.number(used)} of {words.number(capacity)} ports from {source} to {to} are "
            f"used, {words.number(left)} {'is' if left == 1 else 'are'} left for connect().",
            *(_when(soon) if left else ["connect() to it fails with EADDRNOTAVAIL."]),
            *_composed(seen, group, rows, who),
        ),
        _advice(seen, group, who),
        f"ss -Htan 'dst {goal}' | wc -l; ss -Htan state time-wait 'dst {goal}' | wc -l; "
        f"sysctl {RANGE}",
    )


def _name(who: list[Party]) -> str:
    return parties.first_name(who) or "this host"


def _values(seen: Observations, group: int, soon: Forecast) -> dict[str, float]:
    ports = seen.snapshot.ports
    names = ("used", "capacity", "headroom", "headroom_bind", "time_wait", "blocked")
    values: dict[str, float] = {name: int(getattr(ports, name)[group]) for name in names}
    if math.isfinite(soon.exhausted_in_s):
        values["exhausted_in_s"] = soon.exhausted_in_s
    return values


def _when(soon: Forecast) -> list[str]:
    if not math.isfinite(soon.exhausted_in_s):
        return []
    return [
        f"They grow by {words.number(soon.growth_per_s)}/s: none is left in about "
        f"{words.duration(soon.exhausted_in_s)}, then connect() fails with EADDRNOTAVAIL."
    ]


def _composed(seen: Observations, group: int, rows: Index, who: list[Party]) -> Iterator[str]:
    ports = seen.snapshot.ports
    yield (
        f"{parties.states(seen, rows)}. "
        + (f"Held, now or until they were closed, by {parties.listed(who)}." if who else "")
    ).rstrip()
    nobody = int(np.count_nonzero(seen.snapshot.holders.first(rows) < 0))
    if nobody:
        yield f"{words.count(nobody, 'has', 'have')} no known process."
    if ports.blocked[group]:
        blocked = words.count(float(ports.blocked[group]), "port is", "ports are")
        yield f"{blocked} lost to every connect(), taken by listeners or bound sockets."
    yield f"bind() to port 0 can get at most {words.number(ports.headroom_bind[group])} more."


def _advice(seen: Observations, group: int, who: list[Party]) -> str:
    ports, netns = seen.snapshot.ports, int(seen.snapshot.ports.netns[group])
    name = _name(who) if who else "the program"
    waiting = ports.time_wait[group] > ports.used[group] / 2
    first = (
        f"Let {name} keep and reuse connections (a pool, keep-alive): each one that it closes "
        "holds its port for 60 s."
        if waiting
        else f"Limit the pool of {name}, and close connections that it no longer needs."
    )
    return (
        f"{first} If it binds to a source address: IP_BIND_ADDRESS_NO_PORT. Each further address "
        "or port of the server, and each further local address, adds as many ports. Then "
        f"{wider(seen, netns)}.{reuse(seen, netns) if waiting else ''}"
    )


RULE = Rule(
    ID,
    0,
    (
        Threshold("headroom_share", 0.2, "share of the ports that is left"),
        Threshold("critical_share", 0.05, "share left at which it is critical"),
        Threshold("exhausted_in_s", 60, "seconds until none is left at the present growth"),
        Threshold("used_share", 0.25, "share in use below which growth is not judged"),
        Threshold("growth_s", 10, "seconds of growth that a forecast needs"),
    ),
    find,
    frozenset({Need.SYSCTLS}),
)
