"""Clocks that are set, gaps and boots in a recording: nothing of it is lost, and what is said of
times and numbers fits one as well as many."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tcptop.commands import progress
from tcptop.model.sample import Sample
from tcptop.sources.recording.archive import open_archive
from tests.record.incident import run
from tests.record.made import recorded, samples
from tests.unit.prepared import everything

FEW = 4
ROW = 1  # of a socket that nothing is wrong with


def later(taken: list[Sample], wall_s: float, clock_s: float, boot: str = "one") -> list[Sample]:
    host = replace(taken[0].host, boot_id=boot)
    return [
        replace(each, taken_at=each.taken_at + wall_s, clock=each.clock + clock_s, host=host)
        for each in taken
    ]


@pytest.fixture(scope="module")
def stepped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The clock is set back, and on; then nothing for an hour, and a boot."""
    some = list(samples(FEW))
    back, on = later(some, 4 - 1200, 4), later(some, 8 + 3600, 8)
    gap, boot = later(some, 7200, 3600), later(some, 7300, 50, "two")
    path = tmp_path_factory.mktemp("times") / "stepped"
    return recorded(path, [*later(some, 0, 0), *back, *on, *gap, *boot])


def test_where_the_clock_was_set_no_sample_is_lost(stepped: Path, tmp_path: Path) -> None:
    told = run("report", stepped).stdout
    assert f"in {5 * FEW} samples" in told
    assert "From 2025-12-31 23:40:04 to 2026-01-01 02:01:43 UTC" in told
    assert "Before 2025-12-31 23:40:04 the clock of the host was set back by 20 min." in told
    assert "Before 2026-01-01 01:00:08 the clock of the host was set on by 1 h 20 min, or" in told
    assert "There is no sample from 2026-01-01 01:00:11 to 2026-01-01 02:00:00 (1 h)." in told
    assert "The host was booted before 2026-01-01 02:01:40." in told
    page = tmp_path / "page.html"
    assert run("report", stepped, "-o", page).returncode == 0
    for mark in ('title="no sample from 2026-01-01 01:00:11', 'title="booted"', 'class="gap"'):
        assert mark in page.read_text()
    done = run("replay", stepped, "--save", tmp_path / "all")
    assert f"{5 * FEW} samples written" in done.stderr
    with open_archive(str(tmp_path / "all")) as archive:
        boots = archive.index().boot.tolist()
    assert boots == [1] * 4 * FEW + [2] * FEW
    words = "--end", "2026-01-01T00:00:01.5Z", "--format", "ndjson", "--only", "findings"
    rows = run("snapshot", "--from", stepped, *words).stdout
    assert rows.count('"type":"snapshot"') == 2 + FEW  # those that were set back are earlier


def test_its_calm_twin_has_no_such_marks(tmp_path: Path) -> None:
    path, page = recorded(tmp_path / "calm", samples(FEW)), tmp_path / "page.html"
    told = run("report", path).stdout
    assert f"in {FEW} samples" in told
    run("report", path, "-o", page)
    told += page.read_text().partition("</style>")[2]
    for word in ("clock of the host", "no sample", "booted", 'class="gap"', 'class="boot"'):
        assert word not in told


def test_who_asks_for_a_time_without_samples_is_told_which_there_are(
    stepped: Path,
) -> None:
    early = f"{stepped}@-30d"
    for words in (
        ("check", "--from", stepped, "--at", "-30d"),
        ("diff", early, stepped),
        ("report", stepped, "--end", "-30d"),
    ):
        said = run(*words).stderr.splitlines()[0]
        assert ": it is of 2025-12-31 23:40:04 to 2026-01-01 02:01:43 " in said, said


def test_one_sample_and_no_socket(tmp_path: Path) -> None:
    one = everything()
    none = replace(one, sockets=one.sockets.take(np.zeros(0, np.int64)))
    alone = recorded(tmp_path / "alone", [none])
    assert (
        "At 00:00:00 UTC tcptop looked at web1 once, and found nothing"
        in run("report", alone).stdout
    )
    assert "There was no socket." in run("report", alone).stdout
    single = replace(one, sockets=one.sockets.take(np.array([ROW])))
    told = run(
        "report",
        recorded(
            tmp_path / "single",
            [single, *[replace(none, taken_at=none.taken_at + 1, clock=none.clock + 1)]],
        ),
    ).stdout
    assert "There was 1 socket at most, at " in told
    assert "(the same moment)" in run("diff", alone, alone).stdout


def test_progress_is_for_a_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress, "FIRST_S", 0.0)
    for terminal in (False, True):
        monkeypatch.setattr(sys.stderr, "isatty", lambda on=terminal: on)
        with progress.progress("file: reading:") as shown:
            shown.told(0.42)
        said = capsys.readouterr().err
        assert ("file: reading: 42%, about " in said) is terminal
        assert said.rpartition("\r")[2] == ""  # nothing of it stays
