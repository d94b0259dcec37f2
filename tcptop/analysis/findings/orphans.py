"""Closed connections that cannot end: their FIN waits behind data, or nobody acknowledges it.

FIN_WAIT1, LAST_ACK and CLOSING without a process. Told by namespace; whose they were is known by
the listener that they came by, or remembered.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tcptop.analysis import stalls, timeouts
from tcptop.analysis.findings import parties, words
from tcptop.analysis.findings.ends import Ends, ends, told
from tcptop.analysis.findings.observations import Observations
from tcptop.analysis.findings.subjects import named
from tcptop.analysis.listeners import match
from tcptop.model import tcp
from tcptop.model.arrays import isin_codes, sorted_unique
from tcptop.model.finding import Finding
from tcptop.model.named_tuple import NamedTuple
from tcptop.model.sample import Process
from tcptop.model.table import F64, Bools, Index, SocketTable

STATES = (tcp.FIN_WAIT1, tcp.LAST_ACK, tcp.CLOSING)
RETRIES = "net.ipv4.tcp_orphan_retries"
FEWER = 6  # retries: after 25 s


class Orphans(NamedTuple):
    """`age_s` is for how long each is so, at least; `shut` are those whose peer does not read."""

    rows: Index
    age_s: F64
    shut: Bools
    ends: Ends
    processes: list[Process]

    def take(self, chosen: Bools) -> Index:
        return self.rows[chosen]

    @property
    def mostly_shut(self) -> bool:
        return bool(2 * np.count_nonzero(self.shut) > len(self.rows))


def rows(seen: Observations) -> Index:
    table = seen.table
    return np.flatnonzero(isin_codes(table.state, STATES) & (table.inode == 0))


def find(seen: Observations, rule: str, least: float, age_s: float) -> Iterator[Finding]:
    """One for each namespace with so many that have been so for so long."""
    every = rows(seen)
    if len(every) < least:
        return
    shut_s = stalls.taken_nothing_s(seen.snapshot, every)
    age = np.fmax(shut_s, _unanswered_s(seen, every))
    old = age >= age_s
    every, age, shut = every[old], age[old], ~np.isnan(shut_s[old])
    for netns in sorted_unique(seen.table.netns[every]).tolist():
        mine = seen.table.netns[every] == netns
        if np.count_nonzero(mine) >= least:
            chosen = every[mine]
            who = processes(seen, chosen)
            found = Orphans(chosen, age[mine], shut[mine], ends(seen, chosen), who)
            yield finding(seen, rule, netns, found)


def _unanswered_s(seen: Observations, every: Index) -> F64:
    """By watching that nothing is acknowledged, or by how often a mere FIN was sent again.

    Data before the FIN may have been unanswered long before close(); last_ack_recv is no evidence:
    it may be hours old on a connection that was closed just now.
    """
    part, durations = seen.table.take(every), seen.snapshot.durations
    age: F64 = np.fmin(durations.state_s[every], durations.unacked_s[every])
    again = (part.timer == tcp.RETRANSMIT) & (part.info_of("backoff") > 0) & (part.send_q == 1)
    rto, backoff = part.tcp_info("rto").tolist(), part.tcp_info("backoff").tolist()
    for place in np.flatnonzero(again).tolist():
        left = float(part.expires[place])
        since = timeouts.retransmitting_for_s(rto[place], int(backoff[place]), left)
        age[place] = max(age[place], since)
    age[again] = np.fmax(age, _fin_in_flight_s(part))[again]
    return age


def _fin_in_flight_s(part: SocketTable) -> F64:
    """By the time with data or a FIN in flight, less what the data can have taken of it: at least.

    An ICMP error undoes doublings (tcp_ld_RTO_revert, net/ipv4/tcp_ipv4.c: this host's own, once
    ARP has failed), so the timer may look young. Data that were not sent again had their answer
    within a timeout. NaN where some were, or the kernel does not tell (before 4.19).
    """
    timeout = np.fmax(part.info_of("rto") / 1e6 / 2 ** part.info_of("backoff"), timeouts.RTO_INIT_S)
    data = part.info_of("rwnd_limited") / 1e6 + part.info_of("data_segs_out") * timeout
    once = part.info_of("bytes_retrans") == 0
    left = np.where(once, part.info_of("busy_time") / 1e6 - data, np.nan)
    spent: F64 = np.where(left > 0, left, np.nan)
    return spent


def processes(seen: Observations, chosen: Index) -> list[Process]:
    """Who closed them, where that was seen; else who listens where they came in."""
    known = [each.process for each in parties.parties(seen, chosen)]
    if known:
        return known
    listeners = sorted_unique(match(seen.table, chosen))
    return seen.holders(listeners[listeners >= 0])


def finding(seen: Observations, rule: str, netns: int, found: Orphans) -> Finding:
    oldest, sysctls = float(found.age_s.max()), seen.sample.kernel_of(netns).sysctls
    left = _left_s(seen, found)
    values = {"sockets": len(found.rows), "oldest_s": oldest, "unsent_bytes": _unsent(seen, found)}
    return Finding(
        rule,
        words.key(rule, "orphans", netns),
        "warning",
        _title(seen, found),
        named(seen, found.rows, found.processes, found.ends.listener, found.ends.destination),
        values | ({} if left is None else {"give_up_in_s": left}),
        tuple(_evidence(seen, found, oldest, left)),
        _shut_advice(found) if found.mostly_shut else _lost_advice(sysctls.get(RETRIES)),
        "ss -tanoi state fin-wait-1 state last-ack state closing; grep TCP: /proc/net/sockstat",
        since=seen.sample.taken_at - oldest,
    )


def _title(seen: Observations, found: Orphans) -> str:
    of = f" of {words.called(found.processes[0])}" if found.processes else ""
    many = f"{words.count(len(found.rows), 'closed connection')}{of}{found.ends.where}"
    if found.mostly_shut:
        one = len(found.rows) == 1
        whose, peers = ("its", "peer does") if one else ("their", "peers do")
        return f"{many} cannot send {whose} FIN: the {peers} not read"
    mere = (seen.table.send_q[found.rows] == 1).all()
    what = "the FIN" if mere else "what was sent"
    return f"{many} cannot finish closing: {what} is not acknowledged"


def _evidence(
    seen: Observations, found: Orphans, oldest: float, left: float | None
) -> Iterator[str]:
    table = seen.table
    closed = parties.parties(seen, found.rows)
    by = f", closed by {parties.listed(closed)}" if closed else ""
    yield f"{parties.states(seen, found.rows)} without a process{by}."
    yield from told(seen, found.ends)
    yield f"Oldest: at least {words.duration(oldest)} without any progress."
    shut, lost = found.take(found.shut), found.take(~found.shut)
    if len(shut):
        yield (
            f"{words.count(len(shut), 'waits', 'wait')} for the peer to open its window: it "
            f"answers probes but does not read. {words.size(_unsent(seen, found))} of data are "
            "queued before the FINs."
        )
    if len(lost):
        again = int(table.retrans[lost].max())
        yield (
            f"{words.count(len(lost), 'gets', 'get')} no answer after up to "
            f"{words.count(again, 'retransmission')}."
        )
    if left is not None:
        yield f"The kernel gives up the oldest in about {words.duration(left)}."


def _unsent(seen: Observations, found: Orphans) -> int:
    """Bytes before the FINs."""
    return int(np.maximum(seen.table.send_q[found.rows].astype(np.int64) - 1, 0).sum())


def _left_s(seen: Observations, found: Orphans) -> float | None:
    """Until the kernel gives up the oldest of those of which there are most."""
    kind = found.shut if found.mostly_shut else ~found.shut
    rows, age = found.rows[kind], found.age_s[kind]
    waited_s = float(age.max())
    row = rows[age.argmax() : age.argmax() + 1]
    table = seen.table
    sysctls = seen.sample.kernel_of(int(table.netns[row[0]])).sysctls
    rto, backoff = (float(table.info_of(name, row)[0]) for name in ("rto", "backoff"))
    timer, expires = int(table.timer[row[0]]), float(table.expires[row[0]])
    if np.isnan(rto) or timer not in (tcp.RETRANSMIT, tcp.PERSIST):
        return None
    if timer == tcp.PERSIST:
        return timeouts.orphan_probes_in_s(sysctls, rto, int(backoff), expires)
    return timeouts.orphan_give_up_in_s(sysctls, rto, int(backoff), expires, waited_s)


def _shut_advice(found: Orphans) -> str:
    server = words.called(found.processes[0]) if found.processes else "the program"
    reset = (
        "reset_timedout_connection on"
        if server == "nginx"
        else "SO_LINGER 0 before close(), if the rest of the data does not matter"
    )
    return (
        f"The peers have stopped reading what {server} wrote before it closed (paused downloads, "
        "crawlers, stuck programs): check the peers named. The kernel keeps the data until it "
        "gives up, minutes later, and then discards it. A few do no harm. If they fill memory, "
        f"let {server} reset the connections that it gives up ({reset}). No sysctl ends them "
        "sooner, since the peers' kernels answer."
    )


def _lost_advice(retries: str | None) -> str:
    now = {None: "not known", "0": "0, which means 8"}.get(retries, retries)
    after = timeouts.model_timeout_s(FEWER, timeouts.RTO_MIN_S, timeouts.RTO_MAX_S)
    return (
        "The peers named send nothing back: they are gone, or a firewall on the path drops the "
        "packets or has dropped the connections. Does a new connection to or from them work? "
        "These end when the kernel gives them up. If they fill memory: sysctl -w "
        f"{RETRIES}={FEWER} (now {now}) gives up after {words.duration(after)}."
    )
