"""Charts show what the series say, in any terminal, and change little from second to second."""

from __future__ import annotations

import subprocess
import sys
from itertools import pairwise, zip_longest

import numpy as np
import pytest

from tcptop.analysis.rings import Series
from tcptop.columns import units
from tcptop.columns.units import spark
from tcptop.model.table import F64
from tcptop.tui.chart import Limit, chart
from tcptop.tui.widgets.layout import Line

SIZE = (70, 12)


def over(values: F64 | list[float], step: float = 1.0, end: float = 5000.0) -> Series:
    known = np.array(values, np.float64)
    clock = end - step * np.arange(len(known), dtype=np.float64)[::-1]
    return Series(clock, known)


def wave(seconds: int = 600) -> F64:
    at = np.arange(seconds)
    return np.asarray(60 + 50 * np.sin(at / 40), np.float64)


def text(line: Line) -> str:
    return "".join(part for part, _ in line)


def plain(lines: list[Line]) -> list[str]:
    return [text(line) for line in lines]


def queue(series: Series, size: tuple[int, int] = SIZE, ascii_only: bool = False) -> list[Line]:
    named = [("queue", series)]
    return chart(named, size, "Accept queue", units.count, ascii_only=ascii_only)


def body(lines: list[Line]) -> list[str]:
    """The cells of the curves, from the top."""
    return [line[7:] for line in plain(lines)[1:-2]]


def drawn(lines: list[Line]) -> list[bool]:
    """For each column whether something is drawn in it."""
    return [any(cell.strip() for cell in column) for column in zip(*body(lines), strict=True)]


def heights(lines: list[Line]) -> list[int]:
    """For each column the highest row that is drawn in, from 1; 0 for none."""
    rows = body(lines)[::-1]
    return [
        max((row for row, cell in enumerate(column, 1) if cell.strip()), default=0)
        for column in zip(*rows, strict=True)
    ]


# -- what is drawn


@pytest.mark.parametrize("size", [(70, 12), (24, 6), (200, 50), (31, 9)])
@pytest.mark.parametrize("ascii_only", [True, False])
def test_a_chart_has_the_size_that_it_was_given(size: tuple[int, int], ascii_only: bool) -> None:
    lines = plain(queue(over(wave()), size, ascii_only=ascii_only))
    assert len(lines) == size[1]
    assert {len(line) for line in lines[1:]} == {size[0]}
    assert len(lines[0]) <= size[0]


def test_it_says_what_it_shows_in_its_unit() -> None:
    lines = plain(chart([("sent", over(wave() * 2000))], SIZE, "Bytes", units.size))
    assert lines[0] == f"Bytes  sent {units.size(wave()[-1] * 2000)}"
    assert [line[:6].strip() for line in lines[1:-1] if line[:6].strip()] == [
        "256KiB",
        "128KiB",
        "0",
    ]
    assert lines[-1].split() == ["-10m", "-5m", "now"]


@pytest.mark.parametrize(
    ("width", "end"), [(24, "13:02"), (40, "13:02:10"), (70, "13:02:10"), (200, "13:02:10")]
)
@pytest.mark.parametrize("ascii_only", [True, False])
def test_of_a_moment_that_is_over_it_says_when_that_was(
    width: int, end: str, ascii_only: bool
) -> None:
    forecast = Series(np.array([5000.0, 5200.0]), np.array([100.0, 120.0]))
    for more in (None, forecast):
        lines = chart(
            [("queue", over(wave()))], (width, 12), "Queue", units.count,
            forecast=more, ascii_only=ascii_only, now="13:02:10",
        )  # fmt: skip
        assert {len(line) for line in plain(lines)[1:]} == {width}
        words = plain(lines)[-1].split()
        assert "now" not in words
        assert end in words if more is None else {end, end[:5]} & {*words} or width == 24


def test_the_curve_is_where_the_values_are() -> None:
    steps = np.repeat([5.0, 50.0, 95.0], 200)
    seen = heights(queue(over(steps)))
    third = len(seen) // 3
    assert set(seen[: third - 2]) == {1}
    assert set(seen[third + 1 : 2 * third - 2]) == {5}
    assert set(seen[2 * third + 1 : -1]) == {9}


def test_a_peak_of_one_second_is_seen() -> None:
    values = np.ones(600)
    values[333] = 100
    assert max(heights(queue(over(values)))) == 9


