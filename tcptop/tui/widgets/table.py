"""A table of any length that costs what is visible of it.

One widget serves every tab: `show` swaps the model. The line API is used without Textual's
StylesCache, so the widget has no border and no padding. Line 0 is the header, row r is on line
r - scroll + 1. What was drawn last is kept as text, and only lines that differ are painted.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence

from textual import events
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.widget import Widget

from tcptop.model import mistake
from tcptop.tui import keys
from tcptop.tui.widgets import layout
from tcptop.tui.widgets.layout import Line, MeasuredModel, TableColumn, TableModel
from tcptop.tui.widgets.layout import model_line as drawn
from tcptop.tui.widgets.lines import Painter, SolidBar

STEP = 8  # cells per horizontal scroll
WHOLE = 10_000  # cells that all columns have where they are scrolled sideways


class Needs:
    """What columns need, as far as was seen: they grow, but shrink only in another list, so that
    nothing moves with every sample."""

    def __init__(self) -> None:
        self._cells: dict[str, int] = {}
        self._filled: set[str] = set()

    def ask(
        self, model: TableModel | None, rows: range, sort: str | None
    ) -> tuple[Callable[[str], int] | None, Callable[[str], bool]]:
        """What `lay_out` asks."""
        if not isinstance(model, MeasuredModel):
            return None, lambda key: False
        known = model

        def content(key: str) -> int:
            self._cells[key] = max(self._cells.get(key, 0), known.content(key, rows))
            return self._cells[key]

        def empty(key: str) -> bool:
            if key not in self._filled and (key == sort or not known.empty(key, rows)):
                self._filled.add(key)
            return key not in self._filled

        return content, empty


class Table(ScrollView, can_focus=True, inherit_bindings=False):
    """Shows a `TableModel`, with a cursor that stays on its row's key.

    Until the cursor is moved (and again after Home) it stays on the first row instead, so that
    an unattended table keeps showing its top.
    """

    ALLOW_SELECT = False
    DEFAULT_CSS = """
    Table {
        height: 1fr; overflow-x: hidden; overflow-y: auto;
        scrollbar-size-vertical: 1; scrollbar-gutter: stable;
    }
    """
    BINDINGS = keys.bindings(keys.TABLE_KEYS)

    class Opened(Message):
        """A double click on a row."""

        def __init__(self, key: Hashable) -> None:
            self.key = key
            super().__init__()

    class SortAsked(Message):
        """A click on a title."""

        def __init__(self, column_key: str) -> None:
            self.column_key = column_key
            super().__init__()

    def __init__(self, empty: str = "", ascii_only: bool = False, id: str | None = None) -> None:
        self._painter = Painter(self, ascii_only)
        self._lines: list[Line] = []  # as painted last, from the header down
        self._drawn = Size(0, 0)  # the size they were drawn for
        self._model: TableModel | None = None
        self._sort: str | None = None
        self._reverse = False
        self._row = 0
        self._key: Hashable | None = None
        self._pinned = False
        self._wide, self._left = False, 0
        self._columns: Sequence[TableColumn] = ()
        self._sizes: Sequence[int] = ()
        self._rows_shown = 1
        self._needs = Needs()
        self.empty = empty
        self.undrawn: Exception | None = None  # why a row could not be drawn, the first one
        super().__init__(id=id)

    # -- what the owner calls

    @property
    def cursor(self) -> Hashable | None:
        """The key of the row under the cursor; None when there is no row."""
        return self._key

    @property
    def followed(self) -> Hashable | None:
        """The key to hand to `show` on coming back; None while the cursor stays at the top."""
        return self._key if self._pinned else None

    @property
    def model(self) -> TableModel | None:
        return self._model

    @property
    def row(self) -> int:
        """The number of the row under the cursor."""
        return self._row

    @property
    def columns_shown(self) -> Sequence[TableColumn]:
        """Those that have room."""
        return self._columns

    @property
    def widths_shown(self) -> dict[str, int]:
        """The cells of each column that has room, by key."""
        return {column.key: size for column, size in zip(self._columns, self._sizes, strict=True)}

    @property
    def rows_shown(self) -> range:
        """Those in sight."""
        top = self.scroll_offset.y
        rows = len(self._model) if self._model is not None else 0
        return range(top, min(top + self._rows_shown, rows))

    @property
    def row_width(self) -> int:
        """Cells that a row has."""
        return self._width

    @property
    def wide(self) -> bool:
        """Whether all columns are kept, to be scrolled sideways."""
        return self._wide

    @wide.setter
    def wide(self, wide: bool) -> None:
        self._wide, self._left = wide, 0
        self._settle(reveal=False)

    def show(
        self,
        model: TableModel,
        sort_key: str | None,
        reverse: bool,
        cursor: Hashable | None = None,
    ) -> None:
        """Show another model from its top, or where the row of key `cursor` is."""
        self._model, self._sort, self._reverse = model, sort_key, reverse
        self._needs = Needs()
        self._row, self._key, self._pinned, self._left = 0, cursor, cursor is not None, 0
        self._lay_out()  # scrolling paints, and must not ask this model for the last one's columns
        self.scroll_to(y=0, animate=False, force=True)
        self._find_cursor()
        self._settle(reveal=True)

    def clear(self) -> None:
        """Show no model: no columns and no rows."""
        self._model, self._sort = None, None
        self._place_cursor(0)
        self._lay_out()  # also where it is not shown, and has no size
        self._settle(reveal=True)

    def changed(self, model: TableModel | None = None) -> None:
        """The model has other data or another order, or is replaced by one of the same kind."""
        visible = self._cursor_visible()
        self._model = model if model is not None else self._model
        self._find_cursor()
        self._settle(reveal=visible)

    def sorted_by(self, sort_key: str | None, reverse: bool) -> None:
        """Mark the column that the model is sorted by; another one is brought into view."""
        if (sort_key, reverse) == (self._sort, self._reverse):
            return
        self._sort, self._reverse = sort_key, reverse
        if self._wide and sort_key is not None:
            span = layout.span(self._columns, self._sizes, sort_key)
            self._left = min(max(self._left, span.stop - self._width), span.start)
        self._settle(reveal=False)

    def go_to(self, key: Hashable) -> None:
        """Put the cursor on the row of a key, if there is one."""
        row = self._model.row_of(key) if self._model is not None else None
        if row is not None:
            self._move_to(row)

    def row_text(self) -> str:
        """The columns of the row under the cursor, each in full; empty where there is no row."""
        if self._model is None or not len(self._model):
            return ""
        if isinstance(self._model, layout.CopiedModel):
            return self._model.copied(self._row)
        cells = self._model.cells(self._row, self._columns)
        texts = (cell if isinstance(cell, str) else cell[0] for cell in cells)
        return "  ".join(text.strip() for text in texts if text.strip())

    # -- the cursor

    def _cursor_visible(self) -> bool:
        top = self.scroll_offset.y
        return top <= self._row < top + self._rows_shown

    def _find_cursor(self) -> None:
        """Put the cursor on the row of its key, or leave it where it is when that is gone."""
        found = None
        if self._pinned and self._model is not None and self._key is not None:
            found = self._model.row_of(self._key)
        self._place_cursor(self._row if found is None else found)

    def _place_cursor(self, row: int) -> None:
        rows = len(self._model) if self._model is not None else 0
        self._row = max(0, min(row, rows - 1))
        self._key = self._model.key(self._row) if self._model is not None and rows else None

    def _move_to(self, row: int, scroll: int = 0) -> None:
        self._pinned = True
        self._place_cursor(row)
        self._settle(reveal=True, scroll=scroll)

    @property
    def _page(self) -> int:
        return max(1, self.size.height - 1)

    def action_move(self, rows: int) -> None:
        """Move the cursor by rows."""
        self._move_to(self._row + rows)

    def action_page(self, pages: float) -> None:
        """Move the cursor by (part of) a screenful."""
        rows = round(pages * self._page)
        self._move_to(self._row + rows, scroll=rows)

    def action_top(self) -> None:
        """Go to the first row and stay there, whatever row that is."""
        self._move_to(0)
        self._pinned = False

    def action_bottom(self) -> None:
        """Go to the last row."""
        self._move_to(len(self._model) - 1 if self._model is not None else 0)

    def action_slide(self, steps: int) -> None:
        """Scroll sideways."""
        self._left += steps * STEP
        self._settle(reveal=False)

    def follow(self, on: bool) -> None:
        """Whether the cursor follows the selected row, or stays where it is on the screen."""
        self._pinned = on

    def on_click(self, event: events.Click) -> None:
        """A title asks for a sort, a row takes the cursor, and opens on the second click."""
        row = self.scroll_offset.y + event.y - 1
        if event.y == 0:
            column = layout.column_at(self._columns, self._sizes, event.x + self._left)
            if column is not None:
                self.post_message(self.SortAsked(column.key))
        elif event.chain == 2 and self._key is not None:
            self.post_message(self.Opened(self._key))  # what the first click chose, wherever it is
        elif self._model is not None and row < len(self._model):
            self._move_to(row)

    # -- laying out and painting

    @property
    def _width(self) -> int:
        return self.scrollable_content_region.width

    def on_resize(self) -> None:
        """Lay out again; the cursor stays visible if it was."""
        self._settle(reveal=self._cursor_visible())

    def on_mount(self) -> None:
        """Use the plain scroll bar."""
        self.vertical_scrollbar.renderer = SolidBar  # type: ignore[misc]

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Paint what differs, instead of everything."""
        if self.show_vertical_scrollbar:
            self.vertical_scrollbar.position = new_value
        if round(old_value) != round(new_value):
            self._paint()

    def _settle(self, reveal: bool, scroll: int = 0) -> None:
        if not self.size:
            return
        self._rows_shown = self._page
        self._lay_out()
        if reveal:
            top, last = self.scroll_offset.y, self.virtual_size.height - 1 - self._page
            wanted = min(max(0, min(top + scroll, last), self._row - self._page + 1), self._row)
            if wanted != top:
                self.scroll_to(y=wanted, animate=False, force=True)
        self._paint()

    @property
    def _visible(self) -> range:
        """The rows that have room."""
        top = self.scroll_offset.y
        rows = len(self._model) if self._model is not None else 0
        return range(min(top, rows), min(top + max(1, self._page), rows))

    def _lay_out(self) -> None:
        columns = self._model.columns if self._model is not None else ()
        content, empty = self._needs.ask(self._model, self._visible, self._sort)
        if self._wide:
            whole = sum(column.width + 1 for column in columns)
            room = WHOLE if content is not None else max(self._width, whole)
            laid = layout.lay_out(columns, room, content)
        else:
            laid = layout.lay_out(columns, self._width, content, empty)
        self._columns, self._sizes = laid
        farthest = max(0, sum(self._sizes) + len(self._sizes) - self._width)
        self._left = max(0, min(self._left, farthest)) if self._wide else 0
        rows = len(self._model) if self._model is not None else 0
        virtual_size = Size(self._width, rows + 1)
        if virtual_size != self.virtual_size:
            # Assigning would lay the whole screen out again, each time a socket comes or goes.
            self.set_reactive(Widget.virtual_size, virtual_size)
            self._scroll_update(virtual_size)

    def _paint(self) -> None:
        """Ask for the lines that differ from what is shown."""
        size, before, self._lines = self._drawn, self._lines, self._draw()
        if size != self.size:
            self.refresh()
            return
        width = self.size.width
        pairs = enumerate(zip(before, self._lines, strict=True))
        dirty = [Region(0, y, width, 1) for y, (old, new) in pairs if old != new]
        if dirty:
            self.refresh(*dirty)

    def _draw(self) -> list[Line]:
        self._drawn = self.size
        height, width = self.size.height, self._width
        top = self.scroll_offset.y
        lines = [self._header()]
        lines += [self._row_line(row) for row in range(top, top + height - 1)]
        gutter = self.size.width - width
        return [layout.window(line, self._left, width, gutter) for line in lines[:height]]

    def _header(self) -> Line:
        return layout.header_line(self._columns, self._sizes, self._sort, self._reverse)

    def _row_line(self, row: int) -> Line:
        model = self._model
        if model is None or row >= len(model):
            told = self.empty.split("\n")[row : row + 1] if model is None or not len(model) else ()
            return ((told[0], "dim"),) if told else (("", ""),)
        try:
            line = drawn(model, row, self._columns, self._sizes)
        except Exception as error:  # one row of many: the others are as they are
            self.undrawn = self.undrawn or error
            return ((f"cannot draw: {mistake.told(error)}", "bad"),)
        if row == self._row:
            return tuple((text, f"cursor {style}".rstrip()) for text, style in line)
        return line

    def render_lines(self, crop: Region) -> list[Strip]:
        """The lines as painted last; the model is not asked again."""
        if self._drawn != self.size:
            self._lines = self._draw()
        return self._painter.strips(self._lines[crop.y : crop.bottom], crop)

    def notify_style_update(self) -> None:
        """The theme or the classes have changed."""
        super().notify_style_update()
        self._painter.forget()
