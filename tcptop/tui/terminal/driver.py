"""The terminal of the live view: taken, and always given back as it was found.

Textual's own driver leaves the alternate screen, the mouse and the raw mode behind on SIGTERM,
SIGHUP and SIGQUIT, spins when the terminal is gone, resumes with a blank screen, and asks for
every motion of the mouse. This one ends with status 128 + signal, or 0 after SIGINT; it relies
on private parts of Textual 8.2 (`App._handle_exception`), and tests/tui/test_driver.py is the
contract.
Use it through `tcptop.tui.terminal.display`.
"""

from __future__ import annotations

import atexit
import errno
import os
import select
import signal
import termios
from collections.abc import Iterable
from contextlib import suppress
from threading import Event, Thread, current_thread
from types import FrameType
from typing import Any

from textual import events
from textual.app import App
from textual.driver import Driver
from textual.drivers.linux_driver import LinuxDriver
from textual.geometry import Size
from textual.message import Message

from tcptop.tui.terminal.keyboard import Keyboard
from tcptop.tui.terminal.typeahead import Typeahead
from tcptop.tui.terminal.writer import Writer

# SIGABRT too: abort(3) ends the process whatever the handler does, and another's is to leave the
# terminal as it was. Not those of a fault: the instruction would be run again, before any Python.
UNUSUAL = (
    *(signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGABRT, signal.SIGXCPU),
    *(signal.SIGVTALRM, signal.SIGPROF, signal.SIGIO, signal.SIGPWR),
)
ENDING = (signal.SIGTERM, signal.SIGQUIT, signal.SIGINT, *UNUSUAL)
LIMIT = 2.0  # seconds from a signal until the process ends whatever the event loop does
PATIENCE = 0.5  # seconds that a stalled link may take to accept the last bytes
TAKEN_S = 0.05  # between two looks whether an app that does not take its keys has ended

# Alternate screen, hidden cursor, bracketed paste, no line wrap. No kitty keyboard: a process
# that is killed with SIGKILL would leave the shell with escape codes for keys.
ENTER = "\x1b[?1049h\x1b[?25l\x1b[?2004h\x1b[?7l"
LEAVE = "\x1b[?2026l\x1b[0m\x1b[?7h\x1b[?2004l\x1b[?1006l\x1b[?1000l\x1b[?1049l\x1b[?25h"
MOUSE_ON = "\x1b[?1000h\x1b[?1006h"  # clicks and wheel, reported as decimal numbers
MOUSE_OFF = "\x1b[?1006l\x1b[?1000l"
ASK_SYNC = "\x1b[?2026$p"
# These two write the last letter of the question on the screen.
NO_SYNC_TERMS = {("TERM_PROGRAM", "Apple_Terminal"), ("TERM", "linux")}


