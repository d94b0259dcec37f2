"""A recording may come from anybody: whatever is in it, a line or what can be read of it."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from tcptop.sources.recording import zstd
from tcptop.sources.recording.errors import DamagedError, RecordingError
from tcptop.sources.recording.reader import RecordingReader
from tcptop.sources.recording.schema import INDEX
from tcptop.sources.recording.source import RecordingSource
from tcptop.sources.recording.writer import RecordingWriter
from tests import warm
from tests.record.fuzz import Fuzzer
from tests.record.made import recorded, samples
from tests.unit.prepared import everything, socket, table

FILES = 40


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return recorded(tmp_path / "x", samples(70))


def altered(path: Path, *statements: str, values: tuple[object, ...] = ()) -> Path:
    with closing(sqlite3.connect(path)) as database:
        for each in statements:
            database.execute(each, values)
        database.commit()
    return path


def refusal(path: Path) -> str:
    """Why it is not opened, by those who read and by those who write."""
    why = []
    for opening in (RecordingReader, RecordingWriter):
        with pytest.raises(RecordingError) as raised:
            opening(str(path))
        why.append(str(raised.value))
    assert why[0] == why[1]
    assert why[0].startswith(f"{path}: ")
    return why[0].removeprefix(f"{path}: ")


@pytest.mark.parametrize(
    "statement",
    [
        "create view v as select 1",
        "create table more (x)",
        "create index i on grp (t_first)",
        "create trigger t after insert on part begin delete from grp; end",
        "alter table grp add column x",
        "alter table part add column x generated always as (abs(-1))",
        "drop table part",
    ],
)
def test_tables_that_are_not_literally_ours(statement: str, path: Path) -> None:
    assert refusal(altered(path, statement)) == ("damaged: its tables are not those of a recording")


def test_other_files(path: Path, tmp_path: Path) -> None:
    altered(path, "pragma user_version=2")
    assert refusal(path) == "of a newer tcptop: format 2, and this one knows 1"
    altered(path, "pragma user_version=1", "pragma application_id=7")
    assert refusal(path) == "not a recording of tcptop"
    path.write_text("State Recv-Q Send-Q")
    assert refusal(path) == "not a recording of tcptop"
    with pytest.raises(RecordingError, match="not a file"):
        RecordingReader(str(tmp_path))
    with pytest.raises(RecordingError, match="not a file"):
        RecordingReader("/dev/null")


def test_a_group_that_is_damaged_is_left_out_and_said(path: Path) -> None:
    with closing(RecordingReader(str(path))) as reader:
        whole = [each.number for each in reader.samples()]
    altered(path, "update grp set data = substr(data, 1, 3000) where id = 60")
    with closing(RecordingReader(str(path))) as reader:
        left = [each.number for each in reader.samples()]
        (note,) = reader.damage
    assert whole == [*range(1, 71)]
    assert left[-10:] == [*range(61, 71)]
    assert note.startswith(f"The recording is damaged: {60 - len(left) + 10} samples are left out")
    with closing(RecordingSource(str(path), run_up_s=5)) as source:
        assert list(source.seek(source.span[1]))[-1].notes == ()
        sought = [*source.seek(source.span[0] + 50)]
    assert note in sought[-1].notes


def test_a_wrong_sum_is_found(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database:
        (index,) = database.execute("select idx from grp where id = 60").fetchone()
    entries = np.frombuffer(zstd.Inflater(index).read(60 * INDEX.itemsize), INDEX).copy()
    entries["crc"][59] ^= 1
    changed = zstd.compressed(entries.tobytes())
    altered(path, "update grp set idx = ? where id = 60", values=(changed,))
    with closing(RecordingReader(str(path))) as reader:
        assert len([*reader.samples()]) == 69
        assert reader.damage == [
            "The recording is damaged: a sample is left out (a sample's checksum is wrong)."
        ]


BOMB = 3 << 30
IN_LITTLE_MEMORY = """
import resource, sys
from tests.record.test_hostile import left_of
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(left_of(sys.argv[1]))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def left_of(path: str) -> int:
    with closing(RecordingReader(path)) as reader:
        return sum(1 for _ in reader.samples())


def test_what_grows_without_end_takes_little_memory(path: Path) -> None:
    """Three gigabytes of zeros in a few hundred kilobytes, as one sample."""
    entry = np.zeros(1, INDEX)
    entry["raw"], entry["crc"] = BOMB, 0
    data = _zeros(BOMB)
    assert len(data) < 1 << 20
    values = (61, 1, 61, 0.0, 0.0, zstd.compressed(entry.tobytes()), data)
    altered(path, "delete from grp where id > 60")
    altered(path, "insert into grp values (?, ?, ?, ?, ?, ?, ?)", values=values)
    done = subprocess.run(
        [sys.executable, "-c", IN_LITTLE_MEMORY, str(path)],
        capture_output=True,
        text=True,
        timeout=120,
    )
    left, grown = map(int, done.stdout.split())
    assert left == 60
    assert grown < 200_000  # KiB


def _zeros(many: int) -> bytes:
    """So many, compressed."""
    stream, block = zstd.FlushedStream(), bytes(1 << 24)
    return b"".join(stream.flushed(block) for _ in range(many // len(block)))


def test_a_window_that_takes_gigabytes_is_refused() -> None:
    frame = bytes.fromhex("28b52ffd") + b"\x00" + bytes([0xA8]) + b"\x01\x00\x00"  # 2^31 (RFC 8878)
    with pytest.raises(DamagedError, match="cannot be decompressed"):
        zstd.Inflater(frame).read(1)


@pytest.mark.parametrize(("name", "value"), [("state", 12), ("state", 0), ("family", 7)])
def test_sockets_of_no_kind_are_no_sample(name: str, value: int, tmp_path: Path) -> None:
    strange = table([socket("ESTABLISHED", "10.0.0.1:1", "10.0.0.2:2")])
    getattr(strange, name)[:] = value
    path = recorded(tmp_path / "x", [everything(), everything(sockets=strange, clock=1001.0)])
    with closing(RecordingReader(str(path))) as reader:
        assert len([*reader.samples()]) == 1
        assert "a sample is left out" in reader.damage[0]


def test_escape_sequences_stay_text(tmp_path: Path) -> None:
    one = everything()
    names = {
        pid: type(each)(**{f: getattr(each, f) for f in each.__slots__} | {"name": "\x1b]0;x\x07"})
        for pid, each in one.owners.processes.items()
    }
    held = type(one.owners)(one.owners.inodes, one.owners.pids, one.owners.fds, names)
    path = recorded(tmp_path / "x", [everything(owners=held)])
    words = [sys.executable, "-m", "tcptop", "snapshot", "--from", str(path), "--config"]
    for form in ("text", "markdown", "json", "csv"):
        done = warm.run([*words, "/dev/null", "--format", form], capture_output=True, timeout=120)
        assert done.returncode == 0, done.stderr
        assert b"]0;x" in done.stdout
        assert b"\x1b" not in done.stdout


def test_files_of_a_fuzzer(tmp_path: Path) -> None:
    """Longer: python -m tests.record.fuzz SECONDS."""
    fuzzer = Fuzzer(tmp_path, seed=7)
    for _ in range(FILES):
        fuzzer.step()
    assert fuzzer.read > FILES
    assert fuzzer.refused
    assert fuzzer.damaged
