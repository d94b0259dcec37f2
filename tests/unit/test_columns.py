"""Columns: what they sort by, what they show, and that they fit."""

from __future__ import annotations

import numpy as np
import pytest

from tcptop.analysis.filter import parse
from tcptop.analysis.filter.holders import matcher
from tcptop.analysis.filter.nodes import Text
from tcptop.columns import KERNEL, LISTINGS, SOCKETS, STATES, Column, Listing, ordered, units
from tcptop.columns.detail import facts
from tcptop.columns.endpoints import people_of
from tcptop.columns.processes import quoted
from tcptop.model import tcp
from tcptop.model.cells import safe
from tcptop.model.selection import Selection
from tests.unit.prepared import (
    CURL,
    everything,
    later,
    mini,
    owners,
    sample,
    selected,
    socket,
)

ALL = [*LISTINGS.values(), KERNEL, STATES]
COLUMNS = [(listing, column) for listing in ALL for column in listing.columns]
NARROW = 79  # cells of a row at 80 columns: one is the scroll bar's


def shown(listing: Listing, selection: Selection, key: str) -> list[str]:
    """The texts of a column in the order of the list."""
    rows = ordered(listing, selection, listing.sort_by, reverse=False)
    return list(listing.column(key).texts(selection, rows))


@pytest.mark.parametrize(
    ("listing", "column"), COLUMNS, ids=lambda x: getattr(x, "name", None) or x.key
)
def test_every_column_has_a_meaning_and_one_text_a_row(listing: Listing, column: Column) -> None:
    selection = selected(everything(), later(everything(), 1.0))
    rows = listing.rows(selection)
    assert column.meaning.endswith(".")
    assert len(column.texts(selection, rows)) == len(rows) == len(column.values(selection, rows))
    if column.styles:
        assert set(column.styles(selection, rows)) <= {"", "dim", "good", "warn", "bad"}
    for reverse in (False, True):
        assert sorted(ordered(listing, selection, column.key, reverse)) == sorted(rows)
    assert len(listing.empty) < NARROW
    nothing = selected(sample([], kernel=()))
    none = listing.rows(nothing)
    assert len(none) == (11 if listing is STATES else 0)
    assert len(column.texts(nothing, none)) == len(none)
    assert len(ordered(listing, nothing, column.key, False)) == len(none)


@pytest.mark.parametrize("listing", ALL, ids=lambda listing: listing.name)
def test_what_matters_most_fits_into_80_columns(listing: Listing) -> None:
    assert sum((c.least or c.width) + 1 for c in listing.columns if c.priority == 0) <= NARROW
    assert all(len(c.title) <= c.width for c in listing.columns)
    assert len({c.key for c in listing.columns}) == len(listing.columns)
    assert listing.column(listing.sort_by) in listing.columns


def test_unknown_is_last_in_either_direction() -> None:
    rows = [
        mini("TIME_WAIT", "10.0.0.1:1", "10.0.0.2:2"),
        *(socket("ESTABLISHED", f"10.0.0.1:{n}", "10.0.0.2:2", info={"rtt": n}) for n in (9, 300)),
    ]
    selection = selected(sample(rows))
    assert ordered(SOCKETS, selection, "rtt", False).tolist() == [2, 1, 0]
    assert ordered(SOCKETS, selection, "rtt", True).tolist() == [1, 2, 0]


def test_states_that_may_be_stuck_come_first_and_time_wait_last() -> None:
    texts = shown(SOCKETS, selected(everything()), "state")
    assert texts[0] == "CLOSE-WAIT"
    assert texts[-1] == "TIME-WAIT"
    assert texts.index("SYN-SENT") < texts.index("ESTAB") < texts.index("FIN-WAIT-2")
    assert len(set(texts)) == 11


def test_a_process_of_many_sockets_is_found_at_once() -> None:
    rows = [socket("ESTABLISHED", f"10.0.0.1:{n}", "10.0.0.2:2", inode=n) for n in range(1, 6)]
    held = owners(*((n, CURL, n) for n in range(1, 6)))
    selection = selected(sample(rows, owners=held))
    snapshot = selection.snapshot
    assert people_of(snapshot, np.arange(5)) == [0]
    assert people_of(snapshot, np.zeros(0, np.int64)) == []


def test_people_are_named_by_how_much_they_hold() -> None:
    selection = selected(everything())
    processes = people_of(selection.snapshot, selection.rows)
    names = [selection.snapshot.holders.processes[process].pid for process in processes]
    assert names[0] == 200
    assert set(names) == {100, 101, 200}


