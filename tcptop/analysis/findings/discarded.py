"""Data that had arrived and was discarded: no room in the buffer, or in the control group's memory.

tcp_data_queue and tcp_data_queue_ofo (net/ipv4/tcp_input.c) count it; each socket counts its own
drops (SK_MEMINFO_DROPS), whatever their reason.
"""

from __future__ import annotations

from collections.abc import Sequence
from shlex import quote as quoted

import numpy as np

from tcptop.analysis.findings import parties, words
from tcptop.analysis.findings.observations import Observations
from tcptop.analysis.findings.parties import Party
from tcptop.analysis.findings.subjects import named
from tcptop.analysis.findings.windows import mean, rates_or_zero, window
from tcptop.analysis.stalls import TALKING
from tcptop.model.arrays import isin_codes
from tcptop.model.cells import safe
from tcptop.model.finding import Finding, Subject
from tcptop.model.named_tuple import NamedTuple
from tcptop.model.sample import Process, SocketMemory
from tcptop.model.table import Index

WINDOW_S = 5.0
DISCARDED = ("TCPRcvQDrop", "TCPOFODrop")
TOLD = (*DISCARDED, "PruneCalled", "RcvPruned", "OfoPruned", "TCPZeroWindowDrop")
NEAR = 0.9  # of its limit
LARGE = 0.1  # of a limit on all memory, that sockets use
LATELY_S = 10.0  # since data last came
ASKED = 8  # processes


class Discards(NamedTuple):
    """Segments a second in one namespace, how fast each counter rises, the sockets with the most
    drops first, who holds them, and the first of those whose group is at its limit."""

    netns: int
    per_s: float
    rising: dict[str, float]
    rows: Index
    who: list[Party]
    short: tuple[Process, SocketMemory] | None


def discards(seen: Observations, netns: int, per_s: float) -> Discards | None:
    """None where fewer are discarded, or they came at once."""
    summaries = window(seen, WINDOW_S)
    every = [rates_or_zero(summaries, netns, name) for name in DISCARDED] if summaries else []
    both = sum(every, np.zeros(max(len(summaries) - 1, 0)))
    if np.count_nonzero(both > 0) < 2 or mean(both, summaries) < per_s:
        return None
    rows = _suffering(seen, netns)
    who = parties.parties(seen, rows)
    rising = {name: mean(rates_or_zero(summaries, netns, name), summaries) for name in TOLD}
    rising = {name: rate for name, rate in rising.items() if rate > 0}
    return Discards(netns, mean(both, summaries), rising, rows, who, _short(seen, who))


def _suffering(seen: Observations, netns: int) -> Index:
    table = seen.table
    mine = (table.netns == netns) & isin_codes(table.state, TALKING)
    mine &= np.nan_to_num(table.drops()) > 0
    rows = np.flatnonzero(mine)
    rows = rows[table.since_s("last_data_recv", rows) < LATELY_S]
    ordered: Index = rows[np.argsort(-table.drops(rows), kind="stable")]
    return ordered


def _short(seen: Observations, who: Sequence[Party]) -> tuple[Process, SocketMemory] | None:
    for process, _ in who[:ASKED]:
        facts = seen.facts(process)
        if facts is not None and facts.memory is not None and _at_limit(facts.memory):
            return process, facts.memory
    return None


def _at_limit(memory: SocketMemory) -> bool:
    """One on all memory, which caches fill, only if it was met and sockets use much of it."""
    if memory.share < NEAR or memory.sockets is None:
        return False
    return memory.of_tcp or (bool(memory.met) and memory.sockets >= LARGE * memory.limit)


def finding(id: str, seen: Observations, found: Discards) -> Finding:
    return _by_group(id, seen, found, *found.short) if found.short else _plain(id, seen, found)


def _by_group(
    id: str, seen: Observations, found: Discards, process: Process, memory: SocketMemory
) -> Finding:
    kind = "TCP memory" if memory.of_tcp else "memory"
    rate = words.number(found.per_s)
    return Finding(
        id,
        words.key(id, found.netns, memory.file),
        "warning",
        f"The control group of {words.called(process)} is at its limit of {kind}: {rate} "
        "segments/s that have arrived are discarded",
        named(seen, found.rows, (process,)),
        {"discarded_per_s": found.per_s, "used": memory.used, "limit": memory.limit},
        (_limit(process, memory), *_sockets(seen, found), _counters(found)),
        f"Find why {words.called(process)} has so much in its sockets: it reads too slowly, has "
        "too many connections, or sets buffers to megabytes (SO_RCVBUF, SO_SNDBUF). Then give the "
        f"group more: {_setting(process, memory)}.",
        f"cat {quoted(safe(memory.file))}; ss -tinmp; nstat -az "
        f"{' '.join(f'TcpExt{name}' for name in found.rising)}",
    )


def _limit(process: Process, memory: SocketMemory) -> str:
    used, most = words.size(memory.used), words.size(memory.limit)
    group, where = f"The control group of {words.who(process)}", f"({safe(memory.file)})"
    if memory.of_tcp:
        return f"{group} has used up to {used} of {most} {where} for the buffers of TCP."
    times = words.count(memory.met or 0, "time")
    sockets = words.size(memory.sockets or 0)
    return (
        f"{group} uses {used} of {most} {where}, {sockets} of it in sockets; it has met that limit "
        f"{times} lately."
    )


def _sockets(seen: Observations, found: Discards) -> list[str]:
    if not len(found.rows):
        return []
    drops = seen.table.drops(found.rows)
    listed = f", of {parties.listed(found.who)}" if found.who else ""
    most = words.remote(seen.sample, int(found.rows[0]))
    return [
        f"{words.count(len(found.rows), 'open connection has', 'open connections have')} dropped "
        f"segments since they began{listed}; most of them, {words.number(drops[0])}, the one with "
        f"{most}."
    ]


def _counters(found: Discards) -> str:
    told = [f"{name} rises by {words.number(rate)}/s" for name, rate in found.rising.items()]
    return f"{words.joined(told)}: the senders have to repeat what was discarded."


def _setting(process: Process, memory: SocketMemory) -> str:
    box, unit = process.container, process.unit or ""
    if memory.of_tcp:
        return f"echo {2 * memory.limit} > {quoted(safe(memory.file))} (now {memory.limit})"
    if box is not None and box.pod:
        return "resources.limits.memory of its container"
    if box is not None and box.runtime in ("docker", "podman"):
        return f"{box.runtime} update --memory={2 * memory.limit} {safe((box.id or '')[:12])}"
    if box is None and unit and not unit.endswith((".slice", ".scope")):
        return f"systemctl set-property {quoted(safe(unit))} MemoryMax={2 * memory.limit}"
    return f"echo {2 * memory.limit} > {quoted(safe(memory.file))} (now {memory.limit})"


def _plain(id: str, seen: Observations, found: Discards) -> Finding:
    rate, who = words.number(found.per_s), [each.process for each in found.who]
    about = named(seen, found.rows, who) if len(found.rows) else Subject(found.netns)
    return Finding(
        id,
        words.key(id, found.netns, "discarded"),
        "info",
        f"This host discards {rate} segments/s that have arrived: no room in a receive buffer",
        about,
        {"discarded_per_s": found.per_s},
        (*_sockets(seen, found), _counters(found)),
        "Find who reads too slowly, or has set SO_RCVBUF to little (skmem rb of ss -tm). Many "
        "small segments fill a buffer with their overhead: the sender should write more at once. "
        "In a container look at its limit of memory, too.",
        f"ss -tinmp; nstat -az {' '.join(f'TcpExt{name}' for name in found.rising)}",
    )
