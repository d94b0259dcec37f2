"""The command line: words -> the options of a command.

A parser says only what was typed. Imports nothing that a `--help` does not need.
"""

from __future__ import annotations

import argparse
import errno
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

from tcptop import __version__, argument
from tcptop.options import (
    FORMATS,
    IDLE_TIMEOUT_S,
    INTERVAL_S,
    LISTS,
    CheckOptions,
    DemoOptions,
    DiffOptions,
    ExplainOptions,
    LiveOptions,
    Options,
    RecordOptions,
    ReplayOptions,
    ReportOptions,
    SnapshotOptions,
    UsageError,
)

# Words of the contract that are subcommands and come with later versions.
LATER = ("metrics", "config", "completion")

MOMENTS = ("--at", "--begin", "--end")

EPILOG = """\
FILTER is the language of ss, and more:
  tcptop state close-wait
  tcptop dport = :5432 and state established
  tcptop 'process = nginx and sendq > 64k'
  tcptop :8080 and idle > 350s
  tcptop leaky.py       part of a process's name, command line, unit or container
States, ports, addresses, dev, cgroup as in ss(8); beyond it pid, process, command, unit,
container, user, recvq, sendq, fill, drops, age, idle, rtt, retrans, backoff, timer, keepalive,
owner.

commands:
  tcptop                the live view
  tcptop demo           the live view on sockets in trouble, made in private network namespaces
  tcptop check          what is wrong, with the exit code of a monitoring plug-in
  tcptop snapshot       one sample, as text, JSON, CSV or Markdown (tcptop snapshot --help)
  tcptop record FILE    every sample into a file, for `check --from FILE`, `snapshot --from FILE`
  tcptop diff OLD NEW   what changed between two snapshots, or two moments of a recording
  tcptop replay FILE    the live view over such a file: play, step, jump to a time or a finding
  tcptop report FILE    a post-mortem of a recording, as one HTML page or as Markdown
  tcptop explain WORD   what a state or trouble means, how to confirm and fix it; alone: the list
"""


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


def parse(words: Sequence[str]) -> Options:
    """The options of a command line; what begins with no subcommand is the live view.

    Raises UsageError, and SystemExit for --help and --version.
    """
    first = words[0] if words else ""
    if first in SUBCOMMANDS:
        parser, kind = SUBCOMMANDS[first]
        return kind(**vars(parser().parse_intermixed_args(_with_moments(words[1:]))))
    try:
        chosen = LiveOptions(**vars(live().parse_intermixed_args(words)))
    except UsageError:
        from difflib import get_close_matches

        near = get_close_matches(first, [*SUBCOMMANDS, *LATER], 1)  # whose options it has
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
    meant = [
        name for name in (*SUBCOMMANDS, *LATER) if len(word) > 2 and name.startswith(word)
    ] or near
    if meant:
        other = f"processes of that name are shown by: tcptop 'process = *{word}*'"
        raise UsageError(f'tcptop: "{word}": did you mean tcptop {meant[0]}? ({other})')


