"""The program: signals first, then the command line."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import NoReturn

from tcptop import ending


def main(words: Sequence[str] | None = None) -> NoReturn:
    """Run a command line; ends the process with the contract's exit code."""
    words = sys.argv[1:] if words is None else words
    ending.at_once_on_signals(words)
    from tcptop import dispatch  # which no signal finds half imported

    ending.leave(dispatch.dispatch(words))
