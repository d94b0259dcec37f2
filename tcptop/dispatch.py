"""Words -> a subcommand and its exit code. Each is imported only when it is asked for."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module

from tcptop import command_line, options
from tcptop.commands import memory
from tcptop.commands.errors import (
    BROKEN_PIPE,
    COULD_NOT,
    UNKNOWN,
    USAGE,
    CommandError,
    one_line,
)
from tcptop.model import mistake
from tcptop.model.cells import safe

NUMPY_BYTES = 96 << 20  # address space that it takes when it is imported


def dispatch(words: Sequence[str]) -> int:
    """Run a command line; the contract's exit code, once everything is written."""
    if sys.stderr is None:  # closed before we began: print() would put notices on stdout
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115 for the life of the process
    try:
        code = _to_the_end(words)
    except BrokenPipeError:
        code = BROKEN_PIPE
    except options.UsageError as error:
        code = _failed(words, str(error), USAGE)
    except (CommandError, OSError) as error:
        code = _failed(words, f"tcptop: {one_line(error)}", COULD_NOT)
    except Exception as error:  # a bug, or no memory: not a traceback, and of `check` no WARNING
        code = _failed(words, f"tcptop: {_name(words)}: {mistake.told(error)}", COULD_NOT)
    _leave_stdout()
    return code


def _to_the_end(words: Sequence[str]) -> int:
    """The exit code, once stdout has taken everything; --help ends with one too."""
    try:
        code = run(words)
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else USAGE
    if sys.stdout is not None:
        sys.stdout.flush()
    return code


def _failed(words: Sequence[str], message: str, code: int) -> int:
    """Say why on stderr; `check` says it to the monitoring system too, which reads stdout.

    An option or a name in it may hold anything, which must not reach a terminal as it is.
    """
    message = "\n".join(map(safe, message.split("\n")))
    with suppress(OSError):  # a full disk has to do with the exit code only where it is stdout's
        print(message, file=sys.stderr, flush=True)
    if words[:1] != ["check"]:
        return code
    if sys.stdout is not None and not {"json", "--format=json"}.intersection(words):
        why = ": ".join(line.lstrip(" ^") for line in message.splitlines())  # a caret is of no use
        with suppress(OSError):  # a full disk takes no verdict either
            print(f"TCPTOP UNKNOWN: {why.removeprefix('tcptop: ')}".replace("|", "/"))
    return UNKNOWN


def _name(words: Sequence[str]) -> str:
    """The subcommand."""
    return words[0] if words and words[0] in command_line.SUBCOMMANDS else "live view"


def _leave_stdout() -> None:
    """What is still buffered for a closed pipe or a full disk must not complain once more."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except (OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def run(words: Sequence[str]) -> int:
    """The exit code of a command line. Raises UsageError, CommandError, OSError and SystemExit."""
    chosen = command_line.parse(words)
    _prepare_for_numpy()
    code: int = import_module(f"tcptop.commands.{chosen.command}").run(chosen)
    return code


def _prepare_for_numpy() -> None:
    """Its OpenBLAS, which nothing here calls, makes a thread a core; and where it gets no memory it
    ends the process with 1. Raises MemoryError."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    memory.need(NUMPY_BYTES)
