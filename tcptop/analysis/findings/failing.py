"""Connects that fail at once: who refuses them, as far as it is known."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tcptop.analysis.findings import parties, refusals, words
from tcptop.analysis.findings.breaking import RST, Rates, finding
from tcptop.analysis.findings.observations import Observations
from tcptop.analysis.findings.refusals import Partial
from tcptop.analysis.findings.whereto import Where, asked
from tcptop.model import tcp
from tcptop.model.finding import Finding

NAMED = 3  # listeners


def told(seen: Observations, netns: int, rates: Rates) -> Finding:
    if rates.refused_here:
        return _refused_here(seen, netns, rates)
    number = words.number(rates.failed)
    if rates.unreachable:
        title = f"{number} connects/s fail with ICMP unreachable for an answer"
        advice = "Look at the route, and for a firewall that rejects, from here to there."
    else:
        title = f"{number} connects/s fail, most of them refused"
        advice = (
            "Start the service that is called, or fix the address. During a restart let the old "
            "process accept until the new one listens, and let clients wait longer after each "
            "failure."
        )
    found = asked(seen, netns)
    said = (*_failed(rates), *found.evidence, *_asking(seen, netns))
    title = f"{title}{found.said}"
    return finding(netns, rates, "warning", title, found._replace(evidence=said), advice)


def _refused_here(seen: Observations, netns: int, rates: Rates) -> Finding:
    partly = refusals.partials(seen, netns)
    title = f"This host itself refuses {words.number(rates.failed)} connects/s"
    # Clients that try one address of localhost after the other: as many are answered at once.
    if partly and partly[0].answered_per_s >= rates.failed / 2:
        return _partly_refused(seen, netns, rates, title, partly[0])
    said = [*_failed(rates), "A refused connect leaves no row, so its port is not known here."]
    if partly:
        names = ", ".join(refusals.listed(seen, each.listeners) for each in partly[:NAMED])
        said.append(f"Listeners that localhost does not reach by both of its addresses: {names}.")
    advice = (
        "Start the service of the port that is called, let it listen on the address that is "
        f"called, or end what calls it. The port: tcpdump -c 20 -ni lo '{RST}'."
    )
    return finding(netns, rates, "warning", title, Where(evidence=tuple(said)), advice)


def _partly_refused(
    seen: Observations, netns: int, rates: Rates, title: str, partial: Partial
) -> Finding:
    callers = parties.parties(seen, partial.callers)
    shut = " or ".join(partial.refused)
    there = words.local(seen.sample, int(partial.listeners[0]))
    said = [
        *_failed(rates),
        f"Listening on that port: only {refusals.listed(seen, partial.listeners)}. At the same "
        "time about as many connects to it are answered, so clients seem to try one address of "
        "localhost after the other.",
        *([f"They are of {parties.listed(callers)}."] if callers else []),
    ]
    advice = (
        f"Let the service listen on {shut} too, or let its clients call it by the address "
        f"{there} instead of the name localhost."
    )
    found = Where("", tuple(said), _pids(callers), None, partial.refused[0])
    title = f"{title}: nothing listens on {shut}, {there} does"
    return finding(netns, rates, "warning", title, found, advice)


def _failed(rates: Rates) -> Iterator[str]:
    yield (
        f"{words.number(rates.of('ActiveOpens'))} connects/s were tried (ActiveOpens), "
        f"{words.number(rates.of('AttemptFails'))}/s failed (AttemptFails)."
    )
    half_open = rates.of("EmbryonicRsts")
    if half_open > 0:
        yield f"{words.number(half_open)}/s of those were half-open here (EmbryonicRsts): no harm."
    by = ", so it refuses them itself" if rates.refused_here else ""
    yield f"This host sent {words.number(rates.of('OutRsts'))} resets/s (OutRsts){by}."


def _asking(seen: Observations, netns: int) -> list[str]:
    """Connects that are still unanswered."""
    rows = np.flatnonzero((seen.table.state == tcp.SYN_SENT) & (seen.table.netns == netns))
    who = parties.listed(parties.parties(seen, rows)) if len(rows) else ""
    said = f"{words.count(len(rows), 'connect')} in SYN-SENT now{': ' + who if who else ''}."
    return [said] if len(rows) else []


def _pids(found: list[parties.Party]) -> tuple[int, ...]:
    return tuple(sorted({each.process.pid for each in found}))
