"""From a finding to its sockets: the filter that says the same, where words can say it."""

from __future__ import annotations

from collections.abc import Iterator

from tcptop.analysis import filter as language
from tcptop.analysis import subject
from tcptop.analysis.filter import Facts, FilterError
from tcptop.analysis.findings import words
from tcptop.analysis.findings.subjects import MOST
from tcptop.analysis.selection import facts
from tcptop.model import tcp
from tcptop.model.address import on_device, split_zone
from tcptop.model.arrays import sorted_unique
from tcptop.model.finding import Finding, Subject
from tcptop.model.snapshot import Snapshot
from tcptop.model.table import Bools


def scope(finding: Finding, snapshot: Snapshot) -> str | None:
    """A filter that the user could have typed, for the sockets of a finding and no others; None
    where there is none."""
    wanted = subject.rows(finding.subject, snapshot)
    known = facts(snapshot)
    partly = len(finding.subject.cookies) >= MOST
    tried = (
        _narrowed(start, wanted, known, partly) for start in _beginnings(finding.subject, snapshot)
    )
    return next((text for text in tried if text is not None), None)


def _beginnings(about: Subject, snapshot: Snapshot) -> Iterator[str]:
    """Filters for whom and where a finding is about, the one with most words first."""
    who = f"pid = {','.join(map(str, about.pids))}" if about.pids else ""
    where = [_end("src", about.listener), _end("dst", about.destination)]
    several = len(snapshot.sample.namespaces) > 1
    space = f"netns = {about.netns}" if several else ""
    for parts in ([who, *where], where):
        if any(where):
            yield " and ".join(filter(None, [*parts, space]))
    if who:
        yield " and ".join(filter(None, [who, space]))


def _end(side: str, endpoint: str | None) -> str:
    if endpoint is None or endpoint.startswith(("/", "@")):  # a UNIX socket
        return ""
    bare, zone = split_zone(endpoint)
    address, _, port = bare.rpartition(":")
    anywhere = address in ("0.0.0.0", "[::]", "*")
    if side == "src" and anywhere:
        return f"sport = :{port}{on_device(zone)}"
    return f"{side} {words.in_filter(endpoint)}"


def _narrowed(start: str, wanted: Bools, known: Facts, partly: bool) -> str | None:
    """The filter with what all its sockets share, if that selects them and no others.

    Their state is said in any case: sockets that come later may be in another one. `partly`: the
    finding does not name all of its sockets.
    """
    states = sorted_unique(known.table.state[wanted])
    if len(states) == 1:
        start += f" and state {tcp.SS_STATES[int(states[0])].lower()}"
    text, chosen = start, _selected(start, known)
    if chosen is None or not wanted.any() or (wanted & ~chosen).any():
        return None
    for more in _shared(wanted, known):
        narrower = _selected(more, known)
        if narrower is not None and (chosen & ~narrower).any():
            text, chosen = f"{text} and {more}", chosen & narrower
    return text if partly or not (chosen & ~wanted).any() else None


def _selected(text: str, known: Facts) -> Bools | None:
    try:
        return language.select(language.parse(text), known)
    except FilterError:
        return None


def _shared(wanted: Bools, known: Facts) -> Iterator[str]:
    """What is true of all of them, in words."""
    table = known.table.take(wanted)
    for name, queue in (("recvq", table.recv_q), ("sendq", table.send_q)):
        if (queue > 0).all():
            yield f"{name} > 0"
        elif not queue.any():
            yield f"{name} = 0"
    timers = sorted_unique(table.timer)
    if len(timers) == 1 and 0 < timers[0] < len(tcp.TIMERS):
        yield f"timer = {tcp.TIMERS[int(timers[0])]}"
