"""Parsers of /proc files (bytes in, values out), and one reader that bears with races."""

from __future__ import annotations

import os

from tcptop.model.digits import hexadecimal, whole

PROC_PID_INIT_INO = 0xEFFFFFFC


def read(path: str, limit: int = 1 << 24) -> bytes | None:
    """A file of /proc, up to `limit` bytes; None where it is missing or not permitted.

    Reading also fails with ESRCH, where the process ended after the file was opened.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        return _read_all(descriptor, limit)
    except OSError:
        return None
    finally:
        os.close(descriptor)


def _read_all(descriptor: int, limit: int) -> bytes:
    parts = []
    while limit > 0 and (part := os.read(descriptor, min(limit, 1 << 16))):
        parts.append(part)
        limit -= len(part)
    return b"".join(parts)


def pids(proc: str) -> list[int]:
    """Every process (thread group) that this /proc shows; empty where there is none."""
    try:
        numbers = (whole(name) for name in os.listdir(proc))
        return [number for number in numbers if number is not None]
    except OSError:
        return []


def hides(proc: str) -> bool:
    """Whether this /proc hides the processes of other users (hidepid=2): the first is not there."""
    return os.path.exists(f"{proc}/self") and not os.path.exists(f"{proc}/1")


def in_container(proc: str = "/proc") -> bool:
    """Whether this pid namespace is another than the first, whose number is fixed (proc_ns.h)."""
    try:
        return os.stat(f"{proc}/self/ns/pid").st_ino != PROC_PID_INIT_INO
    except OSError:
        return False


def text(data: bytes) -> str:
    """Bytes that anybody may have written (comm, cmdline, a path), as text that can be shown."""
    return data.decode("utf-8", errors="replace")


def comm(data: bytes) -> str:
    """A process name: 15 bytes of any kind and a newline."""
    return text(data.removesuffix(b"\n"))


def cmdline(data: bytes) -> str:
    """The arguments, joined with spaces."""
    return " ".join(arguments(data.rstrip(b"\0")))


def arguments(data: bytes) -> list[str]:
    return [text(word) for word in data.removesuffix(b"\0").split(b"\0")]


def start_time(stat: bytes) -> int | None:
    """Field 22 of /proc/PID/stat, in clock ticks after boot.

    Fields are counted from the last parenthesis, as the name in them may hold any byte.
    """
    rest = stat[stat.rfind(b")") + 1 :].split()
    return whole(text(rest[19])) if len(rest) > 19 else None


def open_files_limit(limits: bytes) -> int | None:
    """The soft limit of open files in /proc/PID/limits; None also where there is no limit."""
    _, found, rest = limits.partition(b"Max open files")
    soft = rest.split(None, 1)[:1]
    return whole(text(soft[0])) if found and soft else None


def cgroup(data: bytes) -> str | None:
    """The most telling path in /proc/PID/cgroup: that of cgroup2, unless it is the root.

    Hosts with cgroup v1 keep their processes in the root of cgroup2; there systemd's own hierarchy
    has the unit, and in containers each controller has the container.
    """
    ranked = []
    for line in data.splitlines():
        hierarchy, colon, rest = line.partition(b":")
        controllers, other, path = rest.partition(b":")
        if colon and other:
            rank = 0 if hierarchy == b"0" else 1 if controllers == b"name=systemd" else 2
            ranked.append((path == b"/", rank, path))
    return text(min(ranked)[2]) if ranked else None


def counters(data: bytes) -> dict[str, dict[str, int]]:
    """/proc/net/netstat or snmp: section -> name -> value.

    Each section is a line of names and a line of values. Kernels differ in names and order. What
    a cut file leaves without a whole value is left out.
    """
    sections: dict[str, dict[str, int]] = {}
    lines = _whole_words(data).split("\n")
    for names, values in zip(lines[::2], lines[1::2], strict=False):
        title, *heads = names.split() or [""]
        again, *numbers = values.split() or [""]
        if title and title == again:
            sections.setdefault(title.rstrip(":"), {}).update(_numbers(heads, numbers))
    return sections


def icmp6(data: bytes) -> dict[str, dict[str, int]]:
    """What /proc/net/snmp6 tells of ICMPv6, as a section like those of `counters`; the numbers of
    each type, which come and go, are left out."""
    lines = (line.split() for line in _whole_words(data).split("\n"))
    found = [words for words in lines if len(words) == 2 and words[0].startswith("Icmp6")]
    found = [words for words in found if "Type" not in words[0]]
    numbers = _numbers([name[5:] for name, _ in found], [value for _, value in found])
    return {"Icmp6": numbers} if numbers else {}


def sockstat(data: bytes) -> dict[str, dict[str, int]]:
    """/proc/net/sockstat or sockstat6: protocol -> name -> value; `mem` is in pages.

    Of TCP, `inuse` and `tw` are the namespace's; `orphan`, `alloc` and `mem` are the host's in
    every namespace (sockstat_seq_show in net/ipv4/proc.c).
    """
    sections: dict[str, dict[str, int]] = {}
    for line in _whole_words(data).split("\n"):
        title, colon, rest = line.partition(":")
        words = rest.split()
        if colon:
            sections[title] = _numbers(words[::2], words[1::2])
    return sections


def _whole_words(data: bytes) -> str:
    """As text, without a last word that may have been cut."""
    whole = data.decode("ascii", errors="replace")
    if whole.endswith("\n"):
        return whole
    return whole[: max(whole.rfind(" "), whole.rfind("\n")) + 1]


def _numbers(names: list[str], values: list[str]) -> dict[str, int]:
    read = ((name, whole(value)) for name, value in zip(names, values, strict=False))
    return {name: value for name, value in read if value is not None}


def conntrack(data: bytes) -> dict[str, int]:
    """Sums over the CPUs of /proc/net/stat/nf_conntrack: names, then hexadecimal numbers.

    `entries` is the same in each line (ct_cpu_seq_show, nf_conntrack_standalone.c) and left out.
    """
    lines = [text(line).split() for line in data.splitlines()]
    names = lines[0] if lines else []
    read = [[hexadecimal(word) for word in line] for line in lines[1:] if len(line) == len(names)]
    rows = [[number for number in row if number is not None] for row in read if None not in row]
    sums = {name: sum(column) for name, column in zip(names, zip(*rows, strict=True), strict=False)}
    sums.pop("entries", None)
    return sums


def capabilities(status: bytes) -> int:
    """The effective ones of /proc/PID/status, a bit each; 0 where they are not told."""
    words = status.partition(b"CapEff:")[2].split(None, 1)[:1]
    return hexadecimal(text(words[0])) or 0 if words else 0
