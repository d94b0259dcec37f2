"""The other end of a connection: its row, where it is in the table too, and whether it is local."""

from __future__ import annotations

import numpy as np

from tcptop.model import tcp
from tcptop.model.arrays import index_of, isin, row_hash
from tcptop.model.table import ALL, U32, U64, Bools, Index, Rows, SocketTable
from tcptop.model.unchanged import while_same

AGREED = 1 | 2 | 4  # of tcpi_options: timestamps, SACK, window scales
LOOPBACK_V4 = np.uint64(0xFFFF_7F00_0000 >> 24)  # ::ffff:127.0.0.0/104


def peer_rows(table: SocketTable, rows: Index) -> Index:
    """For each row that of the other end of its connection, or -1: in the same namespace, else in
    another one of this host, where that is sure."""
    found = _peers_here(table, rows)
    left = np.flatnonzero(found < 0)
    if len(left) and table.netns[0] != table.netns[-1]:  # they are namespace by namespace
        found[left] = _peers_elsewhere(table, rows[left])
    return found


def _peers_here(table: SocketTable, rows: Index) -> Index:
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


def _peers_elsewhere(table: SocketTable, rows: Index) -> Index:
    """Networks of this host may have the same addresses: where two connections have the same ends,
    it is not known which of them belong together."""
    ports = np.zeros(65536, bool)
    ports[table.remote_port[rows]] = ports[table.local_port[rows]] = True
    near = np.flatnonzero(ports[table.local_port] & (table.state != tcp.LISTEN))
    keys = _spanning(table, near, "local", "remote")
    order = np.argsort(keys)
    keys = keys[order]
    theirs = _spanning(table, rows, "remote", "local")
    sure = ~_near(table, rows) & (_number(theirs, keys) == 1)
    sure &= _number(_spanning(table, rows, "local", "remote"), keys) == 1
    found = np.full(len(rows), -1, np.int64)
    found[sure] = near[order[np.searchsorted(keys, theirs[sure])]]
    agree = _agree(table, rows[sure], found[sure])
    found[np.flatnonzero(sure)[~agree]] = -1
    return found


def _number(wanted: U64, keys: U64) -> Index:
    """How often each occurs among the keys, which are sorted."""
    return np.searchsorted(keys, wanted, "right") - np.searchsorted(keys, wanted, "left")


def _near(table: SocketTable, rows: Index) -> Bools:
    """Rows whose other end is in the same namespace, or on the same link: such addresses are not
    to be found in others."""
    hi, lo = table.remote_hi[rows], table.remote_lo[rows]
    return is_loopback(hi, lo) | is_link_local(hi)


def _spanning(table: SocketTable, rows: Index, first: str, second: str) -> U64:
    """The same for two ends of one connection, in whichever namespaces."""
    return row_hash(*_end(table, first, rows), *_end(table, second, rows))


def _agree(table: SocketTable, rows: Index, others: Index) -> Bools:
    """Whether they have the options and window scales on which two ends agree (tcp_get_info)."""
    mine, theirs = (
        {name: table.tcp_info(name)[at] for name in ("options", "snd_wscale", "rcv_wscale")}
        for at in (rows, others)
    )
    known = (table.info_size[rows] > 0) & (table.info_size[others] > 0)
    differ = (mine["options"] ^ theirs["options"]) & AGREED != 0
    differ |= mine["snd_wscale"] != theirs["rcv_wscale"]
    differ |= mine["rcv_wscale"] != theirs["snd_wscale"]
    agree: Bools = ~known | ~differ
    return agree


def _ends(table: SocketTable, rows: Index, first: str, second: str) -> U64:
    ends = (*_end(table, first, rows), *_end(table, second, rows))
    return row_hash(*_place(table, rows, "remote"), *ends)


def _end(table: SocketTable, side: str, rows: Index) -> list[Index]:
    return [getattr(table, f"{side}_{name}")[rows] for name in ("hi", "lo", "port")]


def remote_is_local(table: SocketTable, rows: Rows = ALL) -> Bools:
    """Rows whose remote end is an address of their namespace: no network is between."""
    ends = (table.local_hi, table.local_lo, table.remote_hi, table.remote_lo)
    local: Bools = _remote_is_local(table.netns, table.interface, *ends)[rows]
    return local


@while_same()
def _remote_is_local(
    netns: U32, interface: U32, local_hi: U64, local_lo: U64, hi: U64, lo: U64
) -> Bools:
    near = is_loopback(hi, lo)
    if near.all():
        return near
    mine = row_hash(netns, _zone(interface, local_hi), local_hi, local_lo)
    return near | isin(row_hash(netns, _zone(interface, hi), hi, lo), mine)


def _place(table: SocketTable, rows: Rows, side: str) -> tuple[U32, U32]:
    """Where addresses are unique."""
    hi = getattr(table, f"{side}_hi")[rows]
    return table.netns[rows], _zone(table.interface[rows], hi)


def _zone(interface: U32, hi: U64) -> U32:
    """Addresses are unique in a namespace, link-local ones (fe80::/10) on their link."""
    if not interface.any():
        return interface
    return np.where(is_link_local(hi), interface, np.uint32(0))


def is_link_local(hi: U64 | np.uint64) -> Bools:
    """Addresses in fe80::/10, by their upper half."""
    link_local: Bools = hi >> np.uint64(54) == 0xFE80 >> 6
    return link_local


def is_loopback(hi: U64, lo: U64) -> Bools:
    """Addresses in 127/8, and ::1."""
    v4 = lo >> np.uint64(24) == LOOPBACK_V4
    loopback: Bools = (hi == 0) & (v4 | (lo == 1))
    return loopback
