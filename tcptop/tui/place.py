"""Places: what the screen shows, and the way back."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import replace

from tcptop.analysis.clause import NO_FILTER, Clause
from tcptop.columns import SOCKETS
from tcptop.model.dataclass import dataclass
from tcptop.model.finding import Subject

CONTENTS = ""  # the page that lists the pages


@dataclass(frozen=True, slots=True)
class About:
    """The sockets of a finding: of what it is about now, or was when it was opened."""

    key: str
    subject: Subject


@dataclass(frozen=True, slots=True)
class Place:
    """A view, with the filter that was drilled into; or all of one item of it; or a text."""

    view: str
    scope: Clause = NO_FILTER
    about: About | None = None  # what no filter says
    item: int | None = None  # the key of its row
    changes: bool = False  # since the mark
    help: bool = False
    page: str | None = None  # the name of a page, or CONTENTS
    followed: Hashable | None = None  # the row to come back to

    @property
    def listing(self) -> bool:
        """Whether it is a list of what was seen, and neither all of one item nor a text."""
        others = self.item is not None or self.changes or self.help or self.page is not None
        return not others


def sockets_where(text: str) -> Place:
    """The connections that a filter without names selects."""
    from tcptop.analysis import filter as language

    return Place(SOCKETS.name, Clause(text, language.parse(text)))


@dataclass(frozen=True, slots=True)
class Sort:
    key: str
    reverse: bool = False


@dataclass(frozen=True, slots=True)
class Trail:
    """The places from the first view to the present one."""

    places: tuple[Place, ...]

    @property
    def here(self) -> Place:
        return self.places[-1]

    def into(self, place: Place, followed: Hashable | None) -> Trail:
        """One deeper; the present row is remembered."""
        left = replace(self.here, followed=followed)
        return Trail((*self.places[:-1], left, place))

    def back(self) -> Trail:
        return Trail(self.places[:-1]) if len(self.places) > 1 else self
