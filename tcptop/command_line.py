"""The command line: words -> the options of a command.

A parser says only what was typed. Imports nothing that a `--help` does not need.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from tcptop import parsers
from tcptop.option_groups import Parser
from tcptop.options import (
    CheckOptions,
    CompletionOptions,
    ConfigOptions,
    DemoOptions,
    DiffOptions,
    ExplainOptions,
    LiveOptions,
    MetricsOptions,
    Options,
    RecordOptions,
    ReplayOptions,
    ReportOptions,
    SnapshotOptions,
    UsageError,
)

MOMENTS = ("--at", "--begin", "--end")

SUBCOMMANDS: Mapping[str, tuple[Callable[[], Parser], type[Options]]] = {
    "snapshot": (parsers.snapshot, SnapshotOptions),
    "check": (parsers.check, CheckOptions),
    "record": (parsers.record, RecordOptions),
    "diff": (parsers.diff, DiffOptions),
    "replay": (parsers.replay, ReplayOptions),
    "report": (parsers.report, ReportOptions),
    "demo": (parsers.demo, DemoOptions),
    "explain": (parsers.explain, ExplainOptions),
    "metrics": (parsers.metrics, MetricsOptions),
    "config": (parsers.config, ConfigOptions),
    "completion": (parsers.completion, CompletionOptions),
}


def parse(words: Sequence[str]) -> Options:
    """The options of a command line; what begins with no subcommand is the live view.

    Raises UsageError, and SystemExit for --help and --version.
    """
    first = words[0] if words else ""
    if first in SUBCOMMANDS:
        parser, kind = SUBCOMMANDS[first]
        return kind(**vars(parser().parse_intermixed_args(_with_moments(words[1:]))))
    if "--help-privileges" in words:
        return ExplainOptions(word=("privileges",))
    try:
        chosen = LiveOptions(**vars(parsers.live().parse_intermixed_args(words)))
    except UsageError:
        from difflib import get_close_matches

        near = get_close_matches(first, [*SUBCOMMANDS], 1)  # whose options it has
        _check_abbreviation(first, near)
        raise
    if chosen.filter == [first]:
        _check_abbreviation(first, [])
    return chosen


def _with_moments(words: Sequence[str]) -> list[str]:
    """`--at -5m` as one word: argparse takes the second one for an option."""
    joined: list[str] = []
    for word in words:
        if joined and joined[-1] in MOMENTS and word[:1] == "-" and word[1:2].isdecimal():
            joined[-1] += f"={word}"
        else:
            joined.append(word)
    return joined


def _check_abbreviation(word: str, near: Sequence[str]) -> None:
    """Raise UsageError for the beginning of a subcommand, which is a filter too, or for one that is
    misspelt."""
    meant = [name for name in SUBCOMMANDS if len(word) > 2 and name.startswith(word)] or near
    if meant:
        other = f"processes of that name are shown by: tcptop 'process = *{word}*'"
        raise UsageError(f'tcptop: "{word}": did you mean tcptop {meant[0]}? ({other})')
