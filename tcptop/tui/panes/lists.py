"""Parts of the lists in a pane: rows that can be opened, under their titles."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from tcptop.analysis import subject
from tcptop.columns import FINDINGS, Listing, findings, sockets, units
from tcptop.columns import column as columns
from tcptop.columns.marks import KEY as MARKS
from tcptop.columns.marks import STYLES
from tcptop.model import tcp
from tcptop.model.table import Index
from tcptop.tui.panes.row import MARK, PaneRow, Scene, Target, heading, opening, wrapped
from tcptop.tui.viewing import live_listing
from tcptop.tui.widgets import layout
from tcptop.tui.widgets.layout import Cell, TableColumn

MOST = 40  # rows of a list in a pane; the list itself is one key away
STUCK = sockets.TROUBLE[tcp.ESTABLISHED]  # what is before it in that order waits for something


class Excerpt(NamedTuple):
    """A part of a list, without some of its columns.

    `first` is a column of its own before them.
    """

    listing: Listing
    title: str
    without: tuple[str, ...] = ()
    first: TableColumn | None = None
    more: str = ""  # to be known of all of it


def excerpt(
    scene: Scene, part: Excerpt, rows: Index, first: Sequence[Cell] = ()
) -> Iterator[PaneRow]:
    """The rows with the columns that fit, nothing where there are none; `rows` are places in the
    list of the snapshot, `first` their cells in the column before."""
    if not len(rows):
        return
    counted = f"{MOST} of {len(rows):,}" if len(rows) > MOST else f"{len(rows):,}"
    yield heading(part.title, f"{counted}  {part.more}".rstrip())
    rows, shown = rows[:MOST], live_listing(part.listing, scene.snapshot.idle_timeout_s)
    kept = layout.fit(_columns(part), scene.room.width - len(MARK))
    sizes = layout.widths(kept, scene.room.width - len(MARK))
    titles = layout.header_line(kept, sizes, None, False)
    yield PaneRow(("titles", part.title), ((" " * len(MARK) + titles, "dim"),))
    cells = [
        first[:MOST] if column is part.first else _cells(scene, shown.column(column.key), rows)
        for column in kept
    ]
    styles = shown.styles(scene.selection, rows)
    keys = shown.keys(scene.selection, rows).tolist()
    for key, style, *row in zip(keys, styles, *cells, strict=True):
        line = layout.row_line(row, kept, sizes, style)
        yield opening((part.title, key), line, Target(part.listing, key))


def _columns(part: Excerpt) -> list[TableColumn]:
    names = ("key", "title", "width", "right", "flex", "priority", "tail", "least")
    every, without = live_listing(part.listing).columns, (MARKS, *part.without)
    shown = [each for each in every if each.key not in without]
    made = [TableColumn(*(getattr(each, name) for name in names)) for each in shown]
    return [part.first, *made] if part.first is not None else made


def _cells(scene: Scene, column: columns.Column, rows: Index) -> Sequence[Cell]:
    texts = column.texts(scene.selection, rows)
    styles = column.styles(scene.selection, rows) if column.styles else None
    return list(zip(texts, styles, strict=True)) if styles else texts


def worst_first(scene: Scene, rows: Index) -> Index:
    """Sockets in the order in which one looks at them: those on which something waits first.

    Only as many as a list shows are sorted; equals keep their order, so that nothing takes turns.
    """
    table = scene.table
    trouble = sockets.TROUBLE[table.state[rows]]
    queued = table.recv_q[rows].astype(np.int64) + table.send_q[rows]
    sound = (trouble >= STUCK) & (queued == 0)
    rank = ((sound.astype(np.int64) << 38) - (queued << 4) + trouble) * len(rows)
    rank += np.arange(len(rows))
    if len(rows) > MOST:
        return rows[np.argpartition(rank, range(MOST))]
    return rows[np.argsort(rank)]


def found(scene: Scene, rows: Index, pids: frozenset[int] = frozenset()) -> Iterator[PaneRow]:
    """The findings about any of these sockets, or about the processes."""
    for each in scene.snapshot.findings:
        concerned = subject.rows(each.subject, scene.snapshot)[rows].any()
        if concerned or pids.intersection(each.subject.pids):
            style, goal = STYLES[each.severity], Target(FINDINGS, findings.number(each.key))
            name, title = findings.severity(each), units.safe(each.title)
            yield from wrapped(scene.room, name, title, style, goal, most=2)


def states(scene: Scene, rows: Index) -> str:
    """`9 sockets: 7 ESTAB, 1 CLOSE-WAIT, 1 LISTEN`, the most first."""
    counts = np.bincount(scene.table.state[rows], minlength=len(tcp.STATES))
    order = np.argsort(-counts, kind="stable").tolist()
    parts = [f"{counts[state]:,} {tcp.SS_STATES[state]}" for state in order if counts[state]]
    number = f"{len(rows):,} socket{'' if len(rows) == 1 else 's'}"
    return f"{number}: {', '.join(parts)}" if parts else number


def own_counts(group: Index, rows: Index) -> tuple[Index, Index]:
    """The groups that these sockets belong to and how many of them, the most first."""
    of = group[rows]
    numbers, counts = np.unique(of[of >= 0], return_counts=True)
    order = np.argsort(-counts, kind="stable")
    return numbers[order], counts[order]
