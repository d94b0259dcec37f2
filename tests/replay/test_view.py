"""The live view over a recording, by its keys."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import replace
from pathlib import Path
from typing import Any

from tcptop import dispatch
from tcptop.analysis.findings import words
from tcptop.analysis.findings.words import clock_time
from tcptop.sources.one_sample import open_moments
from tcptop.sources.recording.writer import RecordingWriter
from tcptop.tui.app import TcptopApp
from tcptop.tui.player import Player, ReplaySettings
from tcptop.tui.settings import ScreenSettings
from tests.record.incident import run
from tests.record.made import read, recorded
from tests.replay.conftest import AFTER, BEFORE, DURING
from tests.tui.live import Live, NoNames, _leisurely

ON, BACK = "right_square_bracket", "left_square_bracket"
MANY = BEFORE + DURING + AFTER


class Replayed(Live):
    @property
    def player(self) -> Player:
        assert self.app.player is not None
        return self.app.player

    async def reach(self, place: int) -> None:
        def there() -> bool:
            newest = self.session.time.newest
            at = float(self.player.index.taken_at[place]) if self.player.place == place else None
            return newest is not None and newest.sample.taken_at == at

        await self.until(there, f"at {place}")

    async def read_all(self) -> None:
        def done() -> bool:
            return self.player.scanned and self.player.exact

        await self.until(done, "read")

    def at(self, place: int) -> str:
        return clock_time(float(self.player.index.taken_at[place]))


@asynccontextmanager
async def replayed(path: Path, begin: int | None = 0, **more: Any) -> AsyncIterator[Replayed]:
    with open_moments(str(path)) as archive:
        index = archive.index()
    at = None if begin is None else float(index.taken_at[begin])
    played = ReplaySettings(lambda: open_moments(str(path)), index, at)
    app = TcptopApp(played, NoNames(), ScreenSettings(scope=path.name, **more))
    app.budget = _leisurely()
    async with app.run_test(size=(80, 24)) as pilot:
        view = Replayed(app, pilot)
        await view.until(lambda: view.session.snapshot is not None, "shown")
        yield view


async def test_it_begins_at_the_end_and_space_plays_from_the_beginning(recording: Path) -> None:
    async with replayed(recording, None, user="somebody") as view:
        assert f"END {view.at(MANY - 1)}" in view.lines()[0]
        assert recording.name in view.lines()[0]
        assert "somebody" not in view.text()  # who looks at it now
        assert "poll" not in view.lines()[0]
        await view.read_all()
        assert "still being read" not in view.text()
        view.player.speed = 1000.0
        await view.press("space")
        await view.until(lambda: view.player.playing and view.player.place > 0, "plays")
        await view.reach(MANY - 1)


async def test_keys_of_time(recording: Path) -> None:
    async with replayed(recording) as view:
        view.player.play(False)
        await view.reach(0)
        await view.press(ON, ON)
        await view.reach(2)
        assert f"PAUSED {view.at(2)}" in view.lines()[0]
        await view.press(BACK)
        await view.reach(1)
        await view.press(BACK, BACK)
        await view.reach(0)
        assert "this is the first sample" in view.status()
        await view.press("b", *"-3s", "enter")
        await view.reach(MANY - 4)
        await view.press("b", *view.at(7), "enter")
        await view.reach(7)
        await view.press("b", *"soon", "enter")
        assert "soon: no time, such as 13:02" in view.status()
        await view.press("right_curly_bracket")
        assert f"the recording ends at {view.at(MANY - 1)}" in view.status()
        await view.press("plus")
        assert "speed 2x" in view.status()
        await view.press("R")
        assert "--save FILE2 keeps a part of it" in view.status()


async def test_findings_on_the_timeline_and_the_way_to_them(recording: Path) -> None:
    async with replayed(recording) as view:
        view.player.play(False)
        await view.read_all()
        sockets, findings = view.lines()[-3:-1]
        assert "sockets" in sockets
        assert "█" in sockets
        assert "!" in findings
        assert view.at(0) in findings
        await view.press("right_parenthesis")
        await view.until(lambda: view.player.place >= BEFORE, "at the finding")
        assert "begins: " in view.status()
        await view.until(lambda: "critical" in view.lines()[1], "shown")
        await view.press("b", *"-0s", "enter")
        await view.reach(MANY - 1)
        await view.press("left_parenthesis")
        await view.until(lambda: view.player.place < MANY - 1, "back")
        assert "ends: " in view.status()


async def test_moments_of_two_boots_are_compared_in_their_order(
    recording: Path, tmp_path: Path
) -> None:
    """Clocks begin anew: those of the later boot are smaller."""
    first, second = read(recording)[:4], read(recording)[4:8]
    host, began = replace(second[0].host, boot_id="another"), second[0].clock - 5
    path = tmp_path / "two"
    with closing(RecordingWriter(str(path))) as writer:
        for sample in first:
            writer.add(sample)
        for sample in second:
            writer.add(replace(sample, clock=sample.clock - began, host=host))
    async with replayed(path, 6) as view:
        view.player.play(False)
        await view.reach(6)
        await view.until(lambda: view.player.first is not None, "begun to read")
        await view.press("D")
        await view.until(lambda: f"since {view.at(0)}" in view.text(), "compared")
        await view.press("D", "m", "b", *view.at(1), "enter")
        await view.reach(1)
        await view.press("D")
        await view.until(lambda: f"from {view.at(1)} to {view.at(6)}" in view.text(), "compared")


async def test_a_gap_and_a_boot_are_marked_and_days_told(recording: Path, tmp_path: Path) -> None:
    """And on the timeline of the recording that they are made of there is no mark."""
    some = read(recording)[:12]
    day, host = 86_400.0, replace(some[0].host, boot_id="another")
    later = [replace(s, taken_at=s.taken_at + day, clock=s.clock + day) for s in some[4:8]]
    booted = [replace(s, taken_at=s.taken_at + day, clock=s.clock, host=host) for s in some[8:]]
    path = recorded(tmp_path / "broken", [*some[:4], *later, *booted])
    async with replayed(path, 4) as view:
        view.player.play(False)
        await view.reach(4)
        await view.until(lambda: "gap 1d" in view.lines()[-2], "told")
        bars = view.lines()[-3]
        assert bars.index("|") < bars.index("B")
        begin, end = some[0].taken_at, booted[-1].taken_at
        assert f"{words.day(end)} {view.at(11)[:5]}" in bars
        assert f"{words.day(begin)} {view.at(0)[:5]}" in view.lines()[-2]
        assert f"{words.day(end)} {view.at(4)}" in view.lines()[0]
        await view.press("b", *"-3", "enter")
        await view.until(lambda: view.lines()[-2].endswith("booted"), "told")
    async with replayed(recording) as view:
        view.player.play(False)
        assert not {"|", "B", "~"} & {*view.lines()[-3]}


async def test_a_file_that_is_one_moment_is_replayed_too(recording: Path, tmp_path: Path) -> None:
    path = tmp_path / "one.json"
    words = "snapshot", "--from", recording, "--at", f"+{BEFORE + 2}s", "-o", path
    assert run(*words).returncode == 0
    async with replayed(path, None) as view:
        await view.read_all()
        assert "A JSON snapshot is one moment" in view.text()
        assert f"END {view.at(0)}" in view.lines()[0]
        await view.press("2")
        assert "CLOSE-WAIT" in view.text()
        await view.press(BACK)
        assert "this is the first sample" in view.status()


async def test_charts_end_with_the_time_that_is_shown(recording: Path) -> None:
    async with replayed(recording, 9) as view:
        view.player.play(False)
        await view.reach(9)
        await view.press("3", "enter")
        assert view.session.has_pane
        ends = [line.split()[-1] for line in view.rows() if "-30s" in line]
        assert ends
        assert {*ends} == {view.at(9)}


async def test_it_follows_what_is_still_written(recording: Path, tmp_path: Path) -> None:
    taken = read(recording)
    with closing(RecordingWriter(str(tmp_path / "today"))) as writer:
        for sample in taken[:5]:
            writer.add(sample)
        async with replayed(tmp_path / "today", None) as view:
            await view.reach(4)
            for sample in taken[5:7]:
                writer.add(sample)
            await view.reach(6)
            assert "FOLLOWS" in view.lines()[0]


async def test_what_is_damaged_is_passed_over_and_said(recording: Path, tmp_path: Path) -> None:
    path = tmp_path / "damaged"
    first, second, third = (read(recording)[n : n + 6] for n in (0, 6, 12))
    for part in (first, second, third):  # a group each
        with closing(RecordingWriter(str(path))) as writer:
            for sample in part:
                writer.add(sample)
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("update grp set data = substr(data, 1, 99) where id = 12")
    async with replayed(path, 5) as view:
        view.player.play(False)
        await view.reach(5)
        await view.press(ON)
        await view.until(lambda: view.player.number == 13, "beyond it")
        await view.until(lambda: "6 samples are left out" in view.text(), "told")
        await view.press(BACK)
        await view.until(lambda: view.player.number == 6, "before it")


def test_a_span_is_a_recording_of_its_own(recording: Path, tmp_path: Path) -> None:
    part = tmp_path / "part"
    words = ["replay", str(recording), "--save", str(part), "--begin", "+3s", "--end", "+9s"]
    assert dispatch.dispatch(words) == 0
    whole, cut = read(recording), read(part)
    assert [each.taken_at for each in cut] == [each.taken_at for each in whole[3:10]]
    assert dispatch.dispatch(words) == 1  # it is there
    assert len(read(part)) == 7