def live() -> Parser:
    parser = Parser(
        "tcptop",
        "A top for TCP: who holds which connections, which queues are full, which ports run out.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _selecting(parser)
    _looking(parser)
    _on_screen(parser)
    return parser


def _snapshot() -> Parser:
    parser = Parser(
        "tcptop snapshot",
        "One look at the host, to stdout or a file.",
    )
    _selecting(parser)
    _looking(parser)
    _recorded(parser)
    parser.add_argument(
        "--begin",
        metavar="TIME",
        help="with --end: every sample from then on, as ndjson or csv, of a recording",
    )
    parser.add_argument("--end", metavar="TIME", help="the last of these; see --at")
    parser.add_argument(
        "--format",
        choices=FORMATS,
        help="default: by the file's ending; without a file text for a terminal, json for a pipe",
    )
    parser.add_argument(
        "-o", "--output", type=argument.file, metavar="FILE", help="written atomically"
    )
    parser.add_argument(
        "--over",
        type=argument.seconds(0, 86_400),
        metavar="SECONDS",
        help="poll each interval for that long; rates are those of the last interval (see -i)",
    )
    parser.add_argument(
        "--only", action="append", choices=LISTS, help="only this list (repeatable)"
    )
    parser.add_argument("--limit", type=argument.whole, metavar="N", help="at most N rows a list")
    return parser


def _check() -> Parser:
    parser = Parser(
        "tcptop check",
        "What is wrong, as a monitoring plug-in says it: one line, then details. "
        "Exits with 0 (nothing of warning or above), 1 (warning), 2 (critical) or 3 (could not "
        "look).",
    )
    _selecting(parser)
    _looking(parser)
    _recorded(parser, ", or a JSON snapshot")
    parser.add_argument(
        "--over",
        type=argument.seconds(0, 86_400),
        metavar="SECONDS",
        help="how long to look, polling each interval; default 5, of a recording 200",
    )
    parser.add_argument("--format", choices=("text", "json"), help="default: text")
    parser.add_argument(
        "--strict",
        action="store_true",
        help="exit with 3 where nothing is wrong but rules could not look, or the filter selects "
        "nothing",
    )
    return parser


def _record() -> Parser:
    parser = Parser(
        "tcptop record",
        "Write samples to FILE until stopped, or add them to it. What they mean is found out when "
        "they are read: `tcptop check --from FILE`, `tcptop snapshot --from FILE`. Samples are "
        "whole, as findings need every socket: FILTER is what these and replay show of them, where "
        "they have none of their own.",
    )
    parser.add_argument("file", type=argument.file, metavar="FILE")
    _selecting(parser)
    _looking(parser)
    parser.add_argument(
        "--duration",
        type=argument.seconds(0.1, 31_536_000),
        metavar="SECONDS",
        help="for so long",
    )
    parser.add_argument(
        "--keep",
        type=argument.age,
        metavar="AGE",
        help="remove samples that are older, a minute's at a time: 90m, 24h, 7d",
    )
    parser.add_argument(
        "--max-size",
        type=argument.size,
        metavar="SIZE",
        help="remove the oldest samples where the file would be larger on disk: 500M, 2G",
    )
    return parser


def _replay() -> Parser:
    parser = Parser(
        "tcptop replay",
        "The live view over what `tcptop record` wrote, or is writing: from its last sample, or "
        "from --at; or over one moment, a JSON snapshot or what `ss -tanime -D FILE` wrote. In it "
        "Space plays and pauses, [ and ] step, + and - change the speed, b jumps "
        "to a time, ( and ) to where a finding begins or ends.",
    )
    parser.add_argument("file", type=argument.file, metavar="FILE")
    parser.add_argument(
        "--at",
        metavar="TIME",
        help="the sample to begin with: of 13:02, 13:02:30 or an RFC 3339 time, -5m before the "
        "end, +30s after the beginning; default: the last",
    )
    parser.add_argument(
        "--speed",
        type=argument.speed,
        metavar="N",
        help="play N times as fast as it was recorded: 0.1 to 1000, default 1",
    )
    parser.add_argument(
        "--save",
        type=argument.file,
        metavar="FILE2",
        help="write the samples from --begin to --end to a recording of their own; no screen",
    )
    parser.add_argument("--begin", metavar="TIME", help="with --save; default: the first sample")
    parser.add_argument("--end", metavar="TIME", help="with --save; default: the last sample")
    _judging(parser)
    _on_screen(parser)
    return parser


def _diff() -> Parser:
    parser = Parser(
        "tcptop diff",
        "What came, went or changed between two moments, worst first: findings, states, "
        "processes, listeners, destinations, connections, limits and counters of the kernel. A "
        "moment is a JSON snapshot, or one of a recording: FILE, its last one, or FILE@TIME with "
        "13:02, 13:02:30, an RFC 3339 time, -5m before the end or +30s after the beginning.",
    )
    parser.add_argument("old", type=argument.file, metavar="OLD", help="FILE or FILE@TIME")
    parser.add_argument("new", type=argument.file, metavar="NEW", help="FILE or FILE@TIME")
    parser.add_argument("--format", choices=("text", "json"), help="default: text")
    _judging(parser)
    return parser


def _report() -> Parser:
    parser = Parser(
        "tcptop report",
        "A post-mortem of a recording, to attach: what happened, the findings over time with "
        "their evidence, charts, who was concerned, and the limits of the host. HTML is one page "
        "that needs neither network nor script.",
    )
    parser.add_argument("file", type=argument.file, metavar="FILE", help="of tcptop record")
    parser.add_argument(
        "-o",
        "--output",
        type=argument.file,
        metavar="OUT",
        help="OUT.html or OUT.md, written atomically; default: Markdown to stdout",
    )
    parser.add_argument(
        "--begin",
        metavar="TIME",
        help="from then on: 13:02, 13:02:30, an RFC 3339 time, -5m before the end of the "
        "recording, +30s after its beginning",
    )
    parser.add_argument("--end", metavar="TIME", help="until then")
    parser.add_argument("--title", metavar="TEXT", help="what stands above it")
    parser.add_argument(
        "--redact",
        action="store_true",
        help="hide addresses, users, command lines and host names: each has one alias throughout",
    )
    _judging(parser)
    return parser


def _demo() -> Parser:
    parser = Parser(
        "tcptop demo",
        "The live view on real sockets in trouble, made in private network "
        "namespaces that are gone when it ends.",
    )
    parser.add_argument("scenario", nargs="*", metavar="SCENARIO", help="see --list")
    parser.add_argument("--list", action="store_true", help="the scenarios, and what happens")
    _looking(parser)
    _on_screen(parser)
    return parser


def _explain() -> Parser:
    parser = Parser(
        "tcptop explain",
        "What it means, why it happens, how to confirm and fix it: a page of text.",
    )
    parser.add_argument(
        "word", nargs="*", metavar="FINDING|STATE|TOPIC", help="without it, the list of pages"
    )
    return parser


SUBCOMMANDS: Mapping[str, tuple[Callable[[], Parser], type[Options]]] = {
    "snapshot": (_snapshot, SnapshotOptions),
    "check": (_check, CheckOptions),
    "record": (_record, RecordOptions),
    "diff": (_diff, DiffOptions),
    "replay": (_replay, ReplayOptions),
    "report": (_report, ReportOptions),
    "demo": (_demo, DemoOptions),
    "explain": (_explain, ExplainOptions),
}


def _selecting(parser: Parser) -> None:
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
    _namespace(parser)


def _namespace(parser: Parser) -> None:
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


def _looking(parser: Parser) -> None:
    parser.add_argument(
        "-i",
        "--interval",
        type=argument.seconds(*INTERVAL_S),
        metavar="SECONDS",
        help="0.1 to 3600, default 1",
    )
    _judging(parser)
    parser.add_argument(
        "--no-events",
        dest="events",
        action="store_false",
        help="do not ask the kernel which connections end: those shorter than an interval are "
        "not seen then",
    )


def _judging(parser: Parser) -> None:
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


def _recorded(parser: Parser, other: str = "") -> None:
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
        help="the sample to show: of 13:02, 13:02:30 or an RFC 3339 time, -5m before the end, +30s "
        "after the beginning; default: the last",
    )


def _on_screen(parser: Parser) -> None:
    mouse = parser.add_mutually_exclusive_group()
    mouse.add_argument("--mouse", action="store_true", help="enable the mouse")
    mouse.add_argument(
        "--no-mouse",
        dest="mouse",
        action="store_false",
        help="leave the mouse to the terminal (the default over SSH)",
    )
    parser.add_argument("--ascii", action="store_true", help="draw with ASCII characters only")
