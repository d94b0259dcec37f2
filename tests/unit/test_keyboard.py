"""Bytes of a terminal as keys, text and pastes, however they are cut."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual import constants, events
from textual.message import Message

from tcptop.tui.terminal.keyboard import MOST, PASTE_PAUSE_MS, Keyboard, Typed, key

LONG = "état 0123456789" * 5


def read(*parts: bytes) -> list[str]:
    """The messages of what comes in these parts: names of keys, and texts with what they are."""
    keyboard = Keyboard()
    found = [message for part in parts for message in keyboard.feed(part)]
    assert not keyboard.waiting
    return [said for message in found for said in _said(message)]


def _said(message: Message) -> list[str]:
    if isinstance(message, Typed):
        return [key(character).key for character in message.text]
    if isinstance(message, events.Paste):
        return [f"paste {message.text}"]
    assert isinstance(message, events.Key)
    return [message.key]


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("\x1b[B", ["down"]),
        ("\x1b[B\x1b[A", ["down", "up"]),
        ("j\x1bOAk", ["j", "up", "k"]),
        ("é\t\r", ["é", "tab", "enter"]),
        ("\x1b[21~", ["f10"]),
        ("jjjjjjjjjjjj", ["j"] * 12),
        ("?????????:", ["question_mark"] * 9 + ["colon"]),
        ("\x1b[Bjjjjjjjjjj", ["down"] + ["j"] * 10),
        ("\x1b[200~a b\x1b[201~x", ["paste a b", "x"]),
        (f"\x1b[200~{LONG}\x1b[201~{'x' * 9}", [f"paste {LONG}"] + ["x"] * 9),
    ],
)
def test_however_it_is_cut(text: str, keys: list[str]) -> None:
    data = text.encode()
    assert read(data) == keys
    assert read(*(data[at : at + 1] for at in range(len(data)))) == keys
    for at in range(len(data)):
        assert read(data[:at], data[at:]) == keys


@given(
    st.text(st.characters(codec="utf-8", min_codepoint=32, exclude_characters="\x7f"), max_size=60)
)
def test_text_in_one_piece_is_its_letters(text: str) -> None:
    whole = read(text.encode())
    assert whole == [name for letter in text for name in read(letter.encode())]


def test_a_flood_is_few_messages() -> None:
    assert len([*Keyboard().feed(b"j" * 4096)]) == 1
    assert len([*Keyboard().feed(b"x\x1b[B" + b"j" * 4092)]) == 3


def test_a_paste_without_end_is_bounded() -> None:
    keyboard = Keyboard()
    assert [*keyboard.feed(b"\x1b[200~")] == []
    for _ in range(50):
        assert [*keyboard.feed(b"x" * 4096)] == []
    (paste,) = keyboard.feed(b"\x1b[201~")
    assert isinstance(paste, events.Paste)
    assert len(paste.text) == MOST
    assert [message.text for message in keyboard.feed(b"j" * 20) if isinstance(message, Typed)]


@pytest.mark.parametrize("data", [b"\x03", b"\x03\x03\x03", b"\x11", b"\x1b[21~"])
def test_what_ends_tcptop_ends_a_paste_whose_end_does_not_come(data: bytes) -> None:
    keyboard = Keyboard()
    assert [*keyboard.feed(b"\x1b[200~state")] == []
    paste, *keys = keyboard.feed(data)
    assert isinstance(paste, events.Paste)
    assert paste.text == "state"
    assert {said for each in keys for said in _said(each)} <= {"ctrl+c", "ctrl+q", "f10"}
    assert keys
    assert keyboard.patience_ms is None


def test_a_paste_ends_after_a_pause() -> None:
    keyboard = Keyboard()
    assert keyboard.patience_ms is None
    assert [*keyboard.feed(b"\x1b[200~state")] == []
    assert keyboard.patience_ms == PASTE_PAUSE_MS
    (paste,) = keyboard.late()
    assert isinstance(paste, events.Paste)
    assert paste.text == "state"
    assert keyboard.patience_ms is None
    assert [said for each in keyboard.feed(b"q") for said in _said(each)] == ["q"]


@pytest.mark.parametrize("last", [b"\x03", b"\x03\x03", b"\x11", b"\x1b[21~"])
def test_it_ends_tcptop_where_it_came_in_one_piece_with_such_a_paste(last: bytes) -> None:
    keyboard = Keyboard()
    assert [*keyboard.feed(b"\x1b[200~" + b"state" * 1000 + last)] == []
    if keyboard.waiting:  # for the rest of what ESC begins
        time.sleep(constants.ESCAPE_DELAY)
        list(keyboard.late())
    paste, *keys = keyboard.late()
    assert isinstance(paste, events.Paste)
    assert {said for each in keys for said in _said(each)} <= {"ctrl+c", "ctrl+q", "f10"}
    assert keys
    assert keyboard.patience_ms is None


def test_what_ends_tcptop_may_be_part_of_a_paste() -> None:
    assert read(b"\x1b[200~a\x03b\x1b[201~x") == ["paste a\x03b", "x"]


@pytest.mark.parametrize(
    "report",
    [
        b"\x1b[48;0;0;0;0t",
        b"\x1b[48;24;80;0;0t",
        b"\x1b[48;0;0;480;640t",
        b"\x1b[48;5;5;480;640t",
        b"\x1b[?2048;1$y",
        b"\x1b[?2048;2$y",
    ],
)
def test_a_size_that_nobody_asked_for_is_ignored(report: bytes) -> None:
    keyboard = Keyboard()
    assert [*keyboard.feed(report)] == []
    (press,) = keyboard.feed(b"\x1b[<0;10;6M")
    assert isinstance(press, events.MouseDown)
    assert (press.x, press.y) == (9, 5)
