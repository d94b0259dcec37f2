"""The report as one page that needs nothing else: no network, no script, no font.

Whatever comes from the recording is text: escaped, with control characters shown, and a policy in
the page's head forbids all that is not its own style.
"""

from __future__ import annotations

import html
from collections.abc import Iterator, Sequence
from typing import TextIO

from tcptop import __version__
from tcptop.model.cells import safe
from tcptop.views.report import svg
from tcptop.views.report.course import Course, Episode
from tcptop.views.report.page import (
    Chart,
    PostMortem,
    TextTable,
    ToldEpisode,
    moment,
    number,
    short,
    when,
)
from tcptop.views.report.style import STYLE

LONG = 44  # characters that stand in one line of a table
POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def write(page: PostMortem, out: TextIO) -> None:
    out.writelines(f"{line}\n" for line in _lines(page))


def _t(text: str) -> str:
    return html.escape(safe(text))


def _lines(page: PostMortem) -> Iterator[str]:
    yield "<!doctype html>"
    yield '<html lang="en"><head><meta charset="utf-8">'
    yield f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield '<meta name="color-scheme" content="light dark">'
    yield f"<title>{_t(page.title)}</title><style>{STYLE}</style></head><body><main>"
    yield f"<header><h1>{_t(page.title)}</h1>"
    yield f'<p class="lead">{" ".join(map(_t, page.sentences))}</p>'
    yield "<dl>"
    yield from (f"<div><dt>{_t(name)}</dt><dd>{_t(value)}</dd></div>" for name, value in page.about)
    yield "</dl></header>"
    yield from _timeline(page)
    yield from _charts(page)
    yield from _evidence(page)
    yield f"<h2>Who was concerned, at {_t(moment(page.moment, page.course))}</h2>"
    for table in page.tables:
        yield from _table(table)
    yield "<h2>The kernel</h2>"
    for table in (page.counters, page.limits):
        yield from _table(table)
    if page.unseen:
        yield "<h2>What could not be seen</h2><ul>"
        yield from (f"<li>{_t(note)}</li>" for note in page.unseen)
        yield "</ul>"
    yield f"<footer>Made by tcptop {__version__} report. All times are UTC.</footer>"
    yield "</main></body></html>"


def _timeline(page: PostMortem) -> Iterator[str]:
    """A bar for each finding over the time of the recording."""
    if not page.told:
        return
    yield '<h2>Timeline</h2><div class="times"><ol class="bars">'
    for told in page.told:
        each = told.episode
        link = '<span class="dim">hence</span> ' if told.depth else ""
        yield f'<li class="{_t(each.worst.severity)} d{min(told.depth, 3)}">'
        yield f'<a href="#{_anchor(page, each)}">{link}{_t(each.worst.title)}</a>'
        yield f'<div class="track">{"".join(_bars(page.course, each))}</div></li>'
    yield f"</ol>{_axis(page.course)}</div>"
    if legend := " ".join(_broken(page.course)):
        yield f'<p class="dim">{legend}</p>'
    if page.more:
        yield f"<p>{page.more} more {'is' if page.more == 1 else 'are'} left out.</p>"


def _broken(course: Course) -> Iterator[str]:
    """What the marks mean that are no findings."""
    if course.wide_gaps:
        yield "Hatched: there are no samples."
    if course.booted:
        yield "A line: the host was booted."


def _breaks(course: Course) -> Iterator[str]:
    for begin, end in course.wide_gaps:
        left, right = svg.share(course, begin) * 100, svg.share(course, end) * 100
        told = f"no sample from {moment(begin, course)} to {moment(end, course)}"
        yield f'<u style="left:{left:.2f}%;width:{right - left:.2f}%" title="{told}"></u>'
    for at in course.booted:
        left = svg.share(course, at) * 100
        yield f'<u class="boot" style="left:{min(left, 99.6):.2f}%" title="booted"></u>'


def _bars(course: Course, each: Episode) -> Iterator[str]:
    yield from _breaks(course)
    for begin, end in each.spans:
        left, right = svg.share(course, begin) * 100, svg.share(course, end) * 100
        told = f"{moment(begin, course)} to {moment(end, course)}"
        width = f"width:{max(right - left, 0.4):.2f}%"
        yield f'<i style="left:{min(left, 99.6):.2f}%;{width}" title="{told}"></i>'


def _axis(course: Course) -> str:
    """Beginning, middle and end."""
    middle = (course.begin + course.end) / 2
    ends = (course.begin, middle, course.end)
    return f'<div class="axis">{"".join(f"<span>{short(at, course)}</span>" for at in ends)}</div>'


