"""Work that may take long, such as DNS: off the event loop, and quitting does not wait for it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

from textual.message_pump import MessagePump

T = TypeVar("T")


def in_background(
    pump: MessagePump, work: Callable[[], T], done: Callable[..., Any], *more: object
) -> None:
    """Call `done(work(), *more)` on the event loop once `work` has ended in a daemon thread.

    Textual's thread workers will not do: asyncio waits for them at the end.
    """

    def run() -> None:
        result = work()
        with suppress(RuntimeError):  # the loop is closed: nobody wants to know any more
            pump.call_later(done, result, *more)

    threading.Thread(target=run, name="background", daemon=True).start()
