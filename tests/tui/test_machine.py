"""The state machine as a picture."""

from __future__ import annotations

import numpy as np
import pytest

from tcptop.analysis.transitions import flow
from tcptop.model import tcp
from tcptop.tui.state_diagram import BOXES, HEIGHT, WIDTH, neighbour, picture, state_at, unseen

COUNTS = [0, 1032, 2, 3, 0, 1, 158, 0, 3, 0, 14, 0]


def text(counts: list[int], changes: dict[tuple[int, int], int] | None = None) -> str:
    seen = None
    if changes is not None:
        matrix = np.zeros((12, 12), np.int64)
        for place, count in changes.items():
            matrix[place] = count
        seen = flow(matrix, 1.0)
    lines = picture(counts, seen, tcp.ESTABLISHED)
    return "\n".join("".join(words for words, _ in line) for line in lines)


def test_every_state_is_there_with_its_count() -> None:
    assert BOXES.keys() == set(range(1, 12))
    drawn = text(COUNTS)
    for words in ("( CLOSED )", "[ LISTEN 14 ]", "[ ESTAB 1,032 ]", "[ TIME-WAIT 158 ]"):
        assert words in drawn
    assert "/s" not in drawn


def test_it_fits_a_small_terminal() -> None:
    lines = text([0] + [123_456] * 11, {(1, 6): 99_999, (9, 0): 12_345}).splitlines()
    assert len(lines) == HEIGHT <= 18
    assert max(map(len, lines)) <= WIDTH <= 78


def test_rates_are_on_their_arrows() -> None:
    drawn = text(COUNTS, {(0, tcp.SYN_SENT): 5, (tcp.ESTABLISHED, tcp.CLOSE_WAIT): 2})
    assert "connect() 5.0/s" in drawn
    assert "FIN came 2.0/s" in drawn
    assert drawn.count("/s") == 2


def test_what_was_too_quick_is_said() -> None:
    matrix = np.zeros((12, 12), np.int64)
    matrix[0, tcp.ESTABLISHED] = 12
    assert unseen(flow(matrix, 1.0)) == "too quick for the arrows: ESTAB 12/s opened"
    assert "second sample" in unseen(None)


def test_the_abnormal_is_lit() -> None:
    styles = {
        words: style
        for line in picture(COUNTS, None, tcp.ESTABLISHED)
        for words, style in line
        if words.startswith("[")
    }
    assert styles["[ CLOSE-WAIT 3 ]"] == "warn"
    assert "[ LAST-ACK 0 ]" not in styles  # dim as the arrows are, and one with them
    assert styles["[ ESTAB 1,032 ]"] == "cursor"


def test_arrow_keys_reach_every_state() -> None:
    reached, todo = set(), [tcp.ESTABLISHED]
    while todo:
        state = todo.pop()
        if state not in reached:
            reached.add(state)
            todo += [neighbour(state, dx, dy) for dx, dy in ((0, 1), (0, -1), (1, 0), (-1, 0))]
    assert reached == set(BOXES)


@pytest.mark.parametrize("state", BOXES)
def test_a_click_finds_its_state(state: int) -> None:
    box = BOXES[state]
    assert state_at(box.x, box.y) == state
    assert state_at(2, box.y + (box.y == 0)) is None
