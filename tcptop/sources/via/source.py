"""Another host as a source, however its link behaves."""

from __future__ import annotations

import os
import time
import zlib
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from tcptop.model.sample import Sample
from tcptop.model.source import Requests, Stop
from tcptop.sources.recording import consistent
from tcptop.sources.via.answers import There
from tcptop.sources.via.errors import StalledError, ViaError, shown
from tcptop.sources.via.link import ShellLink
from tcptop.sources.via.session import ShellSession

T = TypeVar("T")

# Until the first answer: with a terminal somebody may have to type a password.
PROMPTED_S, HELLO_S = 120.0, 30.0
LISTENER_POLLS_S = 0.5  # a poll costs the other side 2 ms
LEAST_REST_S = 0.05
AGAIN_S = 5.0  # before a command that has ended is started anew
# What a stranger's bytes may make of us.
STRANGE = (ValueError, KeyError, IndexError, OverflowError, MemoryError, zlib.error)


class ViaSource:
    """Reads what `sh -s` behind `command` sees, once connected. Use it in one thread; close it in
    any.

    The first start may ask for a password on the terminal; one after it has ended may not.
    """

    def __init__(self, command: str) -> None:
        self._command = command
        self._link: ShellLink | None = None
        self._session: ShellSession | None = None
        self._closed = False
        self._began = time.monotonic()
        self._interval: float | None = None
        self._again, self._why = 0.0, ""
        self.there: There | None = None

    def connect(self, within_s: float | None = None) -> None:
        """After it, `there` is who and where the shell is. Raises ViaError."""
        if within_s is None:
            within_s = PROMPTED_S if _has_terminal() else HELLO_S
        self.there = self._understood(lambda: self._connected(within_s, own_session=False).there)

    def _connected(self, within_s: float, own_session: bool) -> ShellSession:
        self._link = ShellLink(self._command, own_session)
        self._link.greet(within_s)
        self._session = ShellSession(self._link, self._command)
        return self._session

    def _understood(self, ask: Callable[[], T]) -> T:
        """What it answers; after an answer that makes no sense the link is given up."""
        try:
            return ask()
        except StalledError:
            if self._session is None:  # it has never answered
                self._give_up("")
            raise
        except ViaError as error:
            self._give_up(str(error))
            raise
        except STRANGE as error:
            told = shown(str(error).encode("utf-8", "replace"))
            why = f"{self._command}: does not answer as agreed: {type(error).__name__}: {told}"
            self._give_up(why)
            raise ViaError(why) from error

    def _give_up(self, why: str) -> None:
        self.end()
        self._link = self._session = None
        self._again, self._why = time.monotonic() + AGAIN_S, why

    def end(self) -> None:
        """What was started, whatever it does now."""
        if self._link:
            self._link.close()

    def close(self) -> None:
        self._closed = True
        self.end()

    def request(self, wanted: Requests) -> None:
        """Nothing of it can be had."""

    def sample(self) -> Sample:
        """What the kernel there says now; of a command that has ended, after another start."""
        self._began = time.monotonic()
        if self._session is None and (self._closed or self._began < self._again):
            raise ViaError(self._why)
        return self._understood(self._sampled)

    def _sampled(self) -> Sample:
        session = self._session or self._connected(HELLO_S, own_session=True)
        sample = session.sample(self._interval)
        consistent.check(sample)
        return sample

    def wait(self, interval: float, stop: Stop) -> bool:
        """Poll listeners meanwhile. Where that fails, so does the next sample, and says why."""
        self._interval = interval
        due = max(self._began + interval, time.monotonic() + LEAST_REST_S)
        while (left := due - time.monotonic()) > 0:
            if stop.wait(min(left, LISTENER_POLLS_S)):
                return True
            if self._session and due - time.monotonic() > LISTENER_POLLS_S / 2:
                with suppress(OSError):
                    self._understood(self._session.poll_listeners)
        return stop.is_set()


def _has_terminal() -> bool:
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC))
    except OSError:
        return False
    return True
