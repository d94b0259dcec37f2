"""The lines above the table."""

from __future__ import annotations

from textual import events
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.message import Message

from tcptop.model.selection import Selection
from tcptop.tui import header
from tcptop.tui.widgets.layout import Line
from tcptop.tui.widgets.lines import Lines


class Top(Vertical):
    """Title, the worst that was found, counts of the states, tabs; below them the filter in force
    and a remark, if any."""

    DEFAULT_CSS = "Top { height: auto; }"

    class TabClicked(Message):
        def __init__(self, view: str) -> None:
            self.view = view
            super().__init__()

    class AlarmClicked(Message):
        """The line of what was found was clicked."""

    def __init__(self, ascii_only: bool) -> None:
        super().__init__(id="top")
        names = ("title", "alarm", "strip", "tabs")
        made = (Lines(ascii_only, id=name) for name in names)
        self._title, self._alarm, self._strip, self._tabs = made
        self._remarks = Lines(ascii_only, id="remarks", rows=0)

    def compose(self) -> ComposeResult:
        yield from (self._title, self._alarm, self._strip, self._tabs, self._remarks)

    def show(
        self,
        selection: Selection | None,
        view: str,
        status: header.Status,
        worst: Line,
        remark: Line | None,
    ) -> None:
        """`selection` None: before the first sample."""
        width, height = self.app.size
        self._alarm.show(*([worst] if height >= header.ALARM_ROWS else []))
        self._title.show(header.title(selection, status, width))
        self._tabs.show(header.tabs(selection, view, width))
        if selection is None:
            self._remarks.show(*([remark] if remark else []))
            return
        self._strip.show(header.strip(selection.snapshot.trend, width))
        filtered = header.filter_line(selection, selection.filter or "", view, width)
        self._remarks.show(*(line for line in (filtered, remark) if line))

    def on_click(self, event: events.Click) -> None:
        """A tab was clicked, or the line that tells what was found."""
        if event.widget is self._alarm:
            self.post_message(self.AlarmClicked())
        if event.widget is self._tabs:
            view = header.tab_at(self._tabs.lines[0], event.screen_x)
            if view is not None:
                self.post_message(self.TabClicked(view))
