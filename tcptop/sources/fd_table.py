"""The descriptor table of one process: which descriptor is which socket, or network namespace.

A ring of io_uring holds what was registered with it, be the descriptor closed or not
(io_uring_register(2)); the ring's fdinfo tells (io_uring/fdinfo.c, since 5.7).
"""

from __future__ import annotations

import math
import os
import re
import time

import numpy as np

from tcptop.model.sample import IN_RING
from tcptop.model.table import I64, U32
from tcptop.sources import procfs

DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
BLOCK = 512  # descriptors between two looks at the clock, some 3 ms
_RING = -1
_REGISTERED = re.compile(rb"^ *\d+: socket:\[(\d+)\]", re.MULTILINE)
_LONGEST = 1 << 22  # bytes of a fdinfo
NO_SOCKETS = (np.zeros(0, np.uint32), np.zeros(0, np.int64))


class FdTable:
    """The sockets of one process, as last read; `inodes` and `fds` are its rows, a descriptor
    IN_RING where a ring holds the socket. They are new arrays where they have changed.

    `identity` is the inode number of /proc/PID/fd, which a new process with an old pid has not
    (proc_pid_make_inode in fs/proc/base.c). `size` is the number of descriptors, which the
    kernel tells since 6.2, or 0. `tid` is the thread of which it is, where `path` is not the
    process's.
    """

    def __init__(self, pid: int, path: str, identity: int, tid: int | None = None) -> None:
        self.pid = pid
        self.tid = tid
        self.path = path
        self.identity = identity
        self.size = 0
        self.size_when_read = -1
        self.read_at = -math.inf
        self.wholly_read_at = -math.inf
        self.denied = False
        self.finished = True  # the last reading was not cut short
        self.inodes: U32
        self.fds: I64
        self.inodes, self.fds = NO_SOCKETS
        self._wholly = True  # what is being read, or was last
        # Descriptor -> socket inode, 0 if it is no socket, _RING.
        self._links: dict[str, int] = {}
        self.namespaces: dict[str, int] = {}  # descriptor -> inode of a network namespace

    @property
    def count(self) -> int:
        """How many descriptors there are, as far as is known."""
        return self.size or len(self._links)

    @property
    def moved(self) -> bool:
        """Never read, not to the end, or of another size since."""
        return self.size != self.size_when_read or not self.finished

    def read(self, trusted: frozenset[int], now: float, deadline: float) -> bool:
        """Read the descriptors again, but for those that held a socket of `trusted` (inodes).

        False where the deadline (of the monotonic clock) came first; the next call goes on from
        there. Where the process is gone or not ours to see, no sockets are known.
        """
        size, before = self.size, self._links
        if self.finished:
            self._wholly = not trusted or not self._links
        try:
            directory = os.open(self.path, DIRECTORY)
            try:
                self.finished = self._follow(directory, trusted, deadline)
            finally:
                os.close(directory)
            self.denied = False
        except OSError as error:
            self.denied = isinstance(error, PermissionError)
            self.finished = True
            self._links, self.namespaces = {}, {}
        if self._links != before or _RING in before.values():
            self._set_rows()
        if self.finished:
            self.size_when_read = size
            self.read_at = now
            self.wholly_read_at = now if self._wholly else self.wholly_read_at
        return self.finished

    def _follow(self, directory: int, trusted: frozenset[int], deadline: float) -> bool:
        # listdir and readlink by a bare name: 1.1 and 4.8 µs a descriptor. stat is no faster and
        # hangs on a file of a network file system that does not answer.
        names = os.listdir(directory)
        old, resumed = self._links, not self.finished
        kept = {
            name: old[name] for name in names if name in old and (resumed or old[name] in trusted)
        }
        unread = [name for name in names if name not in kept]
        self._links = kept
        self.namespaces = {name: i for name, i in self.namespaces.items() if name in kept}
        for at in range(0, len(unread), BLOCK):
            if at and time.monotonic() > deadline:
                return False
            self._read_links(directory, unread[at : at + BLOCK])
        return True

    def _read_links(self, directory: int, names: list[str]) -> None:
        links, readlink = self._links, os.readlink
        for name in names:
            try:
                link = readlink(name, dir_fd=directory)
            except PermissionError:
                raise
            except OSError:
                continue  # closed since it was listed
            if link.startswith("socket:["):
                links[name] = int(link[8:-1])
            else:
                links[name] = _RING if link == "anon_inode:[io_uring]" else 0
                if link.startswith("net:["):
                    self.namespaces[name] = int(link[5:-1])

    def _registered(self) -> I64:
        """Inodes of the sockets that the rings hold."""
        rings = (name for name, inode in self._links.items() if inode == _RING)
        texts = (procfs.read(f"{self.path}info/{name}", _LONGEST) or b"" for name in rings)
        return np.array([int(n) for text in texts for n in _REGISTERED.findall(text)], np.int64)

    def _set_rows(self) -> None:
        inodes = np.array(list(self._links.values()), np.int64)
        sockets = np.flatnonzero(inodes > 0)
        rows = inodes[sockets].astype(np.uint32)  # idiag_inode has 32 bits
        fds = np.array(list(self._links), dtype=np.int64)[sockets]
        if (inodes == _RING).any():
            held = self._registered()
            rows = np.append(rows, held.astype(np.uint32))
            fds = np.append(fds, np.full(len(held), IN_RING, np.int64))
        if not (np.array_equal(rows, self.inodes) and np.array_equal(fds, self.fds)):
            self.inodes, self.fds = rows, fds
