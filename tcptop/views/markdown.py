"""What one pastes into a ticket: summary, findings, then the worst of the lists."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from typing import TextIO

from tcptop import __version__
from tcptop.analysis.gathered import gathered
from tcptop.columns import (
    CLOSED,
    LISTENERS,
    PORTS,
    PROCESSES,
    REMOTES,
    SOCKETS,
    Column,
    Listing,
    netns,
    ordered,
    ports,
    processes,
    remotes,
)
from tcptop.columns.units import UNKNOWN, long_duration
from tcptop.model.finding import Finding
from tcptop.model.named_tuple import NamedTuple
from tcptop.model.netns import from_outside, reaching
from tcptop.model.selection import Selection
from tcptop.model.snapshot import Snapshot
from tcptop.model.table import Index
from tcptop.views import findings
from tcptop.views.foreign import code, code_cell, prose
from tcptop.views.head import said
from tcptop.views.lists import LISTS
from tcptop.views.rows import rfc3339
from tcptop.views.text import states, unowned

ROWS = 10  # a list, where nobody said how many
WANTED = ("unit", "cmdline")  # whatever their priority: a ticket says whose processes these are
ROOMY = 3  # columns that go first on a narrow terminal are not for a ticket either


class Section(NamedTuple):
    """The heading of a list, the options with which ss shows it, and whether it comes unasked."""

    listing: Listing
    title: str
    options: str
    usual: bool = False


SECTIONS = (
    Section(LISTENERS, "Listeners, fullest accept queue first", "-ltnpm", True),
    Section(PORTS, "Destinations, fewest free ephemeral ports first", "-tanp", True),
    Section(PROCESSES, "Processes, most sockets first", "-tanp", True),
    Section(REMOTES, "Remote addresses, most sockets first", "-tan"),
    Section(SOCKETS, "Sockets", "-tanpoi"),
    Section(CLOSED, "Connections that have ended, newest first", "-tiE"),
)


def write(
    selection: Selection,
    out: TextIO,
    only: frozenset[str] = frozenset(),
    limit: int | None = None,
) -> None:
    """Sockets and remotes come only when asked for; all findings, and ten rows of every other
    list unless `limit` is given."""
    out.write("\n".join(summary(selection)) + "\n")
    if "findings" in (only or ("findings",)):
        out.writelines(f"{line}\n" for line in _findings(selection, limit))
    for section in SECTIONS:
        if section.listing.name in only if only else section.usual:
            out.writelines(f"{line}\n" for line in _section(gathered(selection), section, limit))


def summary(selection: Selection) -> Iterator[str]:
    snapshot = selection.snapshot
    sample, totals = snapshot.sample, snapshot.totals
    host = sample.host
    yield f"## TCP of {code(host.hostname or 'a host not known')} at {rfc3339(sample.taken_at)}"
    yield ""
    if host.kernel:
        yield f"- Host: Linux {code(host.kernel)}, up {long_duration(host.uptime_s)}"
    yield f"- Sampled: {_sampled(selection)}, by tcptop {__version__}"
    if selection.filter is not None:
        yield f"- Filter: {code(selection.filter)}"
    yield f"- Sockets: {totals.sockets}, {len(selection.rows)} of them selected"
    yield f"- States: {states(totals.by_state)}"
    hint = [selection.hint] if selection.hint else []
    for note in (*hint, *said(snapshot), *unowned(snapshot)):
        yield f"- Note: {code(note)}"


def _sampled(selection: Selection) -> str:
    sample, over_s = selection.snapshot.sample, selection.snapshot.over_s
    watched = "once" if over_s is None else f"for {long_duration(over_s)}"
    if sample.of_file:
        return "once, by ss"
    rights = "privileged" if sample.privileged else "unprivileged"
    via = "" if sample.via is None else f" via {code(sample.via)}"
    return f"{watched}, through {code(sample.source)}{via}, {rights}, in {sample.poll_ms:.0f} ms"


def _findings(selection: Selection, limit: int | None) -> Iterator[str]:
    shown = findings.chosen(selection, selection.findings[:limit])
    if not shown:
        return
    every = len(selection.findings)
    yield from ("", f"### Findings{_share(len(shown), every)}", "")
    for each in findings.told(shown):
        told = _finding(each, selection.snapshot)
        yield from ("  " * each.depth + line for line in told)


def finding(found: Finding, snapshot: Snapshot) -> Iterator[str]:
    """One, with evidence, processes, advice and the command that confirms it."""
    for each in findings.told([found]):
        yield from _finding(each, snapshot)


def _finding(each: findings.Branch, snapshot: Snapshot) -> Iterator[str]:
    about, link = each.finding, "hence " if each.depth else ""
    title = f"{link}**{about.severity.upper()}**: {prose(about.title)}"
    yield f"- {title} ({code(about.id)}){each.also}"
    if about.since is not None:
        yield f"  - {findings.since(about.since, snapshot.sample.taken_at)}"
    for sentence in about.evidence:
        yield f"  - {prose(sentence)}"
    for started in findings.culprits(snapshot, about):
        yield f"  - Process: {code(started)}"
    if about.advice:
        yield f"  - Advice: {prose(about.advice)}"
    if about.confirm:
        yield f"  - Confirm: {code(about.confirm)}"


def _share(shown: int, every: int) -> str:
    return f" ({shown} of {every})" if shown < every else ""


def _section(selection: Selection, section: Section, limit: int | None) -> Iterator[str]:
    every = places(selection, section.listing)
    shown = every[: ROWS if limit is None else limit]
    if not len(shown):
        return
    yield ""
    yield f"### {section.title}{_share(len(shown), len(every))}"
    yield ""
    listing = section.listing
    if netns.elsewhere(listing, selection, shown):
        listing = netns.told(listing)
    yield from table(selection, roomy(listing.columns), shown)
    yield ""
    yield _shown_by(selection, section, shown)


def places(selection: Selection, listing: Listing) -> Index:
    """Those of processes as on the screen: the ended ones last."""
    if listing is PROCESSES:
        return ordered(listing, selection, listing.sort_by, reverse=False)
    return LISTS[listing.name].order(selection)


def roomy(columns: Sequence[Column]) -> list[Column]:
    return [each for each in columns if each.priority <= ROOMY or each.key in WANTED]


def table(selection: Selection, columns: Sequence[Column], rows: Index) -> Iterator[str]:
    """A table of the columns that are known of any of the rows."""
    filled = [(column, column.texts(selection, rows)) for column in columns]
    filled = [(column, texts) for column, texts in filled if set(texts) - {UNKNOWN, ""}]
    yield _row([column.title for column, _ in filled])
    yield _row(["--:" if column.right else "---" for column, _ in filled])
    for number in range(len(rows)):
        yield _row([_cell(column, texts[number]) for column, texts in filled])


def _cell(column: Column, words: str) -> str:
    return words if column.right or words == UNKNOWN else code_cell(words)


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _shown_by(selection: Selection, section: Section, shown: Index) -> str:
    """The command, which of several namespaces looks at one; typed into a shell of the reader's."""
    sample, place = selection.snapshot.sample, int(shown[0])
    command, spaces = _command(selection, section, place), section.listing.netns
    inodes = spaces(selection, shown) if spaces is not None else shown[:0]
    inside = None
    if len(inodes) and netns.elsewhere(section.listing, selection, shown[:1]):
        inside = reaching(sample, int(inodes[0]))
    each = ", the same in each network namespace" if len({*inodes.tolist()}) > 1 else ""
    return f"Shown by {code(from_outside(command, inside) if inside else command)}{each}."


def _command(selection: Selection, section: Section, place: int) -> str:
    """What shows the same of the whole list, or of its first row."""
    ss = " ".join(["ss", *_namespace(selection), section.options])
    if section.listing is PORTS:
        return f"{ss} '{ports.scope(selection, place)}'"
    if section.listing is REMOTES:
        return f"{ss} '{remotes.scope(selection, place)}'"
    process = processes.process(selection, place) if section.listing is PROCESSES else None
    return ss if process is None else f"{ss} | grep pid={process.pid},"


def _namespace(selection: Selection) -> list[str]:
    """ss enters a namespace that has a name."""
    spaces = selection.snapshot.sample.namespaces
    name = spaces[0].name if len(spaces) == 1 else None
    return ["-N", shlex.quote(name)] if name else []
