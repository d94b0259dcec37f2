"""Socket options of other processes: getsockopt(2) on a copy of their descriptor.

Nothing is set on the copy, and no Python socket is made of it, which may set O_NONBLOCK.
"""

from __future__ import annotations

import math
import socket
import struct
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

import numpy as np

from tcptop.model import tcp
from tcptop.model.arrays import isin_sorted
from tcptop.model.named_tuple import NamedTuple
from tcptop.model.sample import IN_RING, Owners
from tcptop.model.socket_id import SocketId, socket_keys
from tcptop.model.sockopt import SocketOptions
from tcptop.model.table import SocketTable
from tcptop.sources import pidfd, procfs

AT_ONCE = 64  # sockets in one sample
BUDGET_S = 0.02  # of processor time for them; one takes some 0.1 ms
KEPT_S = 10.0
HOLDERS_TRIED = 8  # of one socket: a thousand workers of a prefork server would use up the time

_SO_COOKIE, _SO_BUF_LOCK = 57, 72  # asm-generic/socket.h; the second since 5.15
_TCP, _SOCKET = socket.IPPROTO_TCP, socket.SOL_SOCKET

_NUMBERS: tuple[tuple[str, int, int, Callable[[int], int]], ...] = (
    ("nodelay", _TCP, socket.TCP_NODELAY, bool),
    ("cork", _TCP, socket.TCP_CORK, bool),
    ("quickack", _TCP, socket.TCP_QUICKACK, bool),
    ("keepalive", _SOCKET, socket.SO_KEEPALIVE, bool),
    ("keepidle_s", _TCP, socket.TCP_KEEPIDLE, int),
    ("keepintvl_s", _TCP, socket.TCP_KEEPINTVL, int),
    ("keepcnt", _TCP, socket.TCP_KEEPCNT, int),
    ("user_timeout_ms", _TCP, socket.TCP_USER_TIMEOUT, int),
    ("linger2_s", _TCP, socket.TCP_LINGER2, int),
    ("defer_accept_s", _TCP, socket.TCP_DEFER_ACCEPT, int),
    ("rcvbuf", _SOCKET, socket.SO_RCVBUF, int),
    ("sndbuf", _SOCKET, socket.SO_SNDBUF, int),
    ("notsent_lowat", _TCP, socket.TCP_NOTSENT_LOWAT, lambda value: value & 0xFFFF_FFFF),
    ("reuseaddr", _SOCKET, socket.SO_REUSEADDR, bool),
    ("reuseport", _SOCKET, socket.SO_REUSEPORT, bool),
)


class _Wanted(NamedTuple):
    id: SocketId
    inode: int
    state: int
    holders: list[tuple[int, int]]  # (pid, fd)
    thread: tuple[int, int] | None  # (tid, fd), where that is in the thread's own table


class OptionReader:
    """Reads the options of the sockets that are wanted; keep one, as it remembers answers."""

    def __init__(self) -> None:
        self._wanted = frozenset[SocketId]()
        self._known: dict[SocketId, SocketOptions] = {}

    def request(self, sockets: Collection[SocketId]) -> None:
        """These sockets and no others, from the next `read` on."""
        self._wanted = frozenset(sockets)

    def read(
        self, sockets: SocketTable, owners: Owners, privileged: bool
    ) -> dict[SocketId, SocketOptions]:
        """The answers for the wanted sockets that are in the table.

        What was read is good for KEPT_S. AT_ONCE sockets are read in a sample, those first that
        were not for longest: the rest keep their last answer, or have none yet. `privileged` says
        that CAP_SYS_PTRACE is there.
        """
        wanted = self._find(sockets, owners)
        known = {one.id: self._known[one.id] for one in wanted if one.id in self._known}
        spent = time.thread_time()
        for one in _due(wanted, known, time.monotonic())[:AT_ONCE]:
            known[one.id] = _options(one, privileged)
            if time.thread_time() - spent > BUDGET_S:
                break
        self._known = known
        return known

    def _find(self, sockets: SocketTable, owners: Owners) -> list[_Wanted]:
        if not self._wanted:
            return []
        netns, cookies = np.array([*self._wanted], np.uint64).T
        rows = np.flatnonzero(isin_sorted(sockets.key, np.sort(socket_keys(netns, cookies))))
        inodes = sockets.inode[rows]
        first = np.searchsorted(owners.inodes, inodes, "left")
        last = np.searchsorted(owners.inodes, inodes, "right").clip(max=first + HOLDERS_TRIED)
        return [
            _Wanted(
                sockets.id(int(row)),
                int(sockets.inode[row]),
                int(sockets.state[row]),
                list(zip(owners.pids[a:b].tolist(), owners.fds[a:b].tolist(), strict=True)),
                owners.threads.get(int(sockets.inode[row])),
            )
            for row, a, b in zip(rows, first, last, strict=True)
        ]


