"""What a socket's row will be after some time: what is kept is only where it is otherwise.

Of an idle socket nothing changes but the time since it last sent and received, and its timer, all
by the same number of milliseconds. That number is a step function of the row's place in the dump:
it is the time at which the kernel came by, in jiffies.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tcptop.model import tcp
from tcptop.model.arrays import index_of
from tcptop.model.named_tuple import NamedTuple
from tcptop.model.table import I64, SocketTable

CLOCKS = [
    tcp.TCP_INFO_BY_NAME[name].offset // 4
    for name in ("last_data_sent", "last_data_recv", "last_ack_recv")
]
NEAR_MS = 250  # what is further off than that is no clock that went on
NOWHERE = -1 << 30


class Clocks(NamedTuple):
    """The columns in which time goes on."""

    info: NDArray[np.uint32]
    info_size: NDArray[np.uint16]
    timer: NDArray[np.uint8]
    expires: NDArray[np.uint32]


def clocks(table: SocketTable) -> Clocks:
    return Clocks(table.info, table.info_size, table.timer, table.expires)


def predicted(old: Clocks, later_ms: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """`info` and `expires` after so many milliseconds, which each row has its own of."""
    step = later_ms.astype(np.uint32)
    info = old.info.copy(order="K")
    told = np.where(old.info_size > 0, step, np.uint32(0))
    for word in CLOCKS:
        if word < info.shape[1]:
            info[:, word] += told
    runs = (old.timer >= tcp.KEEPALIVE) & (old.expires > 0)
    return info, old.expires - np.where(runs, step, np.uint32(0))


def later_ms(old: SocketTable, new: SocketTable, usual: int) -> NDArray[np.int32]:
    """By how much the clock of each row went on, as far as can be told; else as in the row before
    it, or as `usual`."""
    told = (new.info_size > 0) & (old.info_size > 0)
    step = np.full(len(new), NOWHERE, np.int64)
    for word in CLOCKS:
        moved = new.info[:, word].astype(np.int64) - old.info[:, word]
        np.maximum(step, np.where(told, moved, NOWHERE), out=step)
    same_timer = (new.timer == old.timer) & (new.timer >= tcp.KEEPALIVE)
    moved = old.expires.astype(np.int64) - new.expires
    np.maximum(step, np.where(same_timer, moved, NOWHERE), out=step)
    return _filled(step, np.abs(step - usual) <= NEAR_MS, usual).astype(np.int32)


def _filled(step: I64, sure: NDArray[np.bool_], usual: int) -> I64:
    if not sure.any():
        return np.full(len(step), usual, np.int64)
    place = np.maximum.accumulate(np.where(sure, np.arange(len(step)), 0))
    filled: I64 = step[place]
    return np.where(sure[place], filled, step[sure][0])


def origin(old: SocketTable, new: SocketTable) -> I64 | None:
    """For each row its place in the old table, -1 for a new socket; None where all are in place."""
    if np.array_equal(old.cookie, new.cookie) and np.array_equal(old.netns, new.netns):
        return None
    keys = old.key
    order = np.argsort(keys, kind="stable")
    place = index_of(new.key, keys[order])
    found = np.where(place >= 0, order[place] if len(order) else -1, -1)
    if len(order):
        same = (old.cookie[found] == new.cookie) & (old.netns[found] == new.netns)
        found[~same] = -1
    return found
