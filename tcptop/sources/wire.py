"""Datagrams of a sock_diag dump -> columns. Pure: bytes in, a SocketTable out.

Layouts: include/uapi/linux/netlink.h (nlmsghdr, nlattr) and inet_diag.h (inet_diag_msg).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from struct import Struct
from sys import byteorder
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tcptop.model import tcp
from tcptop.model.arrays import sorted_unique
from tcptop.model.named_tuple import NamedTuple
from tcptop.model.table import MAPPED, U8, Bools, Index, Rows, SocketTable

NLMSG_ERROR = 2
NLMSG_DONE = 3
TCPDIAG_GETSOCK = 18  # legacy request; its replies carry the same type
SOCK_DIAG_BY_FAMILY = 20
ROWS = (TCPDIAG_GETSOCK, SOCK_DIAG_BY_FAMILY)

NLMSG_HEADER = 16
DIAG_MSG = 72  # sizeof(struct inet_diag_msg)
FIRST_ATTRIBUTE = NLMSG_HEADER + DIAG_MSG
ATTRIBUTE_TYPE = 0x3FFF  # without NLA_F_NESTED and NLA_F_NET_BYTEORDER
INET_ULP_INFO_NAME = 1
MAX_ERRNO = 4095  # include/linux/err.h
# More than any kernel sends: a listener with TCP MD5 keys has the most, and as many lengths. What
# is read costs its layouts times its rows.
LAYOUTS, ATTRIBUTES = 256, 64


class WireError(ValueError):
    """What came is not a sock_diag dump: a length that cannot be, or a message cut short."""


# struct inet_diag_msg behind its nlmsghdr; ports and addresses are in network order.
HEADER = np.dtype(
    {
        "names": [
            *("family", "state", "timer", "retrans", "local_port", "remote_port"),
            *("local", "remote", "interface", "cookie", "expires"),
            *("recv_q", "send_q", "uid", "inode"),
        ],
        "formats": ["u1", "u1", "u1", "u1", ">u2", ">u2", "16u1", "16u1", "u4", "u8"] + ["u4"] * 5,
        "offsets": [16, 17, 18, 19, 20, 22, 24, 40, 56, 60, 68, 72, 76, 80, 84],
        "itemsize": FIRST_ATTRIBUTE,
    }
)
COOKIE = 60  # where HEADER has it
QUEUE = Struct("=Q4xI")  # cookie and recv_q, from there on
PLAIN = (
    *("family", "state", "timer", "retrans", "local_port", "remote_port", "interface"),
    *("cookie", "recv_q", "send_q", "uid", "inode"),
)

# attribute -> (column, bytes of it that are kept, bit of `has`)
SCALARS = {
    tcp.SHUTDOWN: ("shutdown", 1),
    tcp.SKV6ONLY: ("v6only", 1),
    tcp.CGROUP_ID: ("cgroup_id", 8),
    tcp.MARK: ("mark", 4),
    tcp.SOCKOPT: ("sockopt", 2),
}


def scan(words: memoryview, start: int, end: int, seq: int, offsets: list[int]) -> int | None:
    """Walk one datagram in a buffer of 32-bit words; start and end are in words.

    Appends the offset (in words) of each row to `offsets`. Returns None, or at the dump's end
    its error code: 0, or a negative errno. Messages of another request are passed over.
    Raises WireError where a message does not fit its datagram, or tells what no kernel does.
    """
    if _all_alike(words, start, end, seq):
        offsets.extend(range(start, end, (words[start] + 3) >> 2))
        return None
    at = start
    while at + 4 <= end:
        length = words[at]
        after = at + ((length + 3) >> 2)
        if length < NLMSG_HEADER or after > end:
            raise WireError(f"a message of {length} bytes where {(end - at) * 4} were left")
        if words[at + 2] == seq:
            kind = words[at + 1] & 0xFFFF
            if kind in ROWS and length >= FIRST_ATTRIBUTE:
                offsets.append(at)
            elif kind in (NLMSG_DONE, NLMSG_ERROR):
                return _error_code(words, at, length)
            else:
                raise WireError(f"an unexpected message of type {kind} and {length} bytes")
        at = after
    return None


def _all_alike(words: memoryview, start: int, end: int, seq: int) -> bool:
    """Whether a datagram is filled by rows of one length, as most are: found by one slice.

    A datagram belongs to one dump, so type and sequence are those of its first message; what
    ends a dump is shorter than a row.
    """
    length = words[start] if start < end else 0
    step = (length + 3) >> 2
    if length < FIRST_ATTRIBUTE or (end - start) % step:
        return False
    if words[start + 1] & 0xFFFF not in ROWS or words[start + 2] != seq:
        return False
    return words[start:end:step].tolist().count(length) == (end - start) // step


def _error_code(words: memoryview, at: int, length: int) -> int:
    code = words[at + 4] if length >= NLMSG_HEADER + 4 else 0
    code = code - (1 << 32) if code >> 31 else code
    if code < -MAX_ERRNO:
        raise WireError(f"{-code} is no error number")
    return code


class Attribute(NamedTuple):
    """One attribute of a layout: offset of its payload from the message, and payload size."""

    kind: int
    at: int
    size: int


def attributes(message: bytes) -> list[Attribute]:
    """The attributes of one message. Raises WireError where one does not fit."""
    found = list(_attributes(message, FIRST_ATTRIBUTE, len(message)))
    if len(found) > ATTRIBUTES:
        raise WireError(f"{len(found)} attributes in a message")
    return found


def _attributes(message: bytes, at: int, end: int) -> Iterator[Attribute]:
    while at + 4 <= end:
        length = int.from_bytes(message[at : at + 2], byteorder)
        kind = int.from_bytes(message[at + 2 : at + 4], byteorder)
        if length < 4 or at + length > end:
            raise WireError(f"an attribute of {length} bytes where {end - at} were left")
        yield Attribute(kind & ATTRIBUTE_TYPE, at + 4, length - 4)
        at += (length + 3) & ~3


def decode(data: NDArray[np.uint8], offsets: Index, table: SocketTable) -> None:
    """Fill a table of zeros from the rows at byte offsets of `data`, which ends with the last.

    Rows of one layout (the same attribute headers at the same places) are read together: length
    alone is only a hint, as two sets of attributes can be equally long. Raises WireError.
    """
    every = _Messages(data, offsets)
    _headers(every, table)
    check(table)
    lengths, layouts = every.items(0, "u4"), 0
    for length in sorted_unique(lengths):
        rows = np.flatnonzero(lengths == length)
        while len(rows):
            messages = every if len(rows) == len(offsets) else every.copied(rows, int(length))
            layout = attributes(messages.first(int(length)))
            same = _same_layout(messages, layout)
            alike = len(rows) == len(offsets) and bool(same.all())
            _fill(messages.some(same), slice(None) if alike else rows[same], layout, table)
            rows, layouts = rows[~same], layouts + 1
            if layouts > LAYOUTS:
                raise WireError(f"more than {LAYOUTS} kinds of messages")


def check(table: SocketTable) -> None:
    """Raises WireError for sockets of which nothing is known: of another family or state."""
    if not len(table):
        return
    strange = table.state[(table.state < tcp.ESTABLISHED) | (table.state > tcp.CLOSING)]
    if len(strange):
        raise WireError(f"a socket in state {strange[0]}")
    strange = table.family[(table.family != tcp.AF_INET) & (table.family != tcp.AF_INET6)]
    if len(strange):
        raise WireError(f"a socket of family {strange[0]}")


def queues(data: memoryview, offsets: Iterable[int]) -> list[tuple[int, int]]:
    """Cookie and Recv-Q of the rows at byte offsets, as `decode` fills them in, and nothing else.

    Without arrays: listeners are few, and looked at several times a second.
    """
    return [QUEUE.unpack_from(data, offset + COOKIE) for offset in offsets]


class _Messages:
    """Messages at byte offsets, multiples of four, of `data`. Where all are equally far from each
    other, as in most dumps, their items are read without an index, twice as fast."""

    def __init__(self, data: NDArray[np.uint8], offsets: Index) -> None:
        self._data, self._offsets = data, offsets
        step = int(offsets[1] - offsets[0]) if len(offsets) > 1 else 4
        self._step = step if ((offsets[1:] - offsets[:-1]) == step).all() else 0

    def __len__(self) -> int:
        return len(self._offsets)

    def first(self, size: int) -> bytes:
        at = int(self._offsets[0])
        return self._data[at : at + size].tobytes()

    def items(self, at: int, dtype: str | np.dtype[Any]) -> NDArray[Any]:
        """What each has at a byte."""
        item = _item(dtype) if isinstance(dtype, str) else dtype
        if not len(self._offsets):  # the data may end before `at`: a dump of nothing
            return np.empty(0, item)
        if self._step:
            first, count = int(self._offsets[0]) + at, len(self._offsets)
            return np.ndarray((count,), item, self._data, first, (self._step,))
        count = max(0, (len(self._data) - at - item.itemsize) // 4 + 1)
        items: NDArray[Any] = np.ndarray((count,), item, self._data, at, (4,))[self._offsets >> 2]
        return items

    def some(self, same: Bools) -> _Messages:
        return self if same.all() else _Messages(self._data, self._offsets[same])

    def copied(self, rows: Index, size: int) -> _Messages:
        """Some of one size, side by side: once more each is cheaper than to look for each item."""
        few = _Messages(self._data, self._offsets[rows])
        if few._step:
            return few
        data = few.items(0, np.dtype(f"V{size + 3 & ~3}")).view(np.uint8)
        return _Messages(data, np.arange(len(rows)) * (size + 3 & ~3))


@lru_cache(256)
def _item(dtype: str) -> np.dtype[Any]:
    """numpy compiles what is in parentheses, which takes as long as ten rows of a dump."""
    return np.dtype(dtype)


def _same_layout(messages: _Messages, layout: list[Attribute]) -> Bools:
    same = np.ones(len(messages), bool)
    for attribute in layout:
        headers = messages.items(attribute.at - 4, "u4")
        same &= headers == headers[0]
    return same


def _headers(messages: _Messages, table: SocketTable) -> None:
    rows = messages.items(0, HEADER)
    for name in PLAIN:
        getattr(table, name)[:] = rows[name]
    # Before the kernel clamped it, an overdue timer came as a huge unsigned number.
    table.expires[:] = np.where(rows["expires"] >> 31, 0, rows["expires"])
    for side in ("local", "remote"):
        hi, lo = halves(rows[side], rows["family"])
        getattr(table, f"{side}_hi")[:] = hi
        getattr(table, f"{side}_lo")[:] = lo


def halves(address: U8, family: U8) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """(n, 16) address bytes -> the two halves; AF_INET fills the first four bytes."""
    wide = np.ascontiguousarray(address).view(">u8").astype(np.uint64)
    hi, lo = wide[:, 0], wide[:, 1]
    v4 = family == tcp.AF_INET
    mapped = (hi >> np.uint64(32)) | MAPPED
    return np.where(v4, np.uint64(0), hi), np.where(v4, mapped, lo)


def _fill(messages: _Messages, rows: Rows, layout: list[Attribute], table: SocketTable) -> None:
    for attribute in layout:
        at = attribute.at
        if attribute.kind in SCALARS:
            _fill_scalar(messages, rows, attribute, table)
        elif attribute.kind == tcp.INFO:
            size = min(attribute.size, tcp.TCP_INFO_SIZE) & ~3
            table.info[rows, : size // 4] = messages.items(at, f"({size // 4},)u4")
            table.info_size[rows] = size
        elif attribute.kind == tcp.SKMEMINFO:
            count = min(attribute.size // 4, len(tcp.MEMORY))
            table.memory[rows, :count] = messages.items(at, f"({count},)u4")
            table.memory_count[rows] = count
        elif attribute.kind == tcp.CONG:
            table.cong[rows] = messages.items(at, f"S{min(attribute.size, 16)}")
        elif attribute.kind == tcp.ULP_INFO:
            _fill_ulp(messages, rows, attribute, table)
        table.has[rows] |= np.uint32(1 << min(attribute.kind, 31))


def _fill_scalar(messages: _Messages, rows: Rows, attribute: Attribute, table: SocketTable) -> None:
    name, size = SCALARS[attribute.kind]
    if attribute.size < size:
        raise WireError(f"attribute {attribute.kind} has {attribute.size} bytes instead of {size}")
    getattr(table, name)[rows] = messages.items(attribute.at, f"u{size}")


def _fill_ulp(messages: _Messages, rows: Rows, attribute: Attribute, table: SocketTable) -> None:
    """The name is the first of the nested attributes (tcp_diag_put_ulp, net/ipv4/tcp_diag.c)."""
    if attribute.size < 4:
        return
    length = messages.items(attribute.at, "u2").astype(np.int64)
    kind = messages.items(attribute.at + 2, "u2") & ATTRIBUTE_TYPE
    if ((length < 4) | (length > attribute.size)).any():
        raise WireError(f"an upper-layer protocol in {attribute.size} bytes that does not fit")
    named = (kind == INET_ULP_INFO_NAME) & (length > 4)
    places = np.arange(len(table))[rows]
    for size in sorted_unique(length[named]).tolist():
        same = named & (length == size)
        name = messages.some(same).items(attribute.at + 4, f"S{min(size - 4, 16)}")
        table.ulp[places[same]] = name
