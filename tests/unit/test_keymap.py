"""Other keys for the actions: what is refused, and what Textual makes of what is not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual.binding import Binding, BindingsMap

from tcptop.tui.app import TcptopApp
from tcptop.tui.keymap import keymap
from tcptop.tui.widgets.table import Table


def actions(mapping: dict[str, str]) -> dict[str, str]:
    """Key -> id, as the app and its table have them after Textual took the keymap."""
    found: dict[str, str] = {}
    for every in (TcptopApp.BINDINGS, Table.BINDINGS):
        made = BindingsMap(every)
        made.apply_keymap(mapping)  # it calls a key that an action keeps a clash with itself
        for key, bound in made.key_to_bindings.items():
            ids = {each.id for each in bound}
            assert len(ids) == 1
            assert key not in found, f"{key} of the table hides that of the app"
            found[key] = str(ids.pop())
    return found


def usual() -> dict[str, str]:
    return actions({})


def test_nothing_chosen_changes_nothing() -> None:
    assert keymap({}) == ({}, [])


def test_an_action_has_the_keys_chosen_and_no_others() -> None:
    mapping, complaints = keymap({"export": "f8, E", "ticket": "f9", "table.top": "home"})
    chosen = {"export": "f8,E", "ticket": "f9", "table.top": "home"}
    assert (mapping, complaints) == (chosen, [])
    found = actions(mapping)
    assert (found["f8"], found["E"], found["home"]) == ("export", "export", "table.top")
    assert not {"e", "g"} & found.keys()
    others = {k: v for k, v in usual().items() if v not in ("export", "ticket", "table.top")}
    assert {k: v for k, v in found.items() if k not in ("f8", "E", "f9", "home")} == others


def test_a_key_taken_from_another_action() -> None:
    mapping, complaints = keymap({"export": "s,k"})
    assert complaints == []
    assert mapping["sort"] == "greater_than_sign,f6"
    assert mapping["table.up"] == "up"  # it is the table's, which would have gone before
    found = actions(mapping)
    assert (found["s"], found["k"], found["up"], found["f6"]) == (
        *("export", "export", "table.up", "sort"),
    )


def test_two_actions_may_change_places() -> None:
    mapping, complaints = keymap({"wide": "f", "follow": "w"})
    assert (mapping, complaints) == ({"wide": "f", "follow": "w"}, [])
    found = actions(mapping)
    assert (found["f"], found["w"]) == ("wide", "follow")


@pytest.mark.parametrize(
    ("word", "key"),
    [
        ("?", "question_mark"), ("question_mark", "question_mark"), ("-", "minus"),
        ("minus", "minus"), ("comma", "comma"), ("F5", "f5"), ("Esc", "escape"),
        ("PgDn", "pagedown"), ("ctrl+X", "ctrl+x"), ("Shift+x", "X"), ("shift+left", "shift+left"),
        ("shift+ctrl+left", "ctrl+shift+left"), (" space ", "space"), ("+", "plus"), ("é", "é"),
        ("alt+x", "alt+x"), ("ctrl+question_mark", "ctrl+question_mark"),
        ("greek_small_letter_pi", "π"),
    ],
)  # fmt: skip
def test_how_keys_may_be_written(word: str, key: str) -> None:
    assert keymap({"export": word})[0]["export"] == key


@pytest.mark.parametrize(
    ("chosen", "complaint"),
    [
        ({"exprot": "x"}, 'keys: unknown action "exprot"; did you mean export?'),
        ({"e\x1b[1m": "x"}, 'keys: unknown action "e\\x1b[1m"; there are help, quit, '),
        (
            {"export": "f99"},
            'keys: export: no key is called "f99"; valid keys look like x, X, f5, ',
        ),
        ({"export": "strg+x"}, 'keys: export: no key is called "strg+x"; '),
        ({"export": "shift+1"}, 'keys: export: no key is called "shift+1"; '),
        ({"export": "\x1b"}, 'keys: export: no key is called "\\x1b"; '),
        ({"export": ""}, "keys: export: a key is missing; "),
        ({"export": "x,,y"}, "keys: export: a key is missing; "),
        ({"export": "f5", "wide": "f5"}, 'keys: "f5" is chosen for export and for wide'),
        (
            {"export": "w"},
            'keys: export takes "w", which leaves wide without a key: bind it too',
        ),
    ],
)
def test_what_is_wrong_is_one_line(chosen: dict[str, str], complaint: str) -> None:
    _, complaints = keymap(chosen)
    assert len(complaints) == 1
    assert complaints[0].startswith(complaint)
    assert complaints[0].isprintable()


def test_each_thing_that_is_wrong_has_its_line() -> None:
    mapping, complaints = keymap({"a": "x", "export": "?!", "wide": "f5", "follow": "f5,f7"})
    assert len(complaints) == 3
    assert "export" not in mapping


IDS = [each.id for each in (*TcptopApp.BINDINGS, *Table.BINDINGS) if isinstance(each, Binding)]


@given(st.dictionaries(st.sampled_from([*filter(None, IDS), "nothing"]), st.text(max_size=12)))
def test_whatever_is_written(chosen: dict[str, str]) -> None:
    mapping, complaints = keymap(chosen)
    assert all("\n" not in line for line in complaints)
    if not complaints:
        assert set(actions(mapping).values()) == set(filter(None, IDS))
