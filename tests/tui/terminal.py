"""A real pseudo terminal with an emulator behind it, to see what a program leaves there."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pyte

from tests import warm

DEADLINE = 60.0  # seconds; only a failure takes as long


class Screen(pyte.Screen):
    """Keeps what pyte ignores: the alternate screen, and the kitty keyboard's stack."""

    def __init__(self, columns: int, lines: int) -> None:
        super().__init__(columns, lines)
        self.private: set[int] = set()

    def set_mode(self, *modes: int, **kwargs: Any) -> None:
        if kwargs.get("private"):
            self.private.update(modes)
        super().set_mode(*modes, **kwargs)

    def reset_mode(self, *modes: int, **kwargs: Any) -> None:
        if kwargs.get("private"):
            self.private.difference_update(modes)
        super().reset_mode(*modes, **kwargs)


class Terminal:
    """Runs a program on a pseudo terminal of its own session; use as a context manager."""

    def __init__(
        self,
        command: Sequence[str],
        environ: Mapping[str, str],
        size: tuple[int, int] = (80, 24),
        ignored: Sequence[signal.Signals] = (),
        redirect: Mapping[int, str] | None = None,
        cwd: Path | None = None,
        begin: type[subprocess.Popen[Any]] = warm.Popen,
    ) -> None:
        self.master, self.slave = pty.openpty()
        self.resize(*size, tell=False)
        self.attributes = termios.tcgetattr(self.slave)
        self.screen = Screen(*size)
        self.stream = pyte.ByteStream(self.screen)
        self.received = b""
        self._redirect = redirect or {}
        self._ignored = ignored
        self.process = begin(
            command,
            stdin=self.slave,
            stdout=self.slave,
            stderr=self.slave,
            env={"TCPTOP_RAISE": "1", **environ},
            cwd=cwd,
            start_new_session=True,
            preexec_fn=self._prepare if ignored or redirect else warm.controlling,
        )

    def _prepare(self) -> None:
        warm.controlling()
        for number in self._ignored:
            signal.signal(number, signal.SIG_IGN)
        for fileno, path in self._redirect.items():
            if path:
                target = os.open(path, os.O_RDWR | os.O_CREAT)
                os.dup2(target, fileno)
            else:
                os.close(fileno)

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *error: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for fileno in (self.master, self.slave):
            if fileno >= 0:
                os.close(fileno)

    def resize(self, columns: int, lines: int, tell: bool = True) -> None:
        """Change the size of the window."""
        packed = struct.pack("HHHH", lines, columns, 0, 0)
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, packed)
        if tell:
            self.screen.resize(lines, columns)

    def hang_up(self) -> None:
        """Close both ends, as when the window is closed or the SSH connection breaks."""
        os.close(self.slave)
        os.close(self.master)
        self.master = self.slave = -1

    def type(self, text: str) -> None:
        """Press keys."""
        os.write(self.master, text.encode())

    def flood(self, text: str) -> None:
        """Type faster than anybody can: as much as the program takes, until it has all or ends."""
        data = text.encode()
        os.set_blocking(self.master, False)
        while data and self.process.poll() is None:
            with suppress(BlockingIOError):
                data = data[os.write(self.master, data[:4096]) :]
            self.read(0.005)
        os.set_blocking(self.master, True)

    def read(self, seconds: float) -> None:
        """Take what the program writes, for at most this long."""
        if self.master < 0:
            time.sleep(seconds)
            return
        if select.select([self.master], [], [], seconds)[0]:
            data = os.read(self.master, 65536)
            self.received += data
            self.stream.feed(data)

    def wait_until(self, condition: Callable[[], bool], what: str) -> None:
        """Read until the condition holds."""
        end = time.monotonic() + DEADLINE
        while not condition():
            assert time.monotonic() < end, f"never {what}:\n" + "\n".join(self.lines())
            self.read(0.02)

    def wait_for(self, text: str) -> None:
        """Read until the text is on the screen."""
        self.wait_until(lambda: any(text in line for line in self.lines()), f"seen: {text}")

    def wait_exit(self) -> int:
        """The exit status, after everything written has been read."""
        self.wait_until(lambda: self.process.poll() is not None, "ended")
        while self.master >= 0 and select.select([self.master], [], [], 0)[0]:
            self.read(0)
        assert self.process.returncode is not None
        return self.process.returncode

    def lines(self) -> list[str]:
        """The text of the screen."""
        return [line.rstrip() for line in self.screen.display]

    def cells(self) -> list[list[Any]]:
        """Every cell with its colours and attributes."""
        screen = self.screen
        return [[screen.buffer[y][x] for x in range(screen.columns)] for y in range(screen.lines)]

    def left_behind(self) -> list[str]:
        """What differs from a terminal nobody has touched."""
        modes = {
            "the alternate screen": 1049,
            "mouse clicks": 1000,
            "mouse drags": 1002,
            "mouse motion": 1003,
            "mouse reports": 1006,
            "mouse pixels": 1016,
            "focus reports": 1004,
            "bracketed paste": 2004,
            "resize reports": 2048,
        }
        found = [name for name, mode in modes.items() if mode in self.screen.private]
        if self.screen.cursor.hidden:
            found.append("a hidden cursor")
        if self.received.count(b"\x1b[>") > self.received.count(b"\x1b[<"):
            found.append("the kitty keyboard")
        if self.received.rfind(b"\x1b[?7l") > self.received.rfind(b"\x1b[?7h"):
            found.append("no line wrap")
        if self.slave >= 0 and termios.tcgetattr(self.slave) != self.attributes:
            found.append("terminal attributes")
        return found
