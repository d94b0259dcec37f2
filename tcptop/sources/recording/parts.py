"""What else a sample has in arrays: owners, accept queues, ended sockets, counters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tcptop.model.arrays import isin_sorted, row_hash
from tcptop.model.sample import Deaths, Kernel, ListenerPeaks, Owners, Sample
from tcptop.model.table import EMPTY
from tcptop.sources.recording.errors import DamagedError
from tcptop.sources.recording.payload import ArrayReader, ArrayWriter
from tcptop.sources.recording.table_reader import ROWS, Layout, read_table, socket_table
from tcptop.sources.recording.table_writer import write_table

HOLDERS = {"inodes": "u4", "pids": "i8", "fds": "i8"}
PEAKS = {"netns": "u4", "cookies": "u8", "peaks": "u4"}
SECTIONS = ("counters", "sockstat")
NUMBERS = 1 << 20


def write_owners(old: Owners | None, new: Owners, arrays: ArrayWriter) -> dict[str, Any]:
    """Who holds what: the same, with some gone and some come, or whole."""
    if old is not None and _alike(old, new):
        return {"kept": True}
    moves = None if old is None else _moves(old, new)
    gone, come = moves or (np.zeros(0, np.int64), np.arange(len(new.inodes)))
    head = {"gone": len(gone)} if moves else {}
    if moves:
        arrays.add_places(gone)
        arrays.add_places(come)
    for name in HOLDERS:
        arrays.add(getattr(new, name)[come])
    return head | {"come": len(come)}


def _alike(old: Owners, new: Owners) -> bool:
    return all(np.array_equal(getattr(old, name), getattr(new, name)) for name in HOLDERS)


def _moves(old: Owners, new: Owners) -> tuple[NDArray[np.int64], NDArray[np.int64]] | None:
    """The rows that have gone, and those that have come, where the others are in the same order."""
    before, now = (row_hash(each.inodes, each.pids, each.fds) for each in (old, new))
    gone, come = ~isin_sorted(before, np.sort(now)), ~isin_sorted(now, np.sort(before))
    pairs = [(getattr(old, name)[~gone], getattr(new, name)[~come]) for name in HOLDERS]
    if not all(np.array_equal(*pair) for pair in pairs):
        return None
    return np.flatnonzero(gone), np.flatnonzero(come)


def read_owners(owners: Owners, old: Owners | None, arrays: ArrayReader) -> Owners:
    """With its arrays; `old` are those of the sample before. Raises DamagedError."""
    head = arrays.part("owners")
    if head.get("kept") is True and old is not None:
        return replace(owners, **{name: getattr(old, name) for name in HOLDERS})
    come = arrays.count("come", ROWS * 4, head)
    if "gone" not in head or old is None:
        return replace(owners, **_taken(HOLDERS, come, arrays))
    held = len(old.inodes)
    gone = arrays.take_places(arrays.count("gone", held, head), held)
    rows = held - len(gone) + come
    places = arrays.take_places(come, rows)
    new = _taken(HOLDERS, come, arrays)
    made: dict[str, Any] = {
        n: _merged(np.delete(getattr(old, n), gone), places, new[n]) for n in HOLDERS
    }
    return replace(owners, **made)


def _merged(kept: NDArray[Any], places: NDArray[Any], new: NDArray[Any]) -> NDArray[Any]:
    made = np.zeros(len(kept) + len(new), new.dtype)
    others = np.ones(len(made), bool)
    others[places] = False
    made[others], made[places] = kept, new
    return made


def _taken(columns: Mapping[str, str], rows: int, arrays: ArrayReader) -> dict[str, Any]:
    return {name: arrays.take(dtype, rows) for name, dtype in columns.items()}


def write_peaks(
    old: ListenerPeaks | None, new: ListenerPeaks, arrays: ArrayWriter
) -> dict[str, Any]:
    """The listeners are mostly those of the sample before."""
    kept = old is not None and all(
        np.array_equal(getattr(old, name), getattr(new, name)) for name in ("netns", "cookies")
    )
    for name in ["peaks"] if kept else PEAKS:
        arrays.add(getattr(new, name))
    return {"kept": True} if kept else {"rows": len(new.cookies)}


def read_peaks(
    peaks: ListenerPeaks, old: ListenerPeaks | None, arrays: ArrayReader
) -> ListenerPeaks:
    """Raises DamagedError."""
    head = arrays.part("peaks")
    if head.get("kept") is True and old is not None:
        longest = arrays.take(PEAKS["peaks"], len(old.cookies))
        return replace(peaks, netns=old.netns, cookies=old.cookies, peaks=longest)
    return replace(peaks, **_taken(PEAKS, arrays.count("rows", ROWS, head), arrays))


def write_deaths(deaths: Sequence[Deaths], arrays: ArrayWriter) -> list[Any]:
    """Other sockets each time. Moments by their distance, in units of the last place."""
    heads = []
    for each in deaths:
        heads.append(write_table(each.sockets, arrays) if len(each.sockets) else None)
        if len(each.sockets):
            arrays.add_residuals(np.diff(each.at.view(np.uint64), prepend=np.uint64(0)))
    return heads


def read_deaths(deaths: Sequence[Deaths], layout: Layout, arrays: ArrayReader) -> Iterator[Deaths]:
    """Raises DamagedError."""
    heads = arrays.head.get("deaths")
    if not isinstance(heads, list) or len(heads) != len(deaths):
        raise DamagedError("a sample has lost what ended")
    for each, head in zip(deaths, heads, strict=True):
        if head is None:  # what was written as a change still has those of the sample before
            yield replace(each, sockets=EMPTY, at=np.zeros(0))
            continue
        if not isinstance(head, dict):
            raise DamagedError("a sample has lost what ended")
        sockets = socket_table(read_table(layout, head, arrays))
        at = np.cumsum(arrays.take_residuals("u8", len(sockets)), dtype=np.uint64)
        if not np.isfinite(at.view(np.float64)).all():
            raise DamagedError("a socket ended at no time")
        yield replace(each, sockets=sockets, at=at.view(np.float64))


Names = list[list[dict[str, list[str]]]]  # of each namespace, section and counter


def names_of(kernels: Sequence[Kernel]) -> Names:
    parts = ([getattr(each, name) for name in SECTIONS] for each in kernels)
    return [[{name: [*of] for name, of in part.items()} for part in each] for each in parts]


def numbers_of(kernels: Sequence[Kernel]) -> NDArray[np.int64]:
    """All counters in the order of `names_of`, modulo 2^64."""
    parts = (getattr(each, name) for each in kernels for name in SECTIONS)
    values = [value for part in parts for section in part.values() for value in section.values()]
    try:
        return np.array(values, np.int64)
    except OverflowError:
        return np.array([value & (1 << 64) - 1 for value in values], np.uint64).view(np.int64)


def how_many(names: Any) -> int:
    """The number of counters of these names. Raises DamagedError."""
    try:
        good = all(len(each) == len(SECTIONS) for each in names)
        words = [word for each in names for part in each for of in part.values() for word in of]
        sections = [name for each in names for part in each for name in part]
    except (AttributeError, TypeError) as error:
        raise DamagedError("its counters have no names") from error
    if not good or not all(isinstance(word, str) for word in (*words, *sections)):
        raise DamagedError("its counters have no names")
    return len(words)


def with_numbers(sample: Sample, names: Names, numbers: NDArray[np.int64]) -> Sample:
    """The sample with its counters. Raises DamagedError where there are those of others."""
    if len(names) != len(sample.kernel) + len(sample.unentered):
        raise DamagedError("it has counters of other namespaces")
    left = iter(numbers.tolist())
    told: list[list[Any]] = [
        [{name: dict(zip(of, left, strict=False)) for name, of in part.items()} for part in each]
        for each in names
    ]
    kernels = [
        replace(each, **dict(zip(SECTIONS, parts, strict=True)))
        for each, parts in zip((*sample.kernel, *sample.unentered), told, strict=True)
    ]
    home = len(sample.kernel)
    return replace(sample, kernel=tuple(kernels[:home]), unentered=tuple(kernels[home:]))
