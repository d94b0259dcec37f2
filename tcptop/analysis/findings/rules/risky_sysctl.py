"""risky-sysctl: settings that make other troubles likely or worse."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tcptop.analysis.findings import accept_queues, servers, words
from tcptop.analysis.findings.observations import Observations
from tcptop.analysis.findings.rule import Limits, Need, Rule, Threshold
from tcptop.analysis.findings.subjects import named
from tcptop.model.finding import Finding, Subject
from tcptop.model.named_tuple import NamedTuple
from tcptop.model.sysctls import SOMAXCONN

ID = "risky-sysctl"
MOST = 20  # listeners


class RiskySetting(NamedTuple):
    """`safe` is what to set, where it is at `risky` now."""

    name: str
    risky: int
    safe: int
    why: str
    advice: str = ""


SETTINGS = (
    RiskySetting(
        "net.ipv4.tcp_syncookies",
        0,
        1,
        "SYNs of real clients are dropped too once a listener's SYN queue is full: a small flood "
        "takes the service down.",
    ),
    RiskySetting(
        "net.ipv4.tcp_tw_recycle",
        1,
        0,
        "connections of clients that share an address (NAT) are dropped at random. Kernel 4.12 "
        "removed it.",
    ),
    RiskySetting(
        "net.ipv4.tcp_abort_on_overflow",
        1,
        0,
        "a client whose final ACK meets a full accept queue gets a reset instead of another try; "
        "SYNs are still dropped silently.",
    ),
)
TIMESTAMPS = RiskySetting(
    "net.ipv4.tcp_timestamps",
    0,
    1,
    "tcp_tw_reuse = {reuse} has no effect, only the sequence number tells old segments from new "
    "ones, and SYN cookies lose SACK and window scaling.",
)


def find(seen: Observations, limits: Limits) -> Iterator[Finding]:
    for kernel in seen.sample.kernel:
        for setting in SETTINGS:
            if seen.sysctl(kernel.netns, setting.name) == setting.risky:
                yield _finding(kernel.netns, setting)
        reuse = seen.sysctl(kernel.netns, "net.ipv4.tcp_tw_reuse")
        if reuse and seen.sysctl(kernel.netns, TIMESTAMPS.name) == TIMESTAMPS.risky:
            why = TIMESTAMPS.why.format(reuse=reuse)
            yield _finding(kernel.netns, TIMESTAMPS._replace(why=why))
    yield from _clamped(seen, limits)


def _finding(netns: int, setting: RiskySetting) -> Finding:
    name = setting.name.removeprefix("net.ipv4.")
    return Finding(
        ID,
        words.key(ID, netns, setting.name),
        "info",
        f"{name} = {setting.risky} is risky",
        Subject(netns),
        {name: setting.risky},
        (f"With {setting.name} = {setting.risky} {setting.why}",),
        f"sysctl -w {setting.name}={setting.safe} (now {setting.risky}), and where it is set at "
        "boot: in /etc/sysctl.d, or in the settings of the container.",
        f"sysctl {setting.name}",
    )


def _clamped(seen: Observations, limits: Limits) -> Iterator[Finding]:
    """Listeners whose backlog is just somaxconn, and whose queue fills."""
    if limits["share"] > 0 and accept_queues.idle(seen):
        return
    queues = accept_queues.accept_queues(seen)
    filling = np.flatnonzero(
        (queues.queued >= limits["share"] * queues.capacity)
        & (queues.capacity >= limits["capacity"])
    )
    rows = queues.row[filling].tolist()
    for row in [row for row in rows if seen.sample.backlog_clamped(row)][:MOST]:
        yield _backlog(seen, row)


def _backlog(seen: Observations, row: int) -> Finding:
    table = seen.table
    holders = accept_queues.processes(seen, np.array([row]))
    where = words.local(seen.sample, row)
    given, queued = int(table.send_q[row]), int(table.recv_q[row])
    waiting = words.count(queued, "connection waits", "connections wait")
    return Finding(
        ID,
        words.key(ID, int(table.netns[row]), SOMAXCONN, where),
        "info",
        f"{servers.title(seen, row, holders)} is limited to a backlog of somaxconn = {given}",
        named(seen, np.array([row]), holders, where),
        {"queued": queued, "somaxconn": given},
        (
            f"{waiting} for accept(), where {given + 1} fit.",
            servers.backlog(seen, row),
        ),
        "Accept faster first. "
        f"If bursts are longer than the queue: {servers.larger_backlog(seen, row)}.",
        f"ss -ltn '{words.served(seen.sample, row)}'; sysctl {SOMAXCONN}",
    )


RULE = Rule(
    ID,
    0,
    (
        Threshold("share", 0.5, "share of a clamped listener's queue"),
        Threshold("capacity", 8, "connections that fit, below which that is usual"),
    ),
    find,
    frozenset({Need.SYSCTLS}),
)
