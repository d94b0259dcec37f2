"""clients-reset: connections that a listener accepted end in a reset while data for them is under
way: nearly all that were open, within seconds, or one after the other in the middle of an answer.

By the kernel's notices: nothing is left of them, and no rate is high. A client that resets once it
has its answer (a health check) has acknowledged it, and does not count; nor does one that had
closed before, at its deadline, and whose kernel resets the answer that comes too late.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tcptop.analysis import stalls
from tcptop.analysis.findings import ended, how_ended, outcomes, servers, words
from tcptop.analysis.findings.hung_up import listeners
from tcptop.analysis.findings.observations import Observations
from tcptop.analysis.findings.rule import Limits, Need, Rule, Threshold
from tcptop.analysis.findings.subjects import named
from tcptop.model import closed as codes
from tcptop.model import tcp
from tcptop.model.arrays import isin_codes
from tcptop.model.closed import Closed
from tcptop.model.finding import Finding
from tcptop.model.named_tuple import NamedTuple
from tcptop.model.table import F64, Bools, Index

ID = "clients-reset"
OWN = ("TCPAbortOnClose", "TCPAbortOnData")  # resets of this host
BURST_S = 6.0  # within which connections are lost together: each is noticed when data is sent next
APART_S = 1.5  # from the first to the last: what one client does at its end takes less
BETWEEN_S, MOMENTS = 2.0, 3  # as of destination-failing
ANSWER_S = 1.0  # a health check hangs up sooner, in the middle of a large answer too
ALIKE = 1.3  # the largest of most answers by the smallest


class Struck(NamedTuple):
    """Connections of one listener (`row`) that were reset with data under way, `of` so many that
    were open, or that ended where it is not `together`. `rest` are open still, since before."""

    row: int
    ended: Closed
    of: int
    together: bool
    rest: Index

    @property
    def number(self) -> int:
        return len(self.ended)

    @property
    def spread_s(self) -> float:
        return float(self.ended.at.max() - self.ended.at.min())

    @property
    def alike(self) -> bool:
        """One after the other was cut after as many bytes."""
        low, high = np.quantile(self.ended.known("bytes_sent"), [0.1, 0.9])
        return bool(high <= ALIKE * low)


def find(seen: Observations, limits: Limits) -> Iterator[Finding]:
    closed = ended.lately(seen, limits["window_s"])
    if not len(closed):
        return
    closed = closed.take(how_ended.accepted(seen, closed) & closed.opened)
    least = int(min(limits["clients"], limits["answers"]))
    if np.count_nonzero(under_way(closed)) < least:
        return
    for kernel in seen.sample.kernel:
        here = closed.take(closed.netns == kernel.netns)
        for row in listeners(seen, kernel.netns):
            mine = here.take(here.local_port == seen.table.local_port[row])
            found = _struck(seen, row, mine, limits)
            if found and not _own(seen, kernel.netns, found):
                yield _finding(seen, found)


def under_way(closed: Closed) -> Bools:
    """Those that a reset ended while what had been sent to them was not acknowledged."""
    sent = closed.known("bytes_sent") - np.nan_to_num(closed.known("bytes_retrans"))
    lacking: Bools = (closed.reset == codes.YES) & (closed.known("bytes_acked") < sent)
    return lacking & ~isin_codes(closed.state, (tcp.CLOSE_WAIT, tcp.LAST_ACK))


def _struck(seen: Observations, row: int, closed: Closed, limits: Limits) -> Struck | None:
    struck = closed.take(under_way(closed))
    if len(struck) < min(limits["clients"], limits["answers"]):
        return None
    first = float(struck.at.min())
    rest = _open_since(seen, row, seen.sample.taken_at - first)
    before = struck.take(_before(struck, first))
    open_then = len(before) + len(rest)
    if (
        float(struck.at.max()) - first <= BURST_S
        and len(before) >= max(limits["clients"], limits["share"] * len(struck))
        and len(before) >= limits["part"] * open_then
    ):
        return Struck(row, before, open_then, True, rest)
    began = seen.sample.taken_at - seen.watched_s
    answers = struck.take(_life_s(struck, began) >= ANSWER_S)
    many = len(answers) >= max(limits["answers"], limits["share"] * len(closed))
    many &= len(answers) >= limits["part"] * (len(closed) + len(rest))
    if many and _go_on(answers.at, seen.sample.taken_at, len(answers) == len(closed)):
        return Struck(row, answers, len(closed), False, rest)
    some = Struck(row, struck, len(closed), False, rest)
    told = len(struck) >= max(limits["clients"], limits["some"] * len(closed)) and not some.alike
    return some if told and _go_on(struck.at, seen.sample.taken_at, False) else None


def _open_since(seen: Observations, row: int, seconds: float) -> Index:
    """Connections of a listener that were open then and are."""
    table = seen.table
    there = (table.netns == table.netns[row]) & (table.local_port == table.local_port[row])
    there &= isin_codes(table.state, stalls.TALKING) & (table.inode != 0)
    rows: Index = np.flatnonzero(there & seen.accepted & (seen.snapshot.seen_s >= seconds))
    return rows


def _before(closed: Closed, at: float) -> Bools:
    """Those that were open then."""
    before: Bools = np.isnan(closed.short_s) & ~(closed.at - closed.life_s > at)
    return before


def _life_s(closed: Closed, began: float) -> F64:
    """At least, where it was open already when the watch began; 0 where no sample has seen it."""
    least = np.where(np.isnan(closed.short_s), closed.at - began, 0.0)
    life: F64 = np.where(np.isnan(closed.life_s), least, closed.life_s)
    return life


def _go_on(at: F64, now: float, every: bool) -> bool:
    """Not one burst, and not over: the next is not overdue."""
    moments, spread_s = outcomes.moments(np.sort(at)), float(at.max() - at.min())
    often = every or moments >= MOMENTS
    on = ended.go_on(now - float(at.max()), spread_s, moments)
    return often and spread_s >= BETWEEN_S and on


def _own(seen: Observations, netns: int, found: Struck) -> bool:
    """Whether this host has reset half of as many."""
    since = min(seen.sample.taken_at - float(found.ended.at.min()) + 1, seen.watched_s)
    grown = (seen.grown(netns, name, since) for name in OWN)
    return sum(each[0] for each in grown if each) >= 0.5 * found.number


def _finding(seen: Observations, found: Struck) -> Finding:
    row, processes = found.row, seen.processes(found.row)
    listener, netns = words.local(seen.sample, row), int(seen.table.netns[row])
    who = servers.title(seen, row, processes)
    return Finding(
        ID,
        words.key(ID, netns, listener),
        _severity(found),
        _title(found, who),
        named(seen, found.rest, processes, listener),
        {"reset": found.number, "of": found.of, "open": len(found.rest)},
        tuple(_evidence(found)),
        _advice(found),
        f"timeout 10 ss -tinE '{words.served(seen.sample, row)}'; nstat -az TcpEstabResets "
        "TcpExtTCPAbortOnClose TcpExtTCPAbortOnData",
        since=float(found.ended.at.min()),
    )


def _severity(found: Struck) -> str:
    """One client that ends takes all of its own along, and players hang up where they like."""
    harm = found.spread_s >= APART_S if found.together else found.alike
    return "warning" if harm else "info"


def _title(found: Struck, who: str) -> str:
    number, of = words.number(found.number), words.number(found.of)
    some = f"All {number}" if found.number == found.of else f"{number} of {of}"
    spread = words.duration(max(found.spread_s, 0.1))
    if found.together:
        return (
            f"{some} connections of {who} were reset within {spread} while data for them was under "
            "way"
        )
    return f"{some} connections of {who} that ended were reset in the middle of an answer"


def _evidence(found: Struck) -> Iterator[str]:
    ended_ = found.ended
    sent = ended_.known("bytes_sent") - np.nan_to_num(ended_.known("bytes_retrans"))
    lacking = sent - ended_.known("bytes_acked")
    yield (
        f"The kernel reported {words.count(found.number, 'connection')} that ended in a reset "
        f"within {words.duration(max(found.spread_s, 0.1))}, each with data sent and not "
        f"acknowledged, {words.size(float(lacking.max()))} at most."
    )
    low, high = (words.size(float(each)) for each in (sent.min(), sent.max()))
    some = low if low == high else f"between {low} and {high}"
    yield f"Each had been sent {some}. They were connected from {ended.remotes(ended_)}."
    if len(found.rest):
        rest = words.count(len(found.rest), "other connection was", "other connections were")
        yield f"{rest} open then and still {'is' if len(found.rest) == 1 else 'are'}."


def _advice(found: Struck) -> str:
    who = "Capture at both ends (tcpdump): a reset that only arrives was made on the path."
    if found.together:
        return (
            "Find what they have in common: a NAT gateway, firewall, load balancer or proxy on the "
            "path that was restarted or failed over resets what it does not know any more, and so "
            f"does a host whose program has ended. {who}"
        )
    alike = (
        "All were cut after about as many bytes: look for a firewall, proxy or quota on the path "
        "that ends answers of that size. "
        if found.alike
        else "Clients that hang up before the end look the same: see their log and deadline. "
    )
    return alike + who


RULE = Rule(
    ID,
    5,
    (
        Threshold("clients", 10, "open connections of a listener that are reset together"),
        Threshold("part", 0.5, "share of those that were open, or are and ended"),
        Threshold("answers", 5, "or answers that a reset ends, one after the other"),
        Threshold("share", 0.8, "share of the connections that ended"),
        Threshold("some", 0.05, "or of those, in the middle of different answers (info)"),
        Threshold("window_s", 30, "seconds within which those count"),
    ),
    find,
    frozenset({Need.TCP_INFO}),
)
