"""Samples -> a recording that grows, and is whole at every moment."""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tcptop.model.named_tuple import NamedTuple
from tcptop.model.sample import Sample
from tcptop.sources.recording import group
from tcptop.sources.recording.encoder import SampleEncoder
from tcptop.sources.recording.errors import DamagedError, RecordingError
from tcptop.sources.recording.file_lock import FileLock
from tcptop.sources.recording.group import Group
from tcptop.sources.recording.limits import LOG_PAGES, PAGE, log_on_disk, on_disk, size_limits
from tcptop.sources.recording.reader import RecordingReader
from tcptop.sources.recording.schema import (
    APPLICATION,
    CODEC,
    FORMAT,
    INDEX,
    TABLES,
    check_tables,
    guard,
    told,
)
from tcptop.sources.recording.table_reader import layout_text
from tcptop.sources.recording.zstd import FlushedStream, compressed

GROUP_SAMPLES = 60
JUMP_S = 1.0  # by which the clock of day may differ from the other one within a group
LARGE = 1 << 20  # bytes of a change: smaller ones are no matter
KEPT_PARTS = 8  # groups that an age to be kept has at least: the oldest goes as a whole


class _Packed(NamedTuple):
    """A sample, ready to be stored."""

    entry: NDArray[Any]
    payload: bytes
    data: bytes


class _Moment(NamedTuple):
    boot_id: str | None
    taken_at: float
    clock: float


