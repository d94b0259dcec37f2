"""Notices of sockets that the kernel destroys (since 4.2): SKNLGRP_INET_TCP_DESTROY and v6.

A notice has the addresses and the last tcp_info, of connections too that no dump has seen. While
nobody listens they cost the kernel nothing, then some 10 µs a socket (linux/sock_diag.h,
sock_diag_broadcast_destroy in net/core/sock_diag.c).
"""

from __future__ import annotations

import errno
import os
import select
import socket
import struct
import threading
import time
from collections import deque
from contextlib import suppress
from sys import byteorder

import numpy as np

from tcptop.model.sample import Deaths
from tcptop.model.table import F64, Bools, SocketTable, blank
from tcptop.sources import wire
from tcptop.sources.sock_diag import NETLINK_SOCK_DIAG

SOL_NETLINK, ADD_MEMBERSHIP, DROP_MEMBERSHIP = 270, 1, 2
GROUPS = (1, 3)  # SKNLGRP_INET_TCP_DESTROY and INET6, linux/sock_diag.h
SO_RCVBUFFORCE, SO_MEMINFO = 33, 55  # include/uapi/asm-generic/socket.h; the latter since 4.12
DROPS = 8  # SK_MEMINFO_DROPS, linux/sock_diag.h: what found no room (netlink_overrun)

ROOM = 4096
BUFFER = 4 << 20  # doubled by the kernel; a notice takes 1280 bytes of it
KEPT = 40_000  # notices between two samples
PAUSE_S = 0.02  # after the first notice: those that come meanwhile are read together
# More cost the kernel and tcptop a tenth of a processor; and a socket keeps its memory until its
# notice is sent, for which the kernel's worker may lack the time.
MOST_PER_S = 5000
WINDOW_S = 4.0  # for which it is that many: the kernel's worker may send those of a second at once
REST_S = 10.0


class DeathListener:
    """One thread that reads the notices of every namespace as they come, and sleeps while none do.

    Close it after its readers.
    """

    def __init__(self) -> None:
        self._ready = select.epoll()
        self._wake = os.eventfd(0)
        self._ready.register(self._wake, select.EPOLLIN)
        self._stop = threading.Event()
        self._readers: dict[int, DeathReader] = {}
        self._thread: threading.Thread | None = None

    def open(self, netns: int, buffer: int = BUFFER) -> DeathReader:
        """For the namespace of the calling thread. Raises OSError where there are no notices."""
        notices = subscribed(buffer)
        reader = self._readers[notices.fileno()] = DeathReader(netns, notices, self)
        self._ready.register(notices, select.EPOLLIN)
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="deaths", daemon=True)
            self._thread.start()
        return reader

    def forget(self, notices: socket.socket) -> None:
        self._ready.unregister(notices)
        del self._readers[notices.fileno()]

    def close(self) -> None:
        self._stop.set()
        os.eventfd_write(self._wake, 1)
        if self._thread is not None:
            self._thread.join()
        self._ready.close()
        os.close(self._wake)

    def _run(self) -> None:
        while True:
            ready = self._ready.poll()
            if self._stop.wait(PAUSE_S):
                return
            for descriptor, _ in ready:
                reader = self._readers.get(descriptor)
                if reader is not None:
                    reader.drain()