def test_filler_is_not_shown_as_a_user() -> None:
    selection = selected(everything())
    rows = np.flatnonzero(selection.snapshot.sample.sockets.mini())
    assert len(rows) == 3
    for key in ("user", "cgroup", "rtt", "idle"):
        assert set(SOCKETS.column(key).texts(selection, rows)) == {units.UNKNOWN}


def test_facts_leave_out_what_is_not_known() -> None:
    selection = selected(everything())
    table = selection.snapshot.sample.sockets
    for row in range(len(table)):
        known = facts(selection, row)
        names = {fact.name for fact in known}
        assert ("rtt" in names) == (table.info_size[row] > 0 and table.state[row] != tcp.LISTEN)
        assert ("backlog" in names) == (table.state[row] == tcp.LISTEN or "sndbuf" in names)
        assert all(safe(fact.value) == fact.value for fact in known)


@pytest.mark.parametrize(
    ("timer", "meaning"),
    [(0, "waits for nothing"), (1, "unanswered"), (4, "does not read"), (9, "")],
)
def test_facts_say_what_the_timer_means(timer: int, meaning: str) -> None:
    ends = ("10.0.0.1:40001", "10.0.0.9:80")
    selection = selected(sample([socket("ESTABLISHED", *ends, timer=timer)]))
    known = {fact.name: fact for fact in facts(selection, 0)}
    assert meaning in known["timer"].meaning
    assert bool(meaning) == bool(known["timer"].meaning)


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0"), (999, "999"), (1000, "1KiB"), (10_240, "10KiB"), (1 << 20, "1MiB"), (-1, "–")],
)
def test_sizes(number: float, text: str) -> None:
    assert units.size(number) == text


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0"), (1530, "1,530"), (99_999, "99,999"), (120_400, "120k"), (1_048_576, "1.0M")],
)
def test_long_counts_are_short_in_powers_of_1000(number: float, text: str) -> None:
    assert units.short_count(number) == text


def test_a_count_has_its_thousands_apart() -> None:
    assert units.count(28_232) == "28,232"
    assert units.count(float("nan")) == "–"


def test_the_queue_of_a_listener_is_no_bytes() -> None:
    rows = [
        socket("LISTEN", "0.0.0.0:80", recv_q=2000, send_q=4096),
        socket("ESTABLISHED", "10.0.0.1:80", "10.0.0.2:9", recv_q=2000, send_q=4096),
    ]
    selection = selected(sample(rows))
    assert sorted(shown(SOCKETS, selection, "recv_q")) == ["2,000", "2KiB"]
    assert sorted(shown(SOCKETS, selection, "send_q")) == ["4,096", "4KiB"]


@pytest.mark.parametrize("exponent", range(64))
def test_sizes_keep_to_six_characters(exponent: int) -> None:
    assert len(units.size((1 << exponent) - 1)) <= 6
    assert len(units.size(1 << exponent)) <= 6
    assert len(units.short_count(1 << exponent)) <= 6


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.04, "0.0s"), (9.96, "10.0s"), (42, "42s"), (545, "9m05s"), (86_399, "23h59m"),
     (1e6, "11d"), (float("nan"), "–"), (float("inf"), "–")],
)  # fmt: skip
def test_durations(seconds: float, text: str) -> None:
    assert units.duration(seconds) == text
    assert len(text) <= 6


@pytest.mark.parametrize(
    ("seconds", "text", "age"),
    [(7.4, "7.4 s", "7 s"), (42, "42 s", "42 s"), (65, "1 min 5 s", "1 min"),
     (545, "9 min", "9 min"), (7875, "2 h 11 min", "2 h 11 min"),
     (float("nan"), "–", "–"), (float("inf"), "–", "–")],
)  # fmt: skip
def test_durations_of_sentences(seconds: float, text: str, age: str) -> None:
    assert (units.long_duration(seconds), units.long_age(seconds)) == (text, age)


@pytest.mark.parametrize("name", ["two words", "o'brien", '"it\'s"', r"a\b\"", "[x]*?", "and"])
def test_a_name_is_a_filter_that_finds_it_alone(name: str) -> None:
    wanted = parse(f"process = {quoted(name)}")
    assert isinstance(wanted, Text)
    assert matcher(wanted.globs)(name)
    assert not matcher(wanted.globs)(name + "x")
