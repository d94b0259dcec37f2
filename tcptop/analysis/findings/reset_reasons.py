"""Who ends connections with a reset, and why, as far as this end counts it; and what to do."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tcptop.analysis import stalls
from tcptop.analysis.findings import servers, words
from tcptop.analysis.findings.ended import lately
from tcptop.analysis.findings.observations import Observations
from tcptop.analysis.findings.reset_rates import RST, Rates
from tcptop.analysis.findings.whereto import Where
from tcptop.model.arrays import isin_codes
from tcptop.model.closed import YES
from tcptop.model.sample import Process
from tcptop.model.table import Index

YOUNG_S = 0.5  # that a connection lasts, on average
MUTE = "See the log of the program: it may be at a limit of its own and close what is beyond it."
BOTH_ENDS = 3  # one that is sent, and the two ends that it may have on this host
READ = "Read requests to their end before close(), even if the answer is sent early"
QUEUE = "Empty a listener's queue before closing it: connections in it are reset."
NO_SYSCTL = "No sysctl helps"
WHICH = f"Which ones: tcpdump -c 20 -ni any '{RST}'."
YOUNG = (
    "They are reset soon after they are opened, so it is no idle timeout. See the log of the "
    "server, or of the balancer in front of it: it is at its connection limit and closes further "
    "ones at once, or it answers and closes before it has read the whole request (too large, not "
    f"allowed). {WHICH}"
)
IDLE = (
    "If they are reset after a pause: make this host's idle timeout shorter than the server's, and "
    "retry what may run twice. Otherwise check the server and the path to it: a process that "
    "closes with requests unread, a restart, a balancer that drops idle connections. "
    f"{WHICH}"
)


def reasons(seen: Observations, netns: int, rates: Rates) -> Iterator[str]:
    yield (
        f"{words.number(rates.of('EstabResets'))} open connections/s ended in a reset "
        f"(EstabResets); {words.number(rates.of('ActiveOpens'))}/s were opened from here "
        f"(ActiveOpens), {words.number(rates.of('PassiveOpens'))}/s to here (PassiveOpens)."
    )
    sent = f"This host sent {words.number(rates.of('OutRsts'))} resets/s (OutRsts)."
    theirs = rates.theirs > rates.ours and BOTH_ENDS * rates.of("OutRsts") < rates.of("EstabResets")
    yield f"{sent} So most came from the other end." if theirs else sent
    for name, what in (
        ("TCPAbortOnClose", "were closed here with data unread"),
        ("TCPAbortOnData", _after_close(rates)),
        ("TCPAbortOnTimeout", "were given up without an answer"),
    ):
        if rates.of(name) > 0:
            yield f"{words.number(rates.of(name))}/s {what} ({name})."
    if rates.theirs > rates.ours and _die_young(seen, netns, rates):
        left = words.count(len(_left(seen, netns, rates)), "is", "are")
        yield (
            "Most of them do not last: of those opened from here within the last "
            f"{words.duration(rates.seconds)}, {left} still open."
        )


def _after_close(rates: Rates) -> str:
    if rates.only_late:
        return "got data after they had been closed here, which EstabResets does not count"
    if rates.late > 0:
        return "were closed with SO_LINGER 0, or got data after they had been closed here"
    return "were closed with SO_LINGER 0, or got data just then"


def advice(seen: Observations, netns: int, rates: Rates, found: Where) -> str:
    """For the end that can do something about it."""
    if rates.ours > rates.theirs:
        linger = rates.of("TCPAbortOnData") > 0 and not rates.only_late
        read = f"{READ}; remove SO_LINGER 0." if linger else f"{READ}."
        full = servers.turns_away(_listening(seen, found)) if rates.most else ""
        if not full and _mute(seen, netns, rates, found):
            full = MUTE
        said = (full, read, QUEUE, _on_overflow(seen, netns))
        return " ".join(each for each in said if each)
    return f"{YOUNG if _die_young(seen, netns, rates) else IDLE} {NO_SYSCTL}."


def _mute(seen: Observations, netns: int, rates: Rates, found: Where) -> bool:
    """Most of those that were reset at the listener had been told nothing."""
    closed = lately(seen, rates.seconds)
    closed = closed.take((closed.netns == netns) & (closed.reset == YES) & closed.opened)
    port = (found.listener or "").rpartition(":")[2]
    mine = closed.local_port == int(port) if port.isdigit() else np.zeros(len(closed), bool)
    return bool(2 * np.count_nonzero(mine & (closed.known("data_segs_out") == 0)) > len(closed))


def _on_overflow(seen: Observations, netns: int) -> str:
    aborts = seen.sysctl(netns, "net.ipv4.tcp_abort_on_overflow")
    if aborts:
        return f"Set net.ipv4.tcp_abort_on_overflow to 0 (now {aborts}); no other sysctl helps."
    return f"{NO_SYSCTL}."


def _listening(seen: Observations, found: Where) -> list[Process]:
    processes = seen.sample.owners.processes
    return [processes[pid] for pid in found.pids if pid in processes] if found.listener else []


def _die_young(seen: Observations, netns: int, rates: Rates) -> bool:
    """Connections from here that are reset last so short a time that no idle timeout, of which some
    are two seconds, can have ended them: by how many of them, or of those that are opened, are open
    at a time (Little's law)."""
    few = len(_open(seen, netns)) < YOUNG_S * (rates.ours + rates.theirs)
    left = len(_left(seen, netns, rates)) < YOUNG_S * rates.dialed
    return rates.outward and (few or (rates.most and left))


def _left(seen: Observations, netns: int, rates: Rates) -> Index:
    """Those that were opened from here in the window and are open still."""
    rows = _open(seen, netns)
    left: Index = rows[seen.snapshot.seen_s[rows] < rates.seconds]
    return left


def _open(seen: Observations, netns: int) -> Index:
    """Connections that were opened from here."""
    table = seen.table
    talking = (table.netns == netns) & isin_codes(table.state, stalls.TALKING)
    rows: Index = np.flatnonzero(talking & ~seen.accepted)
    return rows
