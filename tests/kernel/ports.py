"""Ephemeral ports that are left, as tcptop tells them and as the kernel gives them."""

import errno
from functools import partial

import numpy as np

from tcptop.demo import sockets
from tcptop.demo.held import HeldSockets
from tcptop.demo.namespace import DemoNamespace
from tcptop.model.address import halves
from tcptop.model.snapshot import Snapshot
from tests.kernel import snapshots

FIRST, COUNT = 32768, 20

# Ports need no owners.
Watch = partial(snapshots.Watch, budget_s=0.0)
snapshot_of = partial(snapshots.snapshot_of, budget_s=0.0)


def set_range(namespace: DemoNamespace, count: int) -> None:
    namespace.sysctl("net.ipv4.ip_local_port_range", f"{FIRST} {FIRST + count - 1}")


def group(
    snapshot: Snapshot, port: int = 80, host: str = "127.0.0.1", local: str | None = None
) -> int:
    """The place of a destination's only group, or of that of one local address."""
    ports, (hi, lo) = snapshot.ports, halves(host)
    here = (ports.remote_hi == hi) & (ports.remote_lo == lo) & (ports.remote_port == port)
    if local:
        hi, lo = halves(local)
        here &= (ports.local_hi == hi) & (ports.local_lo == lo)
    (place,) = np.flatnonzero(here).tolist()
    return int(place)


def left(snapshot: Snapshot, port: int = 80, host: str = "127.0.0.1") -> int:
    return int(snapshot.ports.headroom[group(snapshot, port, host)])


def dial(host: str, port: int, source: str | None = None) -> HeldSockets | None:
    """A connection, or None if there is no port for it (or none to bind to)."""
    try:
        return sockets.connected(host, port, source)
    except OSError as error:
        if error.errno in (errno.EADDRNOTAVAIL, errno.EADDRINUSE):
            return None
        raise
