"""Grouping and joining by whole numbers, against plain dictionaries."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tcptop.analysis.groups import by_state, known_sums
from tcptop.model.arrays import (
    distinct,
    index_of,
    isin,
    isin_codes,
    isin_ports,
    isin_sorted,
    row_hash,
    sorted_unique,
)
from tests.unit.prepared import socket, table

_rows = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, 2**64 - 1) | st.integers(0, 3), st.integers(-1, 2))
)


@given(_rows)
def test_rows_share_a_key_where_all_columns_agree(rows: list[tuple[int, int, int]]) -> None:
    columns = [
        np.array([row[n] for row in rows], kind) for n, kind in enumerate(("u1", "u8", "i8"))
    ]
    keys = row_hash(*columns).tolist() if rows else []
    assert len(set(keys)) == len(set(rows))
    assert len(set(zip(rows, keys, strict=True))) == len(set(rows))


def test_columns_do_not_cancel_each_other() -> None:
    one, two = np.arange(1000, dtype=np.uint64), np.arange(1000, dtype=np.uint64)[::-1]
    both = np.concatenate([row_hash(one, two), row_hash(two, one), row_hash(one, one)])
    assert len(np.unique(both)) == 2000  # the first two are the same rows in another order


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3))))
def test_sockets_share_a_key_where_namespace_and_cookie_agree(ids: list[tuple[int, int]]) -> None:
    made = table([socket("LISTEN", "[::]:80", netns=netns, cookie=cookie) for netns, cookie in ids])
    assert len(set(made.key.tolist())) == len(set(ids))
    assert len(set(zip(ids, made.key.tolist(), strict=True))) == len(set(ids))
    assert [made.id(row) for row in range(len(made))] == ids
    alone = [made.part(row, row + 1).key.tolist() for row in range(len(made))]
    assert made.key.tolist() == [key for keys in alone for key in keys]


@given(st.lists(st.integers(0, 40)), st.sets(st.integers(0, 40)))
def test_index_of(keys: list[int], among: set[int]) -> None:
    ordered = sorted(among)
    places = index_of(np.array(keys, np.uint64), np.array(ordered, np.uint64)).tolist()
    assert places == [ordered.index(key) if key in among else -1 for key in keys]
    found = isin_sorted(np.array(keys, np.uint64), np.array(ordered, np.uint64)).tolist()
    assert found == [key in among for key in keys]


@given(st.lists(st.integers(0, 5)))
def test_distinct(values: list[int]) -> None:
    array = np.array(values, np.uint64)
    usual = np.unique(array, return_index=True, return_inverse=True, return_counts=True)
    for found, expected in zip(distinct(array), usual, strict=True):
        assert found.dtype == expected.dtype
        assert found.tolist() == expected.tolist()
    assert sorted_unique(array).tolist() == sorted(set(values))


@given(st.lists(st.integers(0, 9)), st.lists(st.integers(0, 9)))
def test_isin(values: list[int], wanted: list[int]) -> None:
    array = np.array(values, np.uint32)
    expected = [value in wanted for value in values]
    assert isin(array, wanted).tolist() == expected
    assert isin(array, np.array(wanted, np.uint32)).tolist() == expected


@given(st.lists(st.integers(0, 255)), st.sets(st.integers(0, 255)))
def test_codes(codes: list[int], wanted: set[int]) -> None:
    assert isin_codes(np.array(codes, np.uint8), wanted).tolist() == [c in wanted for c in codes]


@given(st.lists(st.tuples(st.integers(0, 3), st.none() | st.integers(-5, 5))))
def test_sums_of_what_is_known(rows: list[tuple[int, int | None]]) -> None:
    group = np.array([g for g, _ in rows], np.int64)
    values = np.array([np.nan if v is None else v for _, v in rows], float)
    for number, total in enumerate(known_sums(group, 4, values).tolist()):
        known = [v for g, v in rows if g == number and v is not None]
        assert total == sum(known) if known else np.isnan(total)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 11))))
def test_counts_by_state(rows: list[tuple[int, int]]) -> None:
    group, state = (np.array([row[n] for row in rows], k) for n, k in ((0, "i8"), (1, "u1")))
    counts = by_state(group, 4, state)
    assert counts.shape == (4, 12)
    assert all(counts[g, s] == rows.count((g, s)) for g in range(4) for s in range(12))


def test_ports_are_found_as_numpy_finds_them() -> None:
    ports = np.array([0, 22, 65535, 443, 22], np.uint16)
    several: list[list[int]] = [[22, 443], [0, 65535], []]
    for wanted in several:
        assert isin_ports(ports, wanted).tolist() == np.isin(ports, [*wanted]).tolist()
