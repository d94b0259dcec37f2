"""The help: every key, made from the bindings, what the columns mean, and what was not seen."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from textual.binding import Binding, BindingType

from tcptop.columns import Listing
from tcptop.columns.detail import Fact
from tcptop.tui import bindings
from tcptop.tui.prompt import Prompt
from tcptop.tui.widgets import keys

KEY_NAMES = {
    "question_mark": "?",
    "slash": "/",
    "backslash": "\\",
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
    "plus": "+",
    "minus": "-",
    "equals_sign": "=",
    "greater_than_sign": ">",
    "less_than_sign": "<",
}
GROUPS: tuple[tuple[str, Sequence[BindingType]], ...] = (
    ("keys", bindings.BINDINGS),
    ("table", keys.BINDINGS),
    ("filter", Prompt.BINDINGS),
)


def facts(listing: Listing, notes: Sequence[str]) -> list[Fact]:
    """What could not be seen, the keys, and the columns of the list."""
    seen = [Fact("notes", f"#{number}", "", note) for number, note in enumerate(notes, 1)]
    columns = [Fact("columns", column.title, "", column.meaning) for column in listing.columns]
    return [*seen, *_keys(), *columns]


def _keys() -> Iterator[Fact]:
    for group, listed in GROUPS:
        for binding in _bindings(listed):
            names = " ".join(key_name(key.strip()) for key in binding.key.split(","))
            name = "views" if (binding.id or "").startswith("view.") else group
            yield Fact(name, names, "", binding.tooltip)


def _bindings(listed: Iterable[BindingType]) -> Iterator[Binding]:
    for binding in listed:
        assert isinstance(binding, Binding)
        yield binding


def key_name(key: str) -> str:
    """A key as it is printed on a keyboard."""
    if key in KEY_NAMES:
        return KEY_NAMES[key]
    if key.startswith("ctrl+"):
        return "^" + key[5:].upper()
    if key.startswith("shift+"):
        return "Shift-" + key_name(key[6:])
    return key.upper() if key.startswith("f") and key[1:].isdigit() else key
