"""What is on the screen, as Markdown for a ticket."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from tcptop.columns import Column
from tcptop.columns.marks import KEY as MARK
from tcptop.model.cells import safe
from tcptop.model.finding import Finding
from tcptop.model.named_tuple import NamedTuple
from tcptop.model.selection import Selection
from tcptop.model.table import Index
from tcptop.tui import export
from tcptop.tui.help import PageModel
from tcptop.tui.models import ListingModel
from tcptop.tui.panes.rows import PaneModel
from tcptop.tui.session import Session
from tcptop.tui.tree_model import TreeModel
from tcptop.tui.widgets.layout import CopiedModel, Line, TableModel
from tcptop.tui.widgets.lines import Diagram
from tcptop.tui.widgets.table import Table
from tcptop.views import markdown
from tcptop.views.foreign import code, prose

FENCE = "~~~~"  # which no line of ours begins with


class OnScreen(NamedTuple):
    """What is shown: rows of a list, a finding, or lines of whatever else."""

    title: str
    selection: Selection
    command: str = ""  # that shows the same
    places: Index | None = None  # of the rows of a list
    columns: Sequence[Column] = ()
    finding: Finding | None = None
    lines: Sequence[str] = ()


def text(shown: OnScreen) -> str:
    """The file's contents."""
    return "".join(f"{line}\n" for line in _lines(shown))


def _lines(shown: OnScreen) -> Iterator[str]:
    yield from markdown.summary(shown.selection)
    yield from ("", f"### {prose(safe(shown.title))}", "")
    if shown.finding is not None:
        yield from markdown.finding(shown.finding, shown.selection.snapshot)
    elif shown.places is not None:
        yield from markdown.table(shown.selection, shown.columns, shown.places)
    else:
        yield from (FENCE, *shown.lines, FENCE)
    if shown.command and shown.finding is None:
        yield from ("", f"Shown by {code(shown.command)}.")


def on_screen(
    session: Session, table: Table, picture: Diagram[Any] | None, netns: int
) -> OnScreen | None:
    """What is shown, or None before the first sample; commands are for a shell in `netns`."""
    shown, watched, model = session.shown, session.watched, table.model
    if shown is None:
        return None
    row = session.row_of(picture.chosen if picture is not None else table.cursor)
    command = export.command(*row, netns) if row is not None else ""
    told = OnScreen(_title(session, model), shown.selection, command)
    if picture is not None:
        return told._replace(lines=[_plain(line) for line in picture.lines])
    if watched is not None and watched.finding is not None:
        return told._replace(finding=watched.finding)
    if isinstance(model, ListingModel) and not isinstance(model, TreeModel):
        shown_keys = [column.key for column in table.columns_shown]
        wanted = {*shown_keys, *markdown.WANTED} - {MARK}
        columns = [column for column in model.listing.columns if column.key in wanted]
        return told._replace(columns=columns, places=model.places(table.rows_shown))
    return told._replace(lines=whole_lines(model) if model is not None else ())


def _title(session: Session, model: TableModel | None) -> str:
    """Of the place: the pane's, the page's, or the view's."""
    here = session.here
    if isinstance(model, PaneModel | PageModel) and not here.listing:
        return model.columns[0].title
    if here.listing or not (here.help or here.changes):
        return session.view.listing.title
    return "Help" if here.help else "Changes"


def whole_lines(model: TableModel) -> list[str]:
    """What a table shows, each thing once however many lines it has there."""
    told = ["  ".join(title for title in (each.title for each in model.columns) if title)]
    for row in range(len(model)):
        line = _text(model, row)
        if not told or told[-1] != line:
            told.append(line)
    return told


def _text(model: TableModel, row: int) -> str:
    if isinstance(model, CopiedModel):
        return model.copied(row)
    cells = model.cells(row, model.columns)
    return "  ".join(cell if isinstance(cell, str) else cell[0] for cell in cells).rstrip()


def _plain(line: Line) -> str:
    """Without looks."""
    return "".join(text for text, _ in line).rstrip()
