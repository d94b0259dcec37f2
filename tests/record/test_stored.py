"""Recordings that tcptop of an earlier version wrote: each format is read for ever, and found is
what was found then."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tcptop.sources.recording.schema import FORMAT
from tests.record.incident import run

STORED = Path(__file__).with_name("stored")


def test_there_is_one_of_each_format() -> None:
    assert {each.stem for each in STORED.iterdir()} == {
        f"format-{number}" for number in range(1, FORMAT + 1)
    }


@pytest.fixture(params=range(1, FORMAT + 1))
def stored(request: pytest.FixtureRequest) -> Path:
    return STORED / f"format-{request.param}.tcptop"


def test_its_incident_is_found(stored: Path) -> None:
    done = run("check", "--from", stored, "--format", "json")
    found = json.loads(done.stdout)
    assert done.returncode == 2
    assert found["host"]["hostname"] == "shop-1"
    causes = [each for each in found["findings"] if each["because"] is None]
    assert [each["id"] for each in causes] == ["accept-queue-overflow"]
    assert "shop-web on 10.78.0.1:8080" in causes[0]["title"]


def test_its_rows_are_read(stored: Path) -> None:
    """As they were told on the day on which it was recorded."""
    told = json.loads(run("snapshot", "--from", stored, "--format", "json").stdout)
    (listener,) = told["listeners"]
    states = {name: count for name, count in told["totals"]["by_state"].items() if count}
    assert states == {"ESTABLISHED": 17, "LISTEN": 1}
    assert (listener["accept_queue"], listener["backlog"], listener["drops"]) == (17, 16, 513)
    assert told["kernel"][0]["counters"]["TcpExt"]["ListenOverflows"] == 513


def test_every_sample_of_it_is_there(stored: Path) -> None:
    words = ("snapshot", "--from", stored, "--begin", "+0s", "--end", "-0s")
    lines = run(*words, "--format", "ndjson", "--only", "listeners").stdout.splitlines()
    assert sum(json.loads(each)["type"] == "snapshot" for each in lines) == 22
