"""Much of what calls this host is answered by a reset that no socket sent, beside what it accepts.

However few they are, to those who call it is an outage, and here nothing else shows it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np

from tcptop.analysis.findings import ended as ended_lately
from tcptop.analysis.findings import held_ports, narrow_listeners, words
from tcptop.analysis.findings import resets_without_socket as resets
from tcptop.analysis.findings.observations import Observations
from tcptop.analysis.findings.reset_rates import ID, RST
from tcptop.analysis.findings.summary import SampleSummary
from tcptop.analysis.findings.windows import lengths, mean, rates, rates_or_zero
from tcptop.model import tcp
from tcptop.model.arrays import sorted_unique
from tcptop.model.closed import HERE, Closed
from tcptop.model.finding import Finding, Subject
from tcptop.model.table import F64

SHARE = 0.5  # of these resets and the accepted connections together
MUCH = 0.8  # of these resets, so many connections that were called from here
NARROW = 0.2  # the same, where a listener takes only some of those who call
ENDED = ("TCPAbortOnClose", "TCPAbortOnData", "EstabResets")  # what comes later gets a reset each
OPENS = ("PassiveOpens", "ActiveOpens", "AttemptFails")
NAMED = 4
TIMES = 2
IDLE_S = 1.0
ENDED_S, PAIRED = 10.0, 0.5  # of the resets, so many connections closed here


def told(
    seen: Observations, netns: int, summaries: Sequence[SampleSummary], per_s: F64
) -> Iterator[Finding]:
    """`per_s` are the resets a second that no socket sent, in each interval."""
    if not resets.often(summaries, per_s):
        return
    counted = {name: rates(summaries, netns, name) for name in OPENS}
    known = {name: mean(each, summaries) for name, each in counted.items() if each is not None}
    if len(known) < len(OPENS):
        return
    refused, taken = mean(per_s, summaries), known["PassiveOpens"]
    opened = known["ActiveOpens"] - known["AttemptFails"]
    ended = sum(mean(rates_or_zero(summaries, netns, name), summaries) for name in ENDED)
    share = refused / (refused + taken)
    # Connections that were called from here, or aborted, may be what the packets belonged to.
    if share < NARROW or opened > MUCH * refused or ended > resets.IDLE * refused:
        return
    narrow, idle = narrow_listeners.narrow(seen, netns), _closed_here(seen, netns)
    if len(idle) < PAIRED * refused * min(ENDED_S, seen.watched_s):
        idle = idle.take(slice(0))
    if narrow or share >= SHARE:
        yield _finding(seen, netns, (refused, taken, share), narrow, idle)


def _closed_here(seen: Observations, netns: int) -> Closed:
    """What this host closed first as it was idle: what comes on one later gets a reset."""
    closed = ended_lately.lately(seen, ENDED_S)
    table = seen.table
    ports = table.local_port[(table.state == tcp.LISTEN) & (table.netns == netns)]
    served = closed.opened & (closed.netns == netns) & np.isin(closed.local_port, ports)
    served &= (closed.first == HERE) & (closed.known("data_segs_out") > 0)
    served &= closed.known("last_data_sent") >= IDLE_S * 1000
    return closed.take(served)


def _finding(
    seen: Observations,
    netns: int,
    rates: tuple[float, float, float],
    narrow: list[narrow_listeners.Narrow],
    idle: Closed,
) -> Finding:
    refused, taken, share = rates
    number, accepted = words.number(refused), words.number(taken)
    gone, unsteady = resets.no_longer(seen, netns), _unsteady(seen, netns)
    evidence = resets.whose(number)
    return Finding(
        ID,
        words.key(ID, netns, "refuses"),
        "info",
        f"{number} resets/s answer packets that no socket takes, and "
        + (f"{accepted}/s connections are accepted" if taken else "no connection is accepted")
        + (f"; the listener on {_ports(unsteady)} goes and comes" if unsteady else ""),
        Subject(netns, over=True),
        {"refused_per_s": refused, "share": share},
        (
            evidence,
            f"Connections that this host accepts meanwhile: {accepted}/s (PassiveOpens). Of both "
            f"together {words.percent(share)} are such resets.",
            *_went(seen, unsteady),
            *(
                f"Somebody listened on :{port} since tcptop started, and now nobody does."
                for port in gone[:NAMED]
                if port not in unsteady
            ),
            *narrow_listeners.said(seen, narrow),
            *held_ports.said(seen, netns),
            *_used_again(idle),
        ),
        _advice(bool(unsteady or gone), bool(narrow), bool(len(idle))),
        "nstat -az TcpOutRsts TcpPassiveOpens TcpEstabResets TcpAttemptFails; ss -ltne",
        guesses=(evidence,),
    )


def _ports(unsteady: dict[int, int]) -> str:
    return words.joined([f":{port}" for port in [*unsteady][:NAMED]])


def _unsteady(seen: Observations, netns: int) -> dict[int, int]:
    """Ports on which somebody listened, then nobody, again and again, and how often."""
    listening = [each.ports[each.ports >> np.uint64(32) == netns] for each in seen.summaries]
    left = [before[~np.isin(before, after)] for before, after in pairwise(listening)]
    every = np.concatenate(left) if left else np.zeros(0, np.uint64)
    times = {key: int(np.count_nonzero(every == key)) for key in sorted_unique(every).tolist()}
    return {int(key) & 0xFFFF_FFFF: many for key, many in times.items() if many >= TIMES}


def _went(seen: Observations, unsteady: dict[int, int]) -> Iterator[str]:
    watched = words.duration(float(lengths(seen.summaries).sum()))
    for port, times in [*unsteady.items()][:NAMED]:
        yield (
            f"The listener on :{port} has gone {words.count(times, 'time')} in {watched}, and "
            "somebody listened there again. Who calls in between is refused."
        )


def _used_again(idle: Closed) -> Iterator[str]:
    if not len(idle):
        return
    ports = words.joined([f":{port}" for port in sorted_unique(idle.local_port).tolist()[:NAMED]])
    yield (
        f"In the last {words.duration(ENDED_S)} this host closed {words.number(len(idle))} "
        f"connections of {ports} first that had been idle for {words.exactly(IDLE_S)} or longer. "
        "What a client sends on such a one afterwards is answered so."
    )


def _advice(went: bool, narrow: bool, idle: bool) -> str:
    which = f"See which port it is: tcpdump -c 20 -nni any '{RST}'."
    if idle:
        return (
            f"{which} If it is one of those that this host has closed, clients use them again: let "
            "their pools close idle connections sooner than the server does, or check them before "
            "use. Else let a service listen where it is called, or ignore it: port scans look the "
            "same."
        )
    if went:
        return f"{which} If it is that one, the log of its program may say why it ends."
    if narrow:
        return (
            f"{which} If it is one of those, let the service listen where it is called; otherwise "
            "start the service, or ignore it: port scans look the same."
        )
    return f"{which} Start the service, or ignore it: port scans look the same."
