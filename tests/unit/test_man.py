"""The man page: as complete as the command line, and clean."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

import tcptop
from tcptop import command_line, parsers

PAGE = (Path(tcptop.__file__).parent / "man" / "tcptop.1").read_text("ascii")
PARSERS = {"tcptop": parsers.live} | {
    name: parser for name, (parser, _) in command_line.SUBCOMMANDS.items()
}


def told(page: str) -> str:
    """Without the marks of roff, between which an option and its short form may stand."""
    return page.replace("\\-", "-").replace('"', "")


@pytest.mark.parametrize("command", PARSERS)
def test_every_option_is_in_it(command: str) -> None:
    shown = [a for a in PARSERS[command]()._actions if a.help != argparse.SUPPRESS]
    names = [name for action in shown for name in action.option_strings if name != "-h"]
    assert len(names) > 1 or command in ("explain", "completion")
    assert [name for name in names if name not in told(PAGE)] == []


def test_it_names_every_command() -> None:
    for name in command_line.SUBCOMMANDS:
        assert f".B tcptop {name}\n" in PAGE


def test_it_is_of_this_version() -> None:
    assert f'"tcptop {tcptop.__version__}"' in PAGE.splitlines()[0]
