"""A text on a terminal goes through the user's pager, as git does it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping

from tcptop.views import output

_COULD_NOT_RUN = (126, 127)  # what sh says of a command that is not there (sh(1), exit status)


def show(text: str) -> None:
    """Write a text to stdout, through a pager where that is a terminal. Raises OSError."""
    terminal = sys.stdout is not None and sys.stdout.isatty()
    command = chosen(os.environ) if terminal else ""
    if command and _paged(command, text):
        return
    with output.opened(None) as out:
        out.write(text)


def chosen(environ: Mapping[str, str]) -> str:
    """A shell command: $PAGER, else less; "" where there is none, or it could not move a cursor."""
    if "PAGER" in environ:
        return environ["PAGER"].strip()
    able = environ.get("TERM", "dumb") != "dumb"
    return "less -FRX" if able and shutil.which("less") else ""


def _paged(command: str, text: str) -> bool:
    """Whether the pager could be run; it may have been left before the end."""
    environment = {"LESS": "FRX", **os.environ}  # as git: what fits on the screen does not wait
    # Ctrl-C is the pager's: leaving first would leave it without a terminal.
    before = signal.signal(signal.SIGINT, lambda number, frame: None)
    try:
        pager = subprocess.Popen(command, shell=True, stdin=subprocess.PIPE, env=environment)
        pager.communicate(text.encode())
    finally:
        signal.signal(signal.SIGINT, before)
    return pager.returncode not in _COULD_NOT_RUN
