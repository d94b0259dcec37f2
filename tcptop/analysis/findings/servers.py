"""Listeners in the sentences of findings: who serves where, with which backlog."""

from __future__ import annotations

from collections.abc import Sequence

from tcptop.analysis.findings import words
from tcptop.analysis.findings.look import Look
from tcptop.model.sample import Process
from tcptop.model.table import SocketTable

SOMAXCONN = "net.core.somaxconn"
NAMED = 3  # processes that a sentence names


def where(table: SocketTable, row: int) -> str:
    """:8080, or 10.0.0.1:8080 for a listener on one address."""
    return words.port(table, row) if words.is_any(table, row) else words.local(table, row)


def title(look: Look, row: int, people: Sequence[Process]) -> str:
    """nginx on :8080"""
    who = words.printable(people[0].name) if people else "the server"
    return f"{who} on {where(look.table, row)}"


def named(people: Sequence[Process]) -> str:
    """nginx (pid 812, nginx.service), nginx (pid 813, nginx.service) and 6 more"""
    if not people:
        return "a process that is not known"
    said = ", ".join(words.who(each) for each in people[:NAMED])
    more = len(people) - NAMED
    return f"{said} and {more} more" if more > 0 else said


def clamped(look: Look, row: int) -> bool:
    """Whether listen() was given at least net.core.somaxconn, and got that."""
    limit = look.sysctl(int(look.table.netns[row]), SOMAXCONN)
    return limit is not None and limit == int(look.table.send_q[row])


def backlog(look: Look, row: int) -> str:
    """Where the present backlog comes from."""
    given = int(look.table.send_q[row])
    limit = look.sysctl(int(look.table.netns[row]), SOMAXCONN)
    if clamped(look, row):
        return (
            f"Its backlog is {given}, clamped by {SOMAXCONN} = {given} unless listen() asked for "
            "just that."
        )
    allowed = "" if limit is None else f" ({SOMAXCONN} would allow {limit})"
    return f"Its backlog is {given}, as given to listen(){allowed}."


def larger_backlog(look: Look, row: int) -> str:
    """How to get a longer queue, once accepting is fast enough."""
    given = int(look.table.send_q[row])
    more = max(4 * given, 511)
    limit = look.sysctl(int(look.table.netns[row]), SOMAXCONN)
    if limit is not None and limit < more:
        return (
            f"sysctl -w {SOMAXCONN}={more} (now {limit}), listen() with a backlog of {more} "
            f"(now {given}), and a restart"
        )
    return f"listen() with a backlog of {more} (now {given})"
