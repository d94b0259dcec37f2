"""How a command ends: exit codes, and what is said where it could not be done."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress

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


def tell(line: str) -> None:
    """A notice on stderr; one that is closed or full stops nothing."""
    with suppress(OSError, ValueError):
        print(f"tcptop: {safe(line)}", file=sys.stderr, flush=True)
