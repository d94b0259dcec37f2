"""What went wrong in tcptop itself, in a line: the kind of error, its words, and where."""

from __future__ import annotations

from types import TracebackType

from tcptop.model.cells import safe


def told(error: BaseException) -> str:
    """For the user, who may report it; no traceback."""
    if why := exhausted(error):
        return why
    while isinstance(error, ImportError) and isinstance(error.__cause__, Exception):
        error = error.__cause__  # numpy says it in a page of advice
    why = safe(" ".join(str(error).split())) or "no reason given"
    return f"unexpected {type(error).__name__}: {why}{_place(error.__traceback__)}"


def exhausted(error: BaseException) -> str:
    """What the process has no more of, empty where that is not why.

    A thread that cannot be started lacks memory for its stack, or there may be no more of them
    (ulimit -u, pids.max): pthread_create(3) answers EAGAIN to both, and Python drops even that.
    """
    if isinstance(error, MemoryError):
        return "out of memory"
    no_thread = isinstance(error, RuntimeError) and "can't start new thread" in str(error)
    return "out of memory or threads" if no_thread else ""


def _place(frame: TracebackType | None) -> str:
    """Where it was raised."""
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    if frame is None:
        return ""
    name = frame.tb_frame.f_code.co_filename.rpartition("/")[2]
    return f" ({name}:{frame.tb_lineno})"
