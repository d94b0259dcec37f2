"""What a TCP socket was that is in no dump any more, by the last dump or by the socket itself.

The kernel keeps the other end's address in a socket that was reset, and SO_PEERNAME tells it where
getpeername(2) no longer does (inet_getname, net/ipv4/af_inet.c). After a blocking connect() that
was refused it is gone (tcp_disconnect).
"""

from __future__ import annotations

import ctypes
import socket
import struct
from sys import byteorder

import numpy as np

from tcptop.model import tcp
from tcptop.model.address import MAPPED_PREFIX
from tcptop.model.arrays import isin
from tcptop.model.sample import LostSocket
from tcptop.model.table import U32, SocketTable
from tcptop.sources import pidfd

_SO_PEERNAME = 28  # asm-generic/socket.h
_INFO_SIZE = 136  # struct tcp_info up to bytes_received, since 4.1: pidfd_getfd is younger
_ONCE = ("bytes_acked", "bytes_received", "rtt")  # none of these without a handshake
CONNECTED, FAILED, UNUSED = "connected", "failed", "unused"
ALIVE = "alive"  # in another network namespace: its process brought it along, or was sent it


def dumped(dump: SocketTable, inodes: U32) -> dict[int, LostSocket]:
    """Those of the inodes that an earlier dump still had, with their ends."""
    rows = np.flatnonzero(isin(dump.inode, inodes) & (dump.remote_port != 0))
    return {
        int(dump.inode[row]): LostSocket(
            FAILED if dump.state[row] == tcp.SYN_SENT else CONNECTED,
            int(dump.local_port[row]),
            int(dump.remote_hi[row]),
            int(dump.remote_lo[row]),
            int(dump.remote_port[row]),
        )
        for row in rows.tolist()
    }


def asked(pid: int, fd: int, inode: int) -> LostSocket:
    """What a process's descriptor tells of it; unknown where that may not be read."""
    try:
        with pidfd.copied_socket(pid, fd, inode, privileged=False) as copy:
            info = pidfd.option(copy, socket.IPPROTO_TCP, socket.TCP_INFO, _INFO_SIZE)
            if info is None or len(info) < _INFO_SIZE:
                return LostSocket()
            return LostSocket(_was(info), *_ends(copy))
    except pidfd.NotCopiedError:
        return LostSocket()


def _was(info: bytes) -> str:
    """A path MTU is known once a connect() was tried, and it stays (tcp_connect_init)."""
    if _field(info, "state") != tcp.CLOSE:
        return ALIVE
    if any(_field(info, name) for name in _ONCE):
        return CONNECTED
    return FAILED if _field(info, "pmtu") else UNUSED


def _field(info: bytes, name: str) -> int:
    field = tcp.TCP_INFO_BY_NAME[name]
    return int.from_bytes(info[field.offset : field.offset + field.size], byteorder)


def _ends(copy: int) -> tuple[int, int, int, int]:
    """Local port, and the other end as halves of its address and a port; 0 where not known."""
    family = pidfd.option(copy, socket.SOL_SOCKET, socket.SO_DOMAIN, 4)
    six = family == struct.pack("i", socket.AF_INET6)
    # The kernel refuses a longer buffer than the address has.
    peer = pidfd.option(copy, socket.SOL_SOCKET, _SO_PEERNAME, 28 if six else 16)
    if peer is None:
        return 0, 0, 0, 0
    (port,) = struct.unpack_from("!H", peer, 2)
    if six:
        hi, lo = struct.unpack_from("!QQ", peer, 8)
    else:
        hi, lo = 0, MAPPED_PREFIX << 32 | struct.unpack_from("!I", peer, 4)[0]
    return _local_port(copy), hi, lo, port


def _local_port(copy: int) -> int:
    name, size = ctypes.create_string_buffer(28), ctypes.c_uint(28)
    if pidfd.libc.getsockname(copy, name, ctypes.byref(size)) < 0:
        return 0
    (port,) = struct.unpack_from("!H", name.raw, 2)
    return int(port)
