"""Joining and grouping rows by whole numbers, in numpy arrays."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tcptop.model.named_tuple import NamedTuple

# As arrays: ufuncs take scalars half as fast, which matters where rows are few.
GOLDEN = np.array(0x9E37_79B9_7F4A_7C15, np.uint64)
MIX = [np.array(n, np.uint64) for n in (0xBF58_476D_1CE4_E5B9, 0x94D0_49BB_1331_11EB)]
SHIFT = [np.array(n, np.uint64) for n in (30, 27, 31)]
HALF = np.array(32, np.uint64)


def row_hash(*columns: NDArray[Any]) -> NDArray[np.uint64]:
    """One 64-bit key for each row of several integer columns.

    The mixer is splitmix64 (Steele, Lea and Flood, 2014): two different rows share a key with a
    probability of about n^2 / 2^65.
    """
    key = np.full(len(columns[0]), GOLDEN)
    for place, column in enumerate(columns):
        if place:
            key += GOLDEN
        key ^= column.astype(np.uint64, copy=False)
        key ^= key >> SHIFT[0]
        key *= MIX[0]
        key ^= key >> SHIFT[1]
        key *= MIX[1]
        key ^= key >> SHIFT[2]
    return key


def paired(upper: NDArray[np.uint32], lower: NDArray[np.uint32]) -> NDArray[np.uint64]:
    """Two columns of 32 bits as one."""
    return upper.astype(np.uint64) << HALF | lower


def index_of(keys: NDArray[Any], among: NDArray[Any]) -> NDArray[np.int64]:
    """For each key its place in `among`, which is sorted; -1 where it is not there."""
    if not len(among):
        return np.full(len(keys), -1, np.int64)
    places = among.searchsorted(keys)
    places[places == len(among)] = 0
    places[among[places] != keys] = -1
    return places


def place_of(keys: NDArray[Any], among: NDArray[Any]) -> NDArray[np.int64]:
    """The same where `among` is in any order."""
    order = np.argsort(among)
    places = index_of(keys, among[order])
    places[places >= 0] = order[places[places >= 0]]
    return places


def isin_sorted(values: NDArray[Any], among: NDArray[Any]) -> NDArray[np.bool_]:
    """Which values are in `among`, which is sorted; np.isin would hash both, ten times slower."""
    if not len(among):
        return np.zeros(len(values), bool)
    if len(values) == len(among) and (values == among).all():  # most polls: nothing came or went
        return np.ones(len(values), bool)
    places = among.searchsorted(values)
    places[places == len(among)] = 0
    found: NDArray[np.bool_] = among[places] == values
    return found


def isin(values: NDArray[Any], wanted: NDArray[Any] | Collection[int]) -> NDArray[np.bool_]:
    """As np.isin, which imports numpy.ma where both are large."""
    among = wanted if isinstance(wanted, np.ndarray) else np.array([*wanted], values.dtype)
    return isin_sorted(values, sorted_unique(among))


def isin_codes(codes: NDArray[np.uint8], wanted: Collection[int]) -> NDArray[np.bool_]:
    """Which codes of one byte (states, timers) are wanted; np.isin takes 15 times as long."""
    return _wanted(tuple(wanted)).take(codes)


@cache
def _wanted(codes: tuple[int, ...]) -> NDArray[np.bool_]:
    table = np.zeros(256, bool)
    table[list(codes)] = True
    return table


def isin_ports(ports: NDArray[np.uint16], wanted: Iterable[int]) -> NDArray[np.bool_]:
    """The same of ports."""
    return _wanted_ports(frozenset(wanted)).take(ports)


@cache
def _wanted_ports(ports: frozenset[int]) -> NDArray[np.bool_]:
    table = np.zeros(65536, bool)
    table[list(ports)] = True
    return table


def nan_as_zero(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """np.nan_to_num looks for infinity, too, and takes four times as long."""
    return np.where(np.isnan(values), 0.0, values)


def rows_by_key(rows: NDArray[Any], keys: NDArray[Any]) -> Iterator[NDArray[Any]]:
    """The rows of each key, the most first."""
    if not len(rows):
        return
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    parts = np.split(rows[order], np.flatnonzero(ordered[1:] != ordered[:-1]) + 1)
    yield from sorted(parts, key=len, reverse=True)


class Distinct(NamedTuple):
    """The different values, sorted; where each comes first, and how often; `inverse` is the place
    of each of all values among them."""

    values: NDArray[Any]
    first: NDArray[np.int64]
    inverse: NDArray[np.int64]
    counts: NDArray[np.int64]


def distinct(values: NDArray[Any]) -> Distinct:
    """As np.unique, which imports numpy.ma and takes twice as long where there are few."""
    order = values.argsort(kind="stable")
    ordered = values[order]
    new = _first(ordered)
    (start,) = new.nonzero()
    inverse = np.empty(len(order), np.int64)
    inverse[order] = new.cumsum() - 1
    counts = np.append(start[1:], len(order)) - start
    return Distinct(ordered[start], order[start], inverse, counts)


def sorted_unique(values: NDArray[Any]) -> NDArray[Any]:
    """The different values, sorted. np.unique hashes since numpy 2.3: ten times slower on many
    different ones."""
    ordered = np.sort(values)
    return ordered[_first(ordered)]


def _first(ordered: NDArray[Any]) -> NDArray[np.bool_]:
    """Where values differ from those before."""
    first = np.empty(len(ordered), bool)
    first[:1] = True
    np.not_equal(ordered[1:], ordered[:-1], first[1:])
    return first
