"""Looking at a namespace with tcptop's own collector and analysis."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from tcptop.analysis.derive import derive
from tcptop.analysis.history import History
from tcptop.demo.held import HeldSockets
from tcptop.demo.namespace import DemoNamespace
from tcptop.model import owner
from tcptop.model.route import RouteKey
from tcptop.model.sample import Sample
from tcptop.model.snapshot import Snapshot
from tcptop.model.socket_id import SocketId
from tcptop.model.source import Requests
from tcptop.model.table import SocketTable
from tcptop.sources.live import LiveSource
from tcptop.sources.sock_diag import EVERYTHING, Request, SockDiag


def dump(
    namespace: DemoNamespace, request: Request = EVERYTHING, *, legacy: bool = True
) -> SocketTable:
    """One dump: the legacy request for both families, or one of the second version for each."""
    with namespace.entered(), SockDiag(namespace.inode) as diag:
        diag._legacy = legacy
        return diag.dump(request)


class Watch:
    """Looks again and again, as the live view does. Close it.

    `budget_s` is for the search for owners, which takes long on a machine of many sockets.
    """

    def __init__(
        self, namespace: DemoNamespace, budget_s: float | None = None, events: bool = True
    ) -> None:
        self.namespace = namespace
        self.history = History()
        with namespace.entered():
            self.source = LiveSource(budget_s, events=events)

    def __enter__(self) -> Watch:
        return self

    def __exit__(self, *_: object) -> None:
        self.source.close()

    def snapshot(self) -> Snapshot:
        with self.namespace.entered():
            return self.feed(self.source.sample())

    def feed(self, sample: Sample) -> Snapshot:
        """What a sample means after those before it."""
        snapshot, self.history = derive(sample, self.history)
        return snapshot

    def request(self, sockets: Collection[SocketId], routes: Collection[RouteKey] = ()) -> None:
        """Have the next looks read these options and routes."""
        self.source.request(Requests(frozenset(sockets), frozenset(routes)))

    def poll_listeners(self) -> None:
        with self.namespace.entered():
            self.source.poll_listeners()


def snapshot_of(namespace: DemoNamespace, budget_s: float | None = None) -> Snapshot:
    """A single look."""
    with Watch(namespace, budget_s) as watch:
        return watch.snapshot()


def row_of(table: SocketTable, made: HeldSockets) -> int:
    """The row of a socket that is held open. Raises ValueError unless there is one."""
    (row,) = np.flatnonzero(table.inode == made.inode).tolist()
    return int(row)


def row_between(table: SocketTable, local: int, remote: int) -> int:
    """The row with these two ports. Raises ValueError unless there is one."""
    (row,) = np.flatnonzero((table.local_port == local) & (table.remote_port == remote)).tolist()
    return int(row)


def pids(snapshot: Snapshot, row: int) -> list[int]:
    return [process.pid for process, _ in snapshot.holders.of(row)]


def kind(snapshot: Snapshot, row: int) -> str:
    return owner.OWNER_KINDS[snapshot.owner[row]]


def note(snapshot: Snapshot, row: int) -> int:
    return int(snapshot.note[row])
