"""What `ss -tanime -D FILE` wrote as a sample: the messages of the kernel, one after the other.

It has sockets and nothing else: no time, host, processes, counters or limits. A file that was cut
short has what there is. Without -i and -m the kernel tells less (misc/ss.c of iproute2).
"""

from __future__ import annotations

import math
import os
import stat
import struct

import numpy as np
from numpy.typing import NDArray

from tcptop.model.sample import Host, Kernel, Namespace, Owners, Sample
from tcptop.model.table import SocketTable, blank
from tcptop.sources import wire

MOST = 512 << 20  # bytes: a million sockets
HERE = 0  # the number of a namespace of which nothing is known
_HEAD = struct.Struct("=IHHII")


class DumpError(OSError):
    """FILE: WHY."""


def read(path: str) -> Sample:
    """Raises DumpError and OSError."""
    data, written = _bytes(path)
    try:
        offsets, whole = _rows(data)
        table = _table(data, offsets)
    except wire.WireError as error:
        raise DumpError(f"{path}: no dump of ss -D: {error}") from error
    none = np.zeros(0, np.int64)
    notes = [
        "A dump of ss has sockets alone: the time is that of the file, and host, processes, "
        "counters and limits are not known."
    ]
    if not whole:
        notes.append("The dump was cut short: sockets may be missing.")
    if len(table) and not table.info_size.any():
        notes.append("It has no tcp_info; ss -tanime -D FILE writes it.")
    return Sample(
        taken_at=written,
        clock=0.0,
        host=Host("", "", math.nan),
        source="ss-dump",
        privileged=False,
        poll_ms=math.nan,
        sockets=table,
        owners=Owners(none.astype(np.uint32), none, none, {}, complete=False),
        namespaces=(Namespace(HERE, None),),
        kernel=(Kernel(HERE),),
        unix_listeners=None,
        notes=tuple(notes),
    )


def _bytes(path: str) -> tuple[bytes, float]:
    """And when it was written."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(descriptor, "rb") as file:
        about = os.fstat(descriptor)
        if not stat.S_ISREG(about.st_mode):
            raise DumpError(f"{path}: not a regular file")
        data = file.read(MOST + 1)
    if len(data) > MOST:
        raise DumpError(f"{path}: longer than {MOST >> 20} MiB")
    return data, about.st_mtime


def _rows(data: bytes) -> tuple[list[int], bool]:
    """Where each socket's message is, and whether the end is there. A dump of each family ends with
    a message of its own. Raises WireError."""
    offsets: list[int] = []
    at = kind = 0
    while at + wire.NLMSG_HEADER <= len(data):
        length, kind, *_ = _HEAD.unpack_from(data, at)
        if length < wire.NLMSG_HEADER:
            raise wire.WireError(f"a message of {length} bytes")
        if at + length > len(data):
            return offsets, False
        if kind in wire.ROWS and length >= wire.FIRST_ATTRIBUTE:
            offsets.append(at)
        elif kind != wire.NLMSG_DONE:
            raise wire.WireError(f"an unexpected message of type {kind} and {length} bytes")
        at += (length + 3) & ~3
    return offsets, kind == wire.NLMSG_DONE and at >= len(data)


def _table(data: bytes, offsets: list[int]) -> SocketTable:
    padded: NDArray[np.uint8] = np.frombuffer(data + bytes(-len(data) % 4), np.uint8)
    table = blank(len(offsets))
    wire.decode(padded, np.array(offsets, np.int64), table)
    table.netns[:] = HERE
    return table
