"""The command line: words -> Options. Imports nothing that a `--help` does not need."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import NoReturn

from tcptop import __version__

FORMATS = ("json", "ndjson", "csv", "text", "markdown")
LISTS = ("sockets", "processes", "listeners", "ports", "remotes", "findings")
# Words of the contract that are subcommands and come with later versions.
LATER = ("check", "demo", "record", "replay", "report", "diff", "metrics")

EPILOG = """\
FILTER is the language of ss, and more:
  tcptop state close-wait
  tcptop dport = :5432 and state established
  tcptop 'process = nginx and sendq > 64k'
  tcptop :8080 and idle > 350s
States, ports, addresses, dev, cgroup as in ss(8); beyond it pid, process, user, recvq, sendq,
fill, drops, age, idle, rtt, retrans, backoff, timer, keepalive, owner.

commands:
  tcptop                the live view
  tcptop snapshot       one look, as text, JSON, CSV or Markdown (tcptop snapshot --help)
  tcptop explain WORD   what a state or trouble means, how to confirm and fix it; alone: the list
"""


class Parser(argparse.ArgumentParser):
    """Usage errors in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message} (see {self.prog} --help)\n")


def parse(words: Sequence[str]) -> argparse.Namespace:
    """Options of a command line; `command` is `live`, `snapshot`, `explain` or one of LATER."""
    first = words[0] if words else ""
    if first in LATER:
        return argparse.Namespace(command=first)
    if first == "snapshot":
        options = _snapshot().parse_intermixed_args(words[1:])
        return argparse.Namespace(command="snapshot", **vars(options))
    if first == "explain":
        return argparse.Namespace(command="explain", **vars(_explain().parse_args(words[1:])))
    return argparse.Namespace(command="live", **vars(_live().parse_intermixed_args(words)))


def _live() -> Parser:
    parser = Parser(
        "tcptop",
        description="A top for TCP: who holds which connections, which queues are full, "
        "which ports run out.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    _shared(parser)
    mouse = parser.add_mutually_exclusive_group()
    mouse.add_argument("--mouse", action="store_true", default=None, help="listen to the mouse")
    mouse.add_argument(
        "--no-mouse",
        dest="mouse",
        action="store_false",
        help="leave the mouse to the terminal (the default over SSH)",
    )
    parser.add_argument("--ascii", action="store_true", help="draw with ASCII characters only")
    return parser


def _snapshot() -> Parser:
    parser = Parser(
        "tcptop snapshot",
        description="One look at the host, to stdout or a file.",
        allow_abbrev=False,
    )
    _shared(parser)
    parser.add_argument(
        "--format", choices=FORMATS, help="default: by the file's ending, text on a terminal, json"
    )
    parser.add_argument(
        "-o", "--output", type=_file, metavar="FILE", help="written whole or not at all"
    )
    parser.add_argument(
        "--over",
        type=_seconds(0, 86_400),
        metavar="SECONDS",
        help="poll each interval for that long; rates are those of the last interval (see -i)",
    )
    parser.add_argument(
        "--only", action="append", choices=LISTS, default=[], help="only this list (repeatable)"
    )
    parser.add_argument("--limit", type=_whole, metavar="N", help="at most N rows a list")
    return parser


def _explain() -> Parser:
    parser = Parser(
        "tcptop explain",
        description="What it means, why it happens, how to confirm and fix it: a page of text.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "word", nargs="?", metavar="FINDING|STATE|TOPIC", help="without it, the list of pages"
    )
    return parser


def _shared(parser: Parser) -> None:
    parser.add_argument("filter", nargs="*", metavar="FILTER", help="an expression as ss takes it")
    parser.add_argument(
        "-i",
        "--interval",
        type=_seconds(0.1, 3600),
        default=1.0,
        metavar="SECONDS",
        help="0.1 to 3600, default 1",
    )
    parser.add_argument(
        "-p",
        "--process",
        action="append",
        default=[],
        metavar="NAME|PID",
        help="a pid, or a name with * and ? (repeatable)",
    )
    parser.add_argument(
        "-P",
        "--port",
        action="append",
        default=[],
        metavar="PORT[-PORT]",
        help="local or remote port (repeatable)",
    )
    parser.add_argument(
        "--netns",
        default="current",
        metavar="current|NAME|PID",
        help="the network namespace to look at",
    )
    parser.add_argument("--version", action="version", version=f"tcptop {__version__}")


class _seconds:  # noqa: N801 argparse shows the name of a type in its errors
    """A number of seconds within bounds."""

    def __init__(self, least: float, most: float) -> None:
        self._least, self._most = least, most

    def __call__(self, text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = -1.0
        if not self._least <= value <= self._most:
            bounds = f"{self._least:g} to {self._most:g}"
            raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds, {bounds}")
        return value


def _whole(text: str) -> int:
    if not (text.isascii() and text.isdecimal()):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number")
    return int(text)


def _file(text: str) -> str:
    if not text:
        raise argparse.ArgumentTypeError("the name of a file is empty")
    return text
