"""Connects that fail, from the kernel's notices of sockets that are destroyed (since 4.2).

What fails at once is in no dump. The notice still has the addresses, and what the socket had sent
and received; the port is forgotten where connect() itself waited for the answer (tcp_disconnect,
net/ipv4/tcp.c). While nobody listens for notices they cost the kernel nothing, then some 10 µs a
socket: so they are read on request, and not more than MOST between two samples.
"""

from __future__ import annotations

import errno
import socket
from collections import Counter
from contextlib import suppress
from sys import byteorder

import numpy as np

from tcptop.model.sample import FailedConnect
from tcptop.model.table import Bools, SocketTable, blank
from tcptop.sources import wire
from tcptop.sources.sock_diag import NETLINK_SOCK_DIAG

SOL_NETLINK, ADD_MEMBERSHIP = 270, 1
GROUPS = (1, 3)  # SKNLGRP_INET_TCP_DESTROY and INET6, linux/sock_diag.h
ROOM = 4096
BUFFER = 2 << 20  # as far as rmem_max allows; a notice takes 1280 bytes of it
MOST = 2000
PLACES = 500


class FailureReader:
    """Used in one thread, whose namespace it listens to. It pins that namespace: close it."""

    def __init__(self, netns: int) -> None:
        self._netns = netns
        self._wanted = False
        self._socket: socket.socket | None = None
        self._notices: list[bytes] = []

    def request(self, wanted: bool) -> None:
        """Whether samples should have them, from the one after the next on."""
        self._wanted = wanted

    def close(self) -> None:
        if self._socket:
            self._socket.close()
        self._socket = None

    def poll(self) -> None:
        """Take what has come, before the kernel has to drop more."""
        while self._socket:
            try:
                self._notices.append(self._socket.recv(ROOM))
            except OSError as error:
                if error.errno != errno.ENOBUFS:  # those that were dropped are not counted
                    return
            if len(self._notices) >= MOST:
                self.close()

    def read(self, listening: frozenset[int]) -> tuple[FailedConnect, ...] | None:
        """Those since the last call, without what ended at ports where somebody listens; None
        where nobody listened for notices."""
        asked = self._socket is not None or bool(self._notices)
        self.poll()
        notices, self._notices = self._notices, []
        if not self._wanted:
            self.close()
        elif self._socket is None:
            self._open()
        return self._failed(notices, listening) if asked else None

    def _open(self) -> None:
        with suppress(OSError):
            made = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_SOCK_DIAG)
            self._socket = made
            made.setblocking(False)
            made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
            made.bind((0, 0))
            for group in GROUPS:
                made.setsockopt(SOL_NETLINK, ADD_MEMBERSHIP, group)

    def _failed(self, notices: list[bytes], listening: frozenset[int]) -> tuple[FailedConnect, ...]:
        table = _decoded(notices)
        rows = np.flatnonzero(_never_open(table) & ~np.isin(table.local_port, [*listening]))
        answered = table.tcp_info("segs_in")[rows] > 0
        names = ("interface", "remote_hi", "remote_lo", "remote_port")
        columns = (getattr(table, name)[rows].tolist() for name in names)
        number = Counter(zip(*columns, answered.tolist(), strict=True))
        return tuple(
            FailedConnect(self._netns, device, hi, lo, port, heard, many)
            for (device, hi, lo, port, heard), many in number.most_common(PLACES)
        )


def _decoded(notices: list[bytes]) -> SocketTable:
    whole = [each for each in notices if _fits(each)]
    table = blank(len(whole))
    ends = np.cumsum([len(each) for each in whole], dtype=np.int64)
    if whole:
        data = np.frombuffer(b"".join(whole), np.uint8)
        with suppress(wire.WireError):
            wire.decode(data, np.concatenate([[0], ends[:-1]]), table)
    return table


def _fits(notice: bytes) -> bool:
    """One whole message of sock_diag."""
    kind = int.from_bytes(notice[4:6], byteorder)
    return len(notice) > wire.NLMSG_HEADER and kind == wire.SOCK_DIAG_BY_FAMILY


def _never_open(table: SocketTable) -> Bools:
    """They called somebody, and nobody took what they sent; a round trip was never measured."""
    called = (table.remote_hi != 0) | (table.remote_lo & np.uint64(0xFFFF_FFFF) != 0)
    bare = (table.tcp_info("bytes_acked") == 0) & (table.tcp_info("rtt") == 0)
    never: Bools = called & bare & (table.tcp_info("data_segs_in") == 0)
    return never
