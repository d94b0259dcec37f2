"""The netlink conversation: ask for a dump, receive it whole, hand the bytes to `wire`."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import struct
import time
from collections.abc import Callable
from types import TracebackType
from typing import Protocol, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from tcptop.model import tcp
from tcptop.model.named_tuple import NamedTuple
from tcptop.model.table import SocketTable, blank, concat
from tcptop.sources import wire

NETLINK_SOCK_DIAG = 4
NLM_F_REQUEST = 1
NLM_F_DUMP = 0x300
INET_DIAG_REQ_BYTECODE = 1

# Bits of idiag_ext: attribute n is asked for by bit n - 1. What has no bit always comes.
EXT_INFO = 1 << (tcp.INFO - 1)
EXT_CONG = 1 << (tcp.CONG - 1)
EXT_SKMEMINFO = 1 << (tcp.SKMEMINFO - 1)
EXT = EXT_INFO | EXT_SKMEMINFO

ALL_STATES = 0xFFF
BOUND_INACTIVE = 1 << 13  # 6.8; older kernels ignore the bit
LISTENERS = 1 << tcp.LISTEN

# A dump's datagrams grow to the largest receive length seen, at most 32 KiB (af_netlink.c); a
# socket that once offered more truncates silently when it is later offered less.
ROOM = 64 * 1024
BUFFER = 8 * 1024 * 1024  # decoded and reused when full; numpy asks for huge pages from 4 MiB on
ATTEMPTS = 3
ANSWER_S = 20.0  # what a dump goes on with is there at once; a host under load may take seconds
MSG_TRUNC = int(socket.MSG_TRUNC)  # as an enum it costs 2 µs a use
TRANSIENT = frozenset({errno.EBUSY, errno.ENOBUFS, errno.EINTR, errno.EAGAIN})


S = TypeVar("S", bound="RowTaker")


class SockDiagError(OSError):
    """sock_diag refused or broke off; `errno` says why."""


class Request(NamedTuple):
    """A dump to ask for: mask of states, mask of extra attributes, optional bytecode."""

    states: int = ALL_STATES | BOUND_INACTIVE
    ext: int = EXT
    bytecode: bytes = b""


EVERYTHING = Request()
ACCEPT_QUEUES = Request(LISTENERS, ext=0)


class SockDiag:
    """One netlink socket, for life in the namespace of the thread that made it.

    It pins that namespace: close it. Not for use by two threads at once; `beside` is another one
    that is never used at the same time, and shares its buffer. Raises SockDiagError.
    """

    def __init__(self, netns: int = 0, beside: SockDiag | None = None) -> None:
        self.netns = netns
        self._legacy = True
        self._seq = 0
        self.replied_at = 0.0
        self.expected = 0  # rows; may be set to what is known of their number
        self._buffer: NDArray[np.uint8] = (
            np.empty(BUFFER, np.uint8) if beside is None else beside._buffer
        )
        self._bytes = self._buffer.data
        self._words = self._bytes.cast("I")
        self._socket = self._open()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        self._socket.close()

    def dump(self, request: Request = EVERYTHING) -> SocketTable:
        """Every socket the request asks for, each once, by cookie.

        One legacy request returns both families in one walk of the hash; where a kernel refuses
        it, two requests of the second version do.
        `replied_at` is then the moment (Unix time, s) of the first reply.
        """
        parts = self._asked(request, lambda: _Rows(self.netns, self.expected))
        self.expected = max(self.expected, *(part.filled for part in parts))
        tables = [part.table.part(0, part.filled) for part in parts]
        return without_repeats(tables[0] if len(tables) == 1 else concat(tables))

    def accept_queues(self) -> list[tuple[int, int]]:
        """Cookie of each listener, and how many connections wait in its accept queue.

        For frequent looks: nothing else is decoded. A listener may come twice.
        """
        parts = self._asked(ACCEPT_QUEUES, _Queues)
        return [each for part in parts for each in part.found]

    def _asked(self, request: Request, take: Callable[[], S]) -> list[S]:
        """What was taken of the request's replies; of two requests where one is refused."""
        if self._legacy:
            try:
                return [self._retried(request, socket.AF_UNSPEC, take)]
            except SockDiagError as error:
                if error.errno not in (errno.EINVAL, errno.EOPNOTSUPP):
                    raise
        families = [self._retried(request, family, take) for family in (tcp.AF_INET, tcp.AF_INET6)]
        self._legacy = False  # not before these were taken: EINVAL may be about the bytecode
        return families

    def _open(self) -> socket.socket:
        try:
            diag = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_SOCK_DIAG)
            diag.connect((0, 0))  # the kernel: nobody else can send to it from now on
            wait_no_longer(diag)
            return diag
        except OSError as error:
            raise as_sock_diag_error(error) from error

    def _retried(self, request: Request, family: int, take: Callable[[], S]) -> S:
        for attempt in range(ATTEMPTS):
            try:
                return self._once(request, family, take())
            except wire.WireError as error:
                self._drain()
                raise SockDiagError(errno.EBADMSG, str(error)) from error
            except OSError as error:
                self._drain()
                if error.errno not in TRANSIENT or attempt == ATTEMPTS - 1:
                    raise as_sock_diag_error(error) from error
        raise AssertionError("unreachable")

    def _drain(self) -> None:
        """Read what is left of a broken dump: until then the socket answers EBUSY."""
        self._socket.setblocking(False)
        try:
            with contextlib.suppress(OSError):  # EAGAIN: nothing is left
                while self._socket.recv_into(self._bytes, ROOM):
                    pass
        finally:
            self._socket.setblocking(True)

    def _once(self, request: Request, family: int, rows: S) -> S:
        self._seq += 1
        message = encode(request, family, self._seq)
        self._socket.send(message)
        offsets: list[int] = []
        self.replied_at = 0.0
        end, code = 0, None
        while code is None:
            if end + ROOM > BUFFER:
                rows.add(self._buffer[:end], offsets)
                offsets, end = [], 0
            size = self._receive(end)
            self.replied_at = self.replied_at or time.time()
            code = wire.scan(self._words, end >> 2, (end + size) >> 2, self._seq, offsets)
            end += size
        if code < 0:
            raise SockDiagError(-code, os.strerror(-code))
        rows.add(self._buffer[:end], offsets)
        return rows

    def _receive(self, at: int) -> int:
        # With MSG_TRUNC the length is that of the datagram, also where it did not fit.
        try:
            size = self._socket.recv_into(self._bytes[at:], ROOM, MSG_TRUNC)
        except BlockingIOError as error:
            late = f"the kernel has not answered for {ANSWER_S:g} s"
            raise SockDiagError(errno.ETIMEDOUT, late) from error
        if size > ROOM or size & 3:
            raise SockDiagError(errno.EAGAIN, "a datagram was cut short")
        return size


