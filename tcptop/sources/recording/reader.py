"""A recording, read group by group; it may be written meanwhile.

No transaction is held from one group to the next: as long as one is, the log of whoever writes
grows. A group that became full meanwhile is found by the numbers of its samples.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tcptop.model.archive import Numbered
from tcptop.model.named_tuple import NamedTuple
from tcptop.sources.recording import group
from tcptop.sources.recording.errors import DamagedError, RecordingError
from tcptop.sources.recording.group import Group
from tcptop.sources.recording.schema import CODEC, INDEX, SAMPLES, opened, told
from tcptop.sources.recording.table_reader import Layout, layout


class GroupSpan(NamedTuple):
    """Numbers of samples, and Unix times."""

    first: int
    last: int
    began: float
    ended: float


class GroupEntries(NamedTuple):
    """What is known of a group without reading it; `boot` is the same for all of one boot."""

    first: int
    boot: int
    entries: NDArray[Any]


class RecordingReader:
    """Close it. Raises RecordingError and OSError. `damage` says what was left out, since it was
    last taken from there. A `database` that is open already stays so."""

    def __init__(self, path: str, database: sqlite3.Connection | None = None) -> None:
        self._path = path
        self._database = database or opened(path)
        self._layouts: dict[int, Layout] = {}
        self._boots: dict[int, int] = {}
        self.damage: list[str] = []

    def close(self) -> None:
        self._database.close()

    def groups(self) -> list[GroupSpan]:
        """In the order in which they were taken; the last is the one that is being written."""
        with told(self._path, self._database):
            full = "select first, id, t_first, t_last from grp order by id"
            found = [GroupSpan(*row) for row in self._database.execute(full)]
            of_part = "select min(id), max(id), min(taken_at), max(taken_at) from part"
            found += [GroupSpan(*row) for row in self._database.execute(of_part) if row[0]]
            for span in found:
                _check(span)
        return found

    def entries(self, number: int = 0) -> Iterator[GroupEntries]:
        """Of each group from that number on; those that are damaged are left out."""
        with told(self._path, self._database):
            full = "select first, id, run, idx from grp where id >= ? order by id"
            for first, last, run, idx in self._database.execute(full, (number,)).fetchall():
                with suppress(DamagedError):
                    many = _whole(last) - _whole(first) + 1
                    entries = _dated(group.index_of_group(_blob(idx), many))
                    yield GroupEntries(first, self._boot(run), entries)
        with suppress(RecordingError):
            left = self.open_group(number)
            if left is not None:
                (run,) = self._one("select run from part where id >= ?", left.first) or (0,)
                yield GroupEntries(left.first, self._boot(run), _dated(left.entries))

    def _boot(self, run: Any) -> int:
        """The first run of the same boot of the same host."""
        if run not in self._boots:
            query = "select id from run where (boot_id, host) is (select boot_id, host from run "
            row = self._one(f"{query}where id = ?) order by id", _whole(run))
            self._boots[run] = _whole(row[0]) if row else 0
        return self._boots[run]

    def samples(self, number: int = 0) -> Iterator[Numbered]:
        """From that number on, to the last that there is by then."""
        while (found := self._group(number)) is not None:
            last = found if isinstance(found, int) else found.last
            if not isinstance(found, int):
                for taken in self._of(found):
                    if taken.number >= number:
                        number = taken.number + 1
                        yield taken
            if number <= last:
                number = last + 1

    def _of(self, found: Group) -> Iterator[Numbered]:
        number = found.first
        try:
            for sample in group.samples(found):
                yield Numbered(number, sample)
                number += 1
        except DamagedError as error:
            self._damaged(found.last + 1 - number, str(error))

    def _damaged(self, many: int, why: str) -> None:
        if self.damage[8:]:
            return
        lost = f"{many} samples are" if many > 1 else "a sample is"
        self.damage.append(f"The recording is damaged: {lost} left out ({why}).")

    def _group(self, number: int) -> Group | int | None:
        """The group with that sample or the next one; its last number, where it is damaged."""
        with told(self._path, self._database):
            row = self._one("select id, first from grp where id >= ? order by id", number)
        if row is None:
            return self.open_group(number)
        try:
            return self._full_group(int(row[0]))
        except (DamagedError, sqlite3.Error) as error:
            self._damaged(row[0] - max(number, row[1]) + 1, str(error))
            return int(row[0])

    def _full_group(self, last: int) -> Group:
        row = self._one("select id, first, run, idx, data from grp where id = ?", last)
        if row is None:  # the oldest goes as new ones come
            raise DamagedError("it has just been removed")
        last, first, run = map(_whole, row[:3])
        index = group.index_of_group(_blob(row[3]), last - first + 1)
        return Group(last, first, self._layout(run), index, _blob(row[4]))

    def open_group(self, number: int = 0) -> Group | None:
        """The one that is being written, where it has that sample or a later one."""
        with told(self._path, self._database):
            query = f"select id, run, idx, data from part order by id limit {SAMPLES + 1}"
            rows = self._database.execute(query).fetchall()
            if not rows or _whole(rows[-1][0]) < number:
                return None
            first, last = _whole(rows[0][0]), _whole(rows[-1][0])
            if last - first + 1 != len(rows) or len(rows) > SAMPLES:
                raise DamagedError("samples are missing")
            index = b"".join(_blob(row[2]) for row in rows)
            if len(index) != len(rows) * INDEX.itemsize:
                raise DamagedError("its index has another length")
            data = b"".join(_blob(row[3]) for row in rows)
            return Group(last, first, self._layout(rows[0][1]), np.frombuffer(index, INDEX), data)

    def _layout(self, run: int) -> Layout:
        if run not in self._layouts:
            row = self._one("select codec, columns from run where id = ?", run)
            if row is None or row[0] != CODEC or not isinstance(row[1], str):
                raise DamagedError("nothing is known of its run")
            self._layouts[run] = layout(row[1])
        return self._layouts[run]

    def _one(self, query: str, number: int) -> tuple[Any, ...] | None:
        row: tuple[Any, ...] | None = self._database.execute(
            f"{query} limit 1", (number,)
        ).fetchone()
        return row


def _check(span: GroupSpan) -> None:
    """Raises DamagedError: a column of SQLite may hold anything."""
    many = _whole(span.last) - _whole(span.first) + 1
    times = isinstance(span.began, float) and isinstance(span.ended, float)
    if not times or not 0 < many <= SAMPLES or not 0 <= span.began <= span.ended < 1e12:
        raise DamagedError("a group has no beginning or end")


def _dated(entries: NDArray[Any]) -> NDArray[Any]:
    """Raises DamagedError where one was taken at no time."""
    for name in ("taken_at", "clock"):
        if not ((entries[name] >= 0) & (entries[name] < 1e12)).all():
            raise DamagedError("a sample was taken at no time")
    return entries


def _whole(value: Any) -> int:
    if type(value) is not int or not 0 <= value < 1 << 62:
        raise DamagedError("a number expected")
    return value


def _blob(value: Any) -> bytes:
    if type(value) is not bytes:
        raise DamagedError("bytes expected")
    return value


def ends(groups: list[GroupSpan], path: str) -> tuple[float, float]:
    """The Unix time of the first sample and of the last. Raises RecordingError."""
    if not groups:
        raise RecordingError(f"{path}: no samples in it yet")
    return groups[0].began, groups[-1].ended
