"""Which clients a server is held up by: connections that it has accepted and that say nothing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tcptop.analysis import stalls
from tcptop.analysis.findings import ends, parties, servers, words
from tcptop.analysis.findings.doing import POLLING, sleeps_in
from tcptop.analysis.findings.observations import Observations
from tcptop.model import tcp
from tcptop.model.arrays import isin_codes, sorted_unique
from tcptop.model.named_tuple import NamedTuple
from tcptop.model.sample import Process
from tcptop.model.table import Bools, Index, SocketTable

SILENT_S = 5.0
MANY, MOSTLY = 10, 0.5  # silent ones, and of all that it has, before they are suspected by number
DRIBBLE_PER_S, UPLOAD_PER_S = 100.0, 2000.0  # bytes
PIECES = 3  # segments of what would be one request
READING = ("wait_woken", "sk_wait_data")  # where a thread sleeps that reads from a socket


class Held(NamedTuple):
    """`rows` are the connections of a listener's port that its processes hold, `silent` those on
    which nothing has come for long, `silent_s` on the longest. `reads`: its only thread waits to
    read from one of them. `each`: all of several processes do, and have such connections only."""

    rows: Index
    silent: Index
    silent_s: float
    reads: bool
    each: bool


def held(seen: Observations, listener: int, processes: Sequence[Process]) -> Held | None:
    """None where no client is suspected to hold it up."""
    table = seen.table
    mine = [parties.held(seen, each) for each in processes]
    every = sorted_unique(np.concatenate(mine)) if mine else np.zeros(0, np.int64)
    every = every[isin_codes(table.state[every], stalls.TALKING)]
    here = seen.accepted[every] & (table.local_port[every] == table.local_port[listener])
    rows, elsewhere = every[here], every[~here]
    mute, idle = _mute(table, rows), _idle(table, rows)
    reads = not len(elsewhere) and any(sleeps_in(seen, each, READING) for each in processes)
    each = bool((mute | idle).all()) and _each_has_one(seen, rows, processes)
    silent = rows[mute | idle] if reads or each else rows[mute]
    if not len(silent) or not (reads or each or len(silent) >= max(MANY, MOSTLY * len(rows))):
        return None
    return Held(rows, silent, float(table.since_s("last_data_recv", silent).max()), reads, each)


def _mute(table: SocketTable, rows: Index) -> Bools:
    """They have said nothing for long, or in several pieces nothing that would be answered."""
    never = table.info_of("data_segs_out", rows) == 0
    pieces = table.info_of("data_segs_in", rows)
    mute: Bools = _quiet(table, rows) & never & ((pieces == 0) | (pieces >= PIECES))
    return mute


def _idle(table: SocketTable, rows: Index) -> Bools:
    """They have their answer and ask no more."""
    sent, came = (table.info_of(f"last_data_{way}", rows) for way in ("sent", "recv"))
    idle: Bools = _quiet(table, rows) & (table.info_of("data_segs_out", rows) > 0) & (sent <= came)
    return idle


def _quiet(table: SocketTable, rows: Index) -> Bools:
    quiet: Bools = (table.since_s("last_data_recv", rows) >= SILENT_S) & (table.recv_q[rows] == 0)
    return quiet


def _each_has_one(seen: Observations, rows: Index, processes: Sequence[Process]) -> bool:
    holders = np.unique(seen.snapshot.holders.first(rows))
    waits = [sleeps_in(seen, each, READING + POLLING) for each in processes]
    return len(processes) > 1 and len(holders) == len(processes) and all(waits)


def dribbling(
    seen: Observations, processes: Sequence[Process], per_s: float = DRIBBLE_PER_S
) -> Index:
    """Clients that send a request a few bytes at a time, so that it is not answered yet."""
    table = seen.table
    mine = [parties.held(seen, each) for each in processes]
    rows = sorted_unique(np.concatenate(mine)) if mine else np.zeros(0, np.int64)
    rows = rows[seen.accepted[rows] & (table.state[rows] == tcp.ESTABLISHED)]
    never = (table.info_of("data_segs_out", rows) == 0) & (table.recv_q[rows] == 0)
    pieces = table.info_of("data_segs_in", rows) >= PIECES
    slow = seen.snapshot.bytes_received_per_s[rows] < per_s
    found: Index = rows[never & pieces & slow & (seen.snapshot.seen_s[rows] >= SILENT_S)]
    return found


def by_dribblers(seen: Observations, listener: int, processes: Sequence[Process]) -> Index | None:
    """Such clients of a listener, where each of its processes, or most of what they serve, is
    theirs; of one that serves one at a time and reads from it just now it may be an upload."""
    one = len(processes) == 1 and sleeps_in(seen, processes[0], READING)
    table, slow = seen.table, dribbling(seen, processes, UPLOAD_PER_S if one else DRIBBLE_PER_S)
    slow = slow[table.local_port[slow] == table.local_port[listener]]
    if not len(slow):
        return None
    mine = sorted_unique(np.concatenate([parties.held(seen, each) for each in processes]))
    here = seen.accepted[mine] & isin_codes(table.state[mine], stalls.TALKING)
    here &= table.local_port[mine] == table.local_port[listener]
    holders = np.unique(seen.snapshot.holders.first(slow))
    each = len(processes) > 1 and len(holders) == len(processes)
    most = len(slow) >= max(MANY, MOSTLY * np.count_nonzero(here))
    alone = one and len(slow) == np.count_nonzero(here) == 1
    return slow if each or most or alone else None


def slow_told(seen: Observations, slow: Index, processes: Sequence[Process]) -> str:
    holders = len(np.unique(seen.snapshot.holders.first(slow)))
    who = f"{words.number(holders)} of its {words.number(len(processes))} processes hold"
    who = "It holds" if len(processes) == 1 else who
    many = words.count(len(slow), "connection")
    if len(slow) == 1:
        per_s = float(np.nan_to_num(seen.snapshot.bytes_received_per_s[slow[0]]))
        return (
            f"{who} 1 connection on which the client sends its request slowly, at "
            f"{words.size(per_s)}/s just now, and there is no answer yet. It is from "
            f"{ends.addresses(seen.sample, slow)}."
        )
    return (
        f"{who} {many} on which the client sends its request a few bytes at a time, and there is "
        "no end and no answer yet (slow clients, or slowloris). They are from "
        f"{ends.addresses(seen.sample, slow)}."
    )


def slow_advice(processes: Sequence[Process]) -> str:
    who = words.called(processes[0])
    return (
        f"Give {who} a deadline for a whole request, not for each read "
        f"({servers.request_limit(processes)}), and limit the connections of one address "
        "(nftables, a proxy before it that takes in whole requests first). More workers are held "
        "as soon, and more backlog would only hide it."
    )


def told(seen: Observations, found: Held, processes: Sequence[Process]) -> str:
    whence, longest = ends.addresses(seen.sample, found.silent), words.duration(found.silent_s)
    if found.each:
        many, all_of = words.count(len(found.rows), "connection"), words.number(len(processes))
        one = "one each" if len(found.rows) == len(processes) else "one or more each"
        return (
            f"Its {all_of} processes hold {many} that they have accepted there, {one}, and nothing "
            f"has come on any of them for 5 s or longer, for {longest} on one. They are from "
            f"{whence}."
        )
    if len(found.rows) == 1:
        return (
            f"Nothing has come for {longest} on the only connection that it has accepted there, "
            f"from {whence}."
        )
    silent, every = (words.number(len(rows)) for rows in (found.silent, found.rows))
    return (
        f"On {silent} of the {every} connections that it has accepted there nothing has come for "
        f"5 s or longer, for {longest} on one of them. They are from {whence}."
    )


def advice(found: Held, processes: Sequence[Process]) -> str:
    who = words.called(processes[0])
    if found.each:
        return (
            f"Each process of {who} serves one connection, and each waits for a client that says "
            f"nothing: {servers.idle_limit(processes)}. More processes, an event loop, or a proxy "
            "before it that keeps idle connections to itself help as well; more backlog does not."
        )
    if found.reads:
        return (
            f"{who} serves one connection at a time and waits for a client that says nothing: "
            "give its reads a timeout, serve each connection in a thread or an event loop of its "
            "own, or put a proxy before it that reads requests to their end first."
        )
    return (
        f"Give {who} a timeout for reading requests (and for idle connections), and limit the "
        "connections of one address. More backlog would only hide it."
    )
