"""Descriptors that were sent over UNIX sockets and not received yet: nobody has them meanwhile.

The kernel counts them for each receiving socket and does not say which they are (unix_show_fdinfo,
net/unix/af_unix.c; since 5.16).
"""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Iterable, Mapping

from tcptop.model.arrays import isin_sorted
from tcptop.model.sample import IN_RING
from tcptop.model.table import U32
from tcptop.sources import procfs
from tcptop.sources.fd_table import FdTable

_COUNTED = re.compile(rb"^scm_fds:\s*(\d+)", re.MULTILINE)
SHORT = 512  # bytes of a socket's fdinfo
AT_ONCE = 64  # files between two looks at the clock


def in_flight(tables: Iterable[FdTable], listed: U32, deadline: float) -> Mapping[int, int]:
    """By pid, how many wait for it to receive them. What is `listed` (sorted inodes) is TCP; 10 µs
    for each other socket, until the deadline (of the monotonic clock)."""
    found: Counter[int] = Counter()
    seen: set[int] = set()
    asked = 0
    for table in tables:
        others = ~isin_sorted(table.inodes, listed) & (table.fds != IN_RING)
        pairs = zip(table.inodes[others].tolist(), table.fds[others].tolist(), strict=True)
        for inode, fd in pairs:
            if inode in seen:  # of a process that has forked
                continue
            seen.add(inode)
            asked += 1
            if asked % AT_ONCE == 0 and time.monotonic() > deadline:
                return found
            text = procfs.read(f"{table.path}info/{fd}", SHORT) or b""
            if (number := _COUNTED.search(text)) is not None and int(number[1]):
                found[table.pid] += int(number[1])
    return found
