"""The help: every key, made from the bindings, what the columns mean, and what was not seen."""

from __future__ import annotations

import string
from collections.abc import Iterable, Iterator, Mapping, Sequence

from textual.binding import Binding, BindingType
from textual.keys import _character_to_key

from tcptop.columns import Listing
from tcptop.columns.detail import Fact
from tcptop.tui import bindings
from tcptop.tui.chooser import Chooser
from tcptop.tui.palette import Palette
from tcptop.tui.prompt import Prompt
from tcptop.tui.widgets import keys
from tcptop.tui.widgets.diagram import Diagram

KEY_NAMES = {
    **{_character_to_key(character): character for character in string.punctuation},
    "space": "Space",
    "escape": "Esc",
    "enter": "Enter",
    "left": "Left",
    "right": "Right",
    "up": "Up",
    "down": "Down",
    "pageup": "PgUp",
    "pagedown": "PgDn",
    "home": "Home",
    "end": "End",
    "tab": "Tab",
}
GROUPS: tuple[tuple[str, Sequence[BindingType]], ...] = (
    ("keys", bindings.BINDINGS),
    ("table", keys.BINDINGS),
    ("states", Diagram.BINDINGS),
    ("filter", Prompt.BINDINGS),
    ("columns", Chooser.BINDINGS),
    ("commands", Palette.BINDINGS),
)
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
    for group, listed in GROUPS:
        for binding in _bindings(listed):
            names = " ".join(key_names(chosen.get(binding.id or "", binding.key)))
            name = "views" if (binding.id or "").startswith("view.") else group
            yield Fact(name, names, "", binding.tooltip)


def ids() -> list[str]:
    """What the user may bind to other keys."""
    return [binding.id for _, listed in GROUPS for binding in _bindings(listed) if binding.id]


def _bindings(listed: Iterable[BindingType]) -> Iterator[Binding]:
    for binding in listed:
        assert isinstance(binding, Binding)
        yield binding


def key_names(keys: str) -> list[str]:
    """Keys, separated by commas, as they are printed on a keyboard."""
    return [key_name(key.strip()) for key in keys.split(",")]


def key_name(key: str) -> str:
    """A key as it is printed on a keyboard."""
    if key in KEY_NAMES:
        return KEY_NAMES[key]
    if key.startswith("ctrl+"):
        return "^" + key[5:].upper()
    if key.startswith("shift+"):
        return "Shift-" + key_name(key[6:])
    return key.upper() if key.startswith("f") and key[1:].isdigit() else key
