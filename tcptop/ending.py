"""How the process ends: at once on a signal, and without taking the interpreter apart.

Imports next to nothing, so that a signal finds it ready.
"""

from __future__ import annotations

import atexit
import os
import signal

TYPE_CHECKING = (
    False  # not that of typing, whose import takes most of the time until signals are ours
)
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import FrameType
    from typing import NoReturn

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)

SUBCOMMANDS = (
    "snapshot",
    "check",
    "record",
    "diff",
    "replay",
    "report",
    "demo",
    "explain",
    "metrics",
    "config",
    "completion",
)  # end with 130 on ^C, the live view with 0

status: dict[int, int] = {number: 128 + number for number in SIGNALS}  # exit status after each
before_the_end: list[Callable[[], None]] = []  # what a signal must not leave undone


def at_once_on_signals(words: Sequence[str]) -> None:
    """Leave as `ss` does: what KeyboardInterrupt meets on its way, such as a half-done import,
    turns it into other errors. The live view has handlers of its own."""
    if not words or words[0] not in SUBCOMMANDS:
        status[signal.SIGINT] = 0
    for number in SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup, or in the background
            signal.signal(number, _on_signal)


def leave(code: int) -> NoReturn:
    """End with an exit code; what was to be written has been.

    Python before 3.14 ends the daemon threads that are left, such as one that samples, by
    unwinding their stacks (pthread_exit in take_gil), and the C++ parts of numpy abort then:
    "terminate called without an active exception".
    """
    atexit._run_exitfuncs()
    os._exit(code)


def _on_signal(number: int, frame: FrameType | None) -> NoReturn:
    for undo in before_the_end:
        undo()
    os._exit(status[number])