def wait_no_longer(diag: socket.socket) -> None:
    """Than ANSWER_S for a datagram; by the kernel, as Python's own timeout is a poll(2) each."""
    seconds, fraction = divmod(ANSWER_S, 1)
    limit = struct.pack("@ll", int(seconds), int(fraction * 1e6))  # struct timeval
    diag.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)


class RowTaker(Protocol):
    """What takes the rows of a dump, buffer by buffer."""

    def add(self, data: NDArray[np.uint8], offsets: list[int]) -> None:
        """Decode the rows at these offsets (in words) of the data."""


class _Rows:
    """A table that grows while a dump comes in.

    Of a large one room that is not used costs nothing, as the kernel gives a page of zeros when
    it is touched; joining parts at the end would touch every page twice.
    """

    def __init__(self, netns: int, expected: int) -> None:
        self.filled = 0
        self.table = blank(expected + expected // 4 + 16)
        self._netns = netns

    def add(self, data: NDArray[np.uint8], offsets: list[int]) -> None:
        last = self.filled + len(offsets)
        if last > len(self.table):
            self.table = concat([self.table.part(0, self.filled), blank(2 * last)])
        part = self.table.part(self.filled, last)
        wire.decode(data, np.array(offsets, np.int64) << 2, part)
        part.netns[:] = self._netns
        self.filled = last


class _Queues:
    """Of listeners the cookie and the accept queue alone."""

    def __init__(self) -> None:
        self.found: list[tuple[int, int]] = []

    def add(self, data: NDArray[np.uint8], offsets: list[int]) -> None:
        self.found += wire.queues(data.data, [at << 2 for at in offsets])


def as_sock_diag_error(error: OSError) -> SockDiagError:
    if isinstance(error, SockDiagError):
        return error
    return SockDiagError(error.errno, error.strerror)


def encode(request: Request, family: int, seq: int) -> bytes:
    """A dump request: the legacy struct inet_diag_req for AF_UNSPEC, else inet_diag_req_v2."""
    if family == socket.AF_UNSPEC:
        kind = wire.TCPDIAG_GETSOCK
        body = struct.pack("=BBBB48xII", 0, 0, 0, request.ext, request.states, 0)
    else:
        kind = wire.SOCK_DIAG_BY_FAMILY
        body = struct.pack("=BBBBI48x", family, socket.IPPROTO_TCP, request.ext, 0, request.states)
    if request.bytecode:
        length = 4 + len(request.bytecode)
        body += struct.pack("=HH", length, INET_DIAG_REQ_BYTECODE) + request.bytecode
    flags = NLM_F_REQUEST | NLM_F_DUMP
    return struct.pack("=IHHII", wire.NLMSG_HEADER + len(body), kind, flags, seq, 0) + body


def without_repeats(table: SocketTable) -> SocketTable:
    """Each socket once: a crowded hash resumed under churn returns some rows twice.

    The last of them is kept. Order is the dump's.
    """
    ordered = np.sort(table.cookie)
    if not (ordered[1:] == ordered[:-1]).any():  # to sort alone is many times as fast
        return table
    order = np.argsort(table.cookie, kind="stable")
    cookies = table.cookie[order]
    repeated = cookies[1:] == cookies[:-1]
    kept = np.ones(len(table), bool)
    kept[order[:-1][repeated]] = False
    return table.take(kept)
