"""Which of the keys that were typed ahead are taken."""

from __future__ import annotations

from textual import events
from textual.message import Message

from tcptop.tui.terminal.keyboard import Keyboard, Typed
from tcptop.tui.terminal.typeahead import MOST, PATIENCE_S, Flooded, Load, Typeahead


class Typist:
    """Keys on their way to an app that takes them when it is told."""

    def __init__(self) -> None:
        self.now, self.untaken = 0.0, Load(0, 0)
        self.ahead = Typeahead(lambda: self.now)
        self.ahead.ends, self.ahead.kept = ["ctrl+c"], ["ctrl+c", "q"]

    def types(self, data: bytes) -> list[str]:
        messages, passed = self.ahead.read(Keyboard().feed(data))
        self.untaken = self.untaken.plus(passed)
        return [told(each) for each in messages]

    def take(self) -> None:
        self.ahead.taken(self.untaken)
        self.untaken = Load(0, 0)


def told(message: Message) -> str:
    if isinstance(message, events.Key):
        return message.key
    return message.text if isinstance(message, Typed) else type(message).__name__


def test_what_is_typed_is_taken() -> None:
    typist = Typist()
    for _ in range(3 * MOST):
        assert typist.types(b"\t") == ["tab"]
        assert not typist.ahead.ignores("tab")
        typist.take()


def test_a_flood_is_ignored_at_once_and_told_once() -> None:
    typist = Typist()
    assert typist.types(b"\t" * 90) == ["tab"] * 90
    assert typist.types(b"\t" * 4096) == [Flooded.__name__]
    assert typist.types(b"\t" * 4096) == []
    assert typist.ahead.ignores("tab"), "those that were passed on are still to be done"
    assert typist.types(b"q") == ["q"]
    assert not typist.ahead.ignores("q")


def test_after_a_flood_keys_are_keys() -> None:
    typist = Typist()
    typist.types(b"\t" * 4096)
    typist.take()
    assert typist.types(b"\t") == ["tab"]
    assert not typist.ahead.ignores("tab")


def test_q_is_seen_at_the_end_of_what_came_in_one_piece() -> None:
    typist = Typist()
    typist.types(b"\t" * MOST)
    assert typist.types(b"j" * 500 + b"k") == [Flooded.__name__]
    assert typist.types(b"j" * 500 + b"q") == ["q"]


def test_a_long_filter_is_no_flood() -> None:
    text = "dst 10.0.0.0/8 and " * 200
    assert Typist().types(f"/{text}\r".encode()) == [f"/{text}", "enter"]


def test_what_comes_before_an_end_has_a_moment() -> None:
    typist = Typist()
    assert typist.types(b"E\t\t\x03") == ["E", "tab", "tab", "ctrl+c"]
    assert not typist.ahead.ignores("E")
    typist.now += PATIENCE_S + 0.01
    assert typist.ahead.ignores("tab")
    assert not typist.ahead.ignores("ctrl+c")


def test_a_flood_of_ends_stops_somewhere() -> None:
    typist = Typist()
    while not typist.ahead.full:
        assert typist.types(b"\x03" * 50)[-50:] == ["ctrl+c"] * 50
    assert typist.untaken.messages <= 2 * MOST


def test_a_wheel_that_turns_fast_is_no_flood_of_keys() -> None:
    typist = Typist()
    turned = typist.types(b"\x1b[<64;10;6M" * (2 * MOST))
    assert turned == ["MouseScrollUp"] * (2 * MOST)
    assert typist.ahead.full
    assert typist.types(b"\t") == ["tab"]
    assert not typist.ahead.ignores("tab")
