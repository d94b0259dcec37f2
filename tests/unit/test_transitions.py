"""What is seen between two looks, along the arrows of the state machine."""

from __future__ import annotations

import numpy as np
import pytest

from tcptop.analysis.transitions import ARROWS, CLOSED, Arrow, flow, path
from tcptop.model import tcp
from tcptop.model.sample import Sample
from tcptop.model.table import I64
from tests.unit.prepared import Row, derived, mini, sample, socket

ENDS = ("10.0.0.1:40001", "10.0.0.9:80")


def changes(*seen: tuple[int, int, int]) -> I64:
    made = np.zeros((12, 12), np.int64)
    for start, end, count in seen:
        made[start, end] = count
    return made


def test_every_arrow_is_its_own_path() -> None:
    assert all(path(*arrow) == (arrow,) for arrow in ARROWS if arrow != (tcp.LISTEN, tcp.SYN_RECV))


@pytest.mark.parametrize(
    ("start", "end", "between"),
    [
        (tcp.SYN_RECV, tcp.CLOSE_WAIT, [tcp.ESTABLISHED]),
        (tcp.ESTABLISHED, tcp.TIME_WAIT, [tcp.FIN_WAIT1, tcp.FIN_WAIT2]),
        (tcp.ESTABLISHED, tcp.LAST_ACK, [tcp.CLOSE_WAIT]),
        (tcp.ESTABLISHED, tcp.CLOSING, [tcp.FIN_WAIT1]),
    ],
)
def test_the_way_is_followed(start: int, end: int, between: list[int]) -> None:
    assert [arrow.end for arrow in path(start, end)] == [*between, end]


@pytest.mark.parametrize(
    ("start", "end"),
    [
        (CLOSED, tcp.ESTABLISHED),  # called, or was called
        (tcp.ESTABLISHED, CLOSED),  # reset, or closed in between
        (tcp.TIME_WAIT, tcp.ESTABLISHED),
        (tcp.LISTEN, tcp.LISTEN),
    ],
)
def test_no_way_is_made_up(start: int, end: int) -> None:
    assert path(start, end) == ()


def test_rates_add_up() -> None:
    seen = flow(
        changes(
            (CLOSED, tcp.ESTABLISHED, 12),
            (CLOSED, tcp.SYN_RECV, 4),
            (tcp.ESTABLISHED, tcp.ESTABLISHED, 500),
            (tcp.ESTABLISHED, tcp.TIME_WAIT, 6),
            (tcp.FIN_WAIT2, tcp.TIME_WAIT, 2),
            (tcp.ESTABLISHED, CLOSED, 2),
        ),
        2.0,
    )
    assert seen.appeared == {tcp.ESTABLISHED: 6}
    assert seen.vanished == {tcp.ESTABLISHED: 1}
    moving = {arrow: rate for arrow, rate in seen.arrows.items() if rate}
    assert moving == {
        Arrow(tcp.LISTEN, tcp.SYN_RECV): 2,
        Arrow(tcp.ESTABLISHED, tcp.FIN_WAIT1): 3,
        Arrow(tcp.FIN_WAIT1, tcp.FIN_WAIT2): 3,
        Arrow(tcp.FIN_WAIT2, tcp.TIME_WAIT): 4,
    }


def test_changes_of_a_snapshot() -> None:
    def sample_at(clock: float, *rows: Row) -> Sample:
        return sample(rows, clock=clock)

    syn = mini("SYN_RECV", *ENDS, cookie=5)
    open_ = socket("ESTABLISHED", *ENDS, cookie=5)
    other = socket("CLOSE_WAIT", *ENDS, cookie=6)
    assert derived(sample_at(0, syn, other)).changes.sum() == 0
    seen = derived(sample_at(0, syn, other), sample_at(1, open_)).changes
    assert seen[tcp.SYN_RECV, tcp.ESTABLISHED] == 1
    assert seen[tcp.CLOSE_WAIT, 0] == 0  # missed once proves nothing
    gone = derived(sample_at(0, syn, other), sample_at(1, open_), sample_at(2, open_)).changes
    assert gone[tcp.CLOSE_WAIT, 0] == 1
    assert gone[tcp.ESTABLISHED, tcp.ESTABLISHED] == 1
