"""What a column is: described once, used by the tables, the text output and the help."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from numpy.typing import NDArray

from tcptop.model.dataclass import dataclass
from tcptop.model.selection import Selection
from tcptop.model.table import Index

Values = Callable[[Selection, Index], NDArray[Any]]  # of some rows of a list, to sort by
Texts = Callable[[Selection, Index], Sequence[str]]  # of the same rows, to show
LABEL_CELLS = 30  # that a name may take before other columns have what they need
StyleName = str  # "", "dim", "good", "warn" or "bad"


@dataclass(frozen=True)
class Column:
    key: str
    title: str
    width: int
    meaning: str  # one sentence, for the help
    values: Values
    texts: Texts
    right: bool = False
    flex: bool = False
    priority: int = 0  # the highest goes first where the terminal is narrow
    least: int = 0  # to which it shrinks before others go; 0: it does not
    grow: int = 50  # a flex one gets what its texts need before columns of a higher priority do
    most: int = 0  # cells to which it grows before all others have what they need; 0: any number
    tail: str = ""  # where it is cut, what follows the last "/" stays; of ":" the middle goes
    # What is 0 where the column says nothing that matters, and so may give way: of numbers their
    # values, unless this says otherwise; of texts whether there is any.
    telling: Values | None = None
    styles: Callable[[Selection, Index], Sequence[StyleName]] | None = None
    largest_first: bool = True  # what a first sort by this column shows on top


def shown(show: Callable[[float], str], values: Values) -> Texts:
    """Texts of a numeric column: each value through one function of `units`."""
    return lambda selection, rows: [show(value) for value in values(selection, rows).tolist()]
