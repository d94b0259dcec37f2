"""The command: real sockets in, signals, kills, a full disk; and what others read of it."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path

import pytest

from tcptop.demo.namespace import DemoNamespace
from tcptop.sources.recording.reader import RecordingReader
from tcptop.views.rows import rfc3339
from tests import warm
from tests.kernel import states
from tests.record.made import read

KILLS = 8


@pytest.fixture
def namespace() -> Iterator[DemoNamespace]:
    with DemoNamespace() as made:
        yield made


def command(namespace: DemoNamespace, path: Path, *more: str) -> list[str]:
    base = [sys.executable, "-m", "tcptop", "record", str(path)]
    return [*base, "--netns", str(namespace.pid), "--config", "/dev/null", *more]


@contextmanager
def recording(namespace: DemoNamespace, path: Path, *more: str) -> Iterator[subprocess.Popen[str]]:
    """Until it is left; the first sample is in the file."""
    words = command(namespace, path, *more)
    with warm.Popen(words, stderr=subprocess.PIPE, text=True) as running:
        try:
            wait_for(path, 1, running)
            yield running
        finally:
            running.kill()


def wait_for(path: Path, number: int, running: subprocess.Popen[str]) -> None:
    while last(path) < number:
        assert running.poll() is None, running.communicate()
        time.sleep(0.02)


def last(path: Path) -> int:
    """The number of the last sample that is in the file."""
    try:
        with closing(RecordingReader(str(path))) as reader:
            return max((each.last for each in reader.groups()), default=0)
    except OSError:
        return 0


def run(*words: str) -> subprocess.CompletedProcess[str]:
    every = [sys.executable, "-m", "tcptop", *words, "--config", "/dev/null"]
    return warm.run(every, capture_output=True, text=True, timeout=120)


def test_real_sockets_are_recorded_and_told_as_they_were(
    namespace: DemoNamespace, tmp_path: Path
) -> None:
    path = tmp_path / "x"
    namespace.run(states.close_wait)
    words = command(namespace, path, "-i", "0.2", "--duration", "2")
    done = warm.run(words, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr.startswith(f"tcptop: {path}: ")
    taken = read(path)
    over_s = taken[-1].clock - taken[0].clock
    assert over_s >= 2
    told = json.loads(run("snapshot", "--from", str(path), "--format", "json").stdout)
    assert told["totals"]["by_state"]["CLOSE_WAIT"] == 1
    assert told["collector"]["over_s"] == pytest.approx(over_s, abs=0.01)
    assert told["taken_at"] == rfc3339(taken[-1].taken_at)
    assert run("check", "--from", str(path)).stdout.startswith("TCPTOP ")


def test_a_span_is_every_sample_of_it(namespace: DemoNamespace, tmp_path: Path) -> None:
    path = tmp_path / "x"
    namespace.run(states.established)
    warm.run(command(namespace, path, "-i", "0.2", "--duration", "3"), check=True, timeout=60)
    taken = read(path)
    begin, end = (rfc3339(taken[place].taken_at) for place in (1, -1))
    last_at = datetime.fromisoformat(end).timestamp()  # a little earlier: its text is cut
    inside = [each for each in taken[1:] if each.taken_at <= last_at]
    span = ("snapshot", "--from", str(path), "--begin", begin, "--end", end)
    lines = [json.loads(line) for line in run(*span).stdout.splitlines()]
    heads = [line for line in lines if line["type"] == "snapshot"]
    assert [line["taken_at"] for line in heads] == [rfc3339(each.taken_at) for each in inside]
    assert sum(line["type"] == "socket" for line in lines) == sum(
        len(each.sockets) for each in inside
    )
    assert heads[0]["collector"]["over_s"] > 0  # what was before it counts
    rows = run(*span, "--format", "csv").stdout.splitlines()
    assert rows[0].startswith("taken_at,netns,cookie,")
    assert len(rows) == 1 + sum(len(each.sockets) for each in inside)


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 0), (signal.SIGHUP, 129)]
)
def test_a_signal_ends_it_well(
    number: int, code: int, namespace: DemoNamespace, tmp_path: Path
) -> None:
    path = tmp_path / "x"
    with recording(namespace, path, "-i", "0.1") as running:
        running.send_signal(number)
        _, said = running.communicate(timeout=60)
    assert running.returncode == code
    assert "written" in said
    assert [each.name for each in tmp_path.iterdir()] == ["x"]
    assert read(path)


def test_a_second_writer_is_refused_in_a_line(namespace: DemoNamespace, tmp_path: Path) -> None:
    path = tmp_path / "x"
    with recording(namespace, path, "-i", "0.1") as running:
        done = warm.run(command(namespace, path), capture_output=True, text=True, timeout=60)
        assert done.returncode == 1
        assert done.stderr == f"tcptop: {path}: another tcptop is writing to it\n"
        wait_for(path, last(path) + 3, running)
        running.send_signal(signal.SIGTERM)
        assert running.wait(60) == 0


@pytest.mark.parametrize("contents", [b"some text of mine", b"SQLite format 3\0" + bytes(200)])
def test_a_file_that_is_something_else_is_left_alone(
    contents: bytes, namespace: DemoNamespace, tmp_path: Path
) -> None:
    path = tmp_path / "x"
    path.write_bytes(contents)
    done = warm.run(command(namespace, path), capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert path.read_bytes() == contents


def test_a_kill_costs_at_most_the_sample_being_written(
    namespace: DemoNamespace, tmp_path: Path
) -> None:
    """By one that writes as fast as it can, so that kills meet it at it; each goes on in the file
    of the ones before."""
    namespace.run(states.established)
    path, dice = tmp_path / "x", random.Random(1)
    for _ in range(KILLS):
        told = write_until_killed(namespace, path, dice.uniform(0.05, 0.8))
        assert last(path) in (told, told + 1)
        assert len(read(path)) == last(path)


def write_until_killed(namespace: DemoNamespace, path: Path, after_s: float) -> int:
    """The number of the last sample of which the writer said that it is on disk."""
    words = [sys.executable, "-m", "tests.record.writing", str(path), str(namespace.pid)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout
        told = int(writer.stdout.readline())
        time.sleep(after_s)
        writer.kill()
        for line in writer.stdout:
            told = int(line) if line.endswith("\n") else told
    return told


FULL = """
mount -t tmpfs -o size=600k none "$1" && cd "$1" && head -c 300000 /dev/zero > filler
"$2" -m tests.record.writing "$1/x" "$3" > "$4/numbers" 2> "$4/why"
"$2" -m tcptop snapshot --from "$1/x" --format json --config /dev/null > "$4/told"
"$2" -c 'import sys; from pathlib import Path; from tests.record.made import read
print(len(read(Path(sys.argv[1]))))' "$1/x" > "$4/read"
"""


def test_a_full_disk_is_a_line_and_a_file_that_is_whole(
    namespace: DemoNamespace, tmp_path: Path
) -> None:
    """On a small tmpfs in a mount namespace of its own."""
    namespace.run(states.established)
    disk = tmp_path / "disk"
    disk.mkdir()
    script = ["sh", "-c", FULL, "sh", str(disk), sys.executable, str(namespace.pid), str(tmp_path)]
    environ = {**os.environ, "PYTHONPATH": os.getcwd()}
    done = subprocess.run(["unshare", "-m", *script], timeout=240, env=environ)
    assert done.returncode == 0
    assert (tmp_path / "why").read_text() == f"tcptop: {disk}/x: no space left\n"
    written = int((tmp_path / "numbers").read_text().split()[-1])
    assert int((tmp_path / "read").read_text()) == written > 10
    assert json.loads((tmp_path / "told").read_text())["totals"]["sockets"] >= 2


def test_no_screen_is_loaded(namespace: DemoNamespace, tmp_path: Path) -> None:
    words = command(namespace, tmp_path / "x", "--duration", "0.1")[3:]
    code = (
        "import atexit, sys\n"
        "atexit.register(lambda: print(*sys.modules))\n"
        "from tcptop.cli import main\n"
        f"main({words!r})\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    modules = set(done.stdout.split())
    assert "tcptop.sources.recording.writer" in modules
    assert not modules & {"textual", "rich", "asyncio", "lark", "plotext"}


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("snapshot", "--at", "13:02"), "--at is of a recording: --from FILE"),
        (("snapshot", "--from", "x", "--at", "-5m", "--end", "13:02"), "--at or --end, not both"),
        (("check", "--from", "x", "--netns", "all"), "--netns with --from"),
        (("record",), "FILE"),
        (("record", "x", "--max-size", "1M"), "not a size of at least 4M"),
        (("record", "x", "--keep", "soon"), "not an age"),
    ],
)
def test_what_means_nothing_is_a_usage_error(words: tuple[str, ...], says: str) -> None:
    done = run(*words)
    assert done.returncode == (3 if words[0] == "check" else 2)
    assert says in done.stderr
    assert len(done.stderr.splitlines()) == 1
