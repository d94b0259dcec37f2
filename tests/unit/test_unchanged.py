"""What is remembered is what would be found again, whatever has changed meanwhile."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from tcptop.analysis.derive import derive
from tcptop.analysis.history import History
from tcptop.model import tcp, unchanged
from tcptop.model.sample import Sample
from tcptop.model.table import COLUMNS, SocketTable
from tcptop.model.unchanged import while_same
from tests import recordings
from tests.recordings.alike import differences


def test_it_is_found_once_while_its_columns_are_equal_and_again_when_one_is_not() -> None:
    asked = []

    @while_same()
    def total(values: np.ndarray, least: int) -> int:
        asked.append(least)
        return int(values[values >= least].sum())

    assert [total(np.array([1, 2, 3]), 2) for _ in range(3)] == [5, 5, 5]
    assert asked == [2]
    assert total(np.array([1, 2, 4]), 2) == 6
    assert total(np.array([1, 2, 4]), 3) == 4
    assert total(np.array([1, 2]), 3) == 0
    assert total(np.array([1.0, 2.0]), 3) == 0  # of another type
    assert asked == [2, 2, 3, 3, 3]


def test_several_are_kept_the_last_used_longest() -> None:
    asked = []

    @while_same(kept=2)
    def first(values: np.ndarray) -> int:
        asked.append(int(values[0]))
        return asked[-1]

    for value in (1, 2, 1, 3, 1, 2):
        assert first(np.array([value])) == value
    assert asked == [1, 2, 3, 2]


def test_neither_what_goes_in_nor_what_comes_out_can_be_written_to() -> None:
    @while_same()
    def doubled(values: np.ndarray) -> tuple[np.ndarray, int]:
        return values * 2, len(values)

    given = np.arange(3)
    found, _ = doubled(given)
    for each in (given, found):
        with pytest.raises(ValueError, match="read-only"):
            each[0] = 7


def test_large_columns_are_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unchanged, "LARGEST", 16)
    asked = []

    @while_same()
    def length(values: np.ndarray) -> int:
        asked.append(len(values))
        return len(values)

    for rows in (2, 2, 3, 3):
        length(np.zeros(rows))
    assert asked == [2, 3, 3]


@pytest.mark.parametrize("seed", range(4))
def test_a_snapshot_is_the_same_in_every_field_whatever_is_remembered(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some look as the one before, some differ in a column, some in their rows."""
    chosen = random.Random(seed)
    samples = [*_changed(recordings.load(chosen.choice(["tour", "churn", "quiet"])), chosen)]
    remembered, history = [], History()
    for sample in samples:
        snapshot, history = derive(sample, history)
        remembered.append(snapshot)
    monkeypatch.setattr(unchanged, "_alike", lambda *_: False)
    history = History()
    for sample, before in zip(samples, remembered, strict=True):
        snapshot, history = derive(sample, history)
        assert differences(before, snapshot) == []


def _changed(samples: tuple[Sample, ...], chosen: random.Random) -> Iterator[Sample]:
    """Each sample, and what may have come of its sockets a second, two and three later."""
    for sample in samples[:12]:
        yield sample
        table = sample.sockets
        for later in (0.1, 0.2, 0.3)[: chosen.randrange(4)]:
            table = chosen.choice([_same, _with_other_values, _without_some])(table, chosen)
            at, clock = sample.taken_at + later, sample.clock + later
            yield replace(sample, sockets=table, taken_at=at, clock=clock)


def _same(table: SocketTable, chosen: random.Random) -> SocketTable:
    """In other columns."""
    return table.take(np.arange(len(table)))


def _with_other_values(table: SocketTable, chosen: random.Random) -> SocketTable:
    made = table.take(np.arange(len(table)))
    names = [name for name in COLUMNS if name not in ("has", "info_size", "memory_count")]
    for name in chosen.sample(names, 3):
        column = getattr(made, name)
        rows = np.array(chosen.choices(range(len(made)), k=1 + len(made) // 20))
        if name == "state":
            column[rows] = chosen.choice([tcp.ESTABLISHED, tcp.CLOSE_WAIT, tcp.LISTEN])
        elif column.dtype.kind == "u" and column.ndim == 1:
            column[rows] = column[chosen.choices(range(len(made)), k=len(rows))]
        elif name == "info":
            column[rows, chosen.randrange(column.shape[1])] += np.uint32(chosen.randrange(1000))
    return made


def _without_some(table: SocketTable, chosen: random.Random) -> SocketTable:
    kept = np.array([chosen.random() > 0.1 for _ in range(len(table))], bool)
    return table.take(kept)