def _anchor(page: PostMortem, each: Episode) -> str:
    return f"f{next(n for n, told in enumerate(page.told) if told.episode is each)}"


def _charts(page: PostMortem) -> Iterator[str]:
    marks = [(b, e) for told in page.told if told.episode.rank and not told.depth
             for b, e in told.episode.spans]  # fmt: skip
    if page.charts:
        yield '<h2>Course</h2><div class="charts">'
        for chart in page.charts:
            yield from _chart(page.course, chart, _united(marks))
        yield "</div>"
        if marks:
            yield '<p class="dim">Shaded: a warning or something critical was there.</p>'


def _united(marks: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Without overlaps, which would be darker."""
    united: list[tuple[float, float]] = []
    for begin, end in sorted(marks):
        if united and begin <= united[-1][1]:
            united[-1] = united[-1][0], max(end, united[-1][1])
        else:
            united.append((begin, end))
    return united


def _chart(course: Course, chart: Chart, marks: Sequence[tuple[float, float]]) -> Iterator[str]:
    bands = [line.band for line in chart.lines]
    limit = chart.limit[1] if chart.limit else None
    top = svg.nice(max([*(band.most for band in bands), limit or 0.0]))
    yield f"<figure><figcaption>{_t(chart.title)}</figcaption>"
    yield '<div class="plot"><div class="scale">'
    yield "".join(f"<span>{number(value)}</span>" for value in (top, top / 2, 0.0))
    yield f"</div>{svg.drawn(course, bands, top, limit, marks)}</div>{_axis(course)}"
    yield '<table class="legend"><thead><tr><th></th><th>least</th><th>most</th><th>at</th>'
    yield "<th>last</th></tr></thead><tbody>"
    for color, line in enumerate(chart.lines):
        band = line.band
        yield (
            f'<tr><td><b class="k{color}"></b>{_t(line.name)}</td><td>{number(band.least)}</td>'
            f"<td>{number(band.most)}</td><td>{moment(band.most_at, course)}</td>"
            f"<td>{number(band.last)}</td></tr>"
        )
    if chart.limit:
        yield f'<tr><td colspan="5"><b class="kl"></b>{_t(chart.limit[0])}</td></tr>'
    yield "</tbody></table></figure>"


def _evidence(page: PostMortem) -> Iterator[str]:
    if page.told:
        yield "<h2>Findings</h2>"
    for told in page.told:
        yield from _finding(page, told)


def _finding(page: PostMortem, told: ToldEpisode) -> Iterator[str]:
    each, course = told.episode, page.course
    finding = each.worst
    kind = f"{_t(finding.severity)} d{min(told.depth, 3)}"
    yield f'<article id="{_anchor(page, each)}" class="{kind}">'
    link = "hence " if told.depth else ""
    yield f'<h3><span class="chip">{link}{_t(finding.severity)}</span> {_t(finding.title)}</h3>'
    yield f'<p class="dim">{_t(when(each, course))}</p><ul>'
    yield from (f"<li>{_t(sentence)}</li>" for sentence in finding.evidence)
    yield from (f"<li>Process: <code>{_t(who)}</code></li>" for who in each.people)
    yield "</ul>"
    if finding.advice:
        yield f"<p><strong>What to do.</strong> {_t(finding.advice)}</p>"
    if finding.confirm:
        yield f"<p><strong>How to confirm.</strong></p><pre>{_t(finding.confirm)}</pre>"
    yield f'<p class="dim">More: <code>tcptop explain {_t(finding.id)}</code></p></article>'


def _table(table: TextTable) -> Iterator[str]:
    if not table.rows:
        return
    note = f' <span class="dim">({_t(table.note)})</span>' if table.note else ""
    yield f'<h3>{_t(table.title)}{note}</h3><div class="wide"><table><thead><tr>'
    sides = [' class="r"' if right else "" for right in table.right]
    heads = zip(table.heads, sides, strict=True)
    yield "".join(f"<th{side}>{_t(head)}</th>" for head, side in heads)
    yield "</tr></thead><tbody>"
    for row in table.rows:
        cells = zip(row, sides, strict=True)
        yield f"<tr>{''.join(_cell(cell, side) for cell, side in cells)}</tr>"
    yield "</tbody></table></div>"


def _cell(text: str, side: str) -> str:
    long = ' class="t"' if len(text) > LONG else side
    return f"<td{long}>{_t(text)}</td>"
