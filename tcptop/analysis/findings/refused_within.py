"""Connects that this host itself refuses: nobody listens where its own programs call."""

from __future__ import annotations

from tcptop.analysis.dialing import Callee
from tcptop.analysis.findings import (
    failed_places,
    listening,
    partial_listeners,
    parties,
    unanswered,
    words,
)
from tcptop.analysis.findings.failed_places import FailedPlaces
from tcptop.analysis.findings.observations import Observations
from tcptop.analysis.findings.partial_listeners import Partial
from tcptop.analysis.findings.reset_rates import RST, Rates, counted, finding
from tcptop.analysis.findings.whereto import Where
from tcptop.model.finding import Finding
from tcptop.model.table import Index

NAMED = 3  # listeners


def told(seen: Observations, netns: int, rates: Rates, found: FailedPlaces) -> Finding:
    partly = partial_listeners.partials(seen, netns)
    title = f"This host itself refuses {words.number(rates.failed)} connects/s"
    # Clients that try one address of localhost after the other: as many are answered at once.
    if partly and partly[0].answered_per_s >= rates.failed / 2:
        return _partly_refused(seen, netns, rates, title, partly[0])
    places = [to for to, _ in found.named if to.remote_port]
    if places:
        return _nobody_listens(seen, netns, rates, title, found)
    said = [*counted(rates), "A refused connect leaves no row, so its port is not known here."]
    if partly:
        names = ", ".join(partial_listeners.listed(seen, each.listeners) for each in partly[:NAMED])
        said.append(f"Listeners that localhost reaches by only one of its addresses: {names}.")
    advice = (
        "Start the service of that port, let it listen on the address that is used, or stop the "
        f"client. To see the port: tcpdump -c 20 -nni any '{RST}'."
    )
    return finding(netns, rates, "warning", title, Where(evidence=tuple(said)), advice)


def _nobody_listens(
    seen: Observations, netns: int, rates: Rates, title: str, found: FailedPlaces
) -> Finding:
    """By the notices and by its own table."""
    places = [to for to, _ in found.named if to.remote_port]
    who = failed_places.callers(found)
    elsewhere = [(to, _elsewhere(seen, to)) for to in places]
    said = (
        *counted(rates),
        *failed_places.noticed(seen, found),
        *(
            f"On that port only {partial_listeners.listed(seen, rows)} listens, not on "
            f"{unanswered.called(seen, to)}."
            for to, rows in elsewhere
            if len(rows)
        ),
        *failed_places.whose(seen, found),
    )
    names = " or ".join(unanswered.called(seen, to) for to in places)
    title = f"{title}: nothing listens on {names}"
    moved = next((rows for _, rows in elsewhere if len(rows)), None)
    if moved is None:
        advice = f"Start the service of {names}, or stop its client."
    else:
        there = words.local(seen.sample, int(moved[0]))
        title += f", {there} does"
        advice = (
            f"Let the service also listen on the address that is used, or let its clients use "
            f"{there}."
        )
    at = Where("", said, failed_places.pids(who), destination=failed_places.only(seen, places))
    return finding(netns, rates, "warning", title, at, advice)


def _elsewhere(seen: Observations, to: Callee) -> Index:
    """Listeners of that port on other addresses."""
    rows = listening.on_port(seen.table, to.netns, to.remote_port)
    other: Index = rows[~listening.takes(seen.table, rows, to.remote_hi, to.remote_lo)]
    return other


def _partly_refused(
    seen: Observations, netns: int, rates: Rates, title: str, partial: Partial
) -> Finding:
    callers = parties.parties(seen, partial.callers)
    shut = " or ".join(partial.refused)
    there = words.local(seen.sample, int(partial.listeners[0]))
    said = [
        *counted(rates),
        f"Listening on that port: only {partial_listeners.listed(seen, partial.listeners)}. At the "
        "same time about as many connects to it are answered, so clients seem to try one address "
        "of localhost after the other.",
        *([f"They are of {parties.listed(callers)}."] if callers else []),
    ]
    advice = (
        f"Let the service listen on {shut} too, or let its clients call it by the address "
        f"{there} instead of the name localhost."
    )
    found = Where("", tuple(said), failed_places.pids(callers), None, partial.refused[0])
    title = f"{title}: nothing listens on {shut}, {there} does"
    return finding(netns, rates, "warning", title, found, advice)