class RecordingWriter:
    """Adds samples to a file; one of another boot, kernel or version goes on as another run.

    `keep_s` is for how long samples are kept at least, `most_bytes` what the file may have on disk
    together with its log. Raises RecordingError and OSError, and then the file is as it was after
    the last sample. Close it.
    """

    def __init__(
        self, path: str, keep_s: float | None = None, most_bytes: int | None = None
    ) -> None:
        self.path = path
        self._keep_s = keep_s
        self._most_bytes = most_bytes
        self._limits = size_limits(most_bytes)
        self._lock = FileLock(path)
        try:
            self._refuse_larger()
            self._database = self._opened()
            self._number = self._last_number() + 1
            self._had = self._last_moment()
        except BaseException:
            self._lock.release()
            raise
        self._added = 0
        self._run: int | None = None
        self._encoder = SampleEncoder()
        self._stream = FlushedStream()
        self._group: list[_Packed] = []
        self._before: Sample | None = None

    def has(self, sample: Sample) -> bool:
        """Whether it, or a later one of its boot, was there when the file was opened."""
        if self._had is None or self._had.boot_id != sample.host.boot_id:
            return False
        unsure = sample.host.boot_id is None and sample.taken_at > self._had.taken_at
        return sample.clock <= self._had.clock and not unsure

    def add(self, sample: Sample) -> None:
        """It is on disk when this returns."""
        other = self._before is not None and _run_of(self._before) != _run_of(sample)
        full = bool(self._group) and (other or self._ends_before(sample))
        packed = self._packed(sample, key=full or not self._group)
        if not full and self._group and self._is_large(packed):
            full, packed = True, self._packed(sample, key=True)
        self._check_size(packed)
        run = self._run
        try:
            with self._transaction():
                if full:
                    self._store_group(sample.taken_at)
                if other:
                    self._run = None
                self._make_room(len(packed.data))
                self._store(sample, packed)
        except BaseException:
            self._run = run
            raise
        self._group = [*([] if full else self._group), packed]
        self._number += 1
        self._added += 1
        self._before = sample

    @property
    def last(self) -> int:
        """The number of the last sample that is on disk."""
        return self._number - 1

    def told(self) -> str:
        """What has become of it, for people."""
        many = f"{self._added:,} sample{'s' if self._added != 1 else ''}"
        octets = on_disk(self.path)
        size = f"{octets / 1e6:,.1f} MB" if octets >= 1e6 else f"{octets / 1e3:,.0f} kB"
        return f"{many} written, {size} in all"

    def close(self) -> None:
        """One file, which may be read from anywhere and copied."""
        try:
            with suppress(sqlite3.Error, RecordingError):  # it is whole with its log, too
                if self._group:
                    with self._transaction():
                        self._store_group(None)
                self._database.execute("pragma wal_checkpoint(truncate)")
                self._database.execute("pragma journal_mode=delete")
            self._database.close()
        finally:
            self._lock.release()

    def _refuse_larger(self) -> None:
        most, has = self._most_bytes, on_disk(self.path)
        pages = self._limits.pages
        if most is not None and pages is not None and has > min(most, pages * PAGE):
            mb = f"{has / 1e6:,.1f} MB"
            raise RecordingError(
                f"{self.path}: has {mb} already, and a file does not shrink: give a larger "
                "--max-size, or another file"
            )

    def _opened(self) -> sqlite3.Connection:
        with told(self.path):
            database = sqlite3.connect(self.path, isolation_level=None, timeout=5)
        try:
            with told(self.path, database):
                guard(database)
                if not self._lock.some or not check_tables(database):
                    _make_tables(database)
                self._prepare(database)
                _finish_group(database, self.path)
        except BaseException:
            with suppress(sqlite3.Error):
                database.close()
            raise
        return database

    def _prepare(self, database: sqlite3.Connection) -> None:
        """Every commit is on disk when it returns, and the log is kept short."""
        database.execute("pragma journal_mode=wal")
        database.execute("pragma synchronous=full")
        database.execute("pragma secure_delete=off")
        database.execute(f"pragma wal_autocheckpoint={LOG_PAGES}")
        database.execute("pragma journal_size_limit=0")
        if self._limits.pages is not None:
            database.execute(f"pragma max_page_count={self._limits.pages}")

    def _last_number(self) -> int:
        with told(self.path, self._database):
            query = "select max(id) from (select id from grp union all select id from part)"
            (number,) = self._database.execute(query).fetchone()
            return int(number or 0)

    def _last_moment(self) -> _Moment | None:
        """That of the last sample."""
        query = (
            "select boot_id, idx, grp.id - first + 1 from grp join run on run.id = run "
            "order by grp.id desc limit 1"
        )
        with told(self.path, self._database):
            row = self._database.execute(query).fetchone()
        with suppress(DamagedError, TypeError):
            if row is not None:
                last = group.index_of_group(row[1], row[2])[-1]
                return _Moment(row[0], float(last["taken_at"]), float(last["clock"]))
        return None

    def _ends_before(self, sample: Sample) -> bool:
        """Whether a sample begins another group."""
        before = self._before
        assert before is not None
        jump = (sample.taken_at - before.taken_at) - (sample.clock - before.clock)
        age = sample.taken_at - float(self._group[0].entry["taken_at"])
        return (
            len(self._group) >= GROUP_SAMPLES
            or sum(len(each.data) for each in self._group) > self._limits.group_bytes
            or abs(jump) > JUMP_S
            or before.interval_s not in (None, sample.interval_s)
            or (self._keep_s is not None and age > self._keep_s / KEPT_PARTS)
        )

    def _is_large(self, change: _Packed) -> bool:
        """Where most is otherwise than before, a group may as well begin."""
        return len(change.payload) > max(LARGE, len(self._group[0].payload) // 2)

    def _packed(self, sample: Sample, key: bool) -> _Packed:
        if key:
            self._stream = FlushedStream()
        payload = self._encoder.encoded(sample, key)
        index = np.zeros((), INDEX)
        index["taken_at"], index["clock"] = sample.taken_at, sample.clock
        index["raw"], index["crc"] = len(payload), zlib.crc32(payload)
        index["states"] = np.bincount(sample.sockets.state, minlength=12)[:12]
        return _Packed(index, payload, self._stream.flushed(payload))

    def _check_size(self, packed: _Packed) -> None:
        if len(packed.data) > self._limits.group_bytes:
            raise RecordingError(
                f"{self.path}: one sample takes {len(packed.data) / 1e6:,.1f} MB, too much for "
                "this --max-size"
            )
        log = self._limits.log_bytes
        if log is None:
            return
        needed = 3 * self._limits.group_bytes
        if log_on_disk(self.path) + needed > log:
            with told(self.path, self._database):
                self._database.execute("pragma wal_checkpoint(truncate)")
        if log_on_disk(self.path) + needed > log:
            raise RecordingError(
                f"{self.path}: whoever reads it holds the log, which has no more room under "
                "--max-size"
            )

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with told(self.path, self._database):
            self._database.execute("begin immediate")
            try:
                yield
                self._database.execute("commit")
            except BaseException:
                with suppress(sqlite3.Error):
                    self._database.execute("rollback")
                raise

    def _store_group(self, now: float | None) -> None:
        """The open group as one row, and what is too old away."""
        index = np.array([each.entry for each in self._group], INDEX)
        data = compressed(b"".join(each.payload for each in self._group))
        self._make_room(len(data))
        _insert_group(self._database, self._run, self._number - len(index), index, data)
        if now is not None and self._keep_s is not None:
            self._database.execute("delete from grp where t_last < ?", (now - self._keep_s,))
            self._forget_runs()

    def _forget_runs(self) -> None:
        self._database.execute(
            "delete from run where id not in (select run from grp union select run from part) "
            "and id <> ?",
            (self._run or 0,),
        )

    def _make_room(self, size: int) -> None:
        """The oldest groups go where these bytes would have no place below the limit."""
        if self._limits.pages is None:
            return
        needed = size // (PAGE - 64) + 16
        while self._free_pages() < needed:
            oldest = self._database.execute("select min(id) from grp").fetchone()[0]
            if oldest is None:
                raise RecordingError(f"{self.path}: --max-size is too small for one sample")
            self._database.execute("delete from grp where id = ?", (oldest,))
            self._forget_runs()

    def _free_pages(self) -> int:
        counts = [
            self._database.execute(f"pragma {name}").fetchone()[0]
            for name in ("freelist_count", "page_count")
        ]
        return int(counts[0]) + (self._limits.pages or 0) - int(counts[1])

    def _store(self, sample: Sample, packed: _Packed) -> None:
        if self._run is None:
            self._run = _new_run(self._database, sample)
        self._database.execute(
            "insert into part values (?, ?, ?, ?, ?)",
            (self._number, self._run, sample.taken_at, packed.entry.tobytes(), packed.data),
        )


def _run_of(sample: Sample) -> tuple[str | None, ...]:
    """What is the same for all samples of a run: a host that is seen from another may be booted."""
    host = sample.host
    return host.boot_id, host.hostname, host.kernel, sample.version


def _make_tables(database: sqlite3.Connection) -> None:
    """All at once; the log of changes comes later, so that the file itself says what it is."""
    if database.execute("pragma page_count").fetchone()[0] == 0:
        database.execute(f"pragma page_size={PAGE}")
    database.execute("pragma journal_mode=delete")
    database.execute("begin immediate")
    for table in TABLES:
        database.execute(table)
    database.execute(f"pragma application_id={APPLICATION}")
    database.execute(f"pragma user_version={FORMAT}")
    database.execute("commit")


def _finish_group(database: sqlite3.Connection, path: str) -> None:
    """What a recorder that was killed has left open; what is damaged of it goes."""
    runs = database.execute("select distinct run from part").fetchall()
    if not runs:
        return
    left = RecordingReader(path, database).open_group()
    assert left is not None
    readable = _readable(left)
    database.execute("begin immediate")
    if readable:
        index, data = left.entries[: len(readable)], compressed(b"".join(readable))
        _insert_group(database, runs[0][0], left.first, index, data)
    database.execute("delete from part")
    database.execute("commit")


def _readable(left: Group) -> list[bytes]:
    """Up to the first that is damaged."""
    found: list[bytes] = []
    with suppress(DamagedError):
        found.extend(group.payloads(left))
    return found


def _insert_group(
    database: sqlite3.Connection, run: int | None, first: int, index: NDArray[Any], data: bytes
) -> None:
    ends = float(index["taken_at"].min()), float(index["taken_at"].max())
    last = first + len(index) - 1
    row = (last, run, first, *ends, compressed(index.tobytes()), data)
    database.execute("insert into grp values (?, ?, ?, ?, ?, ?, ?)", row)
    database.execute("delete from part")


def _new_run(database: sqlite3.Connection, sample: Sample) -> int:
    host = sample.host
    about = (sample.taken_at, host.boot_id, host.hostname, host.kernel, sample.version)
    cursor = database.execute(
        "insert into run (began, boot_id, host, kernel, tcptop, interval, codec, columns) "
        "values (?, ?, ?, ?, ?, ?, ?, ?)",
        (*about, sample.interval_s, CODEC, layout_text()),
    )
    assert cursor.lastrowid is not None
    return cursor.lastrowid
