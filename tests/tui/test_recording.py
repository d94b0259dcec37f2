"""`R`: what is looked at, and what was before, into a file; whatever becomes of that, the view goes
on."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path

import pytest

from tcptop.demo.namespace import DemoNamespace
from tcptop.model.sample import Sample
from tcptop.sources.recording.writer import RecordingWriter
from tests.kernel import states
from tests.record.made import read, samples
from tests.record.test_record import last
from tests.recordings.alike import differences
from tests.tui.live import Live, live
from tests.tui.terminal import Terminal
from tests.tui.test_driver import environ
from tests.tui.test_program import command


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


async def begin(view: Live, name: str = "") -> None:
    """To the name that is proposed, or to this one."""
    await view.press("R", *(["ctrl+u", *name] if name else []), "enter")


async def ended(view: Live) -> str:
    await view.press("R")
    await view.until(lambda: view.app.recorder is None, "ended")
    return view.status()


def taken(many: int, skip: int = 0) -> list[Sample]:
    return [*islice(samples(many + skip), skip, None)]


async def test_it_begins_with_what_was_seen_and_goes_on_to_the_end(here: Path) -> None:
    first = taken(5)
    async with live(*first[:3], open_writer=RecordingWriter, size=(200, 24)) as view:
        await begin(view)
        await view.until(lambda: "REC LIVE" in view.lines()[0], "recording")
        assert "recording (R ends it) to " in view.status()
        for sample in first[3:]:
            await view.take(sample)
        told = await ended(view)
        assert "REC" not in view.lines()[0]
        assert "5 samples written" in told
        (path,) = here.iterdir()  # nothing is left beside it
        assert str(path) in told
        assert path.name.startswith("tcptop-web1-2026")
        assert path.suffix == ".tcptop"
        assert path.stat().st_mode & 0o777 == 0o600
        assert differences(tuple(read(path)), tuple(first)) == []


async def test_in_a_recording_that_is_there_it_goes_on_with_what_is_new(here: Path) -> None:
    every = taken(4)
    with closing(RecordingWriter("x")) as writer:
        writer.add(every[0])
    async with live(*every[:2], open_writer=RecordingWriter, size=(200, 24)) as view:
        await begin(view, "x")
        await view.until(lambda: "REC" in view.lines()[0], "recording")
        await view.take(every[2])
        assert "2 samples written" in await ended(view)
        await begin(view, "x")
        await view.take(every[3])
        assert "1 sample written" in await ended(view)
    assert differences(tuple(read(here / "x")), tuple(every)) == []


async def test_what_cannot_be_a_recording_is_a_line(here: Path) -> None:
    (here / "text").write_text("mine")
    async with live(open_writer=RecordingWriter, size=(200, 24)) as view:
        with closing(RecordingWriter("held")):
            for name, why in (
                ("text", "not recorded: text: not a recording of tcptop"),
                ("held", "not recorded: held: another tcptop is writing to it"),
                ("no/x", "not recorded: no/x: No such file or directory"),
                (".", "not recorded: .: Is a directory"),
            ):
                await begin(view, name)
                await view.until(lambda: why in view.status(), why)  # noqa: B023
                assert "REC" not in view.lines()[0]
        assert (here / "text").read_text() == "mine"
        await begin(view, "x")
        await view.until(lambda: "REC" in view.lines()[0], "recording")
        await ended(view)


@pytest.fixture(scope="module")
def pid() -> Iterator[int]:
    with DemoNamespace() as namespace:
        namespace.run(states.established)
        yield namespace.pid


def seen(terminal: Terminal, text: str) -> None:
    terminal.wait_until(lambda: text in terminal.lines()[0], text)


def typed(terminal: Terminal, name: str) -> None:
    terminal.wait_for("LIVE")
    terminal.type("R")
    terminal.wait_for("record to")
    terminal.type(f"\x15{name}\r")


def test_a_kill_loses_at_most_the_sample_being_written(pid: int, tmp_path: Path) -> None:
    path = tmp_path / "x"
    with Terminal(command(pid, "-i", "0.1"), environ(), cwd=tmp_path) as terminal:
        typed(terminal, "x")
        seen(terminal, "REC")
        terminal.wait_until(lambda: last(path) > 4, "written")
        terminal.process.kill()
        terminal.process.wait()
        assert len(read(path)) == last(path) > 4


def test_the_end_of_the_view_ends_it_well(pid: int, tmp_path: Path) -> None:
    with Terminal(command(pid, "-i", "0.1"), environ(), cwd=tmp_path) as terminal:
        typed(terminal, "x")
        seen(terminal, "REC")
        terminal.type("q")
        terminal.wait_for("written")
        assert terminal.process.wait(60) == 0
    assert [each.name for each in tmp_path.iterdir()] == ["x"]
    assert read(tmp_path / "x")


FULL = """
mount -t tmpfs -o size=400k none "$1" && cd "$1" && head -c 200000 /dev/zero > filler
shift
exec "$@"
"""


def test_a_full_disk_ends_the_recording_alone(pid: int, tmp_path: Path) -> None:
    """On a small tmpfs in a mount namespace of its own."""
    words = ["unshare", "-m", "sh", "-c", FULL, "sh", str(tmp_path), *command(pid, "-i", "0.1")]
    with Terminal(words, environ(PYTHONPATH=sys.path[0]), (160, 24)) as terminal:
        typed(terminal, "x")
        terminal.wait_for("The recording broke off, and keeps what it has: ")
        terminal.wait_for("x: no space left")
        terminal.type("2")
        terminal.wait_for("[2 Connections")
        assert "REC" not in terminal.lines()[0]
