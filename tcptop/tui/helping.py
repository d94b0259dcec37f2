"""The help: every key, what the columns mean, and what was not seen."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from tcptop.columns import Listing
from tcptop.columns.detail import Fact
from tcptop.tui import keys

HEAD = (
    ("poll", "How long the last look took."),
    ("cpu", "What tcptop itself uses, of one processor."),
    ("LIVE", "The picture is new, and how often tcptop looks; PAUSED or PAST: of when it is."),
    (
        "ESTAB 7 +2",
        "Sockets in a state, how many more than a look before, and the last looks as bars.",
    ),
)


def facts(listing: Listing, notes: Sequence[str], chosen: Mapping[str, str]) -> list[Fact]:
    """What could not be seen, the keys, and what stands in the first lines and in the columns.

    `chosen` are the keys that the user bound anew, by the ids of the bindings.
    """
    seen = [Fact("notes", f"#{number}", "", note) for number, note in enumerate(notes, 1)]
    columns = [Fact("columns", column.title, "", column.meaning) for column in listing.columns]
    head = [Fact("head lines", name, "", meaning) for name, meaning in HEAD]
    return [*seen, *_keys(chosen), *head, *columns]


def _keys(chosen: Mapping[str, str]) -> Iterator[Fact]:
    for group, listed in keys.GROUPS.items():
        for id, usual, _, _, told in listed:
            name = "views" if id.startswith("view.") else group
            yield Fact(name, " ".join(keys.key_names(chosen.get(id, usual))), "", told)