class DeathReader:
    """What ends in one namespace, whose notices come in by a socket of its own; it pins the
    namespace: close it.

    Where more than `most_per_s` come, or are to be expected, it lets go of them for REST_S seconds
    and until they are fewer.
    """

    def __init__(
        self, netns: int, notices: socket.socket, listener: DeathListener | None = None
    ) -> None:
        self.netns = netns
        self.most_per_s = MOST_PER_S
        self._socket = notices
        self._listener = listener
        self._lock = threading.Lock()
        self._notices = deque[tuple[float, bytes]](maxlen=KEPT)
        self._came = 0  # since the last reading; those beyond KEPT are lost
        self._overrun = False
        self._drops = self._dropped() or 0
        self._window, self._in_window = time.monotonic(), 0
        self._deaf_since: float | None = None
        self._read_at = time.monotonic()
        self._expected = 0.0

    def close(self) -> None:
        if self._listener is not None:
            self._listener.forget(self._socket)
        with self._lock:
            self._socket.close()

    def drain(self) -> None:
        """Take what has come, before the kernel has to drop more. From any thread."""
        with self._lock:
            came = self._received()
            self._came += came
            now = time.monotonic()
            if now - self._window >= WINDOW_S:
                self._window, self._in_window = now, 0
            self._in_window += came
            if self._in_window > self.most_per_s * WINDOW_S:
                self._let_go(now)

    def expect(self, per_s: float) -> None:
        """So many connections open a second, by the kernel's own count: as many will end."""
        with self._lock:
            self._expected = per_s
            if per_s > self.most_per_s:
                self._let_go(time.monotonic())

    def _let_go(self, now: float) -> None:
        if self._deaf_since is None:
            self._deaf_since = now
            self._member(DROP_MEMBERSHIP)

    def read(self) -> Deaths:
        """Those since the last reading."""
        self.drain()
        with self._lock:
            told, self._notices = self._notices, deque(maxlen=KEPT)
            lost = self._lost(self._came - len(told))
            self._came = 0
            deaf_s = self._deaf_s()
        if not told:
            return Deaths(self.netns, lost=lost, deaf_s=deaf_s)
        sockets, at = _decoded([*told])
        sockets.netns[:] = self.netns
        return Deaths(self.netns, sockets, at, lost, deaf_s)

    def _received(self) -> int:
        """How many; the kernel says only that some found no room, once."""
        came, at = 0, time.time()
        while self._socket.fileno() >= 0 and came <= KEPT:
            try:
                self._notices.append((at, self._socket.recv(ROOM)))
                came += 1
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    break
                self._overrun = True
        return came

    def _lost(self, beyond: int) -> int | None:
        dropped, overrun = self._dropped(), self._overrun
        self._overrun = False
        if dropped is None:
            return None if overrun else beyond
        before, self._drops = self._drops, dropped
        return beyond + (dropped - before) % 2**32

    def _dropped(self) -> int | None:
        """By the kernel, so far; None where it does not tell."""
        with suppress(OSError):
            told = self._socket.getsockopt(socket.SOL_SOCKET, SO_MEMINFO, 4 * (DROPS + 1))
            if len(told) == 4 * (DROPS + 1):
                return int(struct.unpack(f"={DROPS + 1}I", told)[DROPS])
        return None

    def _deaf_s(self) -> float:
        """For how long since the last reading nobody listened; from now on somebody does again
        where that was long enough."""
        now, since = time.monotonic(), self._read_at
        self._read_at = now
        if self._deaf_since is None:
            return 0.0
        began = self._deaf_since
        if now - began >= REST_S and self._expected <= self.most_per_s:
            self._deaf_since = None
            self._window, self._in_window = now, 0
            self._member(ADD_MEMBERSHIP)
        return now - max(since, began)

    def _member(self, option: int) -> None:
        for group in GROUPS:
            self._socket.setsockopt(SOL_NETLINK, option, group)


def subscribed(buffer: int = BUFFER) -> socket.socket:
    """A socket of this thread's namespace to which notices come; an ordinary user may have one.
    Raises OSError."""
    made = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_SOCK_DIAG)
    try:
        made.setblocking(False)
        try:
            made.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, buffer)
        except PermissionError:  # as far as rmem_max allows
            made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        made.bind((0, 0))
        for group in GROUPS:
            made.setsockopt(SOL_NETLINK, ADD_MEMBERSHIP, group)
    except OSError:
        made.close()
        raise
    return made


def _decoded(notices: list[tuple[float, bytes]]) -> tuple[SocketTable, F64]:
    """Without those of sockets that never had another end: listeners, and what was not used."""
    whole = [each for each in notices if _fits(each[1])]
    table = blank(len(whole))
    if whole:
        data = np.frombuffer(b"".join([notice for _, notice in whole]), np.uint8)
        ends = np.cumsum([len(notice) for _, notice in whole], dtype=np.int64)
        with suppress(wire.WireError):
            wire.decode(data, np.concatenate([[0], ends[:-1]]), table)
    at = np.array([moment for moment, _ in whole], np.float64)
    called = _called(table)
    return table.take(called), at[called]


def _fits(notice: bytes) -> bool:
    """One whole message of sock_diag."""
    kind = int.from_bytes(notice[4:6], byteorder)
    return len(notice) >= wire.FIRST_ATTRIBUTE and kind == wire.SOCK_DIAG_BY_FAMILY


def _called(table: SocketTable) -> Bools:
    called: Bools = (table.remote_hi != 0) | (table.remote_lo & np.uint64(0xFFFF_FFFF) != 0)
    return called
