"""Sockets from /proc/net/tcp and tcp6, for where sock_diag cannot be had.

Layout: get_tcp4_sock, get_openreq4 and get_timewait4_sock in net/ipv4/tcp_ipv4.c.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Sequence

import numpy as np

from tcptop.model import tcp
from tcptop.model.arrays import row_hash
from tcptop.model.table import U8, U64, SocketTable, blank, concat
from tcptop.sources import procfs
from tcptop.sources.sock_diag import without_repeats
from tcptop.sources.wire import WireError, check, halves

# What a table of source "procfs" lacks. There send_q of a LISTEN row is 0 and not the backlog.
NOTE = (
    "Read from /proc/net/tcp instead: no backlog of listeners, no drops, no tcp_info, no memory, "
    "no control groups, no interfaces"
)
LIMIT = 1 << 32  # bytes; a row has 150
MAX_U32 = 0xFFFF_FFFF
PROBING = (tcp.KEEPALIVE, tcp.PERSIST)
MS_PER_TICK = 10  # clock_t of USER_HZ, which is 100 wherever Python runs on Linux

_ROW = re.compile(
    rb"^ *\d+: ([\dA-F]{8}|[\dA-F]{32}):([\dA-F]{4}) ([\dA-F]{8}|[\dA-F]{32}):([\dA-F]{4})"
    rb" ([\dA-F]{2}) ([\dA-F]{8}):([\dA-F]{8}) ([\dA-F]{2}):([\dA-F]{8,16}) ([\dA-F]{8})"
    rb" +(\d{1,10}) +(\d{1,10}) (\d{1,10}) ",
    re.MULTILINE,
)
_FIELDS: tuple[str, ...] = (
    "local",
    "local_port",
    "remote",
    "remote_port",
    "state",
    "send_q",
    "recv_q",
)
_FIELDS += ("timer", "expires", "retransmits", "uid", "probes", "inode")


def read(netns: int) -> SocketTable:
    """The sockets of the calling thread's namespace. Raises OSError without /proc/net/tcp."""
    path = "/proc/thread-self/net/tcp"
    four = procfs.read(path, LIMIT)
    if four is None:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
    six = procfs.read(f"{path}6", LIMIT) or b""
    table = without_repeats(concat([parse(four, netns), parse(six, netns)]))
    try:
        check(table)
    except WireError as error:
        raise OSError(errno.EBADMSG, str(error), path) from error
    return table


def parse(data: bytes, netns: int) -> SocketTable:
    """The rows of either file; lines that are not whole rows are passed over.

    There is no cookie: in its place is a hash of what identifies a socket (see `identity`).
    """
    rows = _ROW.findall(data)
    table = blank(len(rows))
    if not rows:
        return table
    texts = dict(zip(_FIELDS, zip(*rows, strict=True), strict=True))
    table.netns[:] = netns
    table.family[:] = [tcp.AF_INET if len(text) == 8 else tcp.AF_INET6 for text in texts["local"]]
    table.local_hi[:], table.local_lo[:] = addresses(texts["local"], table.family)
    table.remote_hi[:], table.remote_lo[:] = addresses(texts["remote"], table.family)
    for name in ("local_port", "remote_port", "state", "send_q", "recv_q", "timer"):
        getattr(table, name)[:] = [int(text, 16) for text in texts[name]]
    table.expires[:] = [min(int(text, 16) * MS_PER_TICK, MAX_U32) for text in texts["expires"]]
    for name in ("uid", "inode"):
        getattr(table, name)[:] = [int(text) & MAX_U32 for text in texts[name]]
    table.retrans[:] = _tries(table, texts["retransmits"], texts["probes"])
    table.cookie[:] = identity(table)
    return table


def addresses(texts: Sequence[bytes], family: U8) -> tuple[U64, U64]:
    """The halves of addresses that are printed as words of this machine's byte order."""
    digits = b"".join(text.ljust(32, b"0") for text in texts)
    words = np.frombuffer(bytes.fromhex(digits.decode()), ">u4").astype("=u4")
    return halves(words.view(np.uint8).reshape(-1, 16), family)


def identity(table: SocketTable) -> U64:
    """A number for each socket that stays while its 4-tuple does, TIME_WAIT included.

    Listeners may share theirs (SO_REUSEPORT), so that their inode counts too. Unlike a cookie it
    comes again with the next connection of the same 4-tuple.
    """
    inode = np.where(table.state == tcp.LISTEN, table.inode, 0).astype(np.uint64)
    ports = table.local_port.astype(np.uint64) << np.uint64(16) | table.remote_port
    ends = (table.local_hi, table.local_lo, table.remote_hi, table.remote_lo)
    return row_hash(*ends, ports, inode)


def _tries(table: SocketTable, retransmits: Sequence[bytes], probes: Sequence[bytes]) -> list[int]:
    """Of a running timer, as sock_diag counts: probes of keepalive and of a closed window."""
    rows = zip(table.timer.tolist(), retransmits, probes, strict=True)
    return [
        0 if timer == 0 else (int(probed) if timer in PROBING else int(sent, 16)) & 0xFF
        for timer, sent, probed in rows
    ]
