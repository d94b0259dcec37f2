"""How a command ends: exit codes, and what is said where it could not be done."""

from __future__ import annotations

import os
import signal
from types import TracebackType

from tcptop.model.cells import safe

DONE, COULD_NOT, USAGE = 0, 1, 2
UNKNOWN = 3  # of a monitoring plug-in that could not look, usage errors included
BROKEN_PIPE = 128 + signal.SIGPIPE


class CommandError(Exception):
    """What could not be done and why, for one line on stderr."""


def one_line(error: BaseException) -> str:
    """WHAT: WHY, whatever was raised, and whatever a file is called."""
    if isinstance(error, OSError) and error.strerror:
        what = os.fsdecode(error.filename) if error.filename else "stdout"
        return f"{safe(what)}: {error.strerror}"
    return " ".join(str(error).split())


def unexpected(error: Exception) -> str:
    """What went wrong in tcptop itself, and where, for a report of it."""
    if isinstance(error, MemoryError):
        return "out of memory"
    while isinstance(error, ImportError) and isinstance(error.__cause__, Exception):
        error = error.__cause__  # numpy says it in a page of advice
    why = one_line(error) or "no reason given"
    return f"unexpected {type(error).__name__}: {why}{_place(error.__traceback__)}"


def _place(frame: TracebackType | None) -> str:
    """Where it was raised."""
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    if frame is None:
        return ""
    return f" ({os.path.basename(frame.tb_frame.f_code.co_filename)}:{frame.tb_lineno})"
