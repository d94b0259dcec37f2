"""Limits of control groups on the memory of sockets: who is near one, and how often it was met.

cgroup v1 counts TCP's memory on its own (memory.kmem.tcp.*, Documentation/admin-guide/cgroup-v1/
memory.rst); cgroup v2 counts it with all other memory of the group (memory.max, memory.current,
sock of memory.stat, max of memory.events; admin-guide/cgroup-v2.rst).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from tcptop.model.digits import whole
from tcptop.model.named_tuple import NamedTuple
from tcptop.model.sample import SocketMemory
from tcptop.sources import procfs

WINDOW_S = 10.0  # over which it is counted how often a limit was met
UNLIMITED = 1 << 62  # PAGE_COUNTER_MAX pages is a little less than twice that
OF_TCP, OF_ALL = "memory.kmem.tcp.limit_in_bytes", "memory.max"


class _Meeting(NamedTuple):
    clock: float
    times: int


class MemoryLimits:
    """Keep one: how often a limit was met is counted between looks."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._counts: dict[str, list[_Meeting]] = {}  # by directory, oldest first
        self._read: dict[str, SocketMemory | None] = {}  # of one look: siblings share their groups

    def look(self) -> None:
        """Groups that are asked for from here on are looked at anew."""
        self._counts = {path: found for path, found in self._counts.items() if path in self._read}
        self._read = {}

    def tightest(self, of_v1: Iterable[str], of_v2: Iterable[str]) -> SocketMemory | None:
        """Of the directories of a process's groups; None where none has a limit."""
        every = [(each, _of_tcp) for each in of_v1] + [(each, self._of_all) for each in of_v2]
        for directory, read in every:
            if directory not in self._read:
                self._read[directory] = read(directory)
        found = (self._read[directory] for directory, _ in every)
        return max((f for f in found if f), key=lambda f: f.share, default=None)

    def _of_all(self, directory: str) -> SocketMemory | None:
        limit, used = (_number(f"{directory}/{name}") for name in (OF_ALL, "memory.current"))
        if not limit or used is None:
            return None
        sockets = fields(f"{directory}/memory.stat").get("sock")
        return SocketMemory(f"{directory}/{OF_ALL}", limit, used, sockets, self._met(directory))

    def _met(self, directory: str) -> int | None:
        """None at the first look, and where it is not counted."""
        times, clock = fields(f"{directory}/memory.events").get("max"), self._clock()
        if times is None:
            return None
        before = self._counts.setdefault(directory, [])
        while len(before) > 1 and before[1].clock <= clock - WINDOW_S:
            del before[0]
        first = before[0] if before else None
        before.append(_Meeting(clock, times))
        return None if first is None else max(times - first.times, 0)


def _of_tcp(directory: str) -> SocketMemory | None:
    """Its highest use: buffers are empty again in a moment, and failcnt does not count them."""
    limit = _number(f"{directory}/{OF_TCP}")
    used = _number(f"{directory}/memory.kmem.tcp.max_usage_in_bytes")
    if not limit or limit >= UNLIMITED or used is None:
        return None
    return SocketMemory(f"{directory}/{OF_TCP}", limit, used, used)


def _number(path: str) -> int | None:
    return whole(text(path))


def fields(path: str) -> Mapping[str, int]:
    """Lines of a name and a number."""
    lines = (line.split() for line in text(path).splitlines())
    known = ((words[0], whole(words[1])) for words in lines if len(words) == 2)
    return {name: value for name, value in known if value is not None}


def text(path: str) -> str:
    return procfs.text(procfs.read(path) or b"").strip()
