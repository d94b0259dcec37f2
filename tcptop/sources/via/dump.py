"""What `ss -D -` wrote -> a table: the kernel's own messages, of each family one dump.

It exits with 0 whatever happens, and asks again for all families where one failed (misc/ss.c of
iproute2): a good end of a dump says that there was one, and rows may come twice.
"""

from __future__ import annotations

import struct

import numpy as np

from tcptop.model.named_tuple import NamedTuple
from tcptop.model.table import SocketTable, blank
from tcptop.sources import wire
from tcptop.sources.sock_diag import without_repeats

SEQUENCE = 123_456  # MAGIC_SEQ
_HEAD = struct.Struct("=IHHI")
_CODE = struct.Struct("=i")


class Dump(NamedTuple):
    """`told`: there was one; `whole`: until its end."""

    sockets: SocketTable
    told: bool
    whole: bool


def read(data: bytes, netns: int) -> Dump:
    """Raises WireError."""
    _check_order(data)
    offsets, ends, whole = _messages(data)
    table = blank(len(offsets))
    padded = np.frombuffer(data + bytes(-len(data) % 4), np.uint8)
    wire.decode(padded, np.array(offsets, np.int64), table)
    table.netns[:] = netns
    return Dump(without_repeats(table), any(code >= 0 for code in ends), whole)


def queues(data: bytes) -> list[tuple[int, int]]:
    """Cookie and Recv-Q of each row. Raises WireError."""
    return wire.queues(memoryview(data), _messages(data)[0])


def _check_order(data: bytes) -> None:
    if data[8:12] == SEQUENCE.to_bytes(4, "big") and data[8:12] != struct.pack("=I", SEQUENCE):
        raise wire.WireError("the other host has another byte order")


def _messages(data: bytes) -> tuple[list[int], list[int], bool]:
    """Where each socket's message is, the codes with which dumps ended, and whether the last of
    them is the end."""
    offsets: list[int] = []
    ends: list[int] = []
    at = kind = 0
    while at + wire.NLMSG_HEADER <= len(data):
        length, kind, _, sequence = _HEAD.unpack_from(data, at)
        if length < wire.NLMSG_HEADER or sequence != SEQUENCE:
            raise wire.WireError(f"a message of {length} bytes and number {sequence}")
        if at + length > len(data):
            return offsets, ends, False
        if kind in wire.ROWS and length >= wire.FIRST_ATTRIBUTE:
            offsets.append(at)
        elif kind in (wire.NLMSG_DONE, wire.NLMSG_ERROR):
            ends.append(_code(data, at, length))
        else:
            raise wire.WireError(f"an unexpected message of type {kind} and {length} bytes")
        at += (length + 3) & ~3
    return offsets, ends, kind == wire.NLMSG_DONE and at >= len(data)


def _code(data: bytes, at: int, length: int) -> int:
    known = length >= wire.NLMSG_HEADER + _CODE.size
    return int(_CODE.unpack_from(data, at + wire.NLMSG_HEADER)[0]) if known else 0
