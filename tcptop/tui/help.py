"""The help and the explain pages, as what a table shows."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence

from tcptop.columns import Listing
from tcptop.columns.detail import Fact
from tcptop.explain import Page, pages
from tcptop.model.cells import cell_width, wrap
from tcptop.model.named_tuple import NamedTuple
from tcptop.tui import keys
from tcptop.tui.header import NOTED
from tcptop.tui.widgets.layout import Cell, TableColumn

HEAD = (
    (NOTED, "Something could not be seen: the notes above say what, and how to see it."),
    ("poll", "How long the last sample took."),
    (
        "saw 93% of opens",
        "Of the connections that the kernel counted as opened since the start, those that tcptop "
        "saw; the others were too short.",
    ),
    ("cpu", "tcptop's own CPU use, of one core."),
    ("LIVE", "Refreshed, and how often; PAUSED or PAST: the time of the sample shown."),
    ("REC", "Samples are written to a file; R ends it."),
    (
        "ESTAB 7 +2",
        "Sockets in a state, the change since the previous sample, and the last samples as bars.",
    ),
)

# Of a replay, instead of those that it has not.
REPLAY_HEAD = (
    ("now", "In lists and pages of a replay: the moment that is shown."),
    (
        "PLAY 2x",
        "Played, and how fast; PAUSED, END: the time of the sample shown; FOLLOWS: samples are "
        "still being recorded. All times are in this terminal's time zone.",
    ),
    (
        "last lines",
        "The recording from its first sample to its last one: how many sockets there were, and "
        "below the worst finding of that time; not read yet where there are dots.",
    ),
)
LIVE_ONLY = ("poll", "cpu", "LIVE", "REC")


def facts(
    listing: Listing, notes: Sequence[str], chosen: Mapping[str, str], replayed: bool = False
) -> list[Fact]:
    """The keys that matter, what could not be seen, all keys, and what stands in the first lines
    and in the columns.

    `chosen` are the keys that the user bound anew, by the ids of the bindings.
    """
    seen = [Fact("notes", f"#{number}", "", note) for number, note in enumerate(notes, 1)]
    columns = [Fact("columns", column.title, "", column.meaning) for column in listing.columns]
    said = [each for each in HEAD if each[0] not in LIVE_ONLY] if replayed else HEAD
    said = [*REPLAY_HEAD, *said] if replayed else said
    head = [Fact("head lines", name, "", meaning) for name, meaning in said]
    return [*_main(chosen), *seen, *_keys(chosen, replayed), *head, *columns]


def _main(chosen: Mapping[str, str]) -> Iterator[Fact]:
    """One screen of them."""
    usual = {id: key for listed in keys.GROUPS.values() for id, key, *_ in listed}
    for ids, between, told in keys.MAIN:
        names = (keys.key_names(chosen.get(id, usual[id]))[0] for id in ids)
        yield Fact("main keys", between.join(names), "", told)


def _keys(chosen: Mapping[str, str], replayed: bool) -> Iterator[Fact]:
    for group, listed in keys.GROUPS.items():
        for id, usual, _, _, told in keys.told_in_replay(listed) if replayed else listed:
            name = "views" if id.startswith("view.") else group
            yield Fact(name, " ".join(keys.key_names(chosen.get(id, usual))), "", told)


# -- pages


REFERENCES = "See also"  # the heading of the last part, which names other pages


class PageLine(NamedTuple):
    """A line of a page; `page` is the one that it names, `whole` the line that it is a part of."""

    text: str
    style: str = ""
    page: str | None = None
    whole: str = ""


class PageModel:
    """A page, wrapped to `width` cells; a line's key is the page that it names, or its number."""

    def __init__(self, page: Page, width: int) -> None:
        title, _, body = page.text.partition("\n")
        self._column = TableColumn("text", title, cell_width(title), flex=True, least=1)
        self._rows = [*_rows(body.strip("\n").splitlines(), max(20, width - 1))]

    @property
    def columns(self) -> Sequence[TableColumn]:
        return [self._column]

    def __len__(self) -> int:
        return len(self._rows)

    def key(self, row: int) -> Hashable:
        return self._rows[row].page or row

    def row_of(self, key: Hashable) -> int | None:
        return next((row for row in range(len(self)) if self.key(row) == key), None)

    def cells(self, row: int, columns: Sequence[TableColumn]) -> Sequence[Cell]:
        return [self._rows[row].text]

    def style(self, row: int) -> str:
        return self._rows[row].style

    def copied(self, row: int) -> str:
        """The line before it was wrapped."""
        return (self._rows[row].whole or self._rows[row].text).strip()


def _rows(lines: Sequence[str], width: int) -> Iterator[PageLine]:
    heading = ""
    for line in lines:
        if line and not line[0].isspace():
            heading = line
            yield PageLine(line, "good")
        elif heading == REFERENCES and line.strip():
            yield from _references(line)
        else:
            yield from _wrapped(line, width)


def _references(line: str) -> Iterator[PageLine]:
    """A line for each page, to be opened."""
    for name in filter(None, (word.strip() for word in line.split(","))):
        yield PageLine(f"  {name}", page=name)


def _wrapped(line: str, width: int) -> Iterator[PageLine]:
    margin = line[: len(line) - len(line.lstrip())]
    if cell_width(line) <= width:
        yield PageLine(line)
        return
    for part in wrap(line, width, indent=margin):
        yield PageLine(part, whole=line)


def contents() -> list[Fact]:
    """Every page by kind, with what it is about."""
    return [Fact(f"{page.kind}s", page.name, "", page.summary) for page in pages()]


def named(key: Hashable) -> str | None:
    """The page that a line of a page, or of their list, stands for."""
    name = key[1] if isinstance(key, tuple) else key
    return name if isinstance(name, str) else None
