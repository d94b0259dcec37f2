"""Limits on the memory of sockets, in files as the kernel writes them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tcptop.model.sample import SocketMemory
from tcptop.sources.memory_limits import MemoryLimits


def group(top: Path, name: str, **files: object) -> str:
    """A directory; `_` of a file's name is a dot."""
    directory = top / name
    directory.mkdir()
    for file, text in files.items():
        (directory / file.replace("_", ".")).write_text(f"{text}\n")
    return str(directory)


def of_tcp(top: Path, name: str, limit: object, most: object) -> str:
    directory = group(top, name)
    (Path(directory) / "memory.kmem.tcp.limit_in_bytes").write_text(f"{limit}\n")
    (Path(directory) / "memory.kmem.tcp.max_usage_in_bytes").write_text(f"{most}\n")
    return directory


def events(times: int) -> str:
    return f"low 0\nhigh 0\nmax {times}\noom 0"


def test_v2_counts_how_often_the_limit_was_met(tmp_path: Path) -> None:
    now = 0.0
    limits = MemoryLimits(lambda: now)
    stat = "anon 7\nsock 4096\nshmem 0"
    files = {"memory_max": 10_000, "memory_current": 9_900, "memory_stat": stat}
    inner = group(tmp_path, "a", **files, memory_events=events(5))
    outer = group(tmp_path, "b", memory_max=20_000, memory_current=9_900, memory_stat=stat)

    def told(times: int) -> SocketMemory | None:
        (Path(inner) / "memory.events").write_text(events(times))
        limits.look()
        return limits.tightest([], [inner, outer])

    first = SocketMemory(f"{inner}/memory.max", 10_000, 9_900, 4096)
    assert told(5) == first
    now = 4.0
    assert told(25) == first._replace(met=20)
    now = 30.0
    assert told(25) == first._replace(met=0)  # none in the last seconds
    assert not first.of_tcp


def test_v1_tells_the_most_that_tcp_had(tmp_path: Path) -> None:
    limits = MemoryLimits(lambda: 0.0)
    narrow, wide = of_tcp(tmp_path, "a", 4096, 8192), of_tcp(tmp_path, "b", 1 << 20, 9000)
    found = limits.tightest([wide, narrow], [])
    assert found == SocketMemory(f"{narrow}/memory.kmem.tcp.limit_in_bytes", 4096, 8192, 8192)
    assert found.of_tcp


@pytest.mark.parametrize(
    ("limit", "most"), [(9223372036854771712, 5), (0, 5), ("max", 5), (4096, ""), ("", "")]
)
def test_what_is_no_limit(tmp_path: Path, limit: object, most: object) -> None:
    v1 = of_tcp(tmp_path, "a", limit, most)
    v2 = group(tmp_path, "b", memory_max="max", memory_current=5)
    assert MemoryLimits(lambda: 0.0).tightest([v1, f"{v1}/none"], [v2]) is None
