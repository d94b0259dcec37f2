"""What is said of clients that gave up before a server of this host answered."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from tcptop.analysis.findings import busy, doing, servers, words
from tcptop.analysis.findings.awaiting import IN_FLIGHT_S
from tcptop.analysis.findings.gave_up import GaveUp
from tcptop.analysis.findings.idle_pools import IdlePool, idle_pool
from tcptop.analysis.findings.observations import Observations
from tcptop.analysis.findings.subjects import named
from tcptop.model.address import text
from tcptop.model.finding import Finding
from tcptop.model.sample import Process


def finding(seen: Observations, rule: str, found: GaveUp) -> Finding:
    row, processes = found.row, seen.processes(found.row)
    listener, netns = words.local(seen.sample, row), int(seen.table.netns[row])
    pool = idle_pool(seen, processes)
    return Finding(
        rule,
        words.key(rule, netns, listener, "gave-up"),
        "warning",
        f"Clients of {servers.title(seen, row, processes)} gave up before it answered: "
        f"{_some(found)} within {words.duration(found.seconds)}, after {_after(found)}",
        named(seen, found.waiting, processes, listener),
        {"gave_up": found.number, "answered": found.answered, "waited_s": found.waited_s},
        tuple(_evidence(seen, found, listener, processes, pool)),
        doing.remedy(seen, processes) or _advice(seen, found, processes, pool),
        f"ss -tinp state established '{words.served(seen.sample, row)}'; nstat -az TcpEstabResets",
        since=seen.sample.taken_at - found.first_s,
    )


def _some(found: GaveUp) -> str:
    if found.number == found.every:
        return f"all {words.number(found.number)}"
    return f"{words.number(found.number)} of {words.number(found.every)}"


def _after(found: GaveUp) -> str:
    if found.alike:
        return f"about {words.exactly(found.waited_s)} each"
    least, most = found.given_up.least_s.min(), found.given_up.most_s.max()
    return f"{words.exactly(float(least))} to {words.exactly(float(most))}"


def _evidence(
    seen: Observations,
    found: GaveUp,
    listener: str,
    processes: Sequence[Process],
    pool: IdlePool | None,
) -> Iterator[str]:
    yield (
        f"The requests of {words.count(found.number, 'connection')} to {listener} had arrived, and "
        f"the other end ended them before this one had sent anything back: {_how(found)}. They "
        f"came from {_remotes(found)}."
    )
    if found.alike:
        yield "All had waited equally long, as far as the samples tell: that is a deadline."
    if found.answered:
        others = words.count(found.answered, "other connection")
        yield f"{others} there got something meanwhile."
    else:
        yield "No other connection there got anything meanwhile."
    if found.open_:
        yield (
            f"When it was seen, the program here had not closed its end of "
            f"{words.number(found.open_)} of them: it goes on for nobody, and each of those keeps "
            "a descriptor until it notices."
        )
    if len(found.waiting):
        others = words.count(len(found.waiting), "other waits", "others wait")
        oldest = words.duration(float(found.waiting_s.max()))
        least = words.duration(IN_FLIGHT_S)
        yield f"{others} there for {least} or longer now, the oldest for {oldest}."
    if pool:
        yield pool.told()
    yield from doing.evidence(seen, processes)


def _how(found: GaveUp) -> str:
    kinds = ((found.reset, "by a reset"), (found.number - found.reset, "in order (FIN)"))
    return " and ".join(f"{words.number(number)} {how}" for number, how in kinds if number)


def _remotes(found: GaveUp) -> str:
    """10.77.0.2 and 3 others, the most first."""
    ends = np.stack([found.given_up.remote_hi, found.given_up.remote_lo], axis=1)
    unique, number = np.unique(ends, axis=0, return_counts=True)
    first, others = unique[number.argmax()].tolist(), len(unique) - 1
    return text(*first) + (f" and {others} other{'s' if others > 1 else ''}" if others else "")


def _advice(
    seen: Observations, found: GaveUp, processes: Sequence[Process], pool: IdlePool | None
) -> str:
    computes = busy.advice(seen, processes)
    if computes:
        return computes
    who = words.called(processes[0]) if processes else "the server"
    look = f" ({servers.stacks(processes)})" if processes else ""
    within = f" within {words.exactly(found.waited_s)}" if found.alike else ""
    return (pool.advice() if pool else "") + (
        f"Find what keeps {who} from answering{within}{look}: a slow back end, a lock, a queue "
        "before a limit, too little CPU. The deadline is the clients' (timeout server of haproxy, "
        "proxy_read_timeout of nginx, a client's timeout): raise it only if such answers may take "
        f"so long. Let {who} stop when its client has gone: what it still works on is for nobody."
    )
