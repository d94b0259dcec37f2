"""Prepared samples: a handful of sockets as tables, to derive snapshots and selections from.

`everything()` has one socket of each kind in two namespaces. Tests that need less put a sample
together from `socket`, `mini`, `table`, `owners` and `sample`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np

from tcptop.analysis.derive import derive
from tcptop.analysis.filter import parse
from tcptop.analysis.history import History
from tcptop.analysis.selection import select
from tcptop.model import tcp
from tcptop.model.address import halves
from tcptop.model.closed import Closed
from tcptop.model.finding import Finding, Subject
from tcptop.model.sample import Deaths, Host, Kernel, Namespace, Owners, Process, Sample
from tcptop.model.selection import Selection
from tcptop.model.snapshot import Snapshot
from tcptop.model.socket_id import socket_keys
from tcptop.model.table import COLUMNS, SocketTable, blank

NETNS = 4026531840
OTHER_NETNS = 4026532777
TAKEN_AT = 1_767_225_600.25  # 2026-01-01T00:00:00.250Z
INFO_SIZE = 248  # of Linux 6.18
TIMERS = {"TIME_WAIT": 3, "SYN_RECV": 1, "FIN_WAIT2": 3}  # of mini-sockets

NGINX = Process(100, "nginx", "nginx: master", 0, 5000, "/system.slice/nginx.service", 9, 1024, 0)
WORKER = Process(101, "nginx", "nginx: worker", 33, 5001, NGINX.cgroup, 40, 1024, 0)
CURL = Process(200, "curl", "curl http://10.0.0.9:8080/", 1000, 9000, "/user.slice", 5, 256, 0)

Row = dict[str, Any]
FIRST_COOKIE = 0x1000


def socket(state: str, local: str, remote: str = "", **columns: Any) -> Row:
    """A full socket: columns by name; `info` and `memory` are mappings, None where not sent."""
    row: Row = {
        "state": state,
        "local": local,
        "remote": remote or ("[::]:0" if "[" in local else "0.0.0.0:0"),
        "netns": NETNS,
        "info_size": INFO_SIZE,
        "info": {"rtt": 250, "rto": 201_000, "snd_mss": 1448, "min_rtt": 40},
        "memory": {"rcvbuf": 131_072, "sndbuf": 87_040, "drops": 0},
        "cgroup_id": 77,
        "has": 1 << tcp.INFO | 1 << tcp.SKMEMINFO | 1 << tcp.CGROUP_ID,
    }
    return row | columns


def mini(state: str, local: str, remote: str, **columns: Any) -> Row:
    """A mini-socket (TIME_WAIT, SYN_RECV, FIN_WAIT2): nothing but its ends and a timer."""
    less = {"info": None, "memory": None, "cgroup_id": 0, "has": 0}
    timer = {"timer": TIMERS[state], "expires": 30_000}
    return socket(state, local, remote) | less | timer | columns


def table(rows: Iterable[Row]) -> SocketTable:
    """The rows as columns; cookies count from FIRST_COOKIE unless given."""
    listed = list(rows)
    made = blank(len(listed))
    made.cookie[:] = np.arange(len(listed)) + FIRST_COOKIE
    for place, row in enumerate(listed):
        _fill(made, place, row)
    return made


def _fill(made: SocketTable, place: int, row: Row) -> None:
    made.state[place] = _STATE[row["state"]]
    made.family[place] = tcp.AF_INET6 if "[" in row["local"] else tcp.AF_INET
    made.local_hi[place], made.local_lo[place], made.local_port[place] = _end(row["local"])
    made.remote_hi[place], made.remote_lo[place], made.remote_port[place] = _end(row["remote"])
    for name in row.keys() & _PLAIN:
        getattr(made, name)[place] = row[name]
    if row["info"] is not None:
        made.info_size[place] = row["info_size"]
        for name, value in row["info"].items():
            field = tcp.TCP_INFO_BY_NAME[name]
            words = made.info.view(f"u{field.size}")
            words[place, field.offset // field.size] |= value << field.shift
    if row["memory"] is not None:
        made.memory_count[place] = row.get("memory_count", len(tcp.MEMORY))
        for name, value in row["memory"].items():
            made.memory_of(name)[place] = value


_STATE = {name: number for number, name in enumerate(tcp.STATES)}
_PLAIN = frozenset(COLUMNS.keys() - {"state", "info", "info_size", "memory"})


@lru_cache(1 << 16)
def _end(text: str) -> tuple[int, int, int]:
    """The halves of an address, and the port."""
    address, _, port = text.rpartition(":")
    return *halves(address.strip("[]")), int(port)


def socket_key(cookie: int, netns: int = NETNS) -> int:
    """What `SocketTable.key` says of a socket."""
    keys = socket_keys(np.array([netns], np.uint32), np.array([cookie], np.uint64))
    return int(keys[0])


def owners(*entries: tuple[int, Process, int], **more: Any) -> Owners:
    """Who holds what: (inode, process, descriptor) each."""
    ordered = sorted(entries, key=lambda entry: entry[0])
    return Owners(
        np.array([inode for inode, _, _ in ordered], np.uint32),
        np.array([process.pid for _, process, _ in ordered], np.int64),
        np.array([fd for _, _, fd in ordered], np.int64),
        {process.pid: process for _, process, _ in ordered},
        **more,
    )


def sample(rows: Iterable[Row], **fields: Any) -> Sample:
    """One look that found these sockets; every other field of a Sample may be given."""
    given: dict[str, Any] = {
        "taken_at": TAKEN_AT,
        "clock": 1000.0,
        "host": Host("web1", "6.18.5", 86_400.5),
        "source": "sock_diag",
        "privileged": True,
        "poll_ms": 3.25,
        "sockets": table(rows),
        "namespaces": (Namespace(NETNS, None, {1: "lo", 2: "eth0"}), Namespace(OTHER_NETNS, "lab")),
        "kernel": (kernel(),),
        "cgroups": {77: "/system.slice/nginx.service"},
        "users": {0: "root", 33: "www-data", 1000: "ann"},
    }
    return Sample(**given | fields)


def kernel(netns: int = NETNS, opens: int = 10, sysctls: Mapping[str, str] | None = None) -> Kernel:
    """Counters and limits; `opens` is what ActiveOpens says. Ports 40000 to 40099 are ephemeral."""
    return Kernel(
        netns,
        {
            "Tcp": {"ActiveOpens": opens, "PassiveOpens": 4, "CurrEstab": 3},
            "TcpExt": {"ListenDrops": 7},
        },
        {"TCP": {"inuse": 12, "orphan": 1, "tw": 1, "alloc": 14, "mem": 2}},
        {
            "net.core.somaxconn": "128",
            "net.ipv4.ip_local_port_range": "40000\t40099",
            "net.ipv4.tcp_tw_reuse": "2",
        }
        | dict(sysctls or {}),
    )


def everything(**fields: Any) -> Sample:
    """Sockets in all eleven states, both families and two namespaces, with every kind of owner."""
    held = owners(
        *((1, NGINX, 6), (1, WORKER, 6), (2, WORKER, 7), (3, WORKER, 9), (4, CURL, 3)),
        *((5, CURL, 4), (6, CURL, 5), (7, CURL, 6), (8, NGINX, 8), (9, CURL, 7)),
        unreadable=1,
        unreadable_uids=frozenset({1000}),
    )
    bound = table([socket("CLOSE", "127.0.0.1:40050", inode=30, info=None, memory=None)])
    return sample(_rows(), **{"owners": held, "bound": bound} | fields)


def _rows() -> list[Row]:
    web, client = "10.0.0.1:80", "10.0.0.1:40001"
    return [
        socket("LISTEN", "0.0.0.0:80", inode=1, recv_q=96, send_q=128, memory={"drops": 12}),
        socket("LISTEN", "[::]:443", inode=8, send_q=511, interface=1),
        socket("ESTABLISHED", web, "10.0.0.7:51000", inode=2, uid=33, timer=2, expires=7_000_000),
        socket("ESTABLISHED", web, "10.0.0.7:51001", uid=33, recv_q=120),  # nobody accepted it
        socket("CLOSE_WAIT", web, "10.0.0.8:51002", inode=3, uid=33, recv_q=1),
        mini("SYN_RECV", web, "10.0.0.8:51003", retrans=2),
        mini("TIME_WAIT", "127.0.0.1:40010", "127.0.0.1:8080"),
        mini("FIN_WAIT2", "127.0.0.1:40011", "127.0.0.1:8080"),
        socket("ESTABLISHED", client, "10.0.0.9:8080", inode=4, uid=1000, timer=1, retrans=3),
        socket("ESTABLISHED", "[2001:db8::1]:40002", "[2001:db8::2]:443", inode=5, uid=1000),
        socket("ESTABLISHED", "[::ffff:10.0.0.1]:443", "[::ffff:10.0.0.7]:51004", inode=77),
        socket("SYN_SENT", "10.0.0.1:40003", "192.0.2.1:80", inode=6, uid=1000, interface=2)
        | {"info": {"min_rtt": 0xFFFF_FFFF, "last_data_sent": 4_000_000_000}},
        socket("FIN_WAIT1", "10.0.0.1:40004", "10.0.0.9:8080", send_q=5000, timer=4),
        socket("LAST_ACK", "10.0.0.1:40005", "10.0.0.9:8080", timer=9),
        socket("CLOSING", "10.0.0.1:40006", "10.0.0.9:8080"),
        socket("CLOSE", "10.0.0.1:40007", "10.0.0.9:8080", inode=7, uid=1000, info_size=104),
        socket("ESTABLISHED", web, "10.0.0.8:51009", inode=9, netns=OTHER_NETNS, memory_count=8),
        socket("ESTABLISHED", web, "10.0.0.8:51010", inode=99, uid=1000, cgroup_id=78),
    ]


def derived(*samples: Sample) -> Snapshot:
    """The snapshot of the last of these samples, which followed one another."""
    *_, last = understood(*samples)
    return last


def understood(*samples: Sample) -> Iterator[Snapshot]:
    """The snapshot of each."""
    history = History()
    for each in samples:
        snapshot, history = derive(each, history)
        yield snapshot


def selected(*samples: Sample, filter: str | None = None) -> Selection:
    """What a filter without names shows of the last of these samples."""
    expression = None if filter is None else parse(filter)
    return select(derived(*samples), expression, filter)


OVERFLOW = Finding(
    id="accept-queue-overflow",
    key="accept-queue-overflow/80",
    severity="critical",
    title="nginx on :80 is too slow to accept: 42 SYNs/s dropped",
    subject=Subject(NETNS, (100, 101), "0.0.0.0:80", None, (FIRST_COOKIE,)),
    values={"drops_per_s": 42.123456, "capacity": 129, "exhausted_in_s": math.inf},
    evidence=("129 of 129 places are taken.", "The kernel drops 42 SYNs/s."),
    advice="Accept faster.",
    confirm="ss -ltnm 'sport = :80'",
    since=TAKEN_AT - 12,
)
UNANSWERED = Finding(
    id="connect-unanswered",
    key="connect-unanswered/192.0.2.1:80",
    severity="warning",
    title="192.0.2.1:80 does not answer 3 connects",
    subject=Subject(NETNS, (200,), None, "192.0.2.1:80", (FIRST_COOKIE + 11,)),
    evidence=("Each SYN was sent three times.",),
    because=OVERFLOW.key,
)
WORTH_KNOWING = Finding(
    id="risky-sysctl",
    key="risky-sysctl/net.ipv4.tcp_syncookies",
    severity="info",
    title="net.ipv4.tcp_syncookies is 0",
    subject=Subject(NETNS),
)


def finding(id: str, severity: str = "warning", **fields: Any) -> Finding:
    """A finding on the listener of `everything()`, with what is given."""
    about = {"id": id, "key": id, "severity": severity, "evidence": (), "because": None}
    return replace(OVERFLOW, **about | fields)


def found(*findings: Finding, filter: str | None = None, **fields: Any) -> Selection:
    """`everything()` with these findings and no others, and what a filter shows of it."""
    snapshot = replace(derived(everything(**fields)), findings=findings, closed=ended())
    expression = None if filter is None else parse(filter)
    return select(snapshot, expression, filter)


def ended() -> tuple[Closed, ...]:
    """Of `everything()`: two that are gone a second later, one that was between, and a connect that
    was refused."""
    rows, sent = _rows(), {"bytes_sent": 900, "segs_out": 9, "segs_in": 9, "rtt": 250}
    told = [rows[place] | {"cookie": FIRST_COOKIE + place, "info": sent} for place in (2, 8)]
    told += [
        socket("CLOSE", "10.0.0.1:40098", "10.0.0.9:8080", cookie=7, info=sent),
        socket("CLOSE", "10.0.0.1:40099", "10.0.0.9:81", cookie=8, info={"min_rtt": 0xFFFF_FFFF}),
    ]
    dead = table(told)
    dead.state[:] = tcp.CLOSE
    at = np.linspace(TAKEN_AT + 0.2, TAKEN_AT + 0.8, len(dead))
    left = [{"cookie": FIRST_COOKIE + n} | row for n, row in enumerate(rows) if n not in (2, 8)]
    before, deaths = everything(), (Deaths(NETNS, dead, at),)
    return derived(before, later(before, 1.0, sockets=table(left), deaths=deaths)).closed


def later(before: Sample, seconds: float, **fields: Any) -> Sample:
    """The same sample again, some seconds on."""
    moved: dict[str, Any] = {
        "taken_at": before.taken_at + seconds,
        "clock": before.clock + seconds,
        "host": replace(before.host, uptime_s=before.host.uptime_s + seconds),
    }
    return replace(before, **moved | fields)
