"""Connections that ended between two samples: told by the kernel, joined with what was known.

A notice (sources/deaths.py) has the cookie, so that it closes the history of a known socket. What
is not known lived between two samples, unless its own clocks are older: a socket that was reset
while its descriptor stayed open leaves every dump long before it ends.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace

import numpy as np
from numpy.typing import NDArray

from tcptop.analysis.apparent import callers
from tcptop.analysis.history import AbsentSockets, History, KnownSockets, Looks, SocketEnds, looks
from tcptop.analysis.join import SocketJoin
from tcptop.analysis.listeners import match
from tcptop.analysis.pending import unchanged
from tcptop.analysis.port_range import port_bounds
from tcptop.analysis.reborn import number_of
from tcptop.analysis.unopened import forgotten, never_open
from tcptop.model import closed as codes
from tcptop.model import owner, tcp
from tcptop.model.arrays import (
    distinct,
    index_of,
    isin,
    isin_codes,
    place_of,
    row_hash,
    sorted_unique,
)
from tcptop.model.closed import INFO, NONE_CLOSED, Closed
from tcptop.model.dataclass import dataclass
from tcptop.model.named_tuple import NamedTuple
from tcptop.model.sample import Process, Sample
from tcptop.model.snapshot import Apparent
from tcptop.model.table import F64, U8, U64, Bools, Index, SocketTable, concat

VANISHED = 10_000  # sockets in no dump any more whose end was not told
# Notices wait for a worker of the kernel (broadcast_wq, net/core/sock_diag.c), where processors are
# busy for seconds; what is older than that was forgotten, or has vanished before the first sample.
LATE_S = 10.0
# Kinds of rows that vanish without a notice: it came when they became so, or none comes.
SILENT = (tcp.SYN_RECV, tcp.LISTEN, tcp.TIME_WAIT, tcp.FIN_WAIT2)
OURS = (tcp.FIN_WAIT1, tcp.FIN_WAIT2, tcp.CLOSING)  # states of the end that closed first
THEIRS = (tcp.CLOSE_WAIT, tcp.LAST_ACK)


@dataclass(frozen=True, eq=False, slots=True)
class Endings:
    """`unseen` are those that no sample has seen open; `told` marks the known sockets whose end
    was told."""

    closed: Closed
    unseen: Bools
    told: Bools
    vanished: KnownSockets


class Named(NamedTuple):
    """Who has the sockets of this sample, as keys of `everyone`, and apparently those of others."""

    process: Index
    apparent: Apparent
    everyone: Mapping[int, Process]


def endings(sample: Sample, history: History, joined: SocketJoin, named: Named) -> Endings:
    """What ended since the sample before; at the first sample nothing is known of that."""
    known, vanished = joined.known, history.vanished
    told = np.zeros(len(known), bool)
    parts = [each for each in sample.deaths if len(each.sockets)]
    if not parts or history.began is None:
        return Endings(NONE_CLOSED, np.zeros(0, bool), told, vanished)
    dead = concat([each.sockets for each in parts])
    at = np.concatenate([each.at for each in parts])
    numbers = [(number_of(each, history.former), len(each.sockets)) for each in parts]
    spaces = np.concatenate([np.full(many, number, np.uint32) for number, many in numbers])
    place = joined.places(dead.key)
    told[place[place >= 0]] = True
    gone = np.where(place < 0, place_of(dead.key, vanished.key), -1)
    past = _Past(known, place, vanished, gone)
    found = _Dead(sample, history, dead, at, past)
    left = np.ones(len(vanished), bool)
    left[gone[gone >= 0]] = False
    closed = replace(found.closed(named), netns=spaces)
    return Endings(closed, found.unseen(), told, vanished.take(left))


def with_vanished(
    endings: Endings, joined: SocketJoin, gone: Bools, listening: bool
) -> KnownSockets:
    """The sockets that are in no dump any more, with those that are `gone` since this sample; none
    where it is not told what ends."""
    if not listening:
        return endings.vanished.take(np.zeros(len(endings.vanished), bool))
    rows = np.flatnonzero(gone & ~endings.told & ~isin_codes(joined.known.state, SILENT))
    if not len(rows):
        return endings.vanished
    both = (endings.vanished, joined.known.take(rows))
    names = [each.name for each in fields(KnownSockets)]
    columns = (np.concatenate([getattr(one, name) for one in both]) for name in names)
    return KnownSockets(*(column[-VANISHED:] for column in columns))


def with_absent(
    endings: Endings, joined: SocketJoin, history: History, listening: bool
) -> AbsentSockets:
    """The ends of the sockets that were in the sample before and are not in this one."""
    gone = ~joined.here & ~endings.told & ~isin_codes(joined.known.state, SILENT)
    rows = np.flatnonzero(gone[: len(history.ends.netns)])
    if not listening or not len(rows):
        return history.absent
    before = history.absent
    both = (
        (getattr(before.ends, name), getattr(history.ends, name)[rows])
        for name in SocketEnds._fields
    )
    ends = (np.concatenate(each)[-VANISHED:] for each in both)
    key = np.concatenate([before.key, joined.known.key[rows]])[-VANISHED:]
    return AbsentSockets(key, SocketEnds(*ends))


class _Past:
    """What was known of each: of the last sample, or of those that had vanished before."""

    def __init__(
        self, known: KnownSockets, place: Index, vanished: KnownSockets, gone: Index
    ) -> None:
        self.place, self.known = place, (place >= 0) | (gone >= 0)
        self._parts = ((known, place), (vanished, gone))

    def recalled(self, name: str, otherwise: float) -> NDArray[np.float64]:
        values = np.full(len(self.known), otherwise)
        for sockets, place in self._parts:
            values[place >= 0] = getattr(sockets, name)[place[place >= 0]]
        return values


class _Dead:
    """Sockets that have ended, and what can be told of each."""

    def __init__(
        self, sample: Sample, history: History, table: SocketTable, at: F64, past: _Past
    ) -> None:
        self._sample, self._history, self._past = sample, history, past
        self._cleared = forgotten(table)
        self._table = table = _with_ends(table, history, past.place)
        before = past.recalled("state", 0)
        self._open = ~never_open(table) | ((before > 0) & (before != tcp.SYN_SENT))
        self._mini = _mini(sample.sockets, table)
        self._state = self._last_state()
        self._accepted, self._called = self._directions()
        self._reset = self._ended_by_reset()
        # In order it ended with the last ACK, whenever that was told.
        late = np.where(self._reset == codes.NO, table.info_of("last_ack_recv") / 1000, 0.0)
        self._late_s = np.where(self._open & (late < LATE_S), late, 0.0)
        self._at = at - self._late_s
        self._clock = self._at - sample.taken_at + sample.clock
        began = history.began or sample.clock
        # Whatever opened after that is younger: its age was measured before its notice was read.
        watched_s = at - sample.taken_at + sample.clock - began
        seen = {**history.looks, **looks(sample, history.looks)}  # some have ended with all inside
        self._longest_s = _longest_s(table, seen)
        recent = np.minimum(np.maximum(LATE_S, 2 * self._longest_s), watched_s)
        old = self._oldest_s() > recent
        fresh = isin(table.netns, [*history.namespaces])
        self._new = fresh & ~past.known & ~old

    def closed(self, named: Named) -> Closed:
        table, (keys_of, note) = self._table, self._owners(named)
        names = ("netns", "cookie", "family", "interface")
        ends = ("local_hi", "local_lo", "local_port", "remote_hi", "remote_lo", "remote_port")
        known = keys_of >= 0
        people = distinct(keys_of[known])
        process = np.full(len(table), -1, np.int64)
        process[known] = people.inverse
        columns = {name: getattr(table, name) for name in (*names, *ends)}
        return Closed(
            **columns,
            at=self._at,
            life_s=self._life_s(),
            short_s=np.where(self._new & self._open, self._longest_s, np.nan),
            sent_since=table.info_of("bytes_sent") - self._past.recalled("bytes_sent", np.nan),
            state=self._state,
            opened=self._open,
            local_known=(table.local_hi != 0) | (table.local_lo & np.uint64(0xFFFF_FFFF) != 0),
            reset=self._reset,
            first=self._first(),
            process=process,
            owner=np.where(known, owner.REMEMBERED, owner.UNKNOWN).astype(np.uint8),
            note=note,
            info=self._info(),
            processes=tuple(named.everyone[key] for key in people.values.tolist()),
        )

    def _owners(self, named: Named) -> tuple[Index, U8]:
        """Keys of processes, and how they are known: by the cookie, else by what is like it."""
        process = self._past.recalled("process", -1).astype(np.int64)
        note = np.where(process >= 0, owner.HELD, owner.NEVER_SEEN).astype(np.uint8)
        note[(process < 0) & self._past.known] = owner.NOBODY_SEEN
        rows = np.flatnonzero(process < 0)
        listener = self._through(named)[rows]
        caller = callers(self._table, rows, self._accepted[rows], named.apparent)
        process[rows] = np.where(listener >= 0, listener, caller)
        note[rows[caller >= 0]] = owner.BY_DESTINATION
        note[rows[listener >= 0]] = owner.BY_LISTENER
        return process, note

    def _through(self, named: Named) -> Index:
        """The process of the listener that each came in by; -1 where there is none any more."""
        now = self._sample.sockets
        listening = np.flatnonzero(now.state == tcp.LISTEN)
        both = concat([now.take(listening), self._table])
        place = match(both, np.arange(len(listening), len(both)))
        return np.append(named.process[listening], -1)[place]

    def unseen(self) -> Bools:
        """Those that no sample has seen open. What waits in TIME_WAIT counts by its row: once, for
        one of the connections between the same ends."""
        new = np.flatnonzero(self._new)
        first = new[distinct(_ends(self._table, new)).first]
        unseen = self._new.copy()
        unseen[first[self._mini[0][first]]] = False
        return unseen

    def _last_state(self) -> U8:
        state = self._past.recalled("state", 0)
        state[(state == 0) & ~self._open] = tcp.SYN_SENT
        return state.astype(np.uint8)

    def _oldest_s(self) -> F64:
        """By its own clocks it is at least so old; they count from boot where nothing came."""
        table = self._table
        clocks = [table.info_of(f"last_{name}") for name in ("data_sent", "ack_recv")]
        clocks.append(np.where(self._cleared, np.nan, table.info_of("last_data_recv")))
        oldest: F64 = np.fmax.reduce(clocks) / 1000
        oldest[~self._open] = np.nan
        return oldest

    def _life_s(self) -> F64:
        """By the clock of the data that never went (lsndtime and lrcvtime begin when a connection
        opens: tcp_finish_connect, tcp_create_openreq_child); else since it was first seen, where it
        was not there before."""
        table, whole = self._table, self._open & ~self._cleared
        life = self._clock - self._past.recalled("first_seen", np.nan)
        life = np.maximum(np.fmax(life, self._oldest_s() - self._late_s), 0.0)
        life[self._past.recalled("witnessed", 0.0) == 0.0] = np.nan
        for way, segments in (("recv", "data_segs_in"), ("sent", "data_segs_out")):
            none = whole & (table.info_of(segments) == 0)
            age = table.info_of(f"last_data_{way}") / 1000 - self._late_s
            life = np.where(none, np.maximum(age, 0.0), life)
        return life

    def _ended_by_reset(self) -> NDArray[np.int8]:
        """Whether what was sent, and the FIN after it, was acknowledged; if not, a reset ended it,
        or nobody answered any more, of which retransmissions and probes tell.

        bytes_acked counts the SYN of who called, and the FIN; bytes_sent neither (tcp_ack,
        __tcp_transmit_skb).
        """
        table, told = self._table, np.full(len(self._table), codes.UNKNOWN, np.int8)
        rest = table.info_of("bytes_acked") - table.info_of("bytes_sent")
        rest += table.info_of("bytes_retrans")
        accepted, called = self._accepted, self._called
        lost = table.tcp_info("retransmits") | table.tcp_info("backoff") | table.tcp_info("probes")
        whole = self._open & ~self._cleared
        told[whole & ((rest <= 0) | ((rest == 1) & called)) & (lost == 0)] = codes.YES
        told[whole & ((rest == 2) | ((rest == 1) & accepted))] = codes.NO
        refused = ~self._open & ~self._cleared
        told[refused] = np.where(table.tcp_info("segs_in")[refused] > 0, codes.YES, codes.NO)
        told[self._cleared & self._open] = codes.YES
        return told

    def _directions(self) -> tuple[Bools, Bools]:
        """Those that came to a listener's port, and those that left from one of the range that is
        none."""
        table, bounds = self._table, port_bounds(self._sample)
        accepted, called = np.zeros(len(table), bool), np.zeros(len(table), bool)
        now = self._sample.sockets
        for netns in sorted_unique(table.netns).tolist():
            here, port = table.netns == netns, table.local_port
            listening = now.local_port[(now.state == tcp.LISTEN) & (now.netns == netns)]
            past = [*self._history.listener_ports.get(netns, ())]
            accepted |= here & isin(port, np.concatenate([listening, past]))
            low, high = bounds.get(netns, (1, 0))
            called |= here & ~accepted & (port >= low) & (port <= high)
        return accepted, called

    def _first(self) -> U8:
        """Who closed first: it is the one that waits, or that had nothing from the other end, not
        even its FIN (which bytes_received counts: tcp_data_queue), when its own was acknowledged.
        Of a reset who sent it: the kernel forgets what it does itself; a connect is refused by the
        other end."""
        first = np.full(len(self._table), codes.UNTOLD, np.uint8)
        nothing = self._table.info_of("bytes_received") == 0
        first[self._open & ~self._cleared & nothing & (self._reset == codes.NO)] = codes.HERE
        state, (mine, theirs) = self._state, self._mini
        first[theirs | isin_codes(state, THEIRS)] = codes.THERE
        first[mine | isin_codes(state, OURS)] = codes.HERE
        broken = self._reset == codes.YES
        first[broken] = codes.UNTOLD
        first[broken & self._cleared] = codes.HERE
        first[broken & ~self._open & ~self._cleared] = codes.THERE
        return first

    def _info(self) -> F64:
        table = self._table
        info = _of_info(table)
        info[self._cleared] = np.nan
        self._recall(info)
        names = list(INFO)
        sent = names.index("bytes_sent")  # since 4.19
        older = np.isnan(info[:, sent])
        info[older, sent] = info[older, names.index("bytes_acked")]
        rtt = names.index("rtt")
        info[info[:, rtt] == 0, rtt] = np.nan
        return info

    def _recall(self, info: F64) -> None:
        """What the kernel has cleared, and the last sample knew: nothing has come since."""
        rows = np.flatnonzero(self._cleared & self._past.known)
        before, dead = self._history.pending, self._table.take(rows)
        looked = [self._looked(netns) for netns in dead.netns.tolist()]
        place = unchanged(dead, before, self._clock[rows] - np.array(looked))
        rows, place = rows[place >= 0], place[place >= 0]
        info[rows] = _of_info(before.take(place))
        sent_ms = self._table.info_of("last_data_sent", rows)
        passed_ms = sent_ms - before.info_of("last_data_sent", place)
        for name in ("last_data_sent", "last_data_recv"):
            info[rows, INFO.index(name)] += passed_ms

    def _looked(self, netns: int) -> float:
        look = self._history.looks.get(netns)
        return look.clock if look else np.nan


def _of_info(table: SocketTable) -> F64:
    return np.stack([table.info_of(name) for name in INFO], axis=1)


def _with_ends(table: SocketTable, history: History, place: Index) -> SocketTable:
    """With the ends that the kernel had forgotten, of sockets that were seen before."""
    rows = np.flatnonzero(table.remote_port == 0)
    if not len(rows):
        return table
    table = table.take(np.arange(len(table)))
    last = (place[rows] >= 0) & (place[rows] < len(history.ends.netns))
    missed = place_of(table.key[rows], history.absent.key)
    for before, found, at in (
        (history.ends, last, place[rows]),
        (history.absent.ends, ~last & (missed >= 0), missed),
    ):
        for name in SocketEnds._fields:
            getattr(table, name)[rows[found]] = getattr(before, name)[at[found]]
    return table


def _longest_s(table: SocketTable, looks: Mapping[int, Looks]) -> F64:
    """The longest time that the namespace of each was not looked at, lately."""
    spaces = distinct(table.netns)
    gaps = (looks[n].gaps if n in looks else () for n in spaces.values.tolist())
    return np.array([max(each, default=np.nan) for each in gaps])[spaces.inverse]


def _mini(now: SocketTable, dead: SocketTable) -> tuple[Bools, Bools]:
    """Which of the ended still wait as a mini-socket of the kernel, and of which the other end
    does, in the same namespace."""
    ports = np.zeros(65536, bool)
    ports[dead.local_port], ports[dead.remote_port] = True, True
    rows = np.flatnonzero(ports[now.local_port] & now.mini() & (now.state != tcp.SYN_RECV))
    waiting = np.sort(_ends(now, rows))
    every = np.arange(len(dead))
    mine = index_of(_ends(dead, every), waiting) >= 0
    return mine, index_of(_ends(dead, every, ("remote", "local")), waiting) >= 0


def _ends(table: SocketTable, rows: Index, sides: tuple[str, str] = ("local", "remote")) -> U64:
    names = (f"{side}_{part}" for side in sides for part in ("hi", "lo", "port"))
    return row_hash(table.netns[rows], *(getattr(table, name)[rows] for name in names))
