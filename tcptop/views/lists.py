"""The lists of a snapshot by name, in the order of the schema."""

from __future__ import annotations

import numpy as np

from tcptop.model.selection import Selection
from tcptop.model.table import Index
from tcptop.views import gathered_rows, listener_rows, socket_rows
from tcptop.views.rows import Columns, Listing

FINDING = (
    *("id", "key", "severity", "title", "subject", "since", "values"),
    *("evidence", "advice", "confirm", "because"),
)
SUBJECT = ("netns", "pids", "listener", "destination", "cookies")


def _no_findings(selection: Selection) -> Index:
    return np.zeros(0, np.int64)


def _findings(selection: Selection, places: Index) -> Columns:
    subject: Columns = {name: [] for name in SUBJECT}
    return {name: subject if name == "subject" else [] for name in FINDING}


LISTS = {
    "sockets": Listing("socket", socket_rows.order, socket_rows.columns),
    "listeners": Listing("listener", listener_rows.order, listener_rows.columns),
    "processes": Listing("process", gathered_rows.processes_order, gathered_rows.processes),
    "ports": Listing("port", gathered_rows.ports_order, gathered_rows.ports),
    "remotes": Listing("remote", gathered_rows.remotes_order, gathered_rows.remotes),
    "findings": Listing("finding", _no_findings, _findings),
}


def wanted(only: frozenset[str]) -> list[str]:
    """The names asked for, all if none is; raises ValueError for one that is not a list."""
    unknown = sorted(only - LISTS.keys())
    if unknown:
        raise ValueError(f"no such list: {', '.join(unknown)} (there are {', '.join(LISTS)})")
    return [name for name in LISTS if name in only or not only]
