"""Remote networks: a /24, or the upper half of an IPv6 address."""

from __future__ import annotations

import numpy as np

from tcptop.analysis.findings import words
from tcptop.model import address
from tcptop.model.arrays import row_hash
from tcptop.model.sample import Sample
from tcptop.model.table import MAPPED, U64, Index, SocketTable

V4_HOST = np.uint64(0xFF)


def halves(table: SocketTable, rows: Index) -> tuple[U64, U64]:
    """The network of each row's remote address, as two halves."""
    hi, lo = table.remote_hi[rows], table.remote_lo[rows]
    v4 = (hi == 0) & (lo >> np.uint64(32) == MAPPED >> np.uint64(32))
    return hi, np.where(v4, lo & ~V4_HOST, np.uint64(0))


def keys(table: SocketTable, rows: Index) -> U64:
    """The same for rows of one namespace, network and device."""
    return row_hash(table.netns[rows], table.interface[rows], *halves(table, rows))


def address_keys(table: SocketTable, rows: Index) -> U64:
    """The same for rows of one remote address."""
    columns = (table.netns, table.interface, table.remote_hi, table.remote_lo)
    return row_hash(*(column[rows] for column in columns))


def where(sample: Sample, rows: Index, with_port: bool = True) -> str:
    """As near as the rows agree: the destination, else the address, else the network."""
    table, row = sample.sockets, int(rows[0])
    hi, lo = table.remote_hi[rows], table.remote_lo[rows]
    if (hi == hi[0]).all() and (lo == lo[0]).all():
        if with_port and (table.remote_port[rows] == table.remote_port[row]).all():
            return words.remote(sample, row)
        return words.remote_address(sample, row)
    return name(sample, row)


def name(sample: Sample, row: int) -> str:
    """10.77.0.0/24, or fe80::%eth0/64 (RFC 4007, 11.2)"""
    hi, lo = (int(half[0]) for half in halves(sample.sockets, np.array([row])))
    return f"{address.text(hi, lo)}{words.zone(sample, row)}/{24 if lo else 64}"
