"""What takes the descriptors of a process: connections that lead to one place, or come from it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tcptop.analysis.findings import words
from tcptop.analysis.findings.groups import by_place
from tcptop.analysis.findings.observations import Observations
from tcptop.model import tcp
from tcptop.model.arrays import row_hash, rows_by_key
from tcptop.model.named_tuple import NamedTuple
from tcptop.model.sample import Process
from tcptop.model.table import U64, Index
from tcptop.model.unchanged import while_same

MOST, MOSTLY = 0.5, 0.9  # of the descriptors in use; of those connections
IDLE_S = 10.0


class Takers(NamedTuple):
    """Open connections `to` a destination, or accepted `by` a port, of which those from one address
    are as many as `from_one` (its `address`), `mute` have never been sent a byte and `idle` have
    rested for ten seconds or longer."""

    rows: Index
    to: str | None
    by: str | None
    address: str
    from_one: int
    mute: int
    idle: int

    @property
    def kept(self) -> bool:
        """A client's connections that it does not use."""
        return self.to is not None and self.idle >= MOSTLY * len(self.rows)

    @property
    def unheard(self) -> bool:
        """Clients that have not asked for anything that was answered, most of one address."""
        many = MOSTLY * len(self.rows)
        return self.by is not None and min(self.mute, self.from_one) >= many


def takers(seen: Observations, rows: Index, used: int) -> Takers | None:
    """Of the sockets that it holds; None where no place has most of its descriptors."""
    table = seen.table
    open_ = rows[table.state[rows] == tcp.ESTABLISHED]
    group = next(iter(by_place(seen, open_)), None)
    if group is None or len(group.rows) <= MOST * used:
        return None
    mine = group.rows
    most = _of_one(mine, table.remote_hi, table.remote_lo)
    sent, came = (table.since_s(f"last_data_{way}", mine) for way in ("sent", "recv"))
    rested = np.fmin(sent, came) >= IDLE_S
    return Takers(
        mine,
        group.destination,
        group.listener,
        words.remote_address(seen.sample, int(most[0])),
        len(most),
        int(np.count_nonzero(table.info_of("data_segs_out", mine) == 0)),
        int(np.count_nonzero(rested)),
    )


@while_same(kept=4)
def _of_one(rows: Index, hi: U64, lo: U64) -> Index:
    """Those of the address that has most."""
    most: Index = next(iter(rows_by_key(rows, row_hash(hi[rows], lo[rows]))))
    return most


def told(found: Takers | None) -> Iterator[str]:
    if found is None:
        return
    many, idle = words.number(len(found.rows)), words.number(found.idle)
    if found.to:
        yield (
            f"{many} of them are open connections to {found.to}, of which {idle} have been idle "
            "for 10 s or longer."
        )
        return
    yield (
        f"{many} of them are open connections that clients made to {found.by}, "
        f"{words.number(found.from_one)} from {found.address}; to {words.number(found.mute)} of "
        "these clients nothing has ever been sent."
    )


def advice(process: Process, found: Takers | None) -> str:
    """For connections that are kept for nothing, or clients that only hold on; else empty."""
    name = words.called(process)
    if found is not None and found.kept:
        return (
            f"Find why {name} keeps connections to {found.to} that it does not use: create one "
            "client and share it (a Session, an http.Client with its Transport, a pool with a "
            "limit), and close what each request has opened. A higher limit only delays the "
            "failure."
        )
    if found is not None and found.unheard:
        return (
            f"Find out who {found.address} is: clients that connect and do not finish a request "
            f"hold {name} (slowloris). Give it a timeout for reading requests (ReadHeaderTimeout "
            "in Go, client_header_timeout in nginx), and limit the connections of one address "
            "before it. A higher limit only delays the failure."
        )
    return ""
