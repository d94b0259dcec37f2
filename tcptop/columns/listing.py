"""What a list is: its rows, their columns, and all that is asked of a row."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tcptop.analysis.recorded import RecordedKind
from tcptop.columns.column import Column, StyleName
from tcptop.model.dataclass import dataclass
from tcptop.model.finding import Finding
from tcptop.model.named_tuple import NamedTuple
from tcptop.model.netns import from_outside
from tcptop.model.selection import Selection
from tcptop.model.snapshot import Snapshot
from tcptop.model.table import U64, Bools, Index


class Sparkline(NamedTuple):
    """What is recorded of a row and worth a small picture."""

    metric: str
    what: str  # in words


@dataclass(frozen=True, eq=False, slots=True)
class Listing:
    """A list of the snapshot. Rows are places in it; of each there is a stable key."""

    name: str
    title: str
    short: str  # where there is no room for the title
    columns: tuple[Column, ...]
    sort_by: str
    empty: str  # why there may be no row
    rows: Callable[[Selection], Index]
    keys: Callable[[Selection, Index], U64]
    styles: Callable[[Selection, Index], Sequence[StyleName]]
    netns: Callable[[Selection, Index], NDArray[Any]] | None = None  # None: of several
    scope: Callable[[Selection, int], str] | None = None  # a filter for the sockets of a row
    command: Callable[[Selection, int], str] | None = None  # ss, nstat or sysctl that shows a row
    # Of `findings` the place of the last one about each row, -1 for none; None: none is about any.
    worst: Callable[[Selection, Index, Sequence[Finding]], Index] | None = None
    # The page that explains a row which no finding is about.
    page: Callable[[Selection, int], str | None] = lambda selection, place: None
    recorded: RecordedKind | None = None
    sparkline: Sparkline | None = None
    last: Callable[[Selection, Index, str], Bools] | None = None  # however it is sorted by a key
    whole: bool = False  # a filter chooses rows; what they count is of all sockets

    def column(self, key: str) -> Column:
        return next(column for column in self.columns if column.key == key)


def plain(selection: Selection, rows: Index) -> list[StyleName]:
    """Styles of a list whose rows all look the same."""
    return [""] * len(rows)


def ordered(listing: Listing, selection: Selection, key: str, reverse: bool) -> Index:
    """The rows of a list sorted by a column; equal ones keep the order of the last sort.

    `reverse` turns the column's natural direction round. Unknown is last, either way, and so are
    the list's own `last`.
    """
    rows = listing.rows(selection)
    column = listing.column(key)
    values = column.values(selection, rows)
    order = np.argsort(values, kind="stable")
    if column.largest_first != reverse:
        order = order[::-1]
    if values.dtype.kind == "f":
        unknown = np.isnan(values[order])
        order = np.concatenate([order[~unknown], order[unknown]])
    if listing.last is not None:
        late = listing.last(selection, rows, key)[order]
        order = np.concatenate([order[~late], order[late]])
    return rows[order]


def netns_of(listing: Listing, selection: Selection, place: int) -> int:
    """The namespace of a row; the first one where it is of several. `place` is that in the
    snapshot's list."""
    if listing.netns is not None:
        return int(listing.netns(selection, np.array([place]))[0])
    spaces = selection.snapshot.sample.namespaces
    return spaces[0].inode if spaces else 0


def scope_of(listing: Listing, selection: Selection, place: int) -> str:
    """A filter for the sockets of a row, in words that the user could have typed."""
    assert listing.scope is not None
    text = listing.scope(selection, place)
    if listing.netns is None:
        return text
    return text + within(selection.snapshot, netns_of(listing, selection, place))


def within(snapshot: Snapshot, netns: int) -> str:
    """What follows a filter for its namespace, where more than one is looked at."""
    return f" and netns = {netns}" if len(snapshot.sample.namespaces) > 1 else ""


def shell_command(
    listing: Listing, selection: Selection, place: int, inside: str | None = None
) -> str:
    """The command that shows the same as a row; empty where none does.

    `inside` is the name of the namespace that the row is in, or the pid of a process there (all
    digits); None is the shell's own.
    """
    command = listing.command(selection, place) if listing.command is not None else ""
    return from_outside(command, inside) if command and inside is not None else command
