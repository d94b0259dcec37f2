"""The table: its cursor keeps to its socket, and only what is visible costs anything."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import pytest
from textual._compositor import ChopsUpdate
from textual.app import App, ComposeResult
from textual.events import MouseScrollDown
from textual.geometry import Region
from textual.message import Message
from textual.pilot import Pilot
from textual.screen import Screen

from tcptop.tui.widgets import layout
from tcptop.tui.widgets.layout import Cell, TableColumn
from tcptop.tui.widgets.lines import COMPONENT_CLASSES, styles_of
from tcptop.tui.widgets.table import Table

COLUMNS = (
    TableColumn("process", "process", 8, flex=True),
    TableColumn("recv_q", "recv_q", 8, right=True),
    TableColumn("peer", "peer", 15, priority=2),
    TableColumn("rtt", "rtt", 6, right=True, priority=1),
)


class Rows:
    """A model over a list of keys; it records the rows whose cells were asked for."""

    columns: Sequence[TableColumn] = COLUMNS

    def __init__(self, keys: Sequence[int]) -> None:
        self.keys = keys
        self.styles: dict[int, str] = {}
        self.values: dict[int, str] = {}
        self.asked: list[int] = []

    def __len__(self) -> int:
        return len(self.keys)

    def key(self, row: int) -> Hashable:
        return self.keys[row]

    def row_of(self, key: Hashable) -> int | None:
        return self.keys.index(key) if isinstance(key, int) and key in self.keys else None

    def cells(self, row: int, columns: Sequence[TableColumn]) -> Sequence[Cell]:
        self.asked.append(row)
        key = self.keys[row]
        known: dict[str, Cell] = {
            "process": f"proc{key}",
            "recv_q": self.values.get(key, str(key)),
            "peer": "10.0.0.1:443",
            "rtt": ("1.5", "warn"),
        }
        return [known[column.key] for column in columns]

    def style(self, row: int) -> str:
        return self.styles.get(self.keys[row], "")


class Styled(Screen[None]):
    COMPONENT_CLASSES = COMPONENT_CLASSES
    DEFAULT_CSS = styles_of("Styled")


class TableApp(App[None]):
    """A table on the whole screen; keeps the messages it sends."""

    CLICK_CHAIN_TIME_THRESHOLD = 60.0  # a busy machine is slow to click twice

    def __init__(self, model: Rows, ascii_only: bool = False, ansi: bool = False) -> None:
        super().__init__(ansi_color=ansi)
        self.model = model
        self.table = Table(empty="no sockets", ascii_only=ascii_only)
        self.messages: list[Message] = []

    def get_default_screen(self) -> Screen[None]:
        return Styled()

    def compose(self) -> ComposeResult:
        yield self.table

    def on_mount(self) -> None:
        self.table.show(self.model, "recv_q", True)
        self.table.focus()

    def on_table_opened(self, message: Table.Opened) -> None:
        self.messages.append(message)

    def on_table_sort_asked(self, message: Table.SortAsked) -> None:
        self.messages.append(message)


def screen(app: TableApp) -> list[str]:
    """The text of the lines of the table."""
    size = app.table.size
    strips = app.table.render_lines(Region(0, 0, size.width, size.height))
    return [strip.text.rstrip() for strip in strips]


def cursor_line(app: TableApp) -> int | None:
    """The line that is drawn as the cursor."""
    table = app.table
    colour = app.screen.get_component_rich_style("line--cursor").bgcolor
    size = table.size
    for y, strip in enumerate(table.render_lines(Region(0, 0, size.width, size.height))):
        if all(segment.style and segment.style.bgcolor == colour for segment in strip):
            return y
    return None


async def settle(pilot: Pilot[None]) -> None:
    """Let what was asked for be painted."""
    await pilot.pause()


async def test_cursor_stays_on_its_socket_when_rows_move() -> None:
    app = TableApp(Rows(list(range(100))))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("j", "j", "down")
        assert app.table.cursor == 3
        assert cursor_line(app) == 4
        app.model.keys = list(range(99, -1, -1))
        app.table.changed()
        await settle(pilot)
        assert app.table.cursor == 3
        line = cursor_line(app)
        assert line is not None
        assert screen(app)[line].startswith("proc3 ")


async def test_a_page_scrolls_by_a_page() -> None:
    app = TableApp(Rows(list(range(100))))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("j", "pagedown")
        await settle(pilot)
        assert (screen(app)[1].split()[0], app.table.cursor) == ("proc23", 24)
        await pilot.press("pageup", "pageup")
        await settle(pilot)
        assert (screen(app)[1].split()[0], app.table.cursor) == ("proc0", 0)
        await pilot.press(*["pagedown"] * 9)
        await settle(pilot)
        assert (screen(app)[1].split()[0], app.table.cursor) == ("proc77", 99)


def test_the_sort_mark_belongs_to_one_title() -> None:
    """Where it stands between two it is before a number's title, and behind a text's."""
    columns = [
        TableColumn("text", "Text", 5),
        TableColumn("recv", "Recv", 4, right=True),
        TableColumn("send", "Send", 4, right=True),
        TableColumn("room", "Room", 6, right=True),
    ]
    found = [
        layout.header_line(columns, [5, 4, 4, 6], key, True)
        for key in ("text", "recv", "send", "room")
    ]
    looks = [[text for text, look in line if "sorted" in look] for line in found]
    assert looks == [["Text▼"], ["▼Recv"], ["▼Send"], ["▼Room"]]
    assert ["".join(text for text, _ in line) for line in found] == [
        "Text▼ Recv Send   Room ",
        "Text ▼Recv Send   Room ",
        "Text  Recv▼Send   Room ",
        "Text  Recv Send  ▼Room ",
    ]


async def test_cursor_follows_inserted_and_deleted_rows() -> None:
    app = TableApp(Rows([10, 20, 30, 40]))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("j", "j")
        app.model.keys = [1, 2, 3, 10, 30, 40]
        app.table.changed()
        await settle(pilot)
        assert (app.table.cursor, cursor_line(app)) == (30, 5)


async def test_cursor_keeps_its_position_when_its_socket_is_gone() -> None:
    app = TableApp(Rows([10, 20, 30]))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("j", "j")
        app.table.changed(Rows([10, 20, 40]))
        await settle(pilot)
        assert (app.table.cursor, cursor_line(app)) == (40, 3)
        app.table.changed(Rows([10]))
        await settle(pilot)
        assert (app.table.cursor, cursor_line(app)) == (10, 1)


async def test_unattended_table_keeps_showing_its_top() -> None:
    app = TableApp(Rows(list(range(100))))
    async with app.run_test(size=(80, 24)) as pilot:
        app.table.changed(Rows(list(range(99, -1, -1))))
        await settle(pilot)
        assert (app.table.cursor, app.table.followed, cursor_line(app)) == (99, None, 1)
        await pilot.press("G", "home")
        app.table.changed(Rows(list(range(100))))
        await settle(pilot)
        assert (app.table.cursor, cursor_line(app)) == (0, 1)


async def test_view_does_not_follow_a_cursor_scrolled_out_of_sight() -> None:
    app = TableApp(Rows(list(range(100))))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("j")
        app.table.scroll_to(y=50, animate=False)
        await settle(pilot)
        app.table.changed(Rows(list(range(99, -1, -1))))
        await settle(pilot)
        assert app.table.scroll_offset.y == 50
        assert app.table.cursor == 1


async def test_only_visible_rows_are_asked_for() -> None:
    app = TableApp(Rows(range(100_000)))
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        assert set(app.model.asked) == set(range(39))
        app.model.asked.clear()
        app.table.changed()
        await settle(pilot)
        assert sorted(app.model.asked) == list(range(39))
        app.model.asked.clear()
        await pilot.press("end")
        assert app.table.cursor == 99_999
        last = set(range(100_000 - 39, 100_000))
        assert set(app.model.asked) <= last | set(range(39))
        assert last <= set(app.model.asked)
        assert screen(app)[39].startswith("proc99999")


async def test_only_lines_that_differ_are_painted(monkeypatch: pytest.MonkeyPatch) -> None:
    app = TableApp(Rows(list(range(1000))))
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        painted: list[int] = []

        def record(screen: object, update: object) -> None:
            if isinstance(update, ChopsUpdate):
                painted.extend(y for y, _, _ in update.spans)
            elif update is not None:
                painted.append(-1)  # the whole screen

        monkeypatch.setattr(app, "_display", record)
        for _ in range(100):  # until the start is painted
            painted.clear()
            await pilot.pause(0.05)
            if not painted:
                break
        app.table.changed()
        await settle(pilot)
        assert painted == []
        app.model.values[5] = "777"
        app.model.values[500] = "888"
        app.table.changed()
        await settle(pilot)
        assert painted == [6]


async def test_cell_too_narrow_for_its_number_says_so() -> None:
    app = TableApp(Rows([1]))
    app.model.values[1] = "123456789"
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        assert " ########" in screen(app)[1]
        assert "1234" not in screen(app)[1]


async def test_narrow_drops_columns_by_priority_and_wide_scrolls() -> None:
    app = TableApp(Rows([1, 2]))
    async with app.run_test(size=(80, 5)) as pilot:
        await settle(pilot)
        assert screen(app)[0].split() == ["process", "▼recv_q", "peer", "rtt"]
        await pilot.resize_terminal(30, 5)
        await settle(pilot)
        assert screen(app)[0].split() == ["process", "▼recv_q", "rtt"]
        await pilot.resize_terminal(20, 5)
        await settle(pilot)
        assert screen(app)[0].split() == ["process", "▼recv_q"]
        app.table.wide = True
        await settle(pilot)
        assert screen(app)[0] == "process   ▼recv_q p"
        await pilot.press("shift+right", "shift+right", "shift+right", "shift+right", "shift+right")
        assert screen(app)[0].split() == ["rtt"]
        assert screen(app)[1].endswith(":443       1.5")
        await pilot.press("shift+left")
        assert "q peer" in screen(app)[0]
        app.table.wide = False
        await settle(pilot)
        assert screen(app)[0].split() == ["process", "▼recv_q"]


async def test_sort_mark_and_click_on_a_title() -> None:
    app = TableApp(Rows([1, 2]), ascii_only=True)
    async with app.run_test(size=(80, 5)) as pilot:
        await settle(pilot)
        assert "vrecv_q" in screen(app)[0]
        app.table.sorted_by("process", False)
        await settle(pilot)
        assert screen(app)[0].startswith("process^")
        assert "vrecv_q" not in screen(app)[0]
        at = screen(app)[0].index("peer")
        await pilot.click(Table, offset=(at, 0))
        asked = [m for m in app.messages if isinstance(m, Table.SortAsked)]
        assert [m.column_key for m in asked] == ["peer"]


async def test_opening_by_double_click() -> None:
    app = TableApp(Rows([7, 8, 9]))
    async with app.run_test(size=(80, 10)) as pilot:
        await pilot.click(Table, offset=(3, 3), times=2)
        opened = [m.key for m in app.messages if isinstance(m, Table.Opened)]
        assert opened == [9]
        await pilot.click(Table, offset=(3, 8))
        assert app.table.cursor == 9


async def test_wheel_scrolls_the_view_and_not_the_cursor() -> None:
    app = TableApp(Rows(list(range(100))))
    async with app.run_test(size=(80, 10)) as pilot:
        await pilot.press("j")
        await pilot._post_mouse_events([MouseScrollDown], Table, offset=(3, 3))
        await settle(pilot)
        assert app.table.scroll_offset.y > 0
        assert app.table.cursor == 1


async def test_moving_by_pages() -> None:
    app = TableApp(Rows(list(range(100))))
    async with app.run_test(size=(80, 11)) as pilot:
        seen = []
        for key in ("pagedown", "ctrl+d", "ctrl+u", "k", "pageup", "end", "g", "up"):
            await pilot.press(key)
            seen.append(app.table.cursor)
        assert seen == [10, 15, 10, 9, 0, 99, 0, 0]


async def test_sizes_down_to_one_cell() -> None:
    app = TableApp(Rows(list(range(1000))))
    async with app.run_test(size=(200, 60)) as pilot:
        await pilot.press(*["pagedown"] * 2)
        assert app.table.cursor == 118
        for width, height in ((40, 10), (1, 1), (2, 2), (200, 60)):
            await pilot.resize_terminal(width, height)
            await settle(pilot)
            assert app.table.cursor == 118
            assert len(screen(app)) == height
            if height > 1:
                assert cursor_line(app) is not None
            await pilot.press("j", "k")


async def test_empty_model_shows_its_placeholder() -> None:
    app = TableApp(Rows([]))
    async with app.run_test(size=(80, 10)) as pilot:
        await pilot.press("j", "G", "enter")
        assert screen(app)[1] == "no sockets"
        assert app.table.cursor is None
        app.table.changed(Rows([5]))
        await settle(pilot)
        assert app.table.cursor == 5
        assert screen(app)[1].startswith("proc5 ")


async def test_another_model_starts_at_its_cursor() -> None:
    app = TableApp(Rows(list(range(100))))
    async with app.run_test(size=(80, 11)) as pilot:
        await pilot.press("G")
        app.table.show(Rows(list(range(1000, 1100))), None, False, cursor=1050)
        await settle(pilot)
        line = cursor_line(app)
        assert line is not None
        assert screen(app)[line].startswith("proc1050")
        app.table.show(app.model, None, False)
        await settle(pilot)
        assert (app.table.cursor, cursor_line(app)) == (0, 1)


@pytest.mark.parametrize(
    ("theme", "no_color"),
    [
        ("textual-dark", False),
        ("textual-light", False),
        ("ansi-dark", False),
        ("ansi-light", False),
        ("ansi-dark", True),  # without colours the view starts with an ansi theme
    ],
)
async def test_cursor_and_looks_can_be_told_apart(
    theme: str, no_color: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    if no_color:
        monkeypatch.setenv("NO_COLOR", "1")
    model = Rows([1, 2, 3, 4])
    model.styles = {2: "bad", 3: "dim", 4: ""}
    app = TableApp(model, ansi=theme.startswith("ansi"))
    async with app.run_test(size=(80, 10)) as pilot:
        app.theme = theme
        await settle(pilot)
        strips = app.table.render_lines(Region(0, 0, 80, 5))
        styles = [next(iter(strip)).style for strip in strips]
        assert len({str(style) for style in styles}) == 5
        assert all(style is not None and style.color is not None for style in styles)
        warn = [s.style for s in strips[4] if "1.5" in s.text]
        assert warn != [styles[4]]
        if no_color:
            assert all(s and s.color and s.color.is_default for s in styles)
            assert styles[1] is not None
            assert styles[1].reverse


def test_every_layout_fits_or_is_one_column() -> None:
    for width in range(1, 60):
        kept, sizes = layout.lay_out(COLUMNS, width)
        assert sum(sizes) + len(sizes) <= width or len(kept) == 1
        if sum(sizes) + len(sizes) <= width:
            assert sum(sizes) + len(sizes) == width


def test_long_text_is_cut_with_a_mark() -> None:
    column = TableColumn("process", "process", 5)
    assert layout.place("abcdefgh", column, 5) == "abcd…"
    assert layout.place("abcde", column, 5) == "abcde"


def test_window_keeps_looks_and_width() -> None:
    line = (("abc", "x"), ("def", "y"))
    assert layout.window(line, 2, 3) == (("c", "x"), ("de", "y"))
    assert layout.window(line, 4, 5) == (("ef   ", "y"),)
    assert layout.window(line, 9, 2) == (("  ", "y"),)
    assert layout.window((), 0, 2) == (("  ", ""),)


async def test_a_row_that_cannot_be_drawn_says_so_among_the_others() -> None:
    class Broken(Rows):
        def cells(self, row: int, columns: Sequence[TableColumn]) -> Sequence[Cell]:
            if row == 1:
                raise KeyError("a bug")
            return super().cells(row, columns)

    app = TableApp(Broken(range(3)))
    async with app.run_test(size=(60, 10)):
        first, second, third = screen(app)[1:4]
        assert second.startswith("cannot draw: unexpected KeyError: 'a bug' (test_table.py:")
        assert (first.split()[0], third.split()[0]) == ("proc0", "proc2")
