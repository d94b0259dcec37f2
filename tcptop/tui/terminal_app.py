"""An App on our driver and display, to derive from: it crashes in plain words.

app = MyApp()
app.run(mouse=...)
return finish(app)
"""

from __future__ import annotations

import sys
import traceback

from textual import constants, on
from textual.driver import Driver

from tcptop.tui.display import CellApp
from tcptop.tui.driver import TerminalDriver

FRAMES = 12  # the last ones, of the traceback of a crash


class TerminalApp(CellApp):
    """Relies on `App._display` and `App._fatal_error` of Textual 8.2."""

    crash: str | None = None

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

    def _fatal_error(self) -> None:
        # Not Rich's traceback: its locals would print addresses and names.
        error = self._exception or sys.exc_info()[1]
        if error is not None and self.crash is None:
            self.crash = "".join(traceback.format_exception(error, limit=-FRAMES))
        self._close_messages_no_wait()


def finish(app: TerminalApp) -> int:
    """The exit status after `app.run()`; the traceback of a crash goes to stderr."""
    if app.crash is not None:
        sys.stderr.write(app.crash)
    return app.return_code or 0
