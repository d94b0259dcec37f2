"""`tcptop report FILE`: a post-mortem of a recording, as one HTML page or as Markdown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tcptop import ending
from tcptop.commands import recorded
from tcptop.commands.errors import DONE, CommandError
from tcptop.commands.moments import refuse_empty
from tcptop.options import ReportOptions, UsageError
from tcptop.views import output

if TYPE_CHECKING:
    from tcptop.analysis.watch import WatchLoop
    from tcptop.sources.recording.source import RecordingSource
    from tcptop.views.report.page import PostMortem

HTML = (".html", ".htm")
MARKDOWN = (".md", ".markdown")


def run(chosen: ReportOptions) -> int:
    """Go through the samples once."""
    from tcptop.views.report import html, markdown

    ending.before_the_end.append(output.remove_unfinished)
    writer = html if _is_html(chosen) else markdown
    if chosen.output not in (None, "-"):
        output.refuse_directory(chosen.output)
    made = _of_dump(chosen) if _is_dump(chosen.file) else _of_recording(chosen)
    with output.opened(chosen.output) as out:
        writer.write(made, out)
    return DONE


def _is_dump(path: str) -> bool:
    """Or else a recording. Raises CommandError for a JSON snapshot."""
    from tcptop.sources import file_kind

    kind = file_kind.kind(path)
    if kind == file_kind.SNAPSHOT:
        other = f"tcptop check --from {path}"
        raise CommandError(f"{path}: a JSON snapshot is one moment, without a course: {other}")
    return kind == file_kind.DUMP


def _of_dump(chosen: ReportOptions) -> PostMortem:
    """Of the moment that it is, with what it cannot tell."""
    from tcptop.commands.compared import of_dump
    from tcptop.views.report.course import Course
    from tcptop.views.report.page import page

    for option, text in {"--begin": chosen.begin, "--end": chosen.end}.items():
        if text is not None:
            why = f"{chosen.file} is one moment"
            raise UsageError(f"tcptop: report: {option} is of recordings, and {why}")
    snapshot, _ = of_dump(chosen.file, chosen, chosen.redact)
    course = Course(snapshot.sample.taken_at, snapshot.sample.taken_at)
    course.add(snapshot)
    return page(course, chosen.title)


def _of_recording(chosen: ReportOptions) -> PostMortem:
    with recorded.watched(chosen.file, chosen, redact=chosen.redact) as (recording, loop):
        return _page(chosen, recording, loop)


def _is_html(chosen: ReportOptions) -> bool:
    """By the file's ending; Markdown to stdout."""
    name = (chosen.output or "-").lower()
    if name.endswith(HTML):
        return True
    if name == "-" or name.endswith(MARKDOWN):
        return False
    raise UsageError(f"tcptop: report: -o {chosen.output}: neither .html nor .md")


def _page(chosen: ReportOptions, recording: RecordingSource, loop: WatchLoop) -> PostMortem:
    from tcptop.views.report.course import Course
    from tcptop.views.report.page import page

    begin, end = recorded.span(recording, chosen.begin, chosen.end)
    first, last = recording.extent
    course: Course | None = None
    for snapshot in recorded.between(recording, loop, begin, end):
        at = snapshot.sample.taken_at
        course = course or Course(first if chosen.begin is None else at, max(min(end, last), at))
        course.add(snapshot)
    if course is None:
        refuse_empty(chosen.file, recording.extent)
    assert course is not None
    return page(course, chosen.title)
