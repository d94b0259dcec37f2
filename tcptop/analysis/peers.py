"""The other end of a connection: its row, where it is in the table too, and whether it is local."""

from __future__ import annotations

import numpy as np

from tcptop.model import tcp
from tcptop.model.arrays import index_of, isin, row_hash
from tcptop.model.table import ALL, U32, U64, Bools, Index, Rows, SocketTable

LOOPBACK_V4 = np.uint64(0xFFFF_7F00_0000 >> 24)  # ::ffff:127.0.0.0/104


def peer_rows(table: SocketTable, rows: Index) -> Index:
    """For each row that of the other end of its connection, in the same namespace; or -1."""
    ports = np.zeros(65536, bool)
    ports[table.remote_port[rows]] = True
    near = np.flatnonzero(ports[table.local_port] & (table.state != tcp.LISTEN))
    key = _ends(table, near, "local", "remote")
    wanted = _ends(table, rows, "remote", "local")
    order = np.argsort(key)
    place = index_of(wanted, key[order])
    found = np.full(len(rows), -1, np.int64)
    found[place >= 0] = near[order[place[place >= 0]]]
    return found


def _ends(table: SocketTable, rows: Index, first: str, second: str) -> U64:
    ends = (*_end(table, first, rows), *_end(table, second, rows))
    return row_hash(*_place(table, rows, "remote"), *ends)


def _end(table: SocketTable, side: str, rows: Index) -> list[Index]:
    return [getattr(table, f"{side}_{name}")[rows] for name in ("hi", "lo", "port")]


def remote_is_local(table: SocketTable, rows: Rows = ALL) -> Bools:
    """Rows whose remote end is an address of their namespace: no network is between."""
    hi, lo = table.remote_hi[rows], table.remote_lo[rows]
    near = is_loopback(hi, lo)
    if near.all():
        return near
    mine = row_hash(*_place(table, ALL, "local"), table.local_hi, table.local_lo)
    return near | isin(row_hash(*_place(table, rows, "remote"), hi, lo), mine)


def _place(table: SocketTable, rows: Rows, side: str) -> tuple[U32, U32]:
    """Where addresses are unique: in the namespace, link-local ones (fe80::/10) on their link."""
    zone: U32 = table.interface[rows]
    if zone.any():
        zone = np.where(is_link_local(getattr(table, f"{side}_hi")[rows]), zone, np.uint32(0))
    return table.netns[rows], zone


def is_link_local(hi: U64 | np.uint64) -> Bools:
    """Addresses in fe80::/10, by their upper half."""
    link_local: Bools = hi >> np.uint64(54) == 0xFE80 >> 6
    return link_local


def is_loopback(hi: U64, lo: U64) -> Bools:
    """Addresses in 127/8, and ::1."""
    v4 = lo >> np.uint64(24) == LOOPBACK_V4
    loopback: Bools = (hi == 0) & (v4 | (lo == 1))
    return loopback
