"""Files that somebody made: a recording with bytes, values or sizes that no recorder wrote.

`python -m tests.record.fuzz SECONDS [SEED]` goes on for so long. Whatever is read of such a file
must be a line, or samples that can be understood and shown.
"""

from __future__ import annotations

import io
import json
import random
import sqlite3
import sys
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from tcptop.analysis.selection import select
from tcptop.analysis.watch import WatchLoop
from tcptop.model.source import EndOfSamples
from tcptop.sources.recording import payload as payloads
from tcptop.sources.recording import zstd
from tcptop.sources.recording.errors import RecordingError
from tcptop.sources.recording.schema import INDEX
from tcptop.sources.recording.source import RecordingSource
from tcptop.views import ndjson, text
from tests import recordings
from tests.record.made import recorded

NASTY: list[Any] = [
    *(None, True, -1, 0, 1, 12, 255, 1 << 31, 1 << 40, -(1 << 63), (1 << 64) - 1, 10**400),
    *(0.5, -1.0, 1e308, float("nan"), float("inf"), "", "x", "\x1b[31m\x07", "\udcff", "é" * 5000),
    *([], {}, [[]], [None], {"x": 1}, {"0": {}}, [1, 2, 3], ["a", "b"], {"+": {"x": 2}}),
]
SAMPLES = 4


def original(directory: Path) -> Path:
    """Real samples, in two groups, with something of everything."""
    from tests.record.test_file import changed, whole

    taken = [*recordings.load("tour")[:SAMPLES], whole(), changed(), whole()]
    return recorded(directory / "original", taken)


class Fuzzer:
    def __init__(self, directory: Path, seed: int) -> None:
        self._dice = random.Random(seed)
        self._original = original(directory).read_bytes()
        self._path = directory / "fuzzed"
        self.read, self.refused, self.damaged = 0, 0, 0

    def step(self) -> None:
        """Make one, and read it."""
        self._path.write_bytes(self._original)
        self._dice.choice(KINDS)(self._path, self._dice)
        try:
            self._understand()
        except RecordingError as error:
            self.refused += 1
            if "\n" in str(error):
                raise AssertionError(str(error)) from error

    def _understand(self) -> None:
        with closing(RecordingSource(str(self._path), speed=float("inf"))) as source:
            loop = WatchLoop(source)
            while True:
                try:
                    snapshot = loop.step()
                except EndOfSamples:
                    self.damaged += bool(source.damage)
                    return
                self.read += 1
                for view in (ndjson, text):
                    view.write(select(snapshot), io.StringIO())


def bytes_of_the_file(path: Path, dice: random.Random) -> None:
    data = bytearray(path.read_bytes())
    for _ in range(dice.choice((1, 4, 50))):
        data[dice.randrange(len(data))] = dice.randrange(256)
    path.write_bytes(data[: dice.choice((len(data), dice.randrange(len(data))))])


def values_in_the_tables(path: Path, dice: random.Random) -> None:
    columns = {
        "grp": ("id", "run", "first", "t_first", "t_last", "idx", "data"),
        "run": ("codec", "columns", "id"),
    }
    with closing(sqlite3.connect(path)) as database:
        table = dice.choice([*columns])
        value = dice.choice([each for each in NASTY if not isinstance(each, (list, dict))])
        if isinstance(value, int) and abs(value) >= 1 << 63:
            value = b"some bytes"
        if isinstance(value, str):
            value = value.encode("utf-8", "surrogatepass")
        column = dice.choice(columns[table])
        try:
            database.execute(f"update {table} set {column} = ?", (value,))
        except sqlite3.Error:
            return
        database.commit()


def values_in_a_sample(path: Path, dice: random.Random) -> None:
    _with_payloads(path, lambda payload: _other_head(payload, dice))


def bytes_of_a_sample(path: Path, dice: random.Random) -> None:
    def other(payload: bytes) -> bytes:
        data = bytearray(payload)
        head_size, arrays = payloads.SIZES.unpack_from(payload)
        begin = 8 if dice.random() < 0.3 else 8 + 4 * arrays + head_size
        for _ in range(dice.choice((1, 3, 30))):
            data[dice.randrange(min(begin, len(data) - 1), len(data))] = dice.randrange(256)
        return bytes(data)

    _with_payloads(path, other)


KINDS = (bytes_of_the_file, values_in_the_tables, values_in_a_sample, bytes_of_a_sample)


def _with_payloads(path: Path, other: Callable[[bytes], bytes]) -> None:
    """One payload of each group is another one, with all sizes and sums as they have to be."""
    with closing(sqlite3.connect(path)) as database:
        for number, first, index, data in database.execute(
            "select id, first, idx, data from grp"
        ).fetchall():
            many = number - first + 1
            entries = np.frombuffer(zstd.Inflater(index).read(many * INDEX.itemsize), INDEX).copy()
            inflater = zstd.Inflater(data)
            parts = [inflater.read(size) for size in entries["raw"].tolist()]
            place = len(parts) // 2 if number % 2 else 0
            parts[place] = other(parts[place])
            entries["raw"] = [len(each) for each in parts]
            entries["crc"] = [zlib.crc32(each) for each in parts]
            database.execute(
                "update grp set idx = ?, data = ? where id = ?",
                (zstd.compressed(entries.tobytes()), zstd.compressed(b"".join(parts)), number),
            )
        database.commit()


def _other_head(payload: bytes, dice: random.Random) -> bytes:
    size, arrays = payloads.SIZES.unpack_from(payload)
    at = payloads.SIZES.size + 4 * arrays
    head = json.loads(payload[at : at + size])
    places = [*_places(head)]
    for _ in range(dice.choice((1, 1, 5))):
        holder, key = dice.choice(places)
        holder[key] = dice.choice(NASTY)
    text = json.dumps(head, default=str).encode()
    sizes = payload[payloads.SIZES.size : at]
    return payloads.SIZES.pack(len(text), arrays) + sizes + text + payload[at + size :]


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    keys = value if isinstance(value, dict) else range(len(value))
    for key in keys:
        yield value, key
        if isinstance(value[key], (dict, list)):
            yield from _places(value[key])


def main(seconds: float, seed: int) -> None:
    with tempfile.TemporaryDirectory() as directory:
        fuzzer = Fuzzer(Path(directory), seed)
        end, number = time.monotonic() + seconds, 0
        while time.monotonic() < end:
            fuzzer.step()
            number += 1
        print(
            f"{number} files, {fuzzer.refused} refused, {fuzzer.damaged} with damage told, "
            f"{fuzzer.read} samples read"
        )


if __name__ == "__main__":
    main(float(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 1)