def test_what_was_unknown_is_a_gap() -> None:
    values = wave()
    assert all(drawn(queue(over(values)))[1:-1])
    values[200:400] = np.nan
    columns = drawn(queue(over(values)))
    third = len(columns) // 3
    assert all(columns[1 : third - 1])
    assert not any(columns[third + 2 : 2 * third - 1])
    assert all(columns[2 * third + 2 : -1])


def test_a_time_without_looks_is_a_gap_but_rare_looks_are_not() -> None:
    whole = over(wave())
    kept = np.r_[0:200, 400:600]
    columns = drawn(queue(Series(whole.clock[kept], whole.values[kept])))
    third = len(columns) // 3
    assert not any(columns[third + 2 : 2 * third - 1])
    rare = queue(over(wave()[::30], step=30))
    assert all(drawn(rare)[2:-3])


def test_nothing_known_is_no_curve_and_no_zero() -> None:
    for series in (over([]), over([np.nan] * 5)):
        lines = queue(series)
        assert not any(drawn(lines))
        assert text(lines[0]).endswith(units.UNKNOWN)


@pytest.mark.parametrize("nothing", [0.0, np.nan])
def test_a_series_that_is_nothing_has_no_curve(nothing: float) -> None:
    several = [("all", over(wave())), ("none", over(np.full(600, nothing)))]
    lines = chart(several, SIZE, "Sockets", units.count)
    assert "none " in text(lines[0])
    assert "o none" not in text(lines[0])
    assert "o" not in "".join(body(lines))


def test_little_is_shown_over_a_shorter_time() -> None:
    assert plain(queue(over(wave(45))))[-1].split() == ["-1m", "-30s", "now"]
    assert plain(queue(over(wave(250))))[-1].split() == ["-5m", "-2.5m", "now"]
    assert plain(queue(over(wave(), step=10)))[-1].split() == ["-2h", "-1h", "now"]


def test_a_chart_may_end_in_the_past() -> None:
    whole = over(wave())
    assert queue(whole.until(4900)) == queue(Series(whole.clock[:-100], whole.values[:-100]))
    assert whole.until(0).clock.size == 0


# -- the limit and the forecast


@pytest.mark.parametrize("ascii_only", [True, False])
def test_the_limit_is_a_line_with_its_name(ascii_only: bool) -> None:
    lines = chart(
        [("queue", over(np.full(600, 5.0)))],
        SIZE,
        "Accept queue",
        units.count,
        Limit("backlog", 128),
        ascii_only=ascii_only,
    )
    assert "- backlog 128" in text(lines[0])
    (at,) = [row for row, line in enumerate(lines[1:], 1) if "backlog 128" in text(line)]
    assert [style for part, style in lines[at] if "backlog 128" in part] == ["warn"]
    assert text(lines[at]).count("-") > 40
    # 128 of 200 on 9 rows, and the curve near the bottom
    assert at == 4
    assert max(row for row in heights(lines)) == 6


def test_a_limit_that_is_not_known_is_no_line() -> None:
    none = chart([("queue", over(wave()))], SIZE, "Queue", units.count, Limit("backlog", np.nan))
    assert none == chart([("queue", over(wave()))], SIZE, "Queue", units.count)


def test_all_at_once_fits_where_there_is_little_room() -> None:
    forecast = Series(np.array([5000.0, 5200.0]), np.array([100.0, 120.0]))
    limit = Limit("a name that is longer than the chart", 120)
    lines = chart([("queue", over(wave()))], (24, 6), "Queue", units.count, limit, forecast)
    assert [len(line) for line in plain(lines)] == [24] * 6


def test_the_forecast_goes_on_from_now() -> None:
    used = over(np.linspace(1000, 2400, 600))
    forecast = Series(np.array([5000.0, 5200.0]), np.array([2400.0, 2800.0]))
    with_it = chart([("used", used)], SIZE, "Ports", units.count, Limit("range", 3000), forecast)
    *_, now, later = plain(with_it)[-1].split()
    assert (now, later[0]) == ("now", "+")
    dots = [part for line in with_it[1:] for part, style in line if style == "dim"]
    assert len("".join(dots)) > 10
    assert set("".join(dots)) <= {".", " "}


# -- any terminal


def test_without_unicode_all_is_ascii() -> None:
    both = [("sent", over(wave())), ("received", over(wave() / 2))]
    lines = chart(both, SIZE, "Bytes", units.size, Limit("most", 200), ascii_only=True)
    assert all(line.isascii() for line in plain(lines))
    assert text(lines[0]).startswith("Bytes  * sent")
    assert {"*", "o", "-"} <= set("".join(body(lines)))


