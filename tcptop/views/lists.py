"""The lists of a snapshot by name, in the order of the schema."""

from __future__ import annotations

from tcptop.views import closed_rows, findings, gathered_rows, listener_rows, socket_rows
from tcptop.views.rows import JsonList

LISTS = {
    "sockets": JsonList("socket", socket_rows.order, socket_rows.columns),
    "listeners": JsonList("listener", listener_rows.order, listener_rows.columns),
    "processes": JsonList("process", gathered_rows.processes_order, gathered_rows.processes),
    "ports": JsonList("port", gathered_rows.ports_order, gathered_rows.ports),
    "remotes": JsonList("remote", gathered_rows.remotes_order, gathered_rows.remotes),
    "closed": JsonList("closed", closed_rows.order, closed_rows.columns, closed_rows.told),
    "findings": JsonList("finding", findings.order, findings.columns),
}


def wanted(only: frozenset[str]) -> list[str]:
    """The names asked for, all if none is; raises ValueError for one that is not a list."""
    unknown = sorted(only - LISTS.keys())
    if unknown:
        raise ValueError(f"no such list: {', '.join(unknown)} (there are {', '.join(LISTS)})")
    return [name for name in LISTS if name in only or not only]
