"""self-connect: a client called a port of this host where nobody listened, from that very port.

The SYN that goes out is the one that comes in, a simultaneous open (RFC 9293, 3.5), and the port
is taken from the service that should have it.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tcptop.analysis.findings import listening, parties, port_advice, words
from tcptop.analysis.findings.observations import Observations
from tcptop.analysis.findings.rule import Limits, Rule, Threshold
from tcptop.analysis.findings.subjects import named
from tcptop.model import sysctls, tcp
from tcptop.model.arrays import isin_codes
from tcptop.model.finding import Finding
from tcptop.model.table import Index

ID = "self-connect"
MOST = 20  # sockets: each is at another endpoint
UNFINISHED = (tcp.LISTEN, tcp.SYN_SENT, tcp.SYN_RECV, tcp.TIME_WAIT)


def find(seen: Observations, limits: Limits) -> Iterator[Finding]:
    table = seen.table
    same = (table.local_port == table.remote_port) & (table.local_lo == table.remote_lo)
    same &= (table.local_hi == table.remote_hi) & ~isin_codes(table.state, UNFINISHED)
    rows = np.flatnonzero(same)
    if len(rows) >= limits["sockets"]:
        for row in rows[:MOST].tolist():
            yield _finding(seen, np.array([row]))


def _finding(seen: Observations, rows: Index) -> Finding:
    table, row = seen.table, int(rows[0])
    at, who = words.local(seen.sample, row), parties.parties(seen, rows)
    name = parties.first_name(who) or "An unknown process"
    free = _free(seen, row)
    return Finding(
        ID,
        words.key(ID, int(table.netns[row]), at),
        "warning",
        f"{name} has connected to itself at {at}"
        + (": no service can bind that port" if free else ""),
        named(seen, rows, (each.process for each in who), destination=at),
        {"sockets": len(rows)},
        tuple(_evidence(seen, row, parties.listed(who), free)),
        _advice(seen, row, parties.first_name(who)),
        f"ss -tanp 'src {words.in_filter(at)} and dst {words.in_filter(at)}'; "
        f"ss -ltn 'sport = :{int(table.local_port[row])}'",
    )


def _free(seen: Observations, row: int) -> bool:
    """No listener has the port all the same, as SO_REUSEADDR at both would let it."""
    table = seen.table
    listeners = listening.on_port(table, int(table.netns[row]), int(table.local_port[row]))
    hi, lo = int(table.local_hi[row]), int(table.local_lo[row])
    return not listening.takes(table, listeners, hi, lo).any()


def _evidence(seen: Observations, row: int, who: str, free: bool) -> Iterator[str]:
    table = seen.table
    at, state = words.local(seen.sample, row), tcp.SS_STATES[int(table.state[row])]
    yield (
        f"{who or 'An unknown process'}: one socket in {state} whose local and remote address are "
        f"both {at}; the process reads back its own writes."
    )
    if free:
        yield (
            "Nothing listens there, and while this socket is open bind() to that port fails with "
            'EADDRINUSE, "Address already in use".'
        )
    port = int(table.local_port[row])
    span = sysctls.port_range(seen.sample.kernel_of(int(table.netns[row])).sysctls)
    if span is not None and span[0] <= port <= span[1]:
        yield (
            f"connect() takes its local ports from {port_advice.RANGE} = {span[0]} {span[1]}; port "
            f"{port} is in it, so a client that retries often enough gets it."
        )


def _advice(seen: Observations, row: int, name: str) -> str:
    netns, port = int(seen.table.netns[row]), int(seen.table.local_port[row])
    return (
        f"Restart {name or 'the client'} and start the service first; then "
        f"{port_advice.reserve(seen, netns, port)}, or give the service a port outside the range. "
        "In the client: close a socket whose getsockname() and getpeername() are equal, and wait "
        "longer between attempts."
    )


RULE = Rule(
    ID,
    0,
    (Threshold("sockets", 1, "sockets that are connected to themselves"),),
    find,
)
