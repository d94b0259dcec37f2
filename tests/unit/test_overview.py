"""The host's numbers, queues that stand still, and the board that they are drawn on."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from tcptop.analysis import standing
from tcptop.analysis.recorded import HOST, host_values
from tcptop.analysis.rings import Series
from tcptop.analysis.standing import Standing
from tcptop.columns import units
from tcptop.columns.overview import NUMBERS, share, style
from tcptop.columns.trend import per_cell
from tcptop.model.sample import Kernel, Sample
from tcptop.tui.overview.board import Board, Piece, Spot
from tcptop.tui.overview.parts import bars
from tests.unit.prepared import (
    CURL,
    NETNS,
    NGINX,
    Row,
    derived,
    later,
    mini,
    owners,
    sample,
    socket,
)


def counters(section: str, **values: int) -> Kernel:
    return Kernel(NETNS, {section: values})


def connection(state: str, port: int, **columns: object) -> Row:
    return socket(state, f"10.0.0.1:{port}", "10.0.0.9:80", cookie=port, **columns)


def looks(*rows: list[Row], kernels: list[Kernel], seconds: float = 2.0) -> list[Sample]:
    first = sample(rows[0], kernel=(kernels[0],))
    pairs = zip(rows[1:], kernels[1:], strict=True)
    later_ones = [
        later(first, seconds * at, sockets=sample(some).sockets, kernel=(kernel,))
        for at, (some, kernel) in enumerate(pairs, 1)
    ]
    return [first, *later_ones]


# -- the numbers


def test_every_number_is_recorded() -> None:
    assert {number.metric for number in NUMBERS} <= set(HOST)


def test_nothing_is_known_of_rates_at_the_first_look() -> None:
    known = host_values(derived(sample([], kernel=(counters("Tcp", ActiveOpens=3, OutSegs=1),))))
    assert all(math.isnan(known[number.metric]) for number in NUMBERS)


def test_what_opened_and_is_not_open_was_closed() -> None:
    """4 open, one of them closes and 10 open, of which 6 are over again: 7 in 2 s."""
    before = [connection("ESTABLISHED", port) for port in range(1, 5)]
    now = [connection("ESTABLISHED", port) for port in (2, 3, 4, 11, 12)]
    now += [connection("SYN_SENT", 13), connection("CLOSE_WAIT", 14)]
    now += [mini("TIME_WAIT", "10.0.0.1:1", "10.0.0.9:80", cookie=1)]
    kernels = [
        counters("Tcp", ActiveOpens=100, PassiveOpens=50),
        counters("Tcp", ActiveOpens=108, PassiveOpens=52),
    ]
    known = host_values(derived(*looks(before, now, kernels=kernels)))
    assert known["opens_per_s"] == 5
    assert known["closes_per_s"] == 3.5


def test_closes_are_not_known_without_the_counters_and_never_below_zero() -> None:
    before: list[Row] = []
    now = [connection("ESTABLISHED", 1)]
    unread = host_values(derived(*looks(before, now, kernels=[Kernel(NETNS), Kernel(NETNS)])))
    assert math.isnan(unread["closes_per_s"])
    still = counters("Tcp", ActiveOpens=1, PassiveOpens=1)
    assert host_values(derived(*looks(before, now, kernels=[still, still])))["closes_per_s"] == 0


@pytest.mark.parametrize(
    ("sent", "repeated", "syns", "expected"),
    [
        (980, 20, 0, 0.02),
        (995, 20, 15, 0.005),
        (1000, 5, 15, 0.0),
        (5, 15, 0, 0.75),
        (0, 0, 0, math.nan),
    ],
)
def test_the_share_that_is_retransmitted(
    sent: int, repeated: int, syns: int, expected: float
) -> None:
    first = Kernel(NETNS, {"Tcp": {"OutSegs": 0, "RetransSegs": 0}, "TcpExt": {"TCPSynRetrans": 0}})
    second = Kernel(
        NETNS,
        {"Tcp": {"OutSegs": sent, "RetransSegs": repeated}, "TcpExt": {"TCPSynRetrans": syns}},
    )
    known = host_values(derived(*looks([], [], kernels=[first, second])))
    assert known["retransmitted_share"] == pytest.approx(expected, nan_ok=True)


def test_small_shares_are_seen_and_unknown_ones_are() -> None:
    assert [share(each) for each in (0.003, 0.0, 1.0, math.nan)] == ["0.3%", "0.0%", "100%", "–"]


def test_what_the_kernel_drops_is_bad_and_repeats_as_the_finding_judges_them() -> None:
    known = dict.fromkeys(HOST, 0.0)
    looks = {number.metric: style(number, known) for number in NUMBERS}
    assert set(looks.values()) == {""}
    known |= {"listen_drops_per_s": 0.5, "retransmitted_share": 0.3, "segments_sent_per_s": 10.0}
    looks = {number.metric: style(number, known) for number in NUMBERS}
    assert looks["listen_drops_per_s"] == "bad"
    assert looks["retransmitted_share"] == ""  # of ten segments
    known |= {"segments_sent_per_s": 1000.0}
    assert "bad" in {style(number, known) for number in NUMBERS if number.page[0] == "r"}


# -- queues


def test_queues_stand_still_that_nothing_leaves() -> None:
    def row(port: int, send_q: int, recv_q: int, moved: int, state: str = "ESTABLISHED") -> Row:
        info = {"bytes_acked": moved, "bytes_received": 10_000 + moved}
        return connection(state, port, send_q=send_q, recv_q=recv_q, info=info)

    def rows(moved: int) -> list[Row]:
        return [
            row(1, 500, 0, 7),
            row(2, 9000, 0, 7),
            row(3, 99_000, 99_000, moved),  # is read, and acknowledged
            row(4, 0, 70, 7),
            row(5, 0, 1, 7, "CLOSE_WAIT"),  # its FIN
            socket("LISTEN", "0.0.0.0:80", cookie=6, recv_q=50, send_q=128),
        ]

    first = sample(rows(0))
    second = later(first, 4.0, sockets=sample(rows(4000)).sockets)
    snapshot = derived(first, second)
    every = np.ones(6, bool)
    assert standing.send_queues(snapshot, every, 9) == [Standing(0, 2, 9500, 4, True)]
    assert standing.recv_queues(snapshot, every, 9) == [Standing(3, 1, 70, 4, True)]
    assert standing.send_queues(snapshot, ~every, 9) == []
    early = derived(first, replace(second, clock=first.clock + 1))
    assert standing.send_queues(early, every, 9) == []


def test_queues_of_one_process_and_address_are_one_row() -> None:
    def row(port: int, remote: str, send_q: int, inode: int = 0) -> Row:
        more = {"cookie": port, "inode": inode, "info": {"bytes_acked": 7}}
        return socket("ESTABLISHED", f"10.0.0.1:{port}", remote, send_q=send_q, **more)

    rows = [
        row(1, "10.0.0.9:80", 500, 1),
        row(2, "10.0.0.9:80", 100, 2),
        row(3, "10.0.0.9:80", 700, 3),  # of another process
        row(4, "10.0.0.8:80", 10, 1),
        row(5, "10.0.0.8:81", 20, 1),
        row(6, "10.0.0.7:80", 599, 1),
    ]
    held = owners((1, NGINX, 3), (2, NGINX, 4), (3, CURL, 3))
    first = sample(rows, owners=held)
    snapshot = derived(first, later(first, 4.0))
    assert standing.send_queues(snapshot, np.ones(len(rows), bool), 9) == [
        Standing(2, 1, 700, 4, True),
        Standing(0, 2, 600, 4, True),
        Standing(5, 1, 599, 4, True),
        Standing(3, 2, 30, 4, False),
    ]


# -- the small charts


def small(series: Series, now: float, cells: int) -> object:
    lasting = int(np.count_nonzero(~np.isnan(series.values))) > 1
    return bars(per_cell(series, now, cells), float(series.values[-1]), lasting)


@pytest.mark.parametrize(
    ("values", "drawn"),
    [
        ([5.0, 5.0, 5.0], ("steady", "dim")),
        ([0.0, 0.0, 0.0], ("", "dim")),
        ([math.nan, 5.0, math.nan], ("", "dim")),
        ([math.nan, math.nan, math.nan], ("", "dim")),
    ],
)
def test_what_does_not_change_does_not_grow(values: list[float], drawn: object) -> None:
    series = Series(np.array([1000.0, 1005.0, 1010.0]), np.array(values))
    assert small(series, 1010.0, 8) == drawn


def test_what_changes_is_drawn_at_the_right() -> None:
    series = Series(np.array([1000.0, 1005.0]), np.array([1.0, 8.0]))
    assert small(series, 1005.0, 8) == "▁█".rjust(8)


def test_what_is_unknown_now_is_not_steady() -> None:
    series = Series(np.array([1000.0, 1005.0, 1010.0]), np.array([5.0, 5.0, math.nan]))
    assert small(series, 1010.0, 8) == "▄▄ ".rjust(8)


def test_what_is_less_at_the_moment_is_not_steady() -> None:
    series = Series(np.array([1000.0, 1005.0, 1006.0]), np.array([5.0, 5.0, 0.0]))
    assert small(series, 1006.0, 8) == "▄▄".rjust(8)


def test_bars_have_a_scale() -> None:
    values = np.array([math.nan, 1.0, 8000.0, 4.0])
    assert bars(values, 4.0, True, units.count) == " ▁█▁  8,000"


def test_several_are_each_as_alone() -> None:
    clock = np.array([998.0, 1000.0, 1004.0, 1010.0])
    values = np.array(
        [[1.0, math.nan, 3.0], [9.0, 8.0, 0.0], [2.0, 7.0, 0.0], [4.0, 5.0, math.nan]]
    )
    together = per_cell(Series(clock, values), 1012.0, 3)
    for at in range(3):
        alone = per_cell(Series(clock, values[:, at]), 1012.0, 3)
        np.testing.assert_array_equal(together[:, at], alone)


# -- the board

LEFT, RIGHT, TOP, LOW = (Spot(part, "sockets", row) for row, part in enumerate("abcd"))


def board() -> Board:
    """One above two beside each other, the right one of which has another below it."""
    return Board(
        [
            [Piece((("top", ""), ("...", "")), TOP)],
            [Piece((("lf", ""),), LEFT), Piece(((" ", ""),)), Piece((("rgt", "bad"),), RIGHT)],
            [Piece((("   ", ""),)), Piece((("low", ""),), LOW)],
        ]
    )


def test_the_chosen_spot_looks_chosen() -> None:
    assert board().lines(RIGHT) == [
        (("top...", ""),),
        (("lf ", ""), ("rgt", "cursor bad")),
        (("   low", ""),),
    ]


@pytest.mark.parametrize(
    ("spot", "step", "there"),
    [
        (TOP, (0, 1), LEFT),
        (LEFT, (1, 0), RIGHT),
        (LEFT, (0, 1), LEFT),  # what is below is in another column
        (RIGHT, (0, 1), LOW),
        (LOW, (0, -1), RIGHT),
        (LOW, (-1, 0), LEFT),
        (RIGHT, (0, -1), TOP),
        (TOP, (1, 0), TOP),
        (Spot("a", "sockets", 99), (0, 1), LEFT),  # gone: another one of its part
    ],
)
def test_an_arrow_leads_to_the_next_in_its_direction(
    spot: Spot, step: tuple[int, int], there: Spot
) -> None:
    assert board().neighbour(spot, *step) == there


def test_a_click_finds_its_spot() -> None:
    made = board()
    assert [made.at(x, 1) for x in range(6)] == [LEFT, LEFT, None, RIGHT, RIGHT, RIGHT]
    assert made.at(0, 3) is None
    assert made.top(LOW) == 2
    assert Board().nearest(LEFT) is None
