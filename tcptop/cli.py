"""The program: signals first, then the command line."""

from __future__ import annotations

import sys

from tcptop import ending

TYPE_CHECKING = False  # as in tcptop.ending
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import NoReturn


def main(words: Sequence[str] | None = None) -> NoReturn:
    """Run a command line; ends the process with the contract's exit code."""
    words = sys.argv[1:] if words is None else words
    ending.at_once_on_signals(words)
    from tcptop import dispatch  # which no signal finds half imported

    ending.leave(dispatch.dispatch(words))
