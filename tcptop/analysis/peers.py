"""The other end of a connection: its row, where it is in the table too, and whether it is local."""

from __future__ import annotations

import numpy as np

from tcptop.model import tcp
from tcptop.model.arrays import index_of, isin, row_hash
from tcptop.model.table import ALL, U32, U64, Bools, Index, Rows, SocketTable

AGREED = 1 | 2 | 4  # of tcpi_options: timestamps, SACK, window scales
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


def peer_elsewhere(table: SocketTable, row: int) -> int:
    """The row of the other end in another namespace of this host; -1 where there is none, or where
    it may be another one's: other networks may have the same addresses."""
    at = np.array([row])
    if _near(table, at).any():
        return -1
    mine, theirs = _spanning(table, at, "local", "remote"), _spanning(table, at, "remote", "local")
    every = np.flatnonzero(table.state != tcp.LISTEN)
    keys = _spanning(table, every, "local", "remote")
    found = every[keys == theirs]
    alone = len(found) == 1 and np.count_nonzero(keys == mine) == 1
    return int(found[0]) if alone and _agree(table, row, int(found[0])) else -1


def _near(table: SocketTable, rows: Index) -> Bools:
    """Rows whose other end is in the same namespace, or on the same link: such addresses are not
    to be found in others."""
    hi, lo = table.remote_hi[rows], table.remote_lo[rows]
    return is_loopback(hi, lo) | is_link_local(hi)


def _spanning(table: SocketTable, rows: Index, first: str, second: str) -> U64:
    """The same for two ends of one connection, in whichever namespaces."""
    return row_hash(*_end(table, first, rows), *_end(table, second, rows))


def _agree(table: SocketTable, one: int, other: int) -> bool:
    """Whether they have the options and window scales on which two ends agree (tcp_get_info)."""
    if not (table.info_size[[one, other]] > 0).all():
        return True
    info = {name: table.tcp_info(name) for name in ("options", "snd_wscale", "rcv_wscale")}
    scales = info["snd_wscale"], info["rcv_wscale"]
    crossed = all(a[one] == b[other] for a, b in (scales, scales[::-1]))
    return crossed and not (info["options"][one] ^ info["options"][other]) & AGREED


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
