"""SocketTable: one column per field, one row per socket, in numpy arrays."""

from __future__ import annotations

from collections.abc import Sequence
from sys import byteorder
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from tcptop.model import tcp
from tcptop.model.arrays import isin_codes
from tcptop.model.dataclass import dataclass
from tcptop.model.socket_id import SocketId, socket_keys
from tcptop.model.unchanged import while_same

U8 = NDArray[np.uint8]
U16 = NDArray[np.uint16]
U32 = NDArray[np.uint32]
U64 = NDArray[np.uint64]
I64 = NDArray[np.int64]
F64 = NDArray[np.float64]
Bools = NDArray[np.bool_]
Index = NDArray[np.int64]

Rows: TypeAlias = Index | Bools | slice
ALL = slice(None)

# Where last_data_* is missing, or counts from boot, or from before there was a connection.
NEVER_IDLE = (tcp.SYN_SENT, tcp.SYN_RECV, tcp.LISTEN, tcp.TIME_WAIT)
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
ROW_BYTES = sum(np.dtype(kind).itemsize * (width or 1) for kind, width in COLUMNS.values())


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
    def nbytes(self) -> int:
        """What it keeps in memory: a part keeps all rows of the table that it is of."""
        whole = self.cookie.base
        return ROW_BYTES * len(self.cookie if whole is None else whole)

    @property
    def key(self) -> U64:
        """What tells sockets apart, of all namespaces; not to be written to."""
        return _keys(self.netns, self.cookie)

    def id(self, row: int) -> SocketId:
        return SocketId(int(self.netns[row]), int(self.cookie[row]))

    def part(self, first: int, last: int) -> SocketTable:
        """A view of the rows from `first` up to `last`: writing to it writes to this table."""
        return SocketTable(*(getattr(self, name)[first:last] for name in COLUMNS))

    def take(self, rows: Index | Bools) -> SocketTable:
        """The rows of an index array or a mask, as a table of their own."""
        return SocketTable(*(getattr(self, name)[rows] for name in COLUMNS))

    def came(self, attribute: int) -> Bools:
        """Rows that brought this inet_diag attribute."""
        came: Bools = (self.has & np.uint32(1 << attribute)) != 0
        return came

    def tcp_info(self, name: str) -> NDArray[Any]:
        """A tcp_info column in the kernel's unit; where it is not known it holds 0."""
        field = tcp.TCP_INFO_BY_NAME[name]
        if field.size == 4 or self.info.flags.c_contiguous:
            column = self.info.view(f"u{field.size}")[:, field.offset // field.size]
        else:  # word by word, as a recording has them
            column = _of_words(self.info, field.offset, field.size)
        return (column >> field.shift) & field.mask if field.mask else column

    def tcp_info_known(self, name: str, rows: Rows = ALL) -> Bools:
        """Rows whose kernel filled the field."""
        known: Bools = self.info_size[rows] >= tcp.TCP_INFO_BY_NAME[name].since
        if name in tcp.UNKNOWN_IN_SYN_SENT:
            known &= self.state[rows] != tcp.SYN_SENT
        if name == "min_rtt":
            known &= self.tcp_info(name)[rows] != np.uint32(0xFFFF_FFFF)
        return known

    def info_of(self, name: str, rows: Rows = ALL) -> F64:
        """A tcp_info column in the kernel's unit; NaN where it is not known."""
        return np.where(self.tcp_info_known(name, rows), self.tcp_info(name)[rows], np.nan)

    def since_s(self, name: str, rows: Rows = ALL) -> F64:
        """One of tcp_info's clocks (last_data_sent, ...) in seconds; NaN where it is not known."""
        return self.info_of(name, rows) / 1000

    def rtt_us(self, rows: Rows = ALL) -> F64:
        """Smoothed round trip; NaN before the first measurement, which the kernel tells as 0."""
        rtt = self.info_of("rtt", rows)
        rtt[rtt == 0] = np.nan
        return rtt

    def idle_s(self, rows: Rows = ALL) -> F64:
        """Since data last went either way; NaN where there was no connection yet, or is none."""
        since = np.minimum(
            self.since_s("last_data_sent", rows), self.since_s("last_data_recv", rows)
        )
        since[isin_codes(self.state[rows], NEVER_IDLE)] = np.nan
        return since

    def mini(self, rows: Rows = ALL) -> Bools:
        """Kernel mini-sockets, whose uid, inode and cgroup are filler: SYN_RECV, TIME_WAIT, and
        FIN_WAIT2 after close (timer 3, no inode)."""
        state, timer = self.state[rows], self.timer[rows]
        closed = (state == tcp.FIN_WAIT2) & (self.inode[rows] == 0) & (timer == tcp.TIMEWAIT)
        mini: Bools = closed | isin_codes(state, (tcp.SYN_RECV, tcp.TIME_WAIT))
        return mini

    def time_wait_ms(self) -> I64:
        """How long each TIME_WAIT row has been so."""
        return tcp.TIMEWAIT_MS - self.expires.astype(np.int64)

    def send_q_of(self, told: bool, rows: Rows = ALL) -> F64:
        """Send-Q, of a LISTEN row its backlog; NaN where that is not `told`."""
        untold = (self.state[rows] == tcp.LISTEN) & (not told)
        return np.where(untold, np.nan, self.send_q[rows])

    def backlog(self, told: bool, rows: Rows = ALL) -> F64:
        """Of LISTEN rows the limit given to listen(); NaN for others, and where it is not told."""
        return np.where(told & (self.state[rows] == tcp.LISTEN), self.send_q[rows], np.nan)

    def fill(self, told: bool, rows: Rows = ALL) -> F64:
        """Accept queue against backlog + 1, which fit (sk_acceptq_is_full); else NaN."""
        return self.recv_q[rows] / (self.backlog(told, rows) + 1)

    def drops(self, rows: Rows = ALL) -> F64:
        """Packets dropped on a socket (SKMEMINFO); NaN before 4.7."""
        return np.where(self.memory_known("drops")[rows], self.memory_of("drops")[rows], np.nan)

    def memory_of(self, name: str) -> U32:
        """A column of SKMEMINFO; where `memory_known` is false it holds 0."""
        return self.memory[:, tcp.MEMORY.index(name)]

    def memory_known(self, name: str) -> Bools:
        """Rows whose kernel sent that many SKMEMINFO words (drops since 4.7)."""
        return self.memory_count > tcp.MEMORY.index(name)


def _of_words(info: U32, offset: int, size: int) -> NDArray[Any]:
    """A column of 8, 2 or 1 bytes at a byte offset."""
    word, little = offset // 4, byteorder == "little"
    if size == 8:
        low, high = (word, word + 1) if little else (word + 1, word)
        return info[:, high].astype(np.uint64) << np.uint64(32) | info[:, low]
    within = offset % 4 if little else 4 - size - offset % 4
    column: NDArray[Any] = (info[:, word] >> np.uint32(8 * within)).astype(f"u{size}")
    return column


_keys = while_same(kept=3)(socket_keys)  # of a sample, and of some part of it or another


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
