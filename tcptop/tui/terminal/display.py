"""Writes only the cells that changed, where Textual's own display writes whole lines.

Textual 8.2 hands each update to `App._display`. While the link does not drain, frames are dropped,
and the newest state is sent once it does. Whatever is unexpected (another driver, another kind of
update, an error in here) is left to Textual's own display.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Collection

from rich.color import ColorSystem
from rich.console import RenderableType
from rich.style import Style
from textual import constants, events, on
from textual._ansi_sequences import SYNC_END, SYNC_START
from textual._compositor import ChopsUpdate, LayoutUpdate
from textual.app import App
from textual.driver import Driver
from textual.screen import Screen
from textual.strip import Strip

from tcptop.model import mistake
from tcptop.tui.terminal.driver import TerminalDriver
from tcptop.tui.terminal.frame import Cells, Frame, cells
from tcptop.tui.terminal.keyboard import Typed, key
from tcptop.tui.terminal.sgr import CellStyle, style_of

SOONEST, LATEST = 0.005, 0.25  # seconds between two looks at a link that does not drain
STYLES_KEPT = 4096  # kept; links make new styles all the time


class TerminalApp(App[None]):
    """An app on our driver and display, to derive from. It is run with `run` and `finish`."""

    crash: str | None = None  # what is said of it once the terminal is given back
    display_error: Exception | None = None  # why everything is left to Textual
    _frame: Frame | None = None  # None: Textual has painted, or nobody has
    _styles: dict[Style | None, CellStyle] | None = None
    _waiting = 0.0  # seconds, while a frame is held back

    def get_driver_class(self) -> type[Driver]:
        """Our driver, unless TEXTUAL_DRIVER names one (as textual-serve does)."""
        return super().get_driver_class() if constants.DRIVER else TerminalDriver

    @on(Driver.SignalResume)
    def repaint_all(self) -> None:
        """Paint every cell: the terminal may show anything (after `fg`, on Ctrl-L)."""
        self.forget_terminal()
        screen = self.screen
        stack = self._background_screens
        self._display(screen, screen._compositor.render_update(full=True, screen_stack=stack))

    def write_through(self, text: str) -> None:
        """Send what moves no cursor and changes no cell, such as OSC 52."""
        if self._driver is not None:
            self._driver.write(text)
            self._driver.flush()

    @property
    def mouse(self) -> bool:
        """Whether clicks and wheel come to us; when not, the terminal selects text."""
        return isinstance(self._driver, TerminalDriver) and self._driver.mouse

    @mouse.setter
    def mouse(self, on: bool) -> None:
        if isinstance(self._driver, TerminalDriver):
            self._driver.mouse = on

    def heed(self, ends: Collection[str], kept: Collection[str]) -> None:
        """Keys that end the app wherever they are typed, and those taken even of a flood."""
        if isinstance(self._driver, TerminalDriver):
            self._driver.typeahead.ends, self._driver.typeahead.kept = ends, kept

    def ignores(self, key: str) -> bool:
        """Whether a key is one of a flood, or typed too long before the end."""
        return isinstance(self._driver, TerminalDriver) and self._driver.typeahead.ignores(key)

    async def on_typed(self, message: Typed) -> None:
        await self.take_text(message.text)

    async def take_text(self, text: str) -> None:
        """What came in one piece: the same as its keys one after the other."""
        for character in text:
            await self.on_event(key(character))

    @property
    def ending(self) -> bool:
        """Whether the end has been asked for."""
        return self._exit

    def _handle_exception(self, error: Exception) -> None:
        if self.ending:  # an action met screens that are going: the exit status is decided
            self._close_messages_no_wait()
        else:
            super()._handle_exception(error)

    def _fatal_error(self) -> None:
        # Not Rich's traceback: its locals would print addresses and names.
        error = self._exception or sys.exc_info()[1]
        if error is not None and self.crash is None:
            self.crash = f"tcptop: live view: {mistake.told(error)}\n"
        self._close_messages_no_wait()

    # -- what the terminal shows

    def forget_terminal(self) -> None:
        """The terminal may show anything: the next frame is sent whole."""
        if self._frame is not None:
            self._frame.forget()

    @on(events.Resize)
    def _forget_resized(self) -> None:
        """Terminals move text about when resized, even if they end up with the same size."""
        self.forget_terminal()
        if self._frame is not None and self.size == (self._frame.width, self._frame.height):
            self._send()

    def _display(self, screen: Screen[object], renderable: RenderableType | None) -> None:
        if renderable is None or self._batch_count or not self._running or self._closed:
            super()._display(screen, renderable)  # writes nothing
        elif not self._takes(renderable):
            self._step_aside()
            super()._display(screen, renderable)
        else:
            try:
                self._take(renderable)
            except Exception as error:
                self._give_up(error)
            else:
                self._send()
            self.post_display_hook()

    def _takes(self, renderable: RenderableType) -> bool:
        """Whether this update can be shown as cells, from what is known of the screen."""
        if os.environ.get("TCPTOP_DISPLAY") == "stock" or self.display_error is not None:
            return False
        if not isinstance(self._driver, TerminalDriver):  # a browser, inline, no terminal
            return False
        if type(renderable) is LayoutUpdate:
            return renderable.region.offset == (0, 0)
        frame = self._frame
        return type(renderable) is ChopsUpdate and frame is not None and _fits(renderable, frame)

    def _step_aside(self) -> None:
        """Textual paints next: without a frame, until it sends a whole screen."""
        frame, self._frame = self._frame, None
        if frame is not None and self._driver is not None:
            self._driver.write(frame.changes(self._cursor()))

    def _give_up(self, error: Exception) -> None:
        """Leave everything to Textual from now on, beginning with a whole screen."""
        self.display_error, self._frame = error, None
        self.log.error(f"the display failed: {error!r}")
        screen, stack = self.screen, self._background_screens
        whole = screen._compositor.render_update(full=True, screen_stack=stack)
        super()._display(screen, whole)

    # -- what is wanted

    def _take(self, renderable: RenderableType) -> None:
        if isinstance(renderable, LayoutUpdate):
            self._take_layout(renderable)
        elif isinstance(renderable, ChopsUpdate):
            self._take_chops(renderable)

    def _take_layout(self, update: LayoutUpdate) -> None:
        width, height = update.region.size
        frame = self._frame
        if frame is None or (width, height) != (frame.width, frame.height):
            frame = self._frame = Frame(width, height)
        for y, strips in enumerate(update.strips):
            x = 0
            for strip in strips:
                frame.put(x, y, self._cells(strip))
                x += strip.cell_length

    def _take_chops(self, update: ChopsUpdate) -> None:
        """Whole chops: all that a span touches has been rendered anew."""
        assert self._frame is not None
        for y, left, right in update.spans:
            for end, (x, strip) in zip(update.chop_ends[y], update.chops[y].items(), strict=True):
                if strip is not None and x < right and end > left:
                    self._frame.put(x, y, self._cells(strip))

    def _cells(self, strip: Strip) -> Cells:
        if self._styles is None or len(self._styles) > STYLES_KEPT:
            self._styles = {}
        styles = self._styles
        pieces = []
        for text, style, _ in strip:
            cell_style = styles.get(style)
            if cell_style is None:
                cell_style = styles[style] = self._style_of(style)
            pieces.append((text, cell_style))
        return cells(pieces)

    def _style_of(self, style: Style | None) -> CellStyle:
        # As in Strip.render: Rich knows no colours where Textual assumes all of them.
        return style_of(style, self.console._color_system or ColorSystem.TRUECOLOR)

    # -- what is sent

    def _send(self) -> None:
        """Write what has changed; later if the link does not drain."""
        frame, driver = self._frame, self._driver
        if frame is None or not isinstance(driver, TerminalDriver):
            return
        if not driver.idle:
            self._wait()
            return
        try:
            data = frame.changes(self._cursor())
        except Exception as error:
            self._give_up(error)
            return
        if data:  # in one piece, so that no terminal shows half of it
            driver.write(f"{SYNC_START}{data}{SYNC_END}" if self._sync_available else data)

    def _cursor(self) -> tuple[int, int]:
        """Where input methods open their windows; the cursor itself is hidden."""
        return self.screen.outer_size.clamp_offset(self.cursor_position)

    def _wait(self) -> None:
        if not self._waiting:
            self._waiting = SOONEST
            self.set_timer(self._waiting, self._try_again)

    def _try_again(self) -> None:
        if isinstance(self._driver, TerminalDriver) and not self._driver.idle:
            self._waiting = min(2 * self._waiting, LATEST)
            self.set_timer(self._waiting, self._try_again)
            return
        self._waiting = 0.0
        self._send()


def _fits(update: ChopsUpdate, frame: Frame) -> bool:
    """Whether the update is of a screen of the frame's size."""
    ends = update.chop_ends
    return len(ends) == frame.height and all(line[-1] == frame.width for line in ends)


def finish(app: TerminalApp) -> int:
    """The exit status after `app.run()`; why it crashed goes to stderr."""
    if app.crash is not None:
        sys.stderr.write(app.crash)
    return app.return_code or 0
