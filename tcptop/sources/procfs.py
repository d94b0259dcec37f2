"""Parsers of /proc files (bytes in, values out), and one reader that bears with races."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from functools import lru_cache
from sys import intern

from tcptop.model.container import container_of
from tcptop.model.digits import LONGEST, hexadecimal, whole

FIRST = 1 << 12  # bytes that are asked for first: the kernel zeroes them (proc_sys_call_handler)
PF_KTHREAD = 0x0020_0000  # linux/sched.h
PROC_PID_INIT_INO = 0xEFFFFFFC
SECTIONS = 1024  # of counters: of a hundred namespaces all that are as a sample before
REMOVED = " (deleted)"  # follows the path of a file or cgroup that is no more
_OCTAL = re.compile(rb"\\([0-7]{3})")


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
    parts, size = [], FIRST
    while limit > 0 and (part := os.read(descriptor, min(limit, size))):
        parts.append(part)
        limit -= len(part)
        size = 1 << 16
    return b"".join(parts)


class OpenFiles:
    """Sysctls and statistics that are read in every sample, kept open: opening takes five times as
    long as reading. Close it.

    A file of /proc/net or /proc/sys/net stays that of the namespace it was opened in.
    """

    def __init__(self) -> None:
        self._descriptors: dict[str, int] = {}

    def close(self) -> None:
        while self._descriptors:
            os.close(self._descriptors.popitem()[1])

    def read(self, path: str, limit: int = 1 << 24) -> bytes | None:
        """As the function `read`; what is missing may be there next time."""
        return (self.read_again if path in self._descriptors else self._read_first)(path, limit)

    def read_again(self, path: str, limit: int = 1 << 24) -> bytes | None:
        """A file that was read before, and no other."""
        descriptor = self._descriptors.get(path)
        if descriptor is None:
            return None
        try:
            os.lseek(descriptor, 0, os.SEEK_SET)  # pread would make the kernel write it all twice
            first = os.read(descriptor, min(limit, FIRST))
            # A page is filled as far as whole lines go (seq_read_iter), of which none is half as
            # long: less is all.
            if len(first) < FIRST // 2:
                return first
            return first + _read_all(descriptor, limit - len(first))
        except OSError:  # of a module that was unloaded
            os.close(self._descriptors.pop(path))
            return None

    def _read_first(self, path: str, limit: int) -> bytes | None:
        try:
            self._descriptors[path] = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return None
        return self.read_again(path, limit)


def pids(proc: str) -> list[int]:
    """Every process (thread group) that this /proc shows; empty where there is none."""
    try:
        names = os.listdir(proc)
        return [int(n) for n in names if n.isdecimal() and n.isascii() and len(n) < LONGEST]
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


def state(stat: bytes) -> str:
    """Field 3 of /proc/PID/stat: R, S, D …; empty where it is not told."""
    return text(stat.rpartition(b")")[2].strip()[:1])


def start_time(stat: bytes) -> int | None:
    """Field 22 of /proc/PID/stat, in clock ticks after boot."""
    return _field(stat, 22)


def is_kernel_thread(stat: bytes) -> bool:
    """By field 9 of it, the flags."""
    return bool((_field(stat, 9) or 0) & PF_KTHREAD)


def parent(stat: bytes) -> int | None:
    """Field 4 of it: the pid of the parent."""
    return _field(stat, 4)


def _field(stat: bytes, number: int) -> int | None:
    """Counted from the last parenthesis, as the name in them, field 2, may hold any byte."""
    rest = stat[stat.rfind(b")") + 1 :].split()
    return whole(text(rest[number - 3])) if len(rest) > number - 3 else None


def open_files_limit(limits: bytes) -> int | None:
    """The soft limit of open files in /proc/PID/limits; None also where there is no limit."""
    _, found, rest = limits.partition(b"Max open files")
    soft = rest.split(None, 1)[:1]
    return whole(text(soft[0])) if found and soft else None


def cgroup(data: bytes) -> str | None:
    """The most telling path in /proc/PID/cgroup: one that names a container, else that of cgroup2,
    unless it is the root.

    Hosts with cgroup v1 keep their processes in the root of cgroup2; there systemd's own hierarchy
    has the unit. Containers may be known to v1 alone, while cgroup2 has their runtime's service.
    """
    ranked = []
    for line in data.splitlines():
        hierarchy, colon, rest = line.partition(b":")
        controllers, other, path = rest.partition(b":")
        if colon and other:
            rank = 0 if hierarchy == b"0" else 1 if controllers == b"name=systemd" else 2
            shown = text(path).removesuffix(REMOVED)
            ranked.append((container_of(shown) is None, shown == "/", rank, shown))
    return min(ranked)[3] if ranked else None


@lru_cache(16)  # as of those below: where little happens they are as they were a sample before
def counters(data: bytes) -> Mapping[str, Mapping[str, int]]:
    """/proc/net/netstat or snmp: section -> name -> value.

    Each section is a line of names and a line of values. Kernels differ in names and order. What
    a cut file leaves without a whole value is left out.
    """
    sections: dict[str, Mapping[str, int]] = {}
    lines = _whole_words(data).split("\n")
    for names, values in zip(lines[::2], lines[1::2], strict=False):
        title, numbers = _section(names, values)
        if title:
            sections[title] = {**sections[title], **numbers} if title in sections else numbers
    return sections


@lru_cache(SECTIONS)
def _section(names: str, values: str) -> tuple[str, Mapping[str, int]]:
    """Title and numbers of two lines; most are as they were a sample before. No title where they do
    not belong together."""
    title, *heads = names.split() or [""]
    again, *numbers = values.split() or [""]
    return (title.rstrip(":"), _numbers(heads, numbers)) if title == again else ("", {})


@lru_cache(16)
def icmp6(data: bytes) -> Mapping[str, Mapping[str, int]]:
    """What /proc/net/snmp6 tells of ICMPv6, as a section like those of `counters`; the numbers of
    each type, which come and go, are left out."""
    lines = _whole_words(data).split("\n")
    told = (line for line in lines if line.startswith("Icmp6") and "Type" not in line)
    numbers = _icmp6("\n".join(told))
    return {"Icmp6": numbers} if numbers else {}


@lru_cache(SECTIONS // 8)
def _icmp6(told: str) -> Mapping[str, int]:
    found = [words for line in told.split("\n") if len(words := line.split()) == 2]
    return _numbers([name[5:] for name, _ in found], [value for _, value in found])


@lru_cache(16)
def sockstat(data: bytes) -> Mapping[str, Mapping[str, int]]:
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
    plain = "".join(values).isdecimal() and len(max(values, key=len)) < LONGEST
    if plain and len(names) <= len(values):  # nearly always
        return dict(zip(map(intern, names), map(int, values), strict=False))
    read = ((name, whole(value)) for name, value in zip(names, values, strict=False))
    return {intern(name): value for name, value in read if value is not None}


@lru_cache(16)
def conntrack(data: bytes) -> Mapping[str, int]:
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


def unescaped(path: bytes) -> bytes:
    """As it was before the kernel wrote blanks and the like in octal (mangle_path)."""
    return _OCTAL.sub(lambda found: bytes([int(found[1], 8) & 0xFF]), path)


def capabilities(status: bytes) -> int:
    """The effective ones of /proc/PID/status, a bit each; 0 where they are not told."""
    words = status.partition(b"CapEff:")[2].split(None, 1)[:1]
    return hexadecimal(text(words[0])) or 0 if words else 0
