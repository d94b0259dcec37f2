"""What happened, in words, tables and charts: what both forms of the report write."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import pairwise

import numpy as np

from tcptop.analysis import subject
from tcptop.analysis.findings.words import count, exactly, joined
from tcptop.analysis.selection import everything, select
from tcptop.columns import LISTENERS, PORTS, PROCESSES, REMOTES, SOCKETS, Listing, netns
from tcptop.columns.kernel_counters import CATALOGUE
from tcptop.columns.units import UNKNOWN, long_duration
from tcptop.model import tcp
from tcptop.model.named_tuple import NamedTuple
from tcptop.model.snapshot import Snapshot
from tcptop.model.table import Index
from tcptop.views.markdown import SECTIONS, places, roomy
from tcptop.views.report.course import ColumnBand, Course, Episode

ROWS = 10  # of a table
TOLD = 40  # findings
COUNTERS = 14
OPEN = ("established", "close_wait", "syn_recv", "syn_sent", "time_wait", "fin_wait1", "fin_wait2",
        "last_ack", "closing", "listen", "close")  # fmt: skip
ASIDE = 0.02  # of the most: a state with less is not drawn


class ChartLine(NamedTuple):
    name: str
    band: ColumnBand


class Chart(NamedTuple):
    title: str
    lines: tuple[ChartLine, ...]
    limit: tuple[str, float] | None = None


class TextTable(NamedTuple):
    title: str
    heads: tuple[str, ...]
    right: tuple[bool, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""


class ToldEpisode(NamedTuple):
    """A finding in the tree of causes and what they explain."""

    episode: Episode
    depth: int


class PostMortem(NamedTuple):
    title: str
    about: tuple[tuple[str, str], ...]
    sentences: tuple[str, ...]
    course: Course
    told: tuple[ToldEpisode, ...]
    more: int  # findings that are left out
    charts: tuple[Chart, ...]
    moment: float  # of the tables
    tables: tuple[TextTable, ...]
    counters: TextTable
    limits: TextTable
    unseen: tuple[str, ...]


def page(course: Course, title: str | None) -> PostMortem:
    """Of a course with a sample; sockets and processes are those of its worst one."""
    worst = course.worst
    assert worst is not None
    told = _tree(course)
    name = worst.sample.host.hostname or "a host not known"
    return PostMortem(
        title=title or f"TCP of {name}, {day(course.begin)}",
        about=tuple(_about(course, worst)),
        sentences=_sentences(course, told, name),
        course=course,
        told=tuple(told[:TOLD]),
        more=max(len(told) - TOLD, 0),
        charts=tuple(_charts(course)),
        moment=worst.sample.taken_at,
        tables=tuple(_tables(worst)),
        counters=_counters(course),
        limits=_limits(course, worst),
        unseen=tuple(_unseen(course)),
    )


def day(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d}"


def clock(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%H:%M:%S}"


def moment(at: float, course: Course) -> str:
    """With the day, where the report is of more than one."""
    return clock(at) if day(course.begin) == day(course.end) else f"{day(at)} {clock(at)}"


def short(at: float, course: Course) -> str:
    """The same where three of them stand below a chart on a small screen."""
    if day(course.begin) == day(course.end):
        return clock(at)
    return f"{datetime.fromtimestamp(at, UTC):%m-%d %H:%M}"


def number(value: float) -> str:
    """Below ten with a decimal, where there is one."""
    if value != value:
        return UNKNOWN
    return f"{value:,.0f}" if value >= 9.95 or value == int(value) else f"{value:.1f}"


def when(each: Episode, course: Course) -> str:
    """When it was seen, and of which moment the evidence is."""
    began, ended = moment(each.began, course), moment(each.ended, course)
    spells = f", in {len(each.spans)} spells" if len(each.spans) > 1 else ""
    if each.ended == each.began:
        return f"Seen at {began}."
    lasted = long_duration(each.ended - each.began)
    as_it_was = f"as it was at {moment(each.at, course)}:"
    return f"Seen from {began} to {ended} ({lasted}){spells}; {as_it_was}"


def _about(course: Course, worst: Snapshot) -> Iterator[tuple[str, str]]:
    sample, host = worst.sample, worst.sample.host
    length = long_duration(course.end - course.begin)
    if not sample.of_file:
        yield "Host", f"{host.hostname}, Linux {host.kernel}, up {long_duration(host.uptime_s)}"
    end = moment(course.end, course)
    yield "Time", f"{day(course.begin)} {clock(course.begin)} to {end} UTC ({length})"
    if sample.of_file:
        yield "Samples", "1, which ss wrote"
        return
    rights = "privileged" if sample.privileged else "unprivileged"
    yield "Samples", f"{course.samples:,}, through {sample.source}, {rights}"
    yield "Recorded by", f"tcptop {sample.version}"


def _tree(course: Course) -> list[ToldEpisode]:
    """Causes, the worst first and the earliest of these, each before what it explains."""
    every = sorted(course.episodes.values(), key=lambda each: (-each.rank, each.began))
    there = {each.worst.key for each in every}
    beneath: dict[str | None, list[Episode]] = {}
    for each in every:
        cause = each.worst.because if each.worst.because in there else None
        beneath.setdefault(cause, []).append(each)
    told: list[ToldEpisode] = []
    waiting = [(each, 0) for each in reversed(beneath.pop(None, []))]
    while waiting:
        each, depth = waiting.pop()
        told.append(ToldEpisode(each, depth))
        waiting += [(one, depth + 1) for one in reversed(beneath.pop(each.worst.key, []))]
    told += [ToldEpisode(one, 0) for rest in beneath.values() for one in rest]  # a circle
    return told


def _sentences(course: Course, told: Sequence[ToldEpisode], host: str) -> tuple[str, ...]:
    """What was found, the worst of it, and how it ended."""
    causes = [each.episode for each in told if not each.depth]
    watched = _watched(course, host)
    if not causes:
        return (
            f"{watched}, and found nothing that is wrong.",
            _busiest(course),
            "What it could not see is at the end.",
        )
    effects = len(told) - len(causes)
    explained = "that it explains" if len(causes) == 1 else "that these explain"
    more = f", and {effects} more {explained}" if effects else ""
    if course.samples == 1:
        return f"{watched}, and found {_kinds(causes)}{more}.", _worst_told(course, causes[0])
    return (
        f"{watched}, and found {_kinds(causes)}{more}.",
        _worst_told(course, causes[0]),
        _ending(course, causes),
    )


def _watched(course: Course, host: str) -> str:
    if course.samples == 1:
        return f"At {moment(course.begin, course)} UTC tcptop looked at {host} once"
    span = f"From {moment(course.begin, course)} to {moment(course.end, course)} UTC"
    return f"{span} tcptop watched {host} in {count(course.samples, 'sample')}"


def _busiest(course: Course) -> str:
    most = course.host["sockets"]
    if not most.most:
        return "There was no socket."
    there = "was" if most.most == 1 else "were"
    at_most = f"There {there} {count(most.most, 'socket')} at most"
    return f"{at_most}, at {moment(most.most_at, course)}." if course.samples > 1 else f"{at_most}."


def _kinds(causes: Sequence[Episode]) -> str:
    """1 critical finding, 2 warnings and 1 notice"""
    names = {"critical": "critical finding", "warning": "warning", "info": "notice"}
    numbers = {name: sum(e.worst.severity == each for e in causes) for each, name in names.items()}
    return joined([count(number, name) for name, number in numbers.items() if number])


def _worst_told(course: Course, worst: Episode) -> str:
    if course.samples == 1:
        return f"The worst: {worst.worst.title.rstrip('.')}."
    seen = f"first seen at {moment(worst.began, course)}"
    if worst.ended > worst.began:
        seen += f", last at {moment(worst.ended, course)}"
    if len(worst.spans) > 1:
        seen += f", in {len(worst.spans)} spells"
    title = worst.worst.title.rstrip(".")
    return f"The worst, at {moment(worst.at, course)}: {title} ({seen})."


def _ending(course: Course, causes: Sequence[Episode]) -> str:
    left = [each for each in causes if course.end - each.ended <= course.gap_s]
    if not left:
        last = max(each.ended for each in causes)
        return f"None of it was seen after {moment(last, course)}."
    if len(left) == len(causes):
        return "At the end " + ("it was still there." if len(left) == 1 else "all was still there.")
    if len(left) == 1:
        return f"At the end this was still there: {left[0].worst.title.rstrip('.')}."
    return f"At the end {len(left)} of these were still there."


def _charts(course: Course) -> Iterator[Chart]:
    """Those on which something moves."""
    yield from _states(course)
    yield from _queues(course)
    yield from _destinations(course)
    for title, names in (
        ("Connections opened and closed per second",
         {"opens_per_s": "opened", "closes_per_s": "closed"}),
        ("Drops and resets per second",
         {"listen_drops_per_s": "drops at listeners", "resets_sent_per_s": "resets sent",
          "connections_reset_per_s": "connections reset"}),
        ("Segments retransmitted per second", {"retransmits_per_s": "retransmits"}),
    ):  # fmt: skip
        lines = [ChartLine(words, course.host[name]) for name, words in names.items()
                 if name in course.host and course.host[name].most > 0]  # fmt: skip
        if lines:
            yield Chart(title, tuple(lines))
    lines = [ChartLine("".join(key), band) for key, band in _risen(course) if key in BAD][:3]
    if lines:
        yield Chart("Kernel counters that mean trouble, per second", tuple(lines))


BAD = {(each.section, each.name) for each in CATALOGUE if each.bad}


def _states(course: Course) -> Iterator[Chart]:
    known = [(name, course.host[name]) for name in OPEN if name in course.host]
    most = max((band.most for _, band in known), default=0.0)
    names = dict(zip((name.lower() for name in tcp.STATES[1:]), tcp.SS_STATES[1:], strict=True))
    told = [ChartLine(names[name], band) for name, band in known if band.most > most * ASIDE]
    told.sort(key=lambda line: -line.band.most)
    if told:
        yield Chart("Sockets by state", tuple(told[:5]))


def _queues(course: Course) -> Iterator[Chart]:
    busy = sorted(course.listeners.values(), key=lambda each: (-each.fullest, -each.used.most))
    for each in busy[:2]:
        if each.used.most > 0 and (each.fullest >= 0.2 or each.dropped.most > 0):
            limit = (f"{each.capacity:,.0f} fit", each.capacity) if each.capacity > 0 else None
            title = f"Accept queue of {each.name}"
            yield Chart(title, (ChartLine("connections that wait", each.used),), limit)


def _destinations(course: Course) -> Iterator[Chart]:
    full = sorted(course.destinations.values(), key=lambda each: -each.fullest)
    for each in full[:1]:
        if each.fullest >= 0.1:
            limit = f"{each.capacity:,.0f} ports", each.capacity
            yield Chart(f"Local ports to {each.name}", (ChartLine("used", each.used),), limit)


def _risen(course: Course) -> list[tuple[tuple[str, str], ColumnBand]]:
    """Counters by how fast they rose, those that mean trouble first."""
    found = [(key, band) for key, band in course.counters.items() if band.most > 0]
    return sorted(found, key=lambda each: (each[0] not in BAD, -each[1].most))


def _counters(course: Course) -> TextTable:
    meant = {(each.section, each.name): each.meaning for each in CATALOGUE}
    rows = tuple(
        ("".join(key), f"{band.most:,.1f}", moment(band.most_at, course), meant[key])
        for key, band in _risen(course)[:COUNTERS]
    )
    heads = ("Counter", "Most per second", "at", "What it counts")
    return TextTable("Counters of the kernel that rose", heads, (False, True, False, False), rows)


def _limits(course: Course, worst: Snapshot) -> TextTable:
    """Of the reader's own namespace, and of others what changed."""
    sample = worst.sample
    first = sample.namespaces[0].inode if sample.namespaces else 0
    rows = []
    for (space, name), values in sorted(course.limits.items(), key=lambda each: each[0][1]):
        if space == first or len(values) > 1:
            where = name + netns.place(worst, space)
            told = " ".join(values[-1][1].split())
            changes = ", ".join(
                f"{' '.join(value.split())} until {moment(then, course)}"
                for (_, value), (then, _) in pairwise(values)
            )
            rows.append((where, told, changes))
    heads = ("Limit", "Value", "Before")
    return TextTable("Limits of the host", heads, (False, False, False), tuple(rows))


