"""What `ss` says inside a namespace: the second opinion on everything tcptop reads."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from tcptop.demo.held import HeldSockets
from tcptop.demo.namespace import DemoNamespace

# ss prints process names as they are, even a newline: a row begins only where it looks like one.
_BREAK = re.compile(r"\n(?=(?:[A-Z][A-Z0-9-]+ +)?\d+ +\d+ +\S+:)")
_USERS = re.compile(r' users:\((\(".*?",pid=\d+,fd=\d+\))\)(?=\s|$)', re.DOTALL)
_USER = re.compile(r'\("(.*?)",pid=(\d+),fd=(\d+)\)', re.DOTALL)
_TIMER = re.compile(r"timer:\((\w+),([^,]*),(\d+)\)")
_TIME = re.compile(r"(?:(\d+)min)?(?:(\d+)(?:sec|\.))?(?:(\d+)ms)?")  # print_ms_timer in ss.c
_SKMEM = re.compile(r"skmem:\(([^)]*)\)")
_PAIR = re.compile(r"(?:^| )([a-z][\w-]*):(\S+)")
_RATE = re.compile(r" (send|pacing_rate|delivery_rate) (\d+)bps")


@dataclass(frozen=True)
class SsTimer:
    """`name` as ss calls it: on, keepalive, timewait, persist, unknown."""

    name: str
    expires_ms: int
    retransmits: int


@dataclass(frozen=True)
class SsRow:
    """One line of `ss -HOtanpoeim`; what ss did not print is None or empty.

    `state` is "-" where the filter allows one state only, for ss then leaves the column out;
    `info` holds ss's words as printed, such as {"rto": "204", "rtt": "0.039/0.021"}; `skmem` is
    {"r": 0, "rb": 131072, ...}; `flags` are bare words such as "app_limited".
    """

    state: str
    recv_q: int
    send_q: int
    local_address: str
    local_port: int
    remote_address: str
    remote_port: int
    interface: str | None
    timer: SsTimer | None
    uid: int | None
    inode: int | None
    cookie: int
    cgroup: str | None
    v6only: bool | None
    users: tuple[tuple[str, int, int], ...]
    skmem: Mapping[str, int] = field(default_factory=dict)
    info: Mapping[str, str] = field(default_factory=dict)
    flags: frozenset[str] = frozenset()

    def number(self, name: str) -> int | None:
        """An integer of `info`, or None where ss leaves it out (as it does with zeros)."""
        return int(self.info[name]) if name in self.info else None


def ss_rows(namespace: DemoNamespace, *filter_words: str) -> list[SsRow]:
    """Every TCP row that ss shows inside, or those that pass an ss filter."""
    text = namespace.command(["ss", "-HOtanpoeim", "--cgroup", *filter_words])
    return parse(text)


def between(rows: list[SsRow], local: int, remote: int) -> SsRow | None:
    """The row with these two ports, of which there is at most one."""
    found = [row for row in rows if (row.local_port, row.remote_port) == (local, remote)]
    assert len(found) <= 1
    return found[0] if found else None


def of_inode(rows: list[SsRow], made: HeldSockets) -> SsRow:
    """The row of a socket that is held open. Raises ValueError."""
    (row,) = (row for row in rows if row.inode == made.inode)
    return row


def with_state(rows: list[SsRow], state: str) -> list[SsRow]:
    """The rows in a state, as ss spells it."""
    return [row for row in rows if row.state == state]


def parse(text: str) -> list[SsRow]:
    """Rows of `ss -HOtanpoeim` output."""
    return [_row(line) for line in _BREAK.split(text) if line.strip()]


def _row(line: str) -> SsRow:
    if line[0].isdigit():
        line = "- " + line
    state, recv_q, send_q, local, remote, rest = [*line.split(None, 5), ""][:6]
    local_address, local_port, interface = _endpoint(local)
    remote_address, remote_port, _ = _endpoint(remote)
    users = _USERS.search(" " + rest)
    rest = _USERS.sub("", " " + rest)
    info = dict(_PAIR.findall(rest)) | dict(_RATE.findall(rest))
    return SsRow(
        state=state,
        recv_q=int(recv_q),
        send_q=int(send_q),
        local_address=local_address,
        local_port=local_port,
        remote_address=remote_address,
        remote_port=remote_port,
        interface=interface,
        timer=_timer(rest),
        uid=int(info["uid"]) if "uid" in info else None,
        inode=int(info["ino"]) if "ino" in info else None,
        cookie=int(info["sk"], 16),
        cgroup=info.get("cgroup"),
        v6only=info["v6only"] == "1" if "v6only" in info else None,
        users=_users(users.group(1)) if users else (),
        skmem=_skmem(rest),
        info=info,
        flags=frozenset(word for word in rest.split() if ":" not in word),
    )


def _endpoint(text: str) -> tuple[str, int, str | None]:
    """("127.0.0.1", 80, "lo") of "127.0.0.1%lo:80"; port "*" is 0; "*" is the dual-stack any."""
    address, _, port = text.rpartition(":")
    address, _, interface = address.partition("%")
    return address.strip("[]"), 0 if port == "*" else int(port), interface or None


def _users(text: str) -> tuple[tuple[str, int, int], ...]:
    return tuple((name, int(pid), int(fd)) for name, pid, fd in _USER.findall(text))


def _timer(text: str) -> SsTimer | None:
    found = _TIMER.search(text)
    if not found:
        return None
    name, expires, retransmits = found.groups()
    return SsTimer(name, milliseconds(expires), int(retransmits))


def milliseconds(text: str) -> int:
    """119min, 1min59sec, 59sec, 1.200ms (which is 1.2 s) or 200ms, as a number."""
    found = _TIME.fullmatch(text)
    if not found:
        raise ValueError(f"not a time of ss: {text!r}")
    minutes, seconds, rest = (int(part or 0) for part in found.groups())
    return (minutes * 60 + seconds) * 1000 + rest


def _skmem(text: str) -> dict[str, int]:
    found = _SKMEM.search(text)
    words = re.findall(r"([a-z]+)(\d+)", found.group(1)) if found else []
    return {name: int(value) for name, value in words}
