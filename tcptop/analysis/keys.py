"""Joining and grouping rows by 64-bit keys: the arithmetic that every aggregate shares."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tcptop.model.table import U64, Index

GOLDEN = np.uint64(0x9E37_79B9_7F4A_7C15)


def mixed(*columns: NDArray[Any]) -> U64:
    """One 64-bit key for each row of several integer columns (splitmix64 as the mixer).

    Two different rows share a key with a probability of about n^2 / 2^65.
    """
    key = np.zeros(len(columns[0]), np.uint64)
    for column in columns:
        key = (key + GOLDEN) ^ column.astype(np.uint64)
        key = (key ^ (key >> np.uint64(30))) * np.uint64(0xBF58_476D_1CE4_E5B9)
        key = (key ^ (key >> np.uint64(27))) * np.uint64(0x94D0_49BB_1331_11EB)
        key ^= key >> np.uint64(31)
    return key


def find(keys: NDArray[Any], among: NDArray[Any]) -> Index:
    """For each key its place in `among`, which is sorted; -1 where it is not there."""
    if not len(among):
        return np.full(len(keys), -1, np.int64)
    places = np.searchsorted(among, keys)
    places[places == len(among)] = 0
    return np.where(among[places] == keys, places, -1).astype(np.int64)


def distinct(values: NDArray[Any]) -> NDArray[Any]:
    """The different values, sorted. np.unique hashes since numpy 2.3: ten times slower on many
    different ones."""
    ordered = np.sort(values)
    first = np.ones(len(ordered), bool)
    first[1:] = ordered[1:] != ordered[:-1]
    return ordered[first]


def known_sums(group: Index, groups: int, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sums of the known (not NaN) values of each group; NaN where none is known."""
    known = ~np.isnan(values)
    sums = np.bincount(group[known], values[known], groups)
    return np.where(np.bincount(group[known], minlength=groups) > 0, sums, np.nan)


def by_state(group: Index, groups: int, state: NDArray[np.uint8]) -> NDArray[np.int64]:
    """(groups, 12): rows of each group in each state."""
    cells = np.bincount(group * 12 + state, minlength=groups * 12)
    return cells.reshape(groups, 12).astype(np.int64)
