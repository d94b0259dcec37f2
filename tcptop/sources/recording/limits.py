"""How large a recording may be on disk, its log included.

The log takes what a transaction writes before that is copied into the file, so the file alone is
held so far below the limit that the largest transaction has room twice. Pages that are free are
used again: the file never shrinks, and need not.
"""

from __future__ import annotations

import os

from tcptop.model.named_tuple import NamedTuple

PAGE = 4096
SHARED = 64 << 10  # FILE-shm: 32 KiB for each 4,096 pages of the log (sqlite.org/walformat.html)
LOG_PAGES = 64  # from which on the log is copied into the file
MOST_RESERVE = 64 << 20
GROUP_BYTES = 24 << 20  # of a group's samples on disk, below SQLite's limit of a value


class SizeLimits(NamedTuple):
    """`pages` of the file alone, None for no limit; `group_bytes` of one group."""

    pages: int | None
    group_bytes: int
    log_bytes: int | None


def size_limits(most_bytes: int | None) -> SizeLimits:
    """What follows from `--max-size`."""
    if most_bytes is None:
        return SizeLimits(None, GROUP_BYTES, None)
    reserve = min(MOST_RESERVE, most_bytes // 4)
    log = reserve - SHARED
    # A transaction rewrites a group, adds a sample and touches pages around them.
    room = log - (LOG_PAGES + 32) * (PAGE + 24)
    return SizeLimits((most_bytes - reserve) // PAGE, min(GROUP_BYTES, room // 4), log)


def on_disk(path: str) -> int:
    """Bytes of the file and all that is beside it."""
    return _sizes(path, "", "-wal", "-shm", "-journal")


def log_on_disk(path: str) -> int:
    return _sizes(path, "-wal", "-shm")


def _sizes(path: str, *endings: str) -> int:
    total = 0
    for ending in endings:
        try:
            total += os.stat(path + ending).st_size
        except FileNotFoundError:
            continue
    return total
