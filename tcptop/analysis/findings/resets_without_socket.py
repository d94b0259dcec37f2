"""This host answers others with resets that no socket sent: nobody listens where they call.

The kernel counts those in OutRsts alone (tcp_v4_send_reset, net/ipv4/tcp_ipv4.c), without a port;
segments of connections that are over are answered so too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from tcptop.analysis.findings import held_ports, partial_listeners, words
from tcptop.analysis.findings.observations import Observations
from tcptop.analysis.findings.reset_rates import ID, RST
from tcptop.analysis.findings.rule import Limits
from tcptop.analysis.findings.summary import SampleSummary, port_keys
from tcptop.analysis.findings.windows import lengths, mean, rates, rates_or_zero
from tcptop.analysis.peers import is_loopback
from tcptop.model import tcp
from tcptop.model.arrays import sorted_unique
from tcptop.model.finding import Finding, Subject
from tcptop.model.table import F64, MAPPED, Index

STEADY = 0.5  # of the threshold, in each interval
BY_SOCKETS = (
    *("TCPAbortOnClose", "TCPAbortOnData", "TCPAbortOnTimeout", "TCPAbortOnMemory"),
    *("EmbryonicRsts", "AttemptFails", "EstabResets"),
)  # resets that sockets sent, or that this host may have sent to itself
IDLE = 0.2  # of the resets, so many new connections: then hardly anything is over and called again
NAMED = 4
LEAST, MOMENTS = 5, 3  # resets, and intervals with some, where nothing else arrives
MOSTLY = 0.8  # of the segments that arrive
SSH = 22
WITHIN = (
    "This host has no connection with another one, ssh apart, and took none meanwhile: what it "
    "serves, it serves to itself (as to a health check)."
)


def told(
    seen: Observations,
    netns: int,
    summaries: Sequence[SampleSummary],
    per_s: F64,
    limits: Limits,
) -> Iterator[Finding]:
    """`per_s` is what `without_socket` has found."""
    rate = mean(per_s, summaries)
    if rate > limits["per_s"] and (per_s >= STEADY * limits["per_s"]).all():
        yield _finding(seen, netns, summaries, rate)
    elif _all_that_arrives(summaries, netns, per_s):
        yield _finding(seen, netns, summaries, rate, everything=True)
    elif often(summaries, per_s) and _only_within(seen, netns, summaries, rate):
        yield _finding(seen, netns, summaries, rate, within=True)


def often(summaries: Sequence[SampleSummary], per_s: F64) -> bool:
    enough = mean(per_s, summaries) * float(lengths(summaries).sum()) >= LEAST
    return enough and bool(np.count_nonzero(per_s) >= MOMENTS)


def _only_within(
    seen: Observations, netns: int, summaries: Sequence[SampleSummary], refused: float
) -> bool:
    """Nobody else is connected, an operator apart, nor was taken: this host calls itself, as a
    health check does, where a service takes nobody else."""
    table = seen.table
    others = (table.netns == netns) & (table.state != tcp.LISTEN) & ~seen.remote_here
    if (others & ~(seen.accepted & (table.local_port == SSH))).any():
        return False
    opened, taken, failed = (
        mean(rates_or_zero(summaries, netns, name), summaries)
        for name in ("ActiveOpens", "PassiveOpens", "AttemptFails")
    )
    itself = taken > 0 and abs(opened - failed - taken) <= IDLE * refused
    return itself and len(_alone(seen, netns)) > 0


def _all_that_arrives(summaries: Sequence[SampleSummary], netns: int, per_s: F64) -> bool:
    """Nothing else happens here: however few they are, nobody who calls is answered."""
    arrived = rates(summaries, netns, "InSegs")
    if arrived is None or not often(summaries, per_s):
        return False
    return mean(per_s, summaries) >= MOSTLY * mean(arrived, summaries)


def without_socket(summaries: Sequence[SampleSummary], netns: int) -> F64 | None:
    """Such resets a second, in each interval; None where they are not counted."""
    sent = rates(summaries, netns, "OutRsts")
    if sent is None or not sent.any():
        return sent
    own = sum(rates_or_zero(summaries, netns, name) for name in BY_SOCKETS)
    return np.maximum(sent - own, 0.0)


def _finding(
    seen: Observations,
    netns: int,
    summaries: Sequence[SampleSummary],
    per_s: float,
    everything: bool = False,
    within: bool = False,
) -> Finding:
    number, gone = words.number(per_s), no_longer(seen, netns)
    alone, opens = _alone(seen, netns), 0.0 if within else _opens(summaries, netns)
    bound = _bound(seen, netns) if everything and not len(alone) else alone[:0]
    severity, title = "info", f"{number} resets/s answer packets that no socket takes"
    if everything:
        title = f"This host answers nearly all that arrives with a reset: {number}/s"
    if gone and opens <= IDLE * per_s:
        severity = "warning"
        ports = words.joined([f":{port}" for port in gone[:NAMED]])
        title = f"This host refuses {number} connects/s, and nothing listens on {ports} any more"
    elif len(alone) and not _reachable(seen, netns) and opens <= IDLE * per_s:
        severity = "warning"
        only = partial_listeners.listed(seen, alone[:NAMED])
        title = f"This host refuses {number} connects/s, and listens only on {only}"
    who = {each.pid for row in alone[:NAMED].tolist() for each in seen.processes(row)}
    named = severity == "warning" and not gone
    evidence = tuple(_evidence(seen, number, gone, alone))
    return Finding(
        ID,
        words.key(ID, netns, "refuses"),
        severity,
        title,
        Subject(netns, tuple(sorted(who)) if named else (), over=True),
        {"refused_per_s": per_s},
        (
            *evidence,
            *_one_address(seen, bound),
            *((WITHIN,) if within else ()),
            *(_share(summaries, netns) if everything else ()),
            *(held_ports.said(seen, netns) if everything else ()),
        ),
        _advice(seen, gone, alone if len(alone) else bound),
        "nstat -az TcpOutRsts TcpPassiveOpens TcpEstabResets TcpAttemptFails; ss -ltn",
        guesses=evidence[:1],
    )


def _share(summaries: Sequence[SampleSummary], netns: int) -> Iterator[str]:
    seconds = lengths(summaries).sum()
    arrived, sent = (
        words.number(mean(rates_or_zero(summaries, netns, name), summaries) * seconds)
        for name in ("InSegs", "OutRsts")
    )
    yield (
        f"In the last {words.duration(float(seconds))} {arrived} segments arrived (InSegs), and "
        f"{sent} resets were sent."
    )


def _opens(summaries: Sequence[SampleSummary], netns: int) -> float:
    """New connections a second, in either direction."""
    opens = (rates_or_zero(summaries, netns, name) for name in ("PassiveOpens", "ActiveOpens"))
    failed = rates_or_zero(summaries, netns, "AttemptFails")
    return mean(np.maximum(sum(opens) - failed, 0.0), summaries)


def _listeners(seen: Observations, netns: int) -> Index:
    return np.flatnonzero((seen.table.state == tcp.LISTEN) & (seen.table.netns == netns))


def no_longer(seen: Observations, netns: int) -> list[int]:
    """Ports where somebody listened a while ago, and nobody does."""
    now = port_keys(seen.table, _listeners(seen, netns))
    before = sorted_unique(np.concatenate([summary.ports for summary in seen.summaries]))
    before = before[before >> np.uint64(32) == netns]
    gone = before[~np.isin(before, now)] & np.uint64(0xFFFF_FFFF)
    return [int(port) for port in gone]


def _alone(seen: Observations, netns: int) -> Index:
    """Listeners that only this host itself reaches, on ports that have no others."""
    table, rows = seen.table, _listeners(seen, netns)
    inside = is_loopback(table.local_hi[rows], table.local_lo[rows])
    outside = np.isin(table.local_port[rows], table.local_port[rows[~inside]])
    alone: Index = rows[inside & ~outside]
    return alone


def _bound(seen: Observations, netns: int) -> Index:
    """Listeners on one address each, on ports of which none takes all addresses."""
    table, rows = seen.table, _listeners(seen, netns)
    low = table.local_lo[rows]
    everywhere = (table.local_hi[rows] == 0) & ((low == 0) | (low == MAPPED))
    bound: Index = rows[~np.isin(table.local_port[rows], table.local_port[rows[everywhere]])]
    return bound


def _one_address(seen: Observations, bound: Index) -> Iterator[str]:
    if len(bound):
        more = f" and {len(bound) - NAMED} more" if len(bound) > NAMED else ""
        yield (
            f"Bound to one address: {partial_listeners.listed(seen, bound[:NAMED])}{more}. Any "
            "other address of this host, such as one that has moved here, refuses such a port."
        )


def _reachable(seen: Observations, netns: int) -> bool:
    """Whether others reach any listener."""
    return len(_alone(seen, netns)) < len(_listeners(seen, netns))


def whose(number: str) -> str:
    return (
        f"{number}/s of the resets that this host sends (OutRsts) come neither from a socket nor "
        "from its own connects: others connect to a port where nothing listens, or use "
        "connections that have ended here. The kernel does not count which port."
    )


def _evidence(seen: Observations, number: str, gone: list[int], alone: Index) -> Iterator[str]:
    yield whose(number)
    if gone:
        ports = words.joined([f":{port}" for port in gone[:NAMED]])
        yield f"A listener on {ports} has gone since tcptop started."
    if len(alone):
        more = f" and {len(alone) - NAMED} more" if len(alone) > NAMED else ""
        listed = partial_listeners.listed(seen, alone[:NAMED])
        yield (
            f"Reachable only from this host: {listed}{more}. The other addresses of this host "
            "refuse such a port."
        )


def _advice(seen: Observations, gone: list[int], alone: Index) -> str:
    which = f"See which port it is: tcpdump -c 20 -nni any '{RST}'."
    if gone:
        return (
            f"{which} Start the service again, or take this host out of its clients' configuration."
        )
    if len(alone):
        return (
            f"{which} If it is one of those, let the service listen on the address that is used; "
            "otherwise start the service, or ignore it: port scans look the same."
        )
    return f"{which} Start the service, or ignore it: port scans look the same."
