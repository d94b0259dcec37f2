"""The options of each command. Imports nothing that a `--help` does not need."""

from __future__ import annotations

import argparse

from tcptop import argument
from tcptop.option_groups import (
    TIME,
    Parser,
    interval,
    judging,
    looking,
    namespace,
    on_screen,
    recorded,
    selecting,
)
from tcptop.options import FORMATS, LISTS

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
  tcptop metrics        for Prometheus, over HTTP or through node_exporter
  tcptop explain WORD   what a state or trouble means, how to confirm and fix it; alone: the list
  tcptop config         the configuration that holds, and where each value is from
  tcptop completion SH  a completion script for bash, zsh or fish
"""


def live() -> Parser:
    parser = Parser(
        "tcptop",
        "A top for TCP: who holds which connections, which queues are full, which ports run out.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    selecting(parser)
    looking(parser)
    on_screen(parser)
    parser.add_argument(  # which command_line knows
        "--help-privileges",
        action="store_true",
        dest=argparse.SUPPRESS,
        help="what is seen without root, and what each capability adds",
    )
    return parser


def snapshot() -> Parser:
    parser = Parser(
        "tcptop snapshot",
        "One look at the host, to stdout or a file.",
    )
    selecting(parser)
    looking(parser)
    recorded(parser)
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


def check() -> Parser:
    parser = Parser(
        "tcptop check",
        "What is wrong, as a monitoring plug-in says it: one line, then details. "
        "Exits with 0 (nothing of warning or above), 1 (warning), 2 (critical) or 3 (could not "
        "look).",
    )
    selecting(parser)
    looking(parser)
    recorded(parser, ", or a JSON snapshot")
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


def record() -> Parser:
    parser = Parser(
        "tcptop record",
        "Write samples to FILE until stopped, or add them to it. What they mean is found out when "
        "they are read: `tcptop check --from FILE`, `tcptop snapshot --from FILE`. Samples are "
        "whole, as findings need every socket: FILTER is what these and replay show of them, where "
        "they have none of their own.",
    )
    parser.add_argument("file", type=argument.file, metavar="FILE")
    selecting(parser)
    looking(parser)
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


def replay() -> Parser:
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
        help=f"the sample to begin with: {TIME}; default: the last",
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
    judging(parser)
    on_screen(parser)
    return parser


def diff() -> Parser:
    parser = Parser(
        "tcptop diff",
        "What came, went or changed between two moments, worst first: findings, states, "
        "processes, listeners, destinations, connections, limits and counters of the kernel. A "
        "moment is a JSON snapshot, or one of a recording: FILE, its last one, or FILE@TIME: "
        f"{TIME}.",
    )
    parser.add_argument("old", type=argument.file, metavar="OLD", help="FILE or FILE@TIME")
    parser.add_argument("new", type=argument.file, metavar="NEW", help="FILE or FILE@TIME")
    parser.add_argument("--format", choices=("text", "json"), help="default: text")
    judging(parser)
    return parser


def report() -> Parser:
    parser = Parser(
        "tcptop report",
        "A post-mortem of a recording, to attach: what happened, the findings over time with "
        "their evidence, charts, who was concerned, and the limits of the host. HTML is one page "
        "that needs neither network nor script.",
    )
    parser.add_argument(
        "file", type=argument.file, metavar="FILE", help="of tcptop record, or ss -tanime -D FILE"
    )
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
        help=f"from then on: {TIME}",
    )
    parser.add_argument("--end", metavar="TIME", help="until then")
    parser.add_argument("--title", metavar="TEXT", help="what stands above it")
    parser.add_argument(
        "--redact",
        action="store_true",
        help="hide addresses, users, command lines and host names: each has one alias throughout",
    )
    judging(parser)
    return parser


def demo() -> Parser:
    parser = Parser(
        "tcptop demo",
        "The live view on real sockets in trouble, made in private network "
        "namespaces that are gone when it ends.",
    )
    parser.add_argument("scenario", nargs="*", metavar="SCENARIO", help="see --list")
    parser.add_argument("--list", action="store_true", help="the scenarios, and what happens")
    looking(parser)
    on_screen(parser)
    return parser


def metrics() -> Parser:
    parser = Parser(
        "tcptop metrics",
        "What Prometheus asks for: sockets by state and process, accept queues and drops by "
        "listener, ephemeral ports by destination, what the kernel counts, and findings. "
        "Aggregates alone, bounded in number.",
    )
    parser.add_argument(
        "--listen",
        type=argument.listen,
        metavar="ADDR:PORT",
        help="serve http://ADDR:PORT/metrics; default 127.0.0.1:9817, with --textfile nothing",
    )
    parser.add_argument(
        "--textfile",
        type=argument.file,
        metavar="FILE",
        help="write FILE each interval, whole, for node_exporter's textfile collector",
    )
    parser.add_argument("--once", action="store_true", help="one sample, to stdout or --textfile")
    namespace(parser)
    looking(parser)
    return parser


def config() -> Parser:
    parser = Parser(
        "tcptop config",
        "What holds for the commands, as a configuration file, and where each value is from: "
        "the command line, the file, or a default.",
    )
    interval(parser)
    judging(parser)
    return parser


def completion() -> Parser:
    parser = Parser(
        "tcptop completion",
        "A script that lets a shell complete the options and words of tcptop, to stdout.",
    )
    parser.add_argument("shell", choices=("bash", "zsh", "fish"))
    return parser


def explain() -> Parser:
    parser = Parser(
        "tcptop explain",
        "What it means, why it happens, how to confirm and fix it: a page of text.",
    )
    parser.add_argument(
        "word", nargs="*", metavar="FINDING|STATE|TOPIC", help="without it, the list of pages"
    )
    return parser
