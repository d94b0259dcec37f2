"""What the files of another host say -> values. Pure: bytes in, values out."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

import numpy as np

from tcptop.model import address
from tcptop.model.named_tuple import NamedTuple
from tcptop.model.sample import Kernel
from tcptop.model.table import Bools, SocketTable
from tcptop.sources import procfs
from tcptop.sources.counters import CONNTRACK, SYSCTLS

CAP_SYS_PTRACE = 19
CONNTRACK_COUNT = "net.netfilter.nf_conntrack_count"
LONGEST = 64  # letters of a name
SYSCTL = 1024
MAX_U32 = 0xFFFF_FFFF
LATEST_S = 1e9  # 30 years of uptime
_SPACE = re.compile(rb" /proc/(self|1)/ns/(net|pid) -> \w+:\[(\d{1,10})\]$", re.MULTILINE)
_UID = re.compile(rb"^Uid:\s+\d+\s+(\d{1,10})\s", re.MULTILINE)
_USER = re.compile(rb"^([^:\n]+):[^:\n]*:(\d{1,10}):", re.MULTILINE)
_IGMP = re.compile(rb"^(\d{1,10})\t(\S+)", re.MULTILINE)
_INET6 = re.compile(rb"^[\da-f]{32} ([\da-f]{2,8}) \S+ \S+ \S+ +(\S+)$", re.MULTILINE)
_SYSCTL = re.compile(rb"^([a-z\d_/]{1,100}):(.*)$", re.MULTILINE)
LinkEnds = tuple[
    tuple[int, int, int], ...
]  # halves of the address and port of both ends, or nothing
_EVERYBODY = [b"0", b"0", b"4294967295"]  # uid_map of the first user namespace


class There(NamedTuple):
    """The other side: who and where the shell is, and what does not change from look to look.

    `contained`: in another pid namespace than the host's; `hides`: its /proc does not show the
    processes of other users; `link`: the ends of the connection that the shell came by; `time` is
    its own clock, in whole seconds.
    """

    netns: int
    first: bool
    contained: bool
    hides: bool
    privileged: bool
    uid: int
    hostname: str
    kernel: str
    boot_id: str | None
    users: Mapping[int, str]
    interfaces: Mapping[int, str]
    sysctls: Mapping[str, str]
    link: LinkEnds
    time: int | None


def there(parts: Mapping[str, bytes]) -> There:
    """Raises KeyError."""
    spaces = {(m[1], m[2]): int(m[3]) for m in _SPACE.finditer(parts["namespaces"])}
    lines = parts["namespaces"].splitlines()
    values = {text(m[1], 100): text(m[2], SYSCTL) for m in _SYSCTL.finditer(parts["host"])}
    netns = spaces.get((b"self", b"net"), 0) & MAX_U32
    contained = spaces.get((b"self", b"pid")) != procfs.PROC_PID_INIT_INO
    uid = _UID.search(parts["rights"])
    sysctls = {name.replace("/", "."): " ".join(value.split()) for name, value in values.items()}
    return There(
        netns=netns,
        first=not contained and spaces.get((b"1", b"net"), -1) == netns,
        contained=contained,
        hides=not any(line.endswith(b" /proc/1") for line in lines),
        privileged=_privileged(parts["rights"]),
        uid=int(uid[1]) & MAX_U32 if uid else MAX_U32,
        hostname=values.get("kernel/hostname", "")[:LONGEST],
        kernel=values.get("kernel/osrelease", "")[:LONGEST],
        boot_id=values.get("kernel/random/boot_id", "")[:LONGEST] or None,
        users={int(m[2]): text(m[1]) for m in _USER.finditer(parts["users"])},
        interfaces=_interfaces(parts["igmp"], parts["inet6"]),
        sysctls={name: value for name, value in sysctls.items() if name in SYSCTLS},
        link=_link(parts["link"]),
        time=int(parts["time"]) if re.fullmatch(rb"\d{1,12}\n?", parts["time"]) else None,
    )


def _privileged(rights: bytes) -> bool:
    """As `live.privileged`, of a /proc/self/status with the uid_map behind it."""
    effective = procfs.capabilities(rights) >> CAP_SYS_PTRACE & 1
    return bool(effective) and rights.split()[-3:] == _EVERYBODY


def _interfaces(igmp: bytes, inet6: bytes) -> dict[int, str]:
    found = {int(m[1]): text(m[2].rstrip(b":"), 16) for m in _IGMP.finditer(igmp)}
    return found | {int(m[1], 16): text(m[2], 16) for m in _INET6.finditer(inet6)}


def _link(told: bytes) -> LinkEnds:
    """Both ends of SSH_CONNECTION: client, its port, server, its port."""
    words = procfs.text(told).split()
    if len(words) != 4 or not (_port(words[1]) and _port(words[3])):
        return ()
    try:
        ends = [address.halves(word.partition("%")[0]) for word in words[::2]]
    except ValueError:
        return ()
    return tuple((*end, int(port)) for end, port in zip(ends, words[1::2], strict=True))


def _port(word: str) -> bool:
    return word.isascii() and word.isdecimal() and int(word[:6]) < 1 << 16


def text(data: bytes, most: int = LONGEST) -> str:
    return procfs.text(data)[:most]


def own(sockets: SocketTable, link: LinkEnds) -> Bools:
    """Rows of the connection that the shell came by, from either end."""
    rows = np.zeros(len(sockets), bool)
    for near, far in (link, link[::-1]) if link else ():
        rows |= _at(sockets, "local", near) & _at(sockets, "remote", far)
    return rows


def _at(sockets: SocketTable, side: str, end: tuple[int, int, int]) -> Bools:
    hi, lo, port = (getattr(sockets, f"{side}_{part}") for part in ("hi", "lo", "port"))
    at: Bools = (hi == np.uint64(end[0])) & (lo == np.uint64(end[1])) & (port == end[2])
    return at


def uptime(data: bytes) -> float:
    """Raises ValueError."""
    seconds = float(data.split()[0]) if data.strip() else math.nan
    if not 0 <= seconds < LATEST_S:
        raise ValueError("there is no /proc/uptime")
    return seconds


def kernel(data: bytes, at: There) -> Kernel:
    """Of the files that the program puts together, by what each begins with."""
    count, tables = _lone_number(data)
    begins = (rb"(?=^sockets: used)", rb"(?=^Ip6InReceives)", rb"(?=^entries )")
    parts = dict(enumerate(re.split(rb"|".join(begins), tables, flags=re.MULTILINE)))
    counters = dict(procfs.counters(parts.pop(0)))
    sockstat: Mapping[str, Mapping[str, int]] = {}
    for part in parts.values():
        if part.startswith(b"sockets"):
            sockstat = procfs.sockstat(part)
        elif part.startswith(b"Ip6"):
            counters |= procfs.icmp6(part)
        elif tracked := procfs.conntrack(part):
            counters[CONNTRACK] = tracked
    more = {CONNTRACK_COUNT: count} if count else {}
    return Kernel(at.netns, counters, sockstat, {**at.sysctls, **more})


def _lone_number(data: bytes) -> tuple[str, bytes]:
    """The number of tracked connections, where that is the first line, and the rest."""
    line, _, rest = data.partition(b"\n")
    return (line.decode(), rest) if line.isdigit() and len(line) < LONGEST else ("", data)
