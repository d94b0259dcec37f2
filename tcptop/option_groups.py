"""Options that several commands have; the parser says in one line what is wrong with them."""

from __future__ import annotations

import argparse
import errno
import os
from typing import Any, NoReturn

from tcptop import __version__, argument
from tcptop.options import IDLE_TIMEOUT_S, INTERVAL_S, UsageError

TIME = (
    "13:02, 13:02:30, an RFC 3339 time, -5m before the end of the recording or +30s after its "
    "beginning"
)


class Parser(argparse.ArgumentParser):
    """Usage errors in one line, and no defaults."""

    def __init__(self, command: str, description: str, **more: Any) -> None:
        super().__init__(
            command,
            description=description,
            argument_default=argparse.SUPPRESS,
            allow_abbrev=False,
            **more,
        )

    def _print_message(self, message: str, file: Any = None) -> None:
        """As argparse has it, but a full disk or a closed output is an error."""
        if file is None:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        file.write(message)

    def _get_values(self, action: argparse.Action, arg_strings: list[str]) -> Any:
        """Of `--at=--` argparse makes a list (python/cpython#109475)."""
        if action.option_strings and arg_strings == ["--"]:
            raise argparse.ArgumentError(action, "expected one argument")
        return super()._get_values(action, arg_strings)

    def error(self, message: str) -> NoReturn:
        line = message.replace("\n", r"\n")  # which an argument may have
        raise UsageError(f"{self.prog}: {line} (see {self.prog} --help)")


def selecting(parser: Parser) -> None:
    parser.add_argument(
        "filter", nargs="*", metavar="FILTER", help="ss filter expression, and more"
    )
    parser.add_argument(
        "-p",
        "--process",
        action="append",
        metavar="NAME|PID",
        help="a pid, or a name with * and ? (repeatable)",
    )
    parser.add_argument(
        "-P",
        "--port",
        action="append",
        metavar="PORT[-PORT]",
        help="local or remote port (repeatable)",
    )
    namespace(parser)


def namespace(parser: Parser) -> None:
    parser.add_argument(
        "--netns",
        metavar="current|all|NAME|PID",
        help="the network namespace to look at; of the live view, all where that is permitted",
    )
    parser.add_argument(
        "--via",
        type=argument.command,
        metavar="COMMAND",
        help="look at another host or container, through a command that runs `sh -s` there: "
        "'ssh db1', 'docker exec -i c1', 'kubectl exec -i web-0 --'; nothing is installed there",
    )


def looking(parser: Parser) -> None:
    interval(parser)
    judging(parser)
    parser.add_argument(
        "--no-events",
        dest="events",
        action="store_false",
        help="do not ask the kernel which connections end: those shorter than an interval are "
        "not seen then",
    )


def interval(parser: Parser) -> None:
    parser.add_argument(
        "-i",
        "--interval",
        type=argument.seconds(*INTERVAL_S),
        metavar="SECONDS",
        help="0.1 to 3600, default 1",
    )


def judging(parser: Parser) -> None:
    parser.add_argument(
        "--idle-timeout",
        type=argument.seconds(*IDLE_TIMEOUT_S),
        metavar="SECONDS",
        help="idle timeout of load balancers or NAT on the path, for the keepalive findings",
    )
    parser.add_argument(
        "--set",
        action="append",
        type=argument.limit,
        metavar="ID.NAME=VALUE",
        help="a threshold of a finding (repeatable); `tcptop explain ID` lists them",
    )
    parser.add_argument(
        "--ignore",
        action="append",
        metavar="ID",
        help="suppress this finding (repeatable)",
    )
    parser.add_argument(
        "--config",
        type=argument.file,
        metavar="FILE",
        help="default: tcptop/config.toml in $XDG_CONFIG_HOME or ~/.config",
    )
    parser.add_argument("--version", action="version", version=f"tcptop {__version__}")


def recorded(parser: Parser, other: str = "") -> None:
    parser.add_argument(
        "--from",
        dest="recording",
        type=argument.file,
        metavar="FILE",
        help=f"look at what `tcptop record` or `ss -tanime -D FILE` wrote{other}, not at the host",
    )
    parser.add_argument(
        "--at",
        metavar="TIME",
        help=f"the sample to show: {TIME}; default: the last",
    )


def on_screen(parser: Parser) -> None:
    mouse = parser.add_mutually_exclusive_group()
    mouse.add_argument("--mouse", action="store_true", help="enable the mouse")
    mouse.add_argument(
        "--no-mouse",
        dest="mouse",
        action="store_false",
        help="leave the mouse to the terminal (the default over SSH)",
    )
    parser.add_argument("--ascii", action="store_true", help="draw with ASCII characters only")
