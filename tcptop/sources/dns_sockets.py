"""The DNS servers that a process asks by UDP: getaddrinfo() connects a socket to each that it asks,
waits for the answer in poll(), and closes it (res_send.c of glibc)."""

from __future__ import annotations

import os

from tcptop.model.address import remote_text
from tcptop.model.digits import whole
from tcptop.sources import procfs
from tcptop.sources.proc_net_tcp import parse

PORT = 53
MOST = 1024  # descriptors of a process, each of which takes 2 µs
ROOM = 1 << 20  # bytes: the file has 128 for each UDP socket of the namespace


def servers(pid: int, netns: int = 0) -> tuple[str, ...]:
    """The addresses of those that sockets of a process are connected to at present."""
    mine = _inodes(f"/proc/{pid}/fd")
    found: set[str] = set()
    for name in ("udp", "udp6") if mine else ():
        table = parse(procfs.read(f"/proc/{pid}/net/{name}", ROOM) or b"", netns)
        asked = (table.remote_port == PORT).nonzero()[0].tolist()
        found |= {remote_text(table, row) for row in asked if int(table.inode[row]) in mine}
    return tuple(sorted(found))


def _inodes(directory: str) -> set[int]:
    try:
        names = os.listdir(directory)
    except OSError:
        return set()
    if len(names) > MOST:
        return set()
    found = map(_inode, (f"{directory}/{name}" for name in names))
    return {inode for inode in found if inode is not None}


def _inode(path: str) -> int | None:
    try:
        link = os.readlink(path)
    except OSError:
        return None
    return whole(link.removeprefix("socket:[").removesuffix("]"))
