"""Summaries: the little that rules remember of each sample, for windows of up to three minutes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from tcptop.analysis.dialing import Calls, CallsByCallee
from tcptop.analysis.given_up import Abandoned, together
from tcptop.analysis.unopened import FailedConnect, failed_connects
from tcptop.model import tcp
from tcptop.model.arrays import index_of, paired, row_hash, sorted_unique
from tcptop.model.dataclass import dataclass
from tcptop.model.named_tuple import NamedTuple
from tcptop.model.sample import Process, UnixListener
from tcptop.model.snapshot import Snapshot
from tcptop.model.table import F64, I64, U32, U64, Index, SocketTable

WINDOW_S = 185.0  # three minutes, and a sample to spare
REMOTES = 50  # to which most was retransmitted, that are remembered
CLOSER_S = 0.4  # the present one replaces the last where samples follow each other faster than this

# Counters that rules ask for over more than one interval; names are unique across sections.
_COUNTERS = """
ActiveOpens PassiveOpens AttemptFails EstabResets OutRsts OutSegs InSegs RetransSegs
ListenOverflows ListenDrops TCPReqQFullDoCookies TCPReqQFullDrop SyncookiesSent SyncookiesRecv
SyncookiesFailed TCPDeferAcceptDrop EmbryonicRsts TW TWRecycled TCPTimeWaitOverflow
TCPMemoryPressures TCPAbortOnMemory TCPAbortOnTimeout TCPAbortOnClose TCPAbortOnData
TCPSynRetrans TCPDSACKRecv TCPTimeouts PruneCalled RcvPruned
InCsumErrors InErrs InHdrErrors InAddrErrors OutNoRoutes IPReversePathFilter TSEcrRejected
PAWSActive PAWSEstab TCPMD5NotFound TCPMD5Unexpected TCPMD5Failure TCPAOBad TCPAOKeyNotFound
TCPAORequired TCPSYNChallenge TCPChallengeACK TCPRcvQDrop TCPOFODrop OfoPruned
TCPZeroWindowDrop insert_failed drop early_drop
InDestUnreachs OutDestUnreachs TCPSpuriousRtxHostQueues
InReceives InDelivers ForwDatagrams InDiscards InUnknownProtos ReasmReqds
OutRequests OutTransmits FragFails TCPRetransFail PAWSTimewait OutRateLimitHost OutRateLimitGlobal
"""
COUNTERS = frozenset(_COUNTERS.split())
# Of other protocols and the kernel's extensions these alone: names there are those of Ip and Tcp.
_OTHERS = {"IpExt": ("InNoRoutes", "InMcastPkts", "InBcastPkts"), "Udp": ("NoPorts",)}


class Lull(NamedTuple):
    """One destination of which nothing has come for `heard_s` while `waiting` connections wait.

    `new` of those have never been answered; `asked` is how many segments of data the one that has
    been used most has sent.
    """

    waiting: int
    new: int
    asked: int
    heard_s: float
    netns: int = 0


class Remote(NamedTuple):
    """An address, by the namespace and device that lead there."""

    netns: int
    interface: int
    hi: int
    lo: int


Lulls = Mapping[int, Lull]  # by `awaiting.destinations`


@dataclass(frozen=True, eq=False, slots=True)
class SampleSummary:
    """Columns are sorted by their key: `process` is a `holding_key`, `alive` a `process_key`,
    `listener` a socket's key."""

    clock: float
    counters: Mapping[int, Mapping[str, int]]  # netns -> name
    listener: U64
    ports: U64  # those that somebody listens on, as `port_keys`
    queued: I64  # accept queue
    backlog: I64
    process: U64
    close_wait: I64
    alive: U64  # processes with sockets, in a list or not
    open_fds: F64
    unlisted: I64
    destination: U64  # keys of Ports, sorted
    destination_netns: U32
    opened: F64  # connections a second that were seen to open
    used: I64
    unix: Mapping[int, UnixListener]  # by inode: those in whose queue somebody waits
    calls: CallsByCallee  # since the summary before
    failed: tuple[FailedConnect, ...] | None  # the same; None where it is not told what ends
    lulls: Lulls
    given_up: Abandoned  # the same
    repeats: Mapping[Remote, float]  # the same: segments that were retransmitted to it


def process_key(process: Process) -> int:
    """A pid is used again; with its start time it is not."""
    return process.start_time << 22 | process.pid  # pids have 22 bits at most


def holding_key(process: Process, netns: int) -> int:
    """A process and one of the namespaces that its sockets are in."""
    return int(row_hash(np.array([process_key(process)], np.uint64), np.array([netns]))[0])