def _unseen(course: Course) -> Iterator[str]:
    for begin, end in course.gaps[:5]:
        span = f"from {moment(begin, course)} to {moment(end, course)}"
        yield f"There is no sample {span} ({long_duration(end - begin)})."
    if (more := len(course.gaps) - 5) > 0:
        yield f"There {'is' if more == 1 else 'are'} {count(more, 'more gap')} between samples."
    for at, by in course.steps[:5]:
        yield f"Before {moment(at, course)} {_step(by)}."
    for at in course.booted:
        yield f"The host was booted before {moment(at, course)}."
    yield from course.notes.values()


def _step(by_s: float) -> str:
    """The clock that it is compared with stands still while a host sleeps."""
    if by_s < 0:
        return f"the clock of the host was set back by {exactly(-by_s)}"
    return f"the clock of the host was set on by {exactly(by_s)}, or the host slept"


def _tables(worst: Snapshot) -> Iterator[TextTable]:
    """Of what the findings of that moment are about; of everything where there is none."""
    about = np.zeros(len(worst.sample.sockets), bool)
    for finding in worst.findings:
        about |= subject.rows(finding.subject, worst)
    selection = select(worst, among=about) if about.any() else everything(worst)
    listings: tuple[Listing, ...] = (PROCESSES, LISTENERS, PORTS, REMOTES, SOCKETS)
    titles = {each.listing.name: each.title for each in SECTIONS}
    for listing in listings:
        found: Index = places(selection, listing)
        shown = found[:ROWS]
        if len(shown):
            told = netns.told(listing) if netns.elsewhere(listing, selection, shown) else listing
            columns = [(each, each.texts(selection, shown)) for each in roomy(told.columns)]
            columns = [(each, texts) for each, texts in columns if set(texts) - {UNKNOWN, ""}]
            note = f"{len(shown)} of {len(found):,}" if len(shown) < len(found) else ""
            yield TextTable(
                titles[listing.name],
                tuple(each.title for each, _ in columns),
                tuple(each.right for each, _ in columns),
                tuple(zip(*(texts for _, texts in columns), strict=True)),
                note,
            )
