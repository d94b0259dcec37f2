"""`tcptop completion`: a script for a shell, on stdout."""

from __future__ import annotations

from importlib import import_module

from tcptop import command_line, parsers
from tcptop.commands.effective import THRESHOLDS
from tcptop.commands.errors import DONE
from tcptop.completion.arguments import LIVE, Commands, arguments
from tcptop.demo.scenarios import scenarios
from tcptop.explain import pages
from tcptop.options import CompletionOptions
from tcptop.views import output

# What a filter may begin with (kernel-facts: ss's own words, and ours).
STATES = (
    *("established", "syn-sent", "syn-recv", "fin-wait-1", "fin-wait-2", "time-wait", "closed"),
    *("close-wait", "last-ack", "listening", "closing"),
)
FIELDS = (
    *("state", "exclude", "src", "dst", "sport", "dport", "port", "dev", "pid", "process"),
    *("command", "unit", "container", "user", "netns", "cgroup", "recvq", "sendq", "fill"),
    *("drops", "age", "idle", "rtt", "retrans", "backoff", "timer", "keepalive", "owner"),
)


def run(chosen: CompletionOptions) -> int:
    with output.opened(None) as out:
        out.write(import_module(f"tcptop.completion.{chosen.shell}").script(commands()))
    return DONE


def commands() -> Commands:
    """What may be typed, of all commands."""
    known = {
        "ID": [*THRESHOLDS],
        "ID.NAME=VALUE": [f"{id}.{name}=" for id, names in THRESHOLDS.items() for name in names],
        "SCENARIO": [*scenarios()],
        "FINDING|STATE|TOPIC": [page.name for page in pages()],
        "FILTER": [*FIELDS, *STATES],
    }
    first = {**known, "FILTER": [*command_line.SUBCOMMANDS, *known["FILTER"]]}
    return {
        LIVE: arguments(parsers.live(), first),
        **{name: arguments(make(), known) for name, (make, _) in command_line.SUBCOMMANDS.items()},
    }
