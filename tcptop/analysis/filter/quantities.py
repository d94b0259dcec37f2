"""Predicates about numbers, timers and other columns that may be unknown for a row."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tcptop.analysis.filter.facts import Facts
from tcptop.analysis.filter.nodes import Choice, Number, Operator
from tcptop.analysis.filter.states import mask_of
from tcptop.model import tcp
from tcptop.model.closed import Closed
from tcptop.model.owner import OWNER_KINDS, UNKNOWN
from tcptop.model.table import Bools, SocketTable

Measure = NDArray[Any]
_CAN_KEEP_ALIVE = mask_of(tcp.ESTABLISHED, tcp.CLOSE_WAIT)


def number(wanted: Number, facts: Facts) -> Bools:
    """Rows whose quantity is known and compares so."""
    values = _ended(wanted.field, facts.ended) if facts.ended else _COLUMNS[wanted.field](facts)
    return ~np.isnan(values) & compare(wanted.operator, wanted.ranges, values)


def _ended(field: str, closed: Closed) -> Measure:
    """Of connections that are over a life and a round trip are told, no queue and no timer."""
    if field == "age":
        return closed.life_s * 1e6
    return closed.known("rtt") if field == "rtt" else np.full(len(closed), np.nan)


def choice(wanted: Choice, facts: Facts) -> Bools:
    """Rows that are in one of the named conditions, each of which is known or a word of its own."""
    rows = np.zeros(len(facts.table), np.bool_)
    for word in wanted.words:
        rows |= _CHOICES[wanted.field](word, facts)
    return ~rows if wanted.operator == "!=" else rows


def compare(operator: Operator, ranges: tuple[tuple[float, float], ...], values: Measure) -> Bools:
    """`=` and `!=` take ranges, the orderings the one number of the first."""
    if operator == "=" or operator == "!=":
        rows = np.zeros(len(values), np.bool_)
        for low, high in ranges:
            rows |= (values >= low) & (values <= high)
        return rows if operator == "=" else ~rows
    return _ORDERINGS[operator](values, ranges[0][0])


_ORDERINGS: dict[str, Callable[[Measure, float], Bools]] = {
    ">": np.greater,
    "<": np.less,
    ">=": np.greater_equal,
    "<=": np.less_equal,
}


def in_states(mask: int, table: SocketTable) -> Bools:
    """Rows in one of the states."""
    wanted = np.array([mask >> state & 1 for state in range(256)], np.bool_)
    rows: Bools = wanted[table.state]
    return rows


def _send_q(facts: Facts) -> Measure:
    return facts.table.send_q_of(facts.backlog_told)


def _fill(facts: Facts) -> Measure:
    """Percent, without the last bits: 29 of 100 places are 29 %."""
    return np.round(100 * facts.table.fill(facts.backlog_told), 9)


def _age(facts: Facts) -> Measure:
    """Microseconds since the opening that was witnessed."""
    return np.full(len(facts.table), np.nan) if facts.age_s is None else facts.age_s * 1e6


def _idle(facts: Facts) -> Measure:
    """Whole microseconds since data went either way."""
    return np.rint(facts.table.idle_s() * 1e6)


def _retrans(facts: Facts) -> Measure:
    """Retransmissions in a row that nothing has acknowledged yet.

    idiag_retrans counts them while the retransmission timer runs (zero-window or keepalive probes
    otherwise), tcp_info.retransmits always; a TIME_WAIT mini-socket retransmits nothing.
    """
    table = facts.table
    running = np.where(table.timer == tcp.RETRANSMIT, table.retrans, 0)
    tries = np.maximum(running, table.tcp_info("retransmits"))
    return np.where(table.timer != tcp.TIMEWAIT, tries, np.nan)


_COLUMNS: dict[str, Callable[[Facts], Measure]] = {
    "recvq": lambda facts: facts.table.recv_q,
    "sendq": _send_q,
    "fill": _fill,
    "drops": lambda facts: facts.table.drops(),
    "age": _age,
    "idle": _idle,
    "rtt": lambda facts: facts.table.rtt_us(),
    "retrans": _retrans,
    "backoff": lambda facts: facts.table.info_of("backoff"),
}


def _timer(word: str, facts: Facts) -> Bools:
    if facts.ended is not None:
        return np.zeros(len(facts.table), np.bool_)
    rows: Bools = facts.table.timer == (0 if word == "none" else tcp.TIMERS.index(word))
    return rows


def _keepalive(word: str, facts: Facts) -> Bools:
    """On where its timer runs. Off only where no other timer could hide it: nothing unsent or
    unacknowledged, and none pending (since 7.0 a delayed ACK, which comes after it, may be).

    Timer 2 of a FIN_WAIT2 socket without an owner is its time-out (kernel, tcp_close).
    """
    table = facts.table
    if facts.ended is not None:
        return np.full(len(table), word == "unknown")
    orphan = (table.state == tcp.FIN_WAIT2) & (table.inode == 0)
    on = (table.timer == tcp.KEEPALIVE) & ~orphan
    bare = (table.timer == 0) | (table.timer == tcp.DELACK)
    off = in_states(_CAN_KEEP_ALIVE, table) & (table.send_q == 0) & bare
    rows: Bools = {"on": on, "off": off}.get(word, ~(on | off))
    return rows


def _owner(word: str, facts: Facts) -> Bools:
    kind = OWNER_KINDS.index(word)
    if facts.owner is None:
        return np.full(len(facts.table), kind == UNKNOWN)
    rows: Bools = facts.owner == kind
    return rows


_CHOICES: dict[str, Callable[[str, Facts], Bools]] = {
    "timer": _timer,
    "keepalive": _keepalive,
    "owner": _owner,
}
