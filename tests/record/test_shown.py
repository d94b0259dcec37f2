"""`tcptop record FILE FILTER`: samples are whole, and the filter is there when they are read."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tcptop.commands.filter import of_recording
from tcptop.model.sample import SampleFilter
from tests.record.incident import run
from tests.record.made import read, recorded
from tests.unit.prepared import everything

KEPT = SampleFilter(("state", "close-wait"), ("*",), ("1-65535",))
SAID = "shows what it was recorded for: state close-wait -p * -P 1-65535 (`state all` shows all)"


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("shown") / "kept"
    return recorded(path, [replace(everything(), shown=KEPT)])


def states(path: Path, *words: str) -> tuple[set[str], str]:
    done = run("snapshot", "--from", path, "--format", "json", *words)
    return {each["state"] for each in json.loads(done.stdout)["sockets"]}, done.stderr


def test_what_was_asked_for_is_shown_of_whole_samples(kept: Path) -> None:
    (sample,) = read(kept)
    assert len(sample.sockets) == len(everything().sockets)
    found, said = states(kept)
    assert found == {"CLOSE_WAIT"}
    assert SAID in said
    assert run("check", "--from", kept).stderr.count(SAID) == 1


def test_who_asks_for_something_else_gets_that(kept: Path, tmp_path: Path) -> None:
    assert states(kept, "state", "listening") == ({"LISTEN"}, "")
    assert len(states(kept, "state", "all")[0]) > 5
    without = recorded(tmp_path / "without", [everything()])
    found, said = states(without)
    assert len(found) > 5
    assert said == ""


def test_a_filter_from_a_file_asks_no_name_server() -> None:
    for words in (("dst", "localhost"), ("dport", "="), ("\x1b[2J",) * 3, ("(",) * 9999):
        assert of_recording(SampleFilter(words)) is None
    assert of_recording(SampleFilter(("dport", "=", "443"))) is not None


def test_record_keeps_it(tmp_path: Path) -> None:
    path = tmp_path / "new"
    for words in (("dst", "db.example"), ("dport", "=", "=")):
        done = run("record", path, *words)
        assert (done.returncode, path.exists()) == (2, False), done
    assert run("record", path, "--duration", "0.1", "-i", "0.1", "-P", "443").returncode == 0
    assert {each.shown for each in read(path)} == {SampleFilter(port=("443",))}
