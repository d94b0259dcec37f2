"""Other keys for the actions: `[keys]` of the configuration, checked, as Textual takes them.

Relies on `_character_to_key` of Textual 8.2, which says how the key of a character is called.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping

from textual.keys import Keys, _character_to_key

from tcptop.model.cells import safe
from tcptop.tui.keys import KEYS, TABLE_KEYS, VIEW_KEYS

_MODIFIERS = ("ctrl", "shift", "alt", "super", "hyper", "meta")
_NAMES = {key.value for key in Keys if not key.value.startswith(("ctrl", "shift+", "<"))}
_NAMES |= {_character_to_key(chr(code)) for code in range(33, 127) if not chr(code).isalnum()}
_ALIASES = {
    "esc": "escape", "return": "enter", "pgup": "pageup", "pgdn": "pagedown",
    "pgdown": "pagedown", "del": "delete", "ins": "insert",
}  # fmt: skip


def keymap(chosen: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """What `App.set_keymap` takes, and a line for each thing that is wrong.

    `chosen` has keys by the ids of actions, several with commas between. A key that is taken from
    another action is left out of that one's keys, which have to be others then.
    """
    usual = {
        id: [_normal(key) or key for key in keys.split(",")]
        for id, keys, *_ in (*KEYS, *VIEW_KEYS, *TABLE_KEYS)
    }
    wanted: dict[str, list[str]] = {}
    complaints: list[str] = []
    for id, text in chosen.items():
        try:
            wanted[_known(id, usual)] = _keys(id, text)
        except ValueError as error:
            complaints.append(str(error))
    complaints += _twice(wanted)
    taken = {key: id for id, keys in wanted.items() for key in keys}
    for id in [id for id in usual if id not in wanted]:
        left = [key for key in usual[id] if key not in taken]
        if not left:
            complaints.append(_bare(id, usual[id][0], taken))
        elif left != usual[id]:
            wanted[id] = left
    return {id: ",".join(keys) for id, keys in wanted.items()}, complaints


def _bare(id: str, key: str, taken: Mapping[str, str]) -> str:
    return f'keys: {taken[key]} takes "{key}", which leaves {id} without a key: bind it too'


def _known(id: str, usual: Mapping[str, object]) -> str:
    if id in usual:
        return id
    from difflib import get_close_matches

    near = get_close_matches(id, [*usual], 3, 0.6)
    advice = f"did you mean {', '.join(near)}?" if near else f"there are {', '.join(usual)}"
    raise ValueError(f'keys: unknown action "{safe(id)}"; {advice}')


def _keys(id: str, text: str) -> list[str]:
    found = []
    for word in text.split(","):
        key = _normal(word.strip() or word)
        if key is None:
            shown = (
                f'no key is called "{safe(word.strip())}"' if word.strip() else "a key is missing"
            )
            raise ValueError(
                f"keys: {id}: {shown}; valid keys look like x, X, f5, ctrl+x, pageup, comma"
            )
        found.append(key)
    return list(dict.fromkeys(found))


def _twice(wanted: Mapping[str, list[str]]) -> list[str]:
    first: dict[str, str] = {}
    complaints = []
    for id, keys in wanted.items():
        for key in keys:
            if first.setdefault(key, id) != id:
                complaints.append(f'keys: "{key}" is chosen for {first[key]} and for {id}')
    return complaints


def _normal(word: str) -> str | None:
    """The key as Textual calls it when it is pressed; None for what is none."""
    *before, base = word.split("+") if len(word) > 1 else [word]
    modifiers = sorted({each.lower() for each in before}, key=[*_MODIFIERS, *before].index)
    if not set(modifiers) <= set(_MODIFIERS):
        return None
    if modifiers == ["shift"] and len(base) == 1:  # a terminal sends the capital
        return base.upper() if base.isalpha() else None
    name = _name(base.lower() if "ctrl" in modifiers else base)
    return None if name is None else "+".join([*modifiers, name])


def _name(base: str) -> str | None:
    if len(base) == 1:
        return _character_to_key(base) if base.isprintable() else None
    word = _ALIASES.get(base.lower(), base.lower())
    if word in _NAMES:
        return word
    try:
        return _character_to_key(unicodedata.lookup(word.replace("_", " ")))
    except KeyError:
        return None
