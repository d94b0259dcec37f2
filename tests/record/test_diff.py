"""`tcptop diff`: what an incident changed, from recordings, snapshots and both."""

from __future__ import annotations

import json
import random
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tcptop.commands.compared import of_snapshot
from tcptop.commands.errors import CommandError
from tcptop.sources.snapshot_json import SnapshotFileError
from tests.record.incident import SCENARIO, run

HOSTILE = 60


@pytest.fixture(scope="module")
def snapshot(incident: Path) -> Path:
    """The last moment of it."""
    path = incident.parent / "last.json"
    assert run("snapshot", "--from", incident, "-o", path).returncode == 0
    return path


def compared(old: object, new: object) -> dict[str, Any]:
    done = run("diff", old, new, "--format", "json")
    assert (done.returncode, done.stderr) == (0, "")
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def test_an_incident_is_told_worst_first(incident: Path) -> None:
    done = run("diff", f"{incident}@+1s", incident)
    assert (done.returncode, done.stderr) == (0, "")
    sections = [line.split()[0] for line in done.stdout.splitlines() if line[:1].isalpha()]
    assert sections[1:5] == ["begun", "states", "processes", "listeners"]
    assert "shop-web on 10.78.0.1:8080 is not accepting" in done.stdout
    assert "10.78.0.1:8080 new" in done.stdout
    assert "TcpExtListenOverflows" in done.stdout


def test_a_snapshot_says_the_same_as_the_recording(incident: Path, snapshot: Path) -> None:
    assert run("diff", incident, snapshot).stdout.endswith("\nNo differences.\n")
    one, other = compared(f"{incident}@+1s", incident), compared(f"{incident}@+1s", snapshot)
    (begun,) = [each for each in one["findings"]["begun"] if each["id"] == SCENARIO]
    assert begun["severity"] == "critical"
    (listener,) = one["listeners"]
    assert listener["accept_queue"] == {"old": None, "new": 17}
    assert listener["dropped"] > 0
    assert one["states"]["ESTABLISHED"] == {"old": 0, "new": 17}
    grown = {f"{each['section']}{each['name']}": each for each in one["counters"]}
    assert grown["TcpExtListenDrops"]["new"] > grown["TcpExtListenDrops"]["old"]
    del one["new"], other["new"]
    for each in (one, other):  # how a process was started is not in the list of sockets
        del each["findings"]
    # Times of a snapshot have milliseconds.
    assert one.pop("over_s") == pytest.approx(other.pop("over_s"), abs=0.002)
    assert one == other


def test_what_one_of_them_does_not_have_is_not_compared(incident: Path, tmp_path: Path) -> None:
    some = tmp_path / "some.json"
    assert run("snapshot", "--from", incident, "--limit", "3", "-o", some).returncode == 0
    told = compared(f"{incident}@+1s", some)
    assert (told["processes"], told["listeners"], told["remotes"]) == (None, None, None)
    assert told["states"]
    assert len(told["notes"]) == 1
    checked = tmp_path / "checked.json"
    checked.write_text(run("check", "--from", incident, "--format", "json").stdout)
    told = compared(f"{incident}@+1s", checked)
    assert told["states"] is None
    assert len(told["notes"]) == 2
    assert [each["id"] for each in told["findings"]["begun"]] == [SCENARIO]


def test_after_a_boot_pids_and_cookies_are_not_compared(snapshot: Path, tmp_path: Path) -> None:
    booted = json.loads(snapshot.read_text())
    booted["taken_at"] = booted["taken_at"].replace("2026", "2027")
    for row in booted["sockets"]:
        row["cookie"] = f"{int(row['cookie'], 16) + 77:x}"
        for each in row["processes"]:
            each["pid"] += 1000
    booted["kernel"][0]["sysctls"]["net.core.somaxconn"] = "9"
    path = tmp_path / "booted.json"
    path.write_text(json.dumps(booted))
    told = compared(snapshot, path)
    assert told["same_boot"] is False
    assert "booted" in told["notes"][0]
    assert (told["processes"], told["listeners"], told["remotes"]) == ([], [], [])
    assert told["counters"] is None
    (limit,) = told["sysctls"]
    assert (limit["name"], limit["new"]) == ("net.core.somaxconn", "9")


def test_a_snapshot_is_checked(snapshot: Path, incident: Path) -> None:
    one, other = run("check", "--from", snapshot), run("check", "--from", incident)
    assert one.returncode == other.returncode == 2
    assert one.stdout.splitlines()[0] == other.stdout.splitlines()[0]
    assert run("check", "--from", snapshot, "--ignore", SCENARIO).returncode == 0
    assert run("check", "--from", snapshot, ":1").stdout.startswith("TCPTOP OK, but the filter")
    for words in (("--at", "+1s"), ("--over", "3"), ("--set", f"{SCENARIO}.fill=1")):
        assert run("check", "--from", snapshot, *words).returncode == 3


def test_what_is_no_moment_is_one_line(incident: Path, snapshot: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    for text in ("", "{", "[]", "{}", '{"schema": 1}', "x" * 200, "[" * 100_000):
        other.write_text(text)
        done = run("diff", snapshot, other)
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1), text
    for word, code in ((f"{snapshot}@13:02", 2), (f"{incident}@25:00", 2), ("nothing", 1)):
        done = run("diff", snapshot, word)
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (code, "", 1), word


def test_snapshots_of_others_are_read_or_refused(snapshot: Path, tmp_path: Path) -> None:
    """Whatever one value in it is replaced by."""
    path, told = tmp_path / "hostile.json", json.loads(snapshot.read_text())
    chance = random.Random(1)
    for _ in range(HOSTILE):
        changed = json.loads(json.dumps(told))
        _spoil(changed, chance)
        path.write_text(json.dumps(changed))
        with suppress(SnapshotFileError, CommandError):
            of_snapshot(str(path))


def _spoil(value: Any, chance: random.Random) -> None:
    """Some value deep inside."""
    while True:
        places = list(value) if isinstance(value, dict) else range(len(value))
        place = chance.choice(list(places))
        inner = value[place]
        if not isinstance(inner, dict | list) or not inner or chance.random() < 0.1:
            break
        value = inner
    value[place] = chance.choice([None, -1, 1 << 70, "", "\x1b[2J", "a" * 5000, [], {}, True, 0.5])
