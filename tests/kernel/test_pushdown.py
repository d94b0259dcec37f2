"""Asking the kernel for fewer states changes no row: only CSV, which holds rows alone, does it."""

from __future__ import annotations

import csv
import io

import pytest

from tcptop.analysis import filter as language
from tcptop.analysis.derive import derive
from tcptop.analysis.history import History
from tcptop.analysis.selection import select
from tcptop.command_line import parse
from tcptop.commands.snapshot import request as asked_for
from tcptop.model.tcp import LISTEN
from tcptop.options import SnapshotOptions
from tcptop.sources.live import LiveSource
from tcptop.sources.sock_diag import EVERYTHING, Request
from tcptop.views import csv as view
from tests.kernel.zoo import Zoo

# Columns that do not move between two looks.
KEPT = (
    "cookie",
    "family",
    "state",
    "local_",
    "remote_",
    "inode",
    "owner",
    "processes.",
    "cgroup",
    "unit",
    "container.",
)


def rows(zoo: Zoo, text: str, request: Request) -> list[dict[str, str]]:
    def read() -> str:
        source = LiveSource(dump=request)
        try:
            snapshot, _ = derive(source.sample(), History())
        finally:
            source.close()
        out = io.StringIO()
        view.write(select(snapshot, language.parse(text), text), out)
        return out.getvalue()

    written = csv.DictReader(io.StringIO(zoo.namespace.in_thread(read)))
    return [{k: v for k, v in row.items() if k.startswith(KEPT)} for row in written]


def parsed(words: list[str]) -> SnapshotOptions:
    chosen = parse(words)
    assert isinstance(chosen, SnapshotOptions)
    return chosen


@pytest.mark.parametrize(
    "text",
    [
        "state listening",
        "state close-wait",
        "state close-wait and owner = accept-queue",
        "state syn-recv",
        "fill >= 0",
        "not ( state synchronized or state bucket ) and sport > 0",
    ],
)
def test_the_same_rows(zoo: Zoo, text: str) -> None:
    chosen = parsed(["snapshot", "--format", "csv", text])
    request = asked_for(chosen, language.parse(text))
    assert request is not None
    assert request.states >> LISTEN & 1
    assert request.states != EVERYTHING.states
    assert rows(zoo, text, request) == rows(zoo, text, EVERYTHING)
    assert rows(zoo, text, request)


def test_text_of_all_sockets_is_the_same_without_tcp_info(zoo: Zoo) -> None:
    request = asked_for(parsed(["snapshot", "--format", "text", "--only", "sockets"]), None)
    assert request is not None
    assert request.ext == 0
    assert rows(zoo, "state all", request) == rows(zoo, "state all", EVERYTHING)


@pytest.mark.parametrize(
    "words",
    [
        ["snapshot", "--format", "json", "state", "listening"],
        ["snapshot", "--format", "text", "state", "listening"],
        ["snapshot", "--format", "csv", "--only", "processes", "state", "listening"],
        ["snapshot", "--format", "csv", "--over", "1", "state", "listening"],
        ["snapshot", "--format", "csv"],
        ["snapshot", "--format", "text"],
        ["snapshot", "--format", "text", "--only", "remotes"],
        ["snapshot", "--format", "csv", "state", "established"],
        ["snapshot", "--format", "csv", "state", "time-wait"],  # whose it was, others tell
        ["snapshot", "--format", "csv", "state", "fin-wait-1", "state", "syn-recv"],
        ["snapshot", "--format", "text", "--over", "1"],
        ["snapshot", "--format", "json"],
    ],
)
def test_what_holds_more_than_rows_reads_every_socket(words: list[str]) -> None:
    chosen = parsed(words)
    expression = language.parse(" ".join(chosen.filter)) if chosen.filter else None
    assert asked_for(chosen, expression) is None
