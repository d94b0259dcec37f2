"""All that is known of one socket, as rows of (what, value, meaning)."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from tcptop.analysis.apparent import inferred
from tcptop.analysis.findings.words import called, contained, count, ids
from tcptop.analysis.workloads import workloads
from tcptop.columns import detail_options, sockets, units
from tcptop.columns.endpoints import owner_text
from tcptop.model import owner, tcp
from tcptop.model.cells import safe
from tcptop.model.named_tuple import NamedTuple
from tcptop.model.sample import IN_RING
from tcptop.model.selection import Selection
from tcptop.model.snapshot import Snapshot


class Fact(NamedTuple):
    """One line of the detail view; `group` heads a run of them."""

    group: str
    name: str
    value: str
    meaning: str = ""


STATE_MEANINGS = (
    "",
    "open both ways",
    "we asked to connect and wait for an answer",
    "a client asked to connect; the handshake is not complete",
    "closed here, the peer has not acknowledged that yet",
    "closed here and acknowledged; the peer has not closed",
    "closed here first; kept for 60 s so that late segments harm nobody. Healthy",
    "not connected",
    "the peer has closed and this process has not: it should call close()",
    "both closed, the peer's final ACK is missing",
    "waits for connections",
    "both closed at the same moment",
)


# By tcp.TIMERS: what happens when it runs out.
TIMER_MEANINGS = (
    "the kernel waits for nothing",
    "unanswered: retransmitted then; #n tries so far",
    "idle: the peer is probed then; an orphan in FIN-WAIT-2 is dropped",
    "the kernel drops the record then",
    "the peer's window is closed, its program does not read; probed again then",
    "received data is acknowledged then",
)


def _us(value: float) -> str:
    return f"{value / 1000:g} ms"  # as ss prints it


def _spent(value: float) -> str:
    return _us(value) if value < 1e6 else units.long_duration(value / 1e6)


def _ms(value: float) -> str:
    return units.long_duration(value / 1000)


def _segments(value: float) -> str:
    if value >= 0x7FFF_FFFF:  # TCP_INFINITE_SSTHRESH: slow start has not ended yet
        return "none yet"
    return count(int(value), "segment")


def _bytes(value: float) -> str:
    return f"{int(value):,} B"


def _per_second(value: float) -> str:
    # ~0 means that pacing is not limited (include/net/sock.h, sk_max_pacing_rate)
    return "unlimited" if value >= 2**64 - 2**12 else f"{units.long_size(value)}/s"


def _plain(value: float) -> str:
    return f"{int(value):,}"


# tcp_info in the order in which one asks, with units and plain names.
INFO: tuple[tuple[str, str, Callable[[float], str], str], ...] = (
    ("sending", "bytes_sent", _bytes, "data sent, retransmissions included"),
    ("sending", "bytes_acked", _bytes, "data the peer has acknowledged"),
    ("sending", "bytes_retrans", _bytes, "data retransmitted"),
    ("sending", "unacked", _segments, "in flight: sent, not acknowledged"),
    ("sending", "notsent_bytes", _bytes, "written by the process, not sent yet"),
    ("sending", "snd_cwnd", _segments, "congestion window: how much may be in flight"),
    ("sending", "snd_ssthresh", _segments, "where slow start ends"),
    ("sending", "snd_wnd", _bytes, "window the peer offers; 0: it does not read"),
    ("sending", "delivery_rate", _per_second, "last measured goodput"),
    ("sending", "pacing_rate", _per_second, "pacing: how fast segments are sent"),
    ("sending", "lost", _segments, "presumed lost"),
    ("sending", "retrans", _segments, "retransmitted and not yet acknowledged"),
    ("sending", "total_retrans", _plain, "segments retransmitted, in its life"),
    ("sending", "segs_out", _plain, "segments sent"),
    ("sending", "busy_time", _spent, "time with data to send"),
    ("sending", "rwnd_limited", _spent, "of that, held up by the peer's window"),
    ("sending", "sndbuf_limited", _spent, "of that, held up by our send buffer"),
    ("receiving", "bytes_received", _bytes, "data received in order"),
    ("receiving", "segs_in", _plain, "segments received"),
    ("receiving", "rcv_space", _bytes, "what the process reads in a round trip"),
    ("receiving", "rcv_ssthresh", _bytes, "receive window, as far as it may grow now"),
    ("receiving", "rcv_wnd", _bytes, "window we offer"),
    ("receiving", "rcv_ooopack", _plain, "segments received out of order"),
    ("path", "rtt", _us, "smoothed round trip"),
    ("path", "rttvar", _us, "how much it varies"),
    ("path", "min_rtt", _us, "shortest round trip"),
    ("path", "pmtu", _bytes, "path MTU"),
    ("path", "snd_mss", _bytes, "data in a full segment sent"),
    ("path", "rcv_mss", _bytes, "data in a full segment received"),
    ("path", "reordering", _segments, "reordering seen on the path"),
    ("path", "dsack_dups", _plain, "segments the peer got twice: needless retransmissions"),
    ("timers", "rto", _us, "retransmission timeout"),
    ("timers", "ato", _us, "delayed-ACK timeout"),
    ("timers", "backoff", _plain, "times the timeout was doubled"),
    ("timers", "probes", _plain, "unanswered window or keepalive probes"),
    ("timers", "last_data_sent", _ms, "since data was sent"),
    ("timers", "last_data_recv", _ms, "since data was received"),
    ("timers", "last_ack_recv", _ms, "since anything was heard from the peer"),
)
MEMORY_MEANINGS = {
    "rmem_alloc": "receive buffer in use, overhead included",
    "rcvbuf": "receive buffer limit",
    "wmem_alloc": "handed to the device, not yet sent",
    "sndbuf": "send buffer limit",
    "fwd_alloc": "reserved ahead",
    "wmem_queued": "send buffer in use, overhead included",
    "optmem": "options",
    "backlog": "arrived while the process held the socket",
    "drops": "packets dropped on this socket",
}


ULPS = {
    "mptcp": "a subflow of MPTCP: what the process has not read is in the MPTCP socket's queue",
    "tls": "the kernel encrypts and decrypts (kTLS)",
}


def facts(selection: Selection, row: int) -> list[Fact]:
    """What is known of the socket in a row of the table; the unknown is left out."""
    return [
        *_identity(selection, row),
        *_owner(selection, row),
        *_queues(selection, row),
        *_info(selection, row),
        *_memory(selection, row),
        *_options(selection, row),
    ]


def _identity(selection: Selection, row: int) -> Iterator[Fact]:
    snapshot = selection.snapshot
    table, place = snapshot.sample.sockets, np.array([row])
    state = int(table.state[row])
    yield Fact("socket", "state", tcp.SS_STATES[state], STATE_MEANINGS[state])
    yield Fact("socket", "local", sockets.local_texts(selection, place)[0], "this end")
    if state != tcp.LISTEN:
        yield Fact("socket", "remote", sockets.remote_texts(selection, place)[0], "the other end")
    if interface := int(table.interface[row]):
        name = snapshot.sample.device(int(table.netns[row]), interface) or f"#{interface}"
        yield Fact("socket", "interface", safe(name), "device or scope it is bound to")
    timer, kind = sockets.timer_texts(selection, place)[0], int(table.timer[row])
    waits = TIMER_MEANINGS[kind] if kind < len(TIMER_MEANINGS) else ""
    yield Fact("socket", "timer", timer or "none", waits)
    yield Fact("socket", "cookie", f"{int(table.cookie[row]):x}", "the kernel's name of the socket")
    yield Fact("socket", "seen", units.long_duration(float(snapshot.seen_s[row])), "by tcptop")
    if not np.isnan(snapshot.age_s[row]):
        age = units.long_duration(float(snapshot.age_s[row]))
        yield Fact("socket", "age", age, "since it opened, which tcptop saw")


def _owner(selection: Selection, row: int) -> Iterator[Fact]:
    snapshot = selection.snapshot
    sample, table = snapshot.sample, snapshot.sample.sockets
    notes = (int(snapshot.note[row]), int(inferred(snapshot).note[row]))
    why = "; ".join(owner.NOTES[note] for note in notes if note)
    yield Fact("owner", "owner", owner_text(snapshot, row), why)
    for process, fd in snapshot.holders.of(row):
        closed = snapshot.owner[row] == owner.REMEMBERED
        where = f"fd {fd}" if fd >= 0 else "closed" if closed else "when last searched"
        where = "io_uring" if fd == IN_RING else where
        value = f"{called(process)}/{process.pid} {where}"
        yield Fact("owner", "process", value, safe(process.cmdline))
    if not table.mini(np.array([row])).all():
        uid = int(table.uid[row])
        yield Fact("owner", "user", safe(sample.users.get(uid, str(uid))), f"uid {uid}")
    if table.inode[row]:
        yield Fact("owner", "inode", str(table.inode[row]), "socket:[inode] in /proc/PID/fd")
    yield from _workload(snapshot, row)
    if cgroup := int(snapshot.cgroup[row]):
        path = safe(sample.cgroups.get(cgroup, f"#{cgroup}"))
        yield Fact("owner", "cgroup", path, "the control group it was created in")
    if cong := table.cong[row].decode("latin-1"):
        yield Fact("owner", "congestion", safe(cong), "congestion control algorithm")
    if ulp := table.ulp[row].decode("latin-1"):
        yield Fact("owner", "ulp", safe(ulp), ULPS.get(ulp, "upper-layer protocol in the kernel"))


def _workload(snapshot: Snapshot, row: int) -> Iterator[Fact]:
    told = workloads(snapshot)
    unit, box = told.found[int(told.of[row])]
    if box is not None:
        yield Fact("owner", "container", safe(contained(box)), safe(ids(box)))
    if unit is not None:
        yield Fact("owner", "unit", safe(unit), "of systemd")


def _queues(selection: Selection, row: int) -> Iterator[Fact]:
    table = selection.snapshot.sample.sockets
    recv_q, send_q = int(table.recv_q[row]), int(table.send_q[row])
    if table.state[row] == tcp.LISTEN:
        yield Fact("queues", "accept queue", str(recv_q), "connections that wait for accept()")
        if selection.snapshot.sample.backlog_told:
            yield Fact("queues", "backlog", str(send_q), f"{send_q + 1} fit")
        return
    fin = "; 1 of it is the peer's FIN" if recv_q and table.state[row] == tcp.CLOSE_WAIT else ""
    yield Fact("queues", "recv_q", f"{recv_q:,} B", f"received, not read by the process{fin}")
    yield Fact("queues", "send_q", f"{send_q:,} B", "sent or queued, not acknowledged by the peer")


def _info(selection: Selection, row: int) -> Iterator[Fact]:
    table = selection.snapshot.sample.sockets.part(row, row + 1)
    if table.state[0] == tcp.LISTEN:
        return
    for group, name, show, meaning in INFO:
        value = float(table.info_of(name)[0])
        if not np.isnan(value):
            yield Fact(group, name, show(value), meaning)


def _memory(selection: Selection, row: int) -> Iterator[Fact]:
    table = selection.snapshot.sample.sockets
    for name in tcp.MEMORY:
        if table.memory_known(name)[row]:
            value = int(table.memory_of(name)[row])
            text = str(value) if name == "drops" else f"{value:,} B"
            yield Fact("memory", name, text, MEMORY_MEANINGS[name])


def _options(selection: Selection, row: int) -> Iterator[Fact]:
    """Nothing where they were not asked for: that takes a second look at the same socket."""
    sample = selection.snapshot.sample
    options = sample.options.get(sample.sockets.id(row))
    if options is not None:
        listens = bool(sample.sockets.state[row] == tcp.LISTEN)
        for line in detail_options.lines(options, listens, sample.clock):
            yield Fact("options", *line)
