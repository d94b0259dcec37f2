"""Selection: the part of a snapshot that a filter shows."""

from __future__ import annotations

from collections.abc import Callable

from tcptop.model.dataclass import dataclass
from tcptop.model.snapshot import Processes, Remotes, Snapshot
from tcptop.model.table import Bools, Index


@dataclass(frozen=True, eq=False, slots=True)
class Selection:
    """`selected` masks the socket table, `rows` are its places.

    `processes` counts the selected sockets. Listeners, ports, remotes, namespaces and findings are
    places in the snapshot's lists of those that concern a selected socket or its process; what they
    say is of all sockets.
    """

    snapshot: Snapshot
    filter: str | None
    selected: Bools
    rows: Index
    processes: Processes
    listeners: Index
    ports: Index
    remotes: Index
    namespaces: Index
    remote_groups: Remotes  # by address, or by address and port
    findings: Index
    closed: Callable[[], Index]  # places of connections that have ended, the newest first
    hint: str = ""  # what would select something, where a name in the filter fits nobody
