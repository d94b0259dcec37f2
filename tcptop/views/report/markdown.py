"""The report for a ticket."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TextIO

from tcptop import __version__
from tcptop.columns.units import UNKNOWN
from tcptop.views.foreign import code, code_cell, prose
from tcptop.views.report.page import PostMortem, TextTable, moment, number, when


def write(page: PostMortem, out: TextIO) -> None:
    out.writelines(f"{line}\n" for line in _lines(page))


def _lines(page: PostMortem) -> Iterator[str]:
    course = page.course
    yield f"# {prose(page.title)}"
    yield ""
    yield " ".join(prose(sentence) for sentence in page.sentences)
    yield ""
    yield from (f"- {name}: {prose(value)}" for name, value in page.about)
    if page.told:
        yield from ("", "## Findings", "")
    for told in page.told:
        finding, indent = told.episode.worst, "  " * told.depth
        link = "hence " if told.depth else ""
        yield f"{indent}- {link}**{finding.severity.upper()}**: {prose(finding.title)} " + (
            f"({code(finding.id)})"
        )
        yield f"{indent}  - {prose(when(told.episode, course))}"
        yield from (f"{indent}  - {prose(sentence)}" for sentence in finding.evidence)
        yield from (f"{indent}  - Process: {code(who)}" for who in told.episode.people)
        if finding.advice:
            yield f"{indent}  - What to do: {prose(finding.advice)}"
        if finding.confirm:
            yield f"{indent}  - How to confirm: {code(finding.confirm)}"
    if page.more:
        yield f"- {page.more} more {'is' if page.more == 1 else 'are'} left out."
    yield from ("", "## Course", "")
    yield from _row("Number", "Least", "Most", "at", "Last")
    yield "| --- | --: | --: | --- | --: |"
    for chart in page.charts:
        limit = f" ({chart.limit[0]})" if chart.limit else ""
        for line in chart.lines:
            band = line.band
            yield from _row(
                code_cell(f"{chart.title}: {line.name}{limit}"),
                number(band.least),
                number(band.most),
                moment(band.most_at, course),
                number(band.last),
            )
    yield from ("", f"## Who was concerned, at {moment(page.moment, course)}")
    for table in (*page.tables, page.counters, page.limits):
        yield from _table(table)
    if page.unseen:
        yield from ("", "## What could not be seen", "")
        yield from (f"- {code(note)}" for note in page.unseen)
    yield from ("", f"Made by tcptop {__version__} report. All times are UTC.")


def _table(table: TextTable) -> Iterator[str]:
    if not table.rows:
        return
    note = f" ({table.note})" if table.note else ""
    yield from ("", f"### {table.title}{note}", "")
    yield from _row(*table.heads)
    yield from _row(*("--:" if right else "---" for right in table.right))
    for row in table.rows:
        cells = zip(row, table.right, strict=True)
        yield from _row(*(c if right or c in (UNKNOWN, "") else code_cell(c) for c, right in cells))


def _row(*cells: str) -> Iterator[str]:
    yield f"| {' | '.join(cells)} |"
