"""SocketTable: one column per field, one row per socket, in numpy arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tcptop.model import tcp
from tcptop.model.socket_id import SocketId, socket_keys

U8 = NDArray[np.uint8]
U16 = NDArray[np.uint16]
U32 = NDArray[np.uint32]
U64 = NDArray[np.uint64]
I64 = NDArray[np.int64]
F64 = NDArray[np.float64]
Bools = NDArray[np.bool_]
Index = NDArray[np.int64]

MAPPED = np.uint64(0xFFFF_0000_0000)  # ::ffff:0:0/96, RFC 4291 2.5.5.2

# name -> (dtype, items a row); the order is the order of the columns.
COLUMNS: dict[str, tuple[str, int]] = {
    "netns": ("u4", 0),
    "cookie": ("u8", 0),
    "family": ("u1", 0),
    "state": ("u1", 0),
    "timer": ("u1", 0),
    "retrans": ("u1", 0),
    "local_port": ("u2", 0),
    "remote_port": ("u2", 0),
    "local_hi": ("u8", 0),
    "local_lo": ("u8", 0),
    "remote_hi": ("u8", 0),
    "remote_lo": ("u8", 0),
    "interface": ("u4", 0),
    "expires": ("u4", 0),
    "recv_q": ("u4", 0),
    "send_q": ("u4", 0),
    "uid": ("u4", 0),
    "inode": ("u4", 0),
    "has": ("u4", 0),
    "info_size": ("u2", 0),
    "info": ("u4", tcp.TCP_INFO_SIZE // 4),
    "memory_count": ("u1", 0),
    "memory": ("u4", len(tcp.MEMORY)),
    "shutdown": ("u1", 0),
    "v6only": ("u1", 0),
    "cgroup_id": ("u8", 0),
    "mark": ("u4", 0),
    "sockopt": ("u2", 0),
    "cong": ("S16", 0),
    "ulp": ("S16", 0),
}


@dataclass(frozen=True, eq=False, slots=True)
class SocketTable:
    """Columns of equal length n; `info` is (n, 70) and `memory` (n, 9) words as the kernel sent.

    Ports are in host order. Addresses are two 64-bit halves of the 128-bit address; IPv4 is held
    as ::ffff:a.b.c.d in either family, so that a mapped socket equals its IPv4 peer. Bit k of
    `has` says that attribute k of inet_diag came with the row: only then is its column known.
    """

    netns: U32
    cookie: U64
    family: U8
    state: U8
    timer: U8
    retrans: U8
    local_port: U16
    remote_port: U16
    local_hi: U64
    local_lo: U64
    remote_hi: U64
    remote_lo: U64
    interface: U32
    expires: U32
    recv_q: U32
    send_q: U32
    uid: U32
    inode: U32
    has: U32
    info_size: U16
    info: U32
    memory_count: U8
    memory: U32
    shutdown: U8
    v6only: U8
    cgroup_id: U64
    mark: U32
    sockopt: U16
    cong: NDArray[np.bytes_]
    ulp: NDArray[np.bytes_]

    def __len__(self) -> int:
        return len(self.cookie)

    @property
    def key(self) -> U64:
        """What tells sockets apart, of all namespaces; computed anew each time."""
        return socket_keys(self.netns, self.cookie)

    def id(self, row: int) -> SocketId:
        return SocketId(int(self.netns[row]), int(self.cookie[row]))

    def part(self, first: int, last: int) -> SocketTable:
        """A view of the rows from `first` up to `last`: writing to it writes to this table."""
        return SocketTable(*(getattr(self, field.name)[first:last] for field in fields(self)))

    def take(self, rows: Index | Bools) -> SocketTable:
        """The rows of an index array or a mask, as a table of their own."""
        return SocketTable(*(getattr(self, field.name)[rows] for field in fields(self)))

    def came(self, attribute: int) -> Bools:
        """Rows that brought this inet_diag attribute."""
        came: Bools = (self.has & np.uint32(1 << attribute)) != 0
        return came

    def tcp_info(self, name: str) -> NDArray[Any]:
        """A tcp_info column in the kernel's unit; where it is not known it holds 0."""
        field = tcp.TCP_INFO_BY_NAME[name]
        column = self.info.view(f"u{field.size}")[:, field.offset // field.size]
        return (column >> field.shift) & field.mask if field.mask else column

    def tcp_info_known(self, name: str) -> Bools:
        """Rows whose kernel filled the field."""
        known: Bools = self.info_size >= tcp.TCP_INFO_BY_NAME[name].since
        if name in tcp.UNKNOWN_IN_SYN_SENT:
            known &= self.state != tcp.SYN_SENT
        if name == "min_rtt":
            known &= self.tcp_info(name) != np.uint32(0xFFFF_FFFF)
        return known

    def memory_of(self, name: str) -> U32:
        """A column of SKMEMINFO; where `memory_known` is false it holds 0."""
        return self.memory[:, tcp.MEMORY.index(name)]

    def memory_known(self, name: str) -> Bools:
        """Rows whose kernel sent that many SKMEMINFO words (drops since 4.7)."""
        return self.memory_count > tcp.MEMORY.index(name)


def blank(rows: int) -> SocketTable:
    """A table of zeros, to be filled by a decoder."""
    return SocketTable(
        *(np.zeros((rows, width) if width else rows, dtype) for dtype, width in COLUMNS.values())
    )


def concat(tables: Sequence[SocketTable]) -> SocketTable:
    """One table of all rows, in order."""
    if len(tables) == 1:
        return tables[0]
    if not tables:
        return blank(0)
    return SocketTable(
        *(np.concatenate([getattr(table, name) for table in tables]) for name in COLUMNS)
    )


EMPTY = blank(0)
