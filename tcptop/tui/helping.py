"""The help: every key of the present screen, made from the bindings, and what its columns mean."""

from __future__ import annotations

from collections.abc import Iterator

from textual.app import App
from textual.binding import Binding

from tcptop.columns import Listing
from tcptop.columns.detail import Fact
from tcptop.tui.models import FactsModel

KEY_NAMES = {
    "question_mark": "?",
    "slash": "/",
    "backslash": "\\",
    "space": "Space",
    "escape": "Esc",
    "enter": "Enter",
    "left": "←",
    "right": "→",
    "up": "↑",
    "down": "↓",
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


def model(app: App[None], listing: Listing) -> FactsModel:
    """Keys first, then the columns of the list beneath the help."""
    return FactsModel([*_keys(app), *_columns(listing)], ("", "Keys", "", "What it does, or what the column means"))


def _keys(app: App[None]) -> Iterator[Fact]:
    """One line an action, with all keys that lead to it."""
    keys: dict[str, list[str]] = {}
    bindings: dict[str, Binding] = {}
    for active in app.screen.active_bindings.values():
        binding = active.binding
        if binding.id and active.enabled:
            keys.setdefault(binding.id, []).append(key_name(binding.key))
            bindings[binding.id] = binding
    for name, binding in sorted(bindings.items(), key=_rank):
        group = "views" if name.startswith("view.") else "table" if "." in name else "keys"
        yield Fact(group, " ".join(keys[name]), "", binding.tooltip)


def _rank(item: tuple[str, Binding]) -> tuple[bool, bool, str]:
    name = item[0]
    return (name.startswith("view."), name.startswith("table."), name if "." in name else "")


def key_name(key: str) -> str:
    """A key as it is printed on a keyboard."""
    if key in KEY_NAMES:
        return KEY_NAMES[key]
    if key.startswith("ctrl+"):
        return "^" + key[5:].upper()
    if key.startswith("shift+"):
        return "Shift-" + key_name(key[6:])
    return key.upper() if key.startswith("f") and key[1:].isdigit() else key


def _columns(listing: Listing) -> Iterator[Fact]:
    for column in listing.columns:
        yield Fact("columns", column.title, "", column.meaning)
