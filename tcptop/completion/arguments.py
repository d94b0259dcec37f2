"""argparse's parsers -> what may be typed after each command, as the shells want to know it."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from tcptop.option_groups import Parser

FILE, NETNS = "file", "netns"  # what the shell finds itself
FILES = ("FILE", "FILE2", "OUT", "OLD", "NEW")
LIVE = "live"  # the command without a word


class Argument(NamedTuple):
    """An option, or, without names, what comes after the options.

    `words` may be its value, or `found` is what the shell has to look for; neither, where any text
    may be.
    """

    names: Sequence[str]
    help: str
    flag: bool = False
    words: Sequence[str] = ()
    found: str = ""
    often: bool = False

    @property
    def free(self) -> bool:
        """Whether any text may be."""
        return not self.flag and not self.words and not self.found


Commands = Mapping[str, Sequence[Argument]]  # LIVE, and each with a word


def arguments(parser: Parser, known: Mapping[str, Sequence[str]]) -> list[Argument]:
    """What a command takes; `known` are words by metavar."""
    shown = (action for action in parser._actions if action.help != argparse.SUPPRESS)
    return [_argument(action, known) for action in shown]


def _argument(action: argparse.Action, known: Mapping[str, Sequence[str]]) -> Argument:
    metavar = action.metavar if isinstance(action.metavar, str) else ""
    found = FILE if metavar in FILES else NETNS if metavar.startswith("current|all") else ""
    words = action.choices or known.get(metavar, ())
    many = action.nargs == "*" or isinstance(action, argparse._AppendAction)
    return Argument(
        tuple(action.option_strings),
        _help(action),
        flag=bool(action.option_strings) and action.nargs == 0,
        words=tuple(map(str, words)),
        found=found,
        often=many,
    )


def _help(action: argparse.Action) -> str:
    return (action.help or "").replace("%%", "%").partition(";")[0]