class TerminalDriver(LinuxDriver):
    """Reads and writes the controlling terminal; see the module."""

    def __init__(
        self,
        app: App[Any],
        *,
        debug: bool = False,
        mouse: bool = True,
        size: tuple[int, int] | None = None,
    ) -> None:
        # Not LinuxDriver.__init__: it fails when stdin is closed, and it installs handlers.
        Driver.__init__(self, app, debug=debug, mouse=mouse, size=size)
        self.fileno, self._output = open_terminal()
        self.input_tty = True
        self.attrs_before: list[Any] | None = None
        self._writer: Writer | None = None
        self._input: Thread | None = None
        self.typeahead = Typeahead()
        self._wake_read, self._wake_write = os.pipe()
        self._handlers: dict[int, Any] = {}
        self._active = False  # the terminal is ours
        self._ending = 0  # the signal that ends us

    # -- the mouse and the output

    @property
    def mouse(self) -> bool:
        """Whether clicks and wheel are reported; when not, the terminal selects text."""
        return self._mouse

    @mouse.setter
    def mouse(self, on: bool) -> None:
        self._mouse = on
        self.write(MOUSE_ON if on else MOUSE_OFF)

    @property
    def idle(self) -> bool:
        """Whether all output has reached the kernel; a display may drop frames until then."""
        return self._writer is None or self._writer.idle

    def write(self, data: str) -> None:
        """Queue output; dropped while the terminal is not ours."""
        if self._writer is not None:
            self._writer.write(data)

    def _get_terminal_size(self) -> tuple[int, int]:
        try:
            width, height = os.get_terminal_size(self._output)
        except OSError:
            width = height = 0
        return width or 80, height or 24

    def _send_size(self) -> None:
        self._size = self._get_terminal_size()
        size = Size(*self._size)
        self.send_message(events.Resize(size, size))

    # -- taking the terminal and giving it back

    def start_application_mode(self) -> None:
        """Take the terminal; handlers go first, so that no signal finds it half taken."""
        ours: dict[signal.Signals, Any] = dict.fromkeys(ENDING, self._on_ending)
        ours[signal.SIGTSTP] = self._on_stop
        ours[signal.SIGCONT] = self._on_continue
        ours[signal.SIGWINCH] = self._on_resize
        ours[signal.SIGALRM] = self._on_alarm
        for number, handler in ours.items():
            if number not in UNUSUAL or signal.getsignal(number) != signal.SIG_IGN:  # nohup
                self._handlers[number] = signal.signal(number, handler)
        atexit.register(self._leave)
        self._enter()

    def stop_application_mode(self) -> None:
        """Give the terminal back, for good."""
        self._leave()
        for number, handler in self._handlers.items():
            if number != signal.SIGALRM:  # stays as the limit of what is left to do
                signal.signal(number, handler)
        self._handlers.clear()

    def suspend_application_mode(self) -> None:
        """Give the terminal back for a while."""
        self._leave()

    def resume_application_mode(self) -> None:
        """Take the terminal again and have everything painted."""
        self._enter()
        self.send_message(self.SignalResume())

    def disable_input(self) -> None:
        """Stop reading."""
        reader, self._input = self._input, None
        if reader is not None and reader is not current_thread():
            os.write(self._wake_write, b"x")
            reader.join(PATIENCE)
            os.read(self._wake_read, 16)

    def close(self) -> None:
        """Nothing is left open by then."""

    def _enter(self) -> None:
        if self._ending or not self._set_raw():
            return
        if not self._active:
            self._active = True
            self._start_threads()
        self.write(ENTER + (MOUSE_ON if self._mouse else ""))
        if not any(os.environ.get(name) == value for name, value in NO_SYNC_TERMS):
            self.write(ASK_SYNC)
        self._send_size()

    def _start_threads(self) -> None:
        """Only threads that run are ours to end: there may be no memory for them."""
        writer = Writer(self._output, self._on_lost)
        writer.start()
        self._writer = writer
        reader = Thread(target=self._run_input_thread, name="terminal-input", daemon=True)
        reader.start()
        self._input = reader

    def _set_raw(self) -> bool:
        """Whether keys now come one by one.

        In the background the kernel stops the process here (SIGTTOU) until `fg`, after which the
        call is interrupted by SIGCONT and made again.
        """
        while not self._ending:
            try:
                attributes = termios.tcgetattr(self.fileno)
                before = self.attrs_before or [*attributes[:6], list(attributes[6])]
                attributes[0] = self._patch_iflag(before[0])
                attributes[3] = self._patch_lflag(before[3])
                attributes[6][termios.VMIN], attributes[6][termios.VTIME] = 1, 0
                termios.tcsetattr(self.fileno, termios.TCSANOW, attributes)
            except termios.error as error:
                if error.args[0] == errno.EINTR:
                    continue
                self._end(signal.SIGHUP)
                return False
            self.attrs_before = before
            return True
        return False

    def _leave(self) -> None:
        """Give the terminal back; does nothing when it is not ours."""
        if not self._active:
            return
        self._active = False
        self.disable_input()
        self.write(LEAVE)
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.stop(PATIENCE)
        self._restore_attributes()

    def _restore_attributes(self) -> None:
        before, self.attrs_before = self.attrs_before, None
        # In the background the shell has its own settings back, and we would be stopped.
        if before is not None and not in_background(self.fileno):
            with suppress(termios.error):
                termios.tcflush(self.fileno, termios.TCIFLUSH)
                termios.tcsetattr(self.fileno, termios.TCSANOW, before)

    # -- signals: handlers run between two bytecodes of the main thread, so they only schedule

    def _soon(self, *call: Any) -> None:
        with suppress(RuntimeError):  # the loop is closed: nothing to do any more
            self._loop.call_soon_threadsafe(*call)

    def _on_ending(self, number: int, frame: FrameType | None) -> None:
        self._end(number)

    def _end(self, number: int) -> None:
        if not self._ending:
            self._ending = number
            signal.setitimer(signal.ITIMER_REAL, LIMIT)
            self._soon(self._app.exit, None, status(number))

    def _on_lost(self) -> None:
        """The terminal is gone, which SIGHUP may not have told (nohup). From any thread."""
        if self._active:
            self._end(signal.SIGHUP)

    def _on_alarm(self, number: int, frame: FrameType | None) -> None:
        """The event loop has not ended in time."""
        self._leave()
        self._restore_attributes()
        os._exit(status(self._ending))

    def _on_stop(self, number: int, frame: FrameType | None) -> None:
        self._soon(self._suspend)

    def _suspend(self) -> None:
        """Stop as if the terminal had sent SIGTSTP: the whole process group, and by the kernel.

        The default action leaves an orphaned group running, where no shell could continue it.
        """
        self._leave()
        signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        os.kill(0, signal.SIGTSTP)
        signal.signal(signal.SIGTSTP, self._on_stop)
        self.resume_application_mode()

    def _on_continue(self, number: int, frame: FrameType | None) -> None:
        if self._active and self._auto_restart:  # after SIGSTOP, when nothing was given back
            self._soon(self.resume_application_mode)

    def _on_resize(self, number: int, frame: FrameType | None) -> None:
        self._soon(self._send_size)

    # -- input

    def _run_input_thread(self) -> None:
        try:
            self.run_input_thread()
        except OSError:
            self._on_lost()
        except Exception as error:
            self._soon(self._app._handle_exception, error)

    def run_input_thread(self) -> None:
        """Turn bytes into messages; asleep unless there is a key, or half of something.

        They are read while the app is still at work: `typeahead` says which of them it gets.
        """
        poll = select.poll()
        for fileno in (self.fileno, self._wake_read):
            poll.register(fileno, select.POLLIN)
        keyboard = Keyboard(self._debug)
        while self._wake_read not in (ready := dict(poll.poll(keyboard.patience_ms))):
            self._pass_on(keyboard.feed(read_some(self.fileno)) if ready else keyboard.late())

    def _pass_on(self, came: Iterable[Message]) -> None:
        messages, passed = self.typeahead.read(came)
        for message in messages:
            self.process_message(message)
        if passed.messages:
            self._app.call_later(self.typeahead.taken, passed)
        if self.typeahead.full:  # of what is never ignored, such as reports of the mouse
            self._until_taken()

    def _until_taken(self) -> None:
        """Wait for the app, unless it ends."""
        taken = Event()
        self._app.call_later(taken.set)
        while self._active and not taken.wait(TAKEN_S):
            pass


def status(number: int) -> int:
    """The exit status after a signal; an interrupt is how a live view is left."""
    return 0 if number == signal.SIGINT else 128 + number


def read_some(fileno: int) -> bytes:
    """At least one byte; OSError when the terminal is gone, which is how a hangup reads (EOF)."""
    data = os.read(fileno, 4096)
    if not data:
        raise OSError(errno.EIO, "end of file on the terminal")
    return data


def open_terminal() -> tuple[int, int]:
    """Descriptors to read from and to write to: stdin and stderr, or the controlling terminal."""
    if os.isatty(0) and os.isatty(2):
        return 0, 2
    fileno = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY)
    return fileno, fileno


def in_background(fileno: int) -> bool:
    """Whether another process group has the terminal."""
    try:
        return os.tcgetpgrp(fileno) != os.getpgrp()
    except OSError:
        return False
