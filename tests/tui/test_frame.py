"""Random screens: whatever is written, an emulator shows exactly the screen that is wanted."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.color import Color, ColorSystem
from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from textual._compositor import LayoutUpdate
from textual.geometry import Region
from textual.strip import Strip

from tcptop.tui.terminal.frame import Cells, Frame, cells, move
from tcptop.tui.terminal.sgr import PLAIN, CellStyle, change, style_of
from tests.tui.emulator import Drawn, Emulator

SYSTEMS = {
    "standard": ColorSystem.STANDARD,
    "256": ColorSystem.EIGHT_BIT,
    "truecolor": ColorSystem.TRUECOLOR,
}
NARROW = " abc09…─▁é"
WIDE = "日本ワ한😀"
MARKS = "\u0301\u0308\u200b"
CLUSTERS = ("e\u0301", "日\u0301", "👨\u200d👩", "❤\ufe0f", "a\u0301\u0308")

CELL_STYLES = st.builds(
    CellStyle,
    st.lists(st.sampled_from(["1", "2", "3", "4", "7", "21", "53"]), unique=True).map(tuple),
    st.sampled_from(["39", "31", "97", "38;5;100", "38;2;1;2;3"]),
    st.sampled_from(["49", "42", "107", "48;5;100", "48;2;1;2;3"]),
    st.sampled_from(["", "", "\x1b]8;id=1;http://host/\x1b\\"]),
)
CHARS = st.sampled_from([*NARROW, *NARROW, *WIDE, *CLUSTERS])
TEXTS = st.lists(CHARS, min_size=1, max_size=12).map("".join)
FEW_CELL_STYLES = st.lists(CELL_STYLES, min_size=1, max_size=3)


def drawn(row: Cells) -> list[Drawn]:
    """What an emulator shows of cells, each drawn by itself."""
    return [
        replace(pen(style), text=text) for text, style in zip(row.texts, row.styles, strict=True)
    ]


@cache
def pen(style: CellStyle) -> Drawn:
    terminal = Emulator(1, 1)
    terminal.feed(style.link + "\x1b[0;" + ";".join([*style.attributes, *style[1:3]]) + "m")
    return terminal.pen


@st.composite
def screens(draw: st.DrawFn) -> tuple[Frame, list[list[tuple[int, int, Cells]]]]:
    """A frame, and for each of a few turns what is put where."""
    width, height = draw(st.integers(1, 24)), draw(st.integers(1, 5))
    styles = st.sampled_from(draw(FEW_CELL_STYLES))
    pieces = st.lists(st.tuples(TEXTS, styles), min_size=1, max_size=4).map(cells)
    one = st.tuples(st.integers(0, width - 1), st.integers(0, height - 1), pieces)
    return Frame(width, height), draw(st.lists(st.lists(one, max_size=6), max_size=5))


@settings(max_examples=100, deadline=None)
@given(screens(), st.booleans(), st.data())
def test_the_terminal_shows_what_is_wanted(
    made: tuple[Frame, list[list[tuple[int, int, Cells]]]], blanks: bool, data: st.DataObject
) -> None:
    frame, turns = made
    terminal = Emulator(frame.width, frame.height, blanks)
    for turn in turns:
        for x, y, row in turn:
            frame.put(x, y, row)
        if data.draw(st.integers(0, 9)) == 0:
            frame.forget()
            terminal.__post_init__()
        terminal.feed(data.draw(st.sampled_from(["", "\x1b[1;31;45m"])))
        cursor = (data.draw(st.integers(0, frame.width - 1)), 0)
        sent = frame.changes(cursor)
        terminal.feed(sent)
        assert terminal.pen == Drawn() or "m" not in sent
        assert terminal.cells == [drawn(row) for row in frame.wanted]
        assert (terminal.x, terminal.y) == cursor
        assert all(len(row.texts) == frame.width for row in frame.wanted)
        assert frame.changes(cursor) == ""


@settings(max_examples=100, deadline=None)
@given(CELL_STYLES, CELL_STYLES)
def test_a_change_of_look_is_complete_and_short(before: CellStyle, after: CellStyle) -> None:
    ways = [change(before, after), change(PLAIN, before) + change(before, PLAIN)]
    one, two = Emulator(4, 1), Emulator(4, 1)
    one.feed(change(PLAIN, before) + ways[0])
    two.feed(change(PLAIN, after))
    assert one.pen == two.pen
    assert len(ways[0]) <= len(change(before, PLAIN) + change(PLAIN, after))
    one.feed(change(after, PLAIN))
    assert one.pen == Drawn()


POSITIONS = st.tuples(st.integers(0, 30), st.integers(0, 12))


@given(POSITIONS, POSITIONS, st.booleans())
def test_a_move_arrives(at: tuple[int, int], to: tuple[int, int], known: bool) -> None:
    terminal = Emulator(31, 13)
    terminal.feed(move(None, *at))
    terminal.x = at[0] if known else None
    terminal.feed(move((terminal.x, at[1]), *to))
    assert (terminal.x, terminal.y) == to


COLOURS = st.one_of(
    st.none(),
    st.just(Color.default()),
    st.integers(0, 15).map(Color.from_ansi),
    st.integers(0, 255).map(Color.from_ansi),
    st.tuples(*[st.integers(0, 255)] * 3).map(lambda rgb: Color.from_rgb(*rgb)),
)
ATTRIBUTES = (
    *("bold", "dim", "italic", "underline", "blink", "blink2", "reverse", "conceal", "strike"),
    *("underline2", "frame", "encircle", "overline"),
)
STYLES = st.one_of(
    st.none(),
    st.builds(
        lambda color, bgcolor, flags: Style(color=color, bgcolor=bgcolor, **flags),
        COLOURS,
        COLOURS,
        st.dictionaries(st.sampled_from(ATTRIBUTES), st.booleans(), max_size=4),
    ),
    st.just(Style(link="http://host/")),
)
SEGMENTS = st.lists(
    st.tuples(TEXTS, STYLES).map(lambda pair: Segment(*pair)), min_size=1, max_size=4
)


@pytest.mark.parametrize("system", SYSTEMS)
@settings(max_examples=100, deadline=None)
@given(lines=st.lists(SEGMENTS, min_size=1, max_size=4))
def test_it_is_what_textual_would_have_shown(system: str, lines: list[list[Segment]]) -> None:
    width = max(Strip(line).cell_length for line in lines)
    strips = [Strip(line).extend_cell_length(width) for line in lines]
    # Rich keeps the codes of a style for the colours that it was asked for first.
    fresh = [[Segment(s.text, s.style and s.style.copy()) for s in strip] for strip in strips]
    console = Console(color_system=system, force_terminal=True)  # type: ignore[arg-type]
    stock, ours = Emulator(width, len(strips)), Emulator(width, len(strips))
    region = Region(0, 0, width, len(strips))
    stock.feed(LayoutUpdate([[Strip(line)] for line in fresh], region).render_segments(console))
    frame = Frame(width, len(strips))
    for y, line in enumerate(fresh):
        frame.put(0, y, cells((s.text, style_of(s.style, SYSTEMS[system])) for s in line))
    ours.feed(frame.changes())
    assert ours.cells == stock.cells


@given(st.text(max_size=20))
def test_any_text_has_as_many_cells_as_textual_gives_it(text: str) -> None:
    row = cells([("x", PLAIN), (text, PLAIN)])
    assert len(row.texts) == len(row.styles) == 1 + cell_len(text)


def test_control_characters_are_not_sent() -> None:
    frame = Frame(12, 1)
    frame.put(0, 0, cells([("a\x1b[2Jb\x00\r\n\x07\x9bc", PLAIN)]))
    assert frame.changes() == "\x1b[H\x1b[ma[2Jbc      \r"


def test_a_wide_character_at_the_edge_becomes_a_blank() -> None:
    frame = Frame(3, 1)
    frame.put(0, 0, cells([("a日本", PLAIN)]))
    frame.put(2, 0, cells([("本", PLAIN)]))
    assert frame.wanted[0].texts == ["a", " ", " "]


def written(before: str, after: str) -> str:
    """What is written when a line of a larger screen changes from one text to another."""
    frame = Frame(40, 5)
    frame.put(0, 2, cells([(before, PLAIN)]))
    frame.changes()
    frame.put(0, 2, cells([(after, PLAIN)]))
    return frame.changes()


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("same", "same", ""),
        ("value 12", "value 13", "\x1b[3;8H\x1b[m3\x1b[H"),
        ("1 abc 1", "2 abc 2", "\x1b[3H\x1b[m2\x1b[5C2\x1b[H"),
        ("1 ab 1", "2 ab 2", "\x1b[3H\x1b[m2 ab 2\x1b[H"),
        ("1 e\u03011", "2 e\u03012", "\x1b[3H\x1b[m2\x1b[2C2\x1b[H"),
        ("e\u0301 1", "a\u0301 2", "\x1b[3H\x1b[ma\u0301\r\x1b[2C2\x1b[H"),
        ("日\u0301 1", "本\u0301 2", "\x1b[3H\x1b[m本\u0301\r\x1b[3C2\x1b[H"),
        ("日本", "日木", "\x1b[3;3H\x1b[m木\x1b[H"),
    ],
)
def test_only_what_changed_is_written(before: str, after: str, expected: str) -> None:
    assert written(before, after) == expected


def test_marks_join_the_character_of_the_piece_before() -> None:
    bold = PLAIN._replace(attributes=("1",))
    row = cells([("日", bold), ("\u0301x", PLAIN)])
    assert row == Cells(["日\u0301", "", "x"], [bold, bold, PLAIN])
    assert cells([(MARKS, PLAIN)]) == Cells()
