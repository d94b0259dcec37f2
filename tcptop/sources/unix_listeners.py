"""Listening UNIX sockets with their accept queues, as `ss -xl` shows them.

A proxy's back end is often one (php-fpm, uWSGI, MySQL); its full queue is in no TCP table.
include/uapi/linux/unix_diag.h, net/unix/diag.c.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from dataclasses import replace

from tcptop.model.sample import UnixListener
from tcptop.sources.sock_diag import NETLINK_SOCK_DIAG, NLM_F_DUMP, NLM_F_REQUEST
from tcptop.sources.wire import NLMSG_DONE, NLMSG_ERROR, SOCK_DIAG_BY_FAMILY

LISTEN = 10
SHOW_NAME, SHOW_ICONS, SHOW_RQLEN = 0x01, 0x08, 0x10
ATTRIBUTE_NAME, ATTRIBUTE_ICONS, ATTRIBUTE_RQLEN = 0, 3, 4
_HEADER = struct.Struct("=IHHII")
_REQUEST = struct.Struct("=BBHIIIII")
_MESSAGE = struct.Struct("=BBBBIII")
_ATTRIBUTE = struct.Struct("=HH")
ROOM = 64 * 1024
PATIENCE_S = 1.0


def read(netns: int = 0) -> tuple[UnixListener, ...] | None:
    """Those of the calling thread's namespace; None where the kernel does not tell (before 3.3, no
    unix_diag module, or not permitted)."""
    try:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_SOCK_DIAG) as diag:
            diag.settimeout(PATIENCE_S)
            diag.send(_request())
            return tuple(replace(each, netns=netns) for each in _received(diag))
    except OSError:
        return None


def _request() -> bytes:
    show = SHOW_NAME | SHOW_ICONS | SHOW_RQLEN
    body = _REQUEST.pack(socket.AF_UNIX, 0, 0, 1 << LISTEN, 0, show, 0, 0)
    flags = NLM_F_REQUEST | NLM_F_DUMP
    return _HEADER.pack(_HEADER.size + len(body), SOCK_DIAG_BY_FAMILY, flags, 1, 0) + body


def _received(diag: socket.socket) -> Iterator[UnixListener]:
    while True:
        data = diag.recv(ROOM)
        for kind, payload in messages(data):
            if kind == NLMSG_ERROR:
                raise OSError("unix_diag is not to be had")
            if kind == NLMSG_DONE:
                return
            found = listener(payload)
            if found is not None:
                yield found


def messages(data: bytes) -> Iterator[tuple[int, bytes]]:
    """(type, payload) of each netlink message; what is cut short is left out."""
    at = 0
    while at + _HEADER.size <= len(data):
        length, kind, *_ = _HEADER.unpack_from(data, at)
        if length < _HEADER.size or at + length > len(data):
            return
        yield kind, data[at + _HEADER.size : at + length]
        at += (length + 3) & ~3


def listener(payload: bytes) -> UnixListener | None:
    """One unix_diag_msg with its attributes; None for what is no listener or is cut short."""
    if len(payload) < _MESSAGE.size:
        return None
    _, _, state, _, inode, *_ = _MESSAGE.unpack_from(payload)
    found = dict(_attributes(payload[_MESSAGE.size :]))
    queue = found.get(ATTRIBUTE_RQLEN, b"")
    if state != LISTEN or len(queue) < 8:
        return None
    queued, backlog = struct.unpack_from("=II", queue)
    waiting = found.get(ATTRIBUTE_ICONS, b"")
    clients = struct.unpack_from(f"={len(waiting) // 4}I", waiting)
    return UnixListener(inode, path(found.get(ATTRIBUTE_NAME, b"")), queued, backlog, clients)


def path(name: bytes) -> str:
    """As ss writes it: @ for the NUL of an abstract name."""
    plain = name.rstrip(b"\0") if not name.startswith(b"\0") else b"@" + name[1:]
    return plain.replace(b"\0", b"@").decode("utf-8", "backslashreplace")


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at + _ATTRIBUTE.size <= len(data):
        length, kind = _ATTRIBUTE.unpack_from(data, at)
        if length < _ATTRIBUTE.size or at + length > len(data):
            return
        yield kind, data[at + _ATTRIBUTE.size : at + length]
        at += (length + 3) & ~3