def port_keys(table: SocketTable, rows: Index) -> U64:
    """Local ports, and the namespace of each in the upper half."""
    return paired(table.netns[rows], table.local_port[rows].astype(np.uint32))


def summary(
    snapshot: Snapshot, calls: CallsByCallee, lulls: Lulls, given_up: Abandoned
) -> SampleSummary:
    sample, processes, ports = snapshot.sample, snapshot.processes, snapshot.ports
    table, holders = sample.sockets, snapshot.holders.processes
    rows = np.flatnonzero(table.state == tcp.LISTEN)
    listeners = table.key[rows]
    order = np.argsort(listeners)
    rows, listeners = rows[order], listeners[order]
    held = np.flatnonzero(processes.process >= 0)
    holder = np.array([process_key(p) for p in holders], np.uint64)[processes.process[held]]
    keys = row_hash(holder, processes.netns[held])
    held = held[np.argsort(keys)]
    keys.sort()
    alive = sorted(sample.owners.processes.values(), key=process_key)
    lost = sample.owners.unlisted
    return SampleSummary(
        sample.clock,
        {kernel.netns: _counters(kernel.counters) for kernel in sample.kernel},
        listeners,
        sorted_unique(port_keys(table, rows)),
        table.recv_q[rows].astype(np.int64),
        table.send_q[rows].astype(np.int64),
        keys,
        processes.by_state[held, tcp.CLOSE_WAIT],
        np.array([process_key(p) for p in alive], np.uint64),
        np.array([_known(p.open_fds) for p in alive], np.float64),
        np.array([lost[p.pid].sockets if p.pid in lost else 0 for p in alive], np.int64),
        ports.key,
        ports.netns,
        ports.opens_per_s,
        ports.used,
        {each.inode: each for each in sample.unix_listeners or () if each.queued},
        calls,
        failed_connects(sample),
        lulls,
        given_up,
        _repeats(snapshot),
    )


def _repeats(snapshot: Snapshot) -> dict[Remote, float]:
    """Of the connections that are there; mostly none."""
    remotes, seconds = snapshot.remotes, snapshot.ended.seconds
    rate = remotes.retransmits_per_s
    worst = np.flatnonzero(rate > 0)
    if not len(worst):
        return {}
    worst = worst[np.argsort(-rate[worst], kind="stable")[:REMOTES]]
    columns = (remotes.netns, remotes.interface, remotes.remote_hi, remotes.remote_lo)
    places = zip(*(each[worst].tolist() for each in columns), strict=True)
    return {Remote(*at): n * seconds for at, n in zip(places, rate[worst].tolist(), strict=True)}


def with_summary(
    summaries: Sequence[SampleSummary], present: SampleSummary
) -> tuple[SampleSummary, ...]:
    """The summaries with one more, those out of the window forgotten."""
    kept = [m for m in summaries if present.clock - m.clock <= WINDOW_S]
    if len(kept) > 1 and kept[-1].clock - kept[-2].clock < CLOSER_S:
        skipped = kept.pop()
        failed = _added(skipped.failed, present.failed)
        given_up = together([skipped.given_up, present.given_up])
        calls = _both(skipped.calls, present.calls)
        repeats = {
            each: skipped.repeats.get(each, 0.0) + present.repeats.get(each, 0.0)
            for each in (*skipped.repeats, *present.repeats)
        }
        present = replace(present, calls=calls, failed=failed, given_up=given_up, repeats=repeats)
    return (*kept, present)


def _both(before: CallsByCallee, after: CallsByCallee) -> CallsByCallee:
    """What was seen in two intervals."""
    places = dict.fromkeys((*before, *after))
    return {each: before.get(each, Calls()).then(after.get(each, Calls())) for each in places}


def _added(
    before: tuple[FailedConnect, ...] | None, after: tuple[FailedConnect, ...] | None
) -> tuple[FailedConnect, ...] | None:
    return None if before is None or after is None else before + after


def at(keys: U64, values: I64 | F64, key: int) -> float | None:
    """The value of a key in a summary's columns; None where it was not there."""
    place = int(index_of(np.array([key], np.uint64), keys)[0])
    return float(values[place]) if place >= 0 else None


def _known(number: int | None) -> float:
    return np.nan if number is None else number


def _counters(sections: Mapping[str, Mapping[str, int]]) -> dict[str, int]:
    """ICMP of both families counts as one."""
    found: dict[str, int] = {}
    for section in ("Ip", "Icmp", "Icmp6", "Tcp", "TcpExt", "conntrack"):
        for name, value in sections.get(section, {}).items():
            if name in COUNTERS:
                found[name] = found.get(name, 0) + value
    for section, names in _OTHERS.items():
        found |= {n: sections[section][n] for n in names if n in sections.get(section, {})}
    return found