def _due(
    wanted: list[_Wanted], known: Mapping[SocketId, SocketOptions], now: float
) -> list[_Wanted]:
    """Those to be read, oldest answer first. What failed is due again at once: it costs little."""

    def read_at(one: _Wanted) -> float:
        return known[one.id].read_at if one.id in known else -math.inf

    def good(one: _Wanted) -> bool:
        answered = one.id in known and not known[one.id].why_not
        return answered and bool(one.holders) and now - read_at(one) < KEPT_S

    return sorted((one for one in wanted if not good(one)), key=read_at)


def _options(wanted: _Wanted, privileged: bool) -> SocketOptions:
    """What the first holder that may be asked tells; else why the last one did not."""
    why_not = _unheld(wanted)
    for pid, fd, flags in _asked(wanted):
        try:
            with pidfd.copied_socket(pid, fd, wanted.inode, privileged, flags) as copy:
                why_not = _other_socket(copy, wanted.id.cookie)
                if not why_not:
                    return SocketOptions(time.monotonic(), **_read(copy))
        except pidfd.NotCopiedError as error:
            why_not = str(error)
    return SocketOptions(time.monotonic(), why_not)


def _asked(wanted: _Wanted) -> Iterator[tuple[int, int, int]]:
    """(pid or tid, fd, flags) of each holder."""
    yield from ((pid, fd, 0) for pid, fd in wanted.holders if fd != IN_RING)
    if wanted.thread:
        yield (*wanted.thread, pidfd.THREAD)


def _unheld(wanted: _Wanted) -> str:
    if any(fd == IN_RING for _, fd in wanted.holders):
        return "registered with io_uring: there is no descriptor to ask"
    if wanted.inode:
        return "no process that holds it is known"
    if wanted.state in (tcp.ESTABLISHED, tcp.CLOSE_WAIT):
        return "waits in an accept queue: no process holds it"
    if wanted.state == tcp.SYN_RECV:
        return "half-open: no process holds it yet"
    return "closed by its process: the kernel finishes the connection"


def _other_socket(copy: int, cookie: int) -> str:
    """Empty where the copy is the socket that was dumped."""
    if pidfd.option(copy, _SOCKET, _SO_COOKIE, 8) == struct.pack("Q", cookie):
        return ""
    if _number(copy, _SOCKET, socket.SO_PROTOCOL) == socket.IPPROTO_MPTCP:
        return "a subflow of an MPTCP socket: only that one has a descriptor"
    return "this descriptor is another socket now"


def _read(copy: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for field, level, name, kind in _NUMBERS:
        value = _number(copy, level, name)
        found[field] = None if value is None else kind(value)
    locks = _number(copy, _SOCKET, _SO_BUF_LOCK)
    if locks is not None:  # SOCK_SNDBUF_LOCK 1, SOCK_RCVBUF_LOCK 2
        found |= {"sndbuf_locked": bool(locks & 1), "rcvbuf_locked": bool(locks & 2)}
    linger = pidfd.option(copy, _SOCKET, socket.SO_LINGER, 8)
    if linger is not None and len(linger) == 8:
        on, seconds = struct.unpack("ii", linger)
        found |= {"linger": bool(on), "linger_s": seconds if on else None}
    congestion = pidfd.option(copy, _TCP, socket.TCP_CONGESTION, 16)
    if congestion is not None:
        found["congestion"] = procfs.text(congestion.partition(b"\0")[0])
    return found


def _number(copy: int, level: int, name: int) -> int | None:
    data = pidfd.option(copy, level, name, 4)
    return struct.unpack("i", data)[0] if data is not None and len(data) == 4 else None