def test_curves_differ_without_colours_too() -> None:
    names = "abcd"
    flat = [(name, over(np.full(600, 10.0 + 20 * at))) for at, name in enumerate(names)]
    shown = "".join(body(chart(flat, SIZE, "All", units.count)))
    assert {"o", "+", "x"} <= set(shown)
    assert any("\u2800" <= cell <= "\u28ff" for cell in shown)


def test_only_the_looks_of_the_table_are_used() -> None:
    both = [("sent", over(wave())), ("received", over(wave() / 2)), ("third", over(wave() / 3))]
    lines = chart(both, SIZE, "Bytes", units.size, Limit("most", 200))
    assert {style for line in lines for _, style in line} <= {"", "dim", "good", "warn"}
    assert not any("\x1b" in line for line in plain(lines))


def test_foreign_text_is_shown_and_not_obeyed() -> None:
    evil = "\x1b[2Jnginx\n漢"
    lines = chart([(evil, over(wave()))], SIZE, evil, units.count, Limit(evil, 90))
    assert len(lines) == SIZE[1]
    assert all(line.isprintable() for line in plain(lines))
    assert "nginx" in text(lines[0])


def test_where_there_is_no_room_there_is_a_small_picture() -> None:
    lines = queue(over(wave()), (12, 3))
    assert len(lines) == 3
    assert len(text(lines[1])) == 12
    assert queue(over(wave()), (12, 1)) == [lines[0]]
    assert queue(over(wave()), (0, 0)) == []


# -- thrift


def test_equal_data_give_equal_lines() -> None:
    first = queue(over(wave()))
    chart([("other", over(wave() / 3))], (90, 20), "Other", units.size, Limit("most", 1))
    assert queue(over(wave())) == first


def changed(before: list[Line], after: list[Line]) -> int:
    """How many cells are not the same."""
    pairs = zip(plain(before), plain(after), strict=True)
    return sum(a != b for old, new in pairs for a, b in zip_longest(old, new))


def test_few_cells_change_in_a_second() -> None:
    """Noise is the worst that can come: 28 cells a second, some 110 bytes, where it was measured.

    The picture moves by a column every ten seconds; between, only the newest column changes.
    """
    values = np.random.default_rng(1).random(660) * 100
    every = [queue(over(values[at : at + 600], end=5000.0 + at)) for at in range(60)]
    moved = [changed(*pair) for pair in pairwise(every)]
    assert sum(moved) / len(moved) < 60
    assert sorted(moved)[len(moved) // 2] < 20


def test_the_picture_moves_as_a_whole() -> None:
    """No cell but those at the edges changes its shape by moving."""
    values = np.random.default_rng(2).random(700) * 100
    every = [body(queue(over(values[at : at + 601], end=5000.0 + at))) for at in range(30)]
    pairs = list(zip(every[0], every[-1], strict=True))
    steps = [
        step
        for step in range(1, 6)
        if all(old[step + 2 : -3] == new[2 : -3 - step] for old, new in pairs)
    ]
    assert len(steps) == 1


def test_plotext_is_loaded_by_the_first_chart_only() -> None:
    code = (
        "import sys, numpy as np\n"
        "from tcptop.columns.units import spark\n"
        "from tcptop.tui.chart import chart\n"
        "spark(np.arange(9.), 8)\n"
        "print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"textual", "rich", "plotext"} & set(done.stdout.split())


# -- small pictures


def test_a_spark_has_a_bar_a_value() -> None:
    assert spark(np.array([1.0, 2.0, 4.0, 8.0]), 8) == "▁▂▄█"
    assert spark(np.array([1, 2, 4, 8]), 2) == "▁█"
    assert spark(np.array([0.0, 4.0, 8.0]), 8, ascii_only=True) == " +@"


def test_a_small_change_does_not_look_like_a_large_one() -> None:
    assert spark(np.array([95.0, 100.0]), 8) == "▆█"


def test_nothing_known_is_no_picture_and_nothing_happened_is_a_flat_one() -> None:
    for values in ([], [np.nan, np.nan]):
        assert spark(np.array(values), 8) == ""
    assert spark(np.array([5.0, 5.0]), 8) == "▄▄"
    assert spark(np.array([np.nan, 3.0]), 8) == " ▄"
    assert spark(np.array([0.0, 0.0]), 8) == "▁▁"


def test_unknown_is_blank_in_a_spark() -> None:
    assert spark(np.array([1.0, np.nan, 8.0]), 8) == "▁ █"
