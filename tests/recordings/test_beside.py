"""What is said of a namespace beside another one with the same addresses, ports and cookies is what
is said of it alone: every list, finding, filter, export and pane."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from functools import cache
from io import StringIO
from typing import Any

import numpy as np
import pytest

from tcptop.analysis import subject
from tcptop.analysis.derive import derive
from tcptop.analysis.filter import parse
from tcptop.analysis.findings.settings import FindingSettings
from tcptop.analysis.history import History
from tcptop.analysis.rings import Rings
from tcptop.analysis.selection import ended, select
from tcptop.columns import FINDINGS, LISTINGS, NAMESPACES, RECORDED, Listing
from tcptop.columns.listing import netns_of, scope_of
from tcptop.model.sample import Sample
from tcptop.model.snapshot import Snapshot
from tcptop.tui.panes.rows import Room, Scene
from tcptop.tui.views import VIEWS
from tcptop.views import csv, text
from tcptop.views import json as json_view
from tcptop.views.lists import LISTS
from tests import recordings
from tests.recordings.beside import OTHER, alone, beside, elsewhere
from tests.recordings.neutral import NETNS

PAIRS = [("tour", "tour"), ("churn", "churn")]
FIRST = {"tour": 4, "churn": 7}  # samples are left out: the others suffice
RECORDED_OF = {**LISTINGS, NAMESPACES.name: NAMESPACES}
ROOM = Room(400, 60)  # so wide that no column has to give way to that of namespaces
FILTERS = (
    "state close-wait",
    "sport < 9000",
    "process = shop*",
    "not dport = :443",
    "owner = process",
    "age < 1h",
    "recvq > 0",
    "src 10.0.0.0/8",
)


class Watched:
    """A namespace by itself, or two."""

    def __init__(self, samples: Sequence[Sample], settings: FindingSettings) -> None:
        self.rings, history = Rings(RECORDED), History()
        for sample in samples:
            self.snapshot, history = derive(sample, history, settings)
            self.rings.add(self.snapshot)

    def lists(self) -> dict[str, list[Any]]:
        out = StringIO()
        json_view.write(select(self.snapshot), out)
        told: dict[str, list[Any]] = json.loads(out.getvalue())
        return told


@cache
def watched(ours: str, theirs: str) -> tuple[Watched, dict[int, Watched]]:
    """Both at once, and each alone."""
    first = max(FIRST[ours], FIRST[theirs])
    one = alone(ours)[first:]
    two = elsewhere(alone(theirs)[first:], one)
    limits: dict[str, dict[str, float]] = {}
    for name in (ours, theirs):
        for id, values in recordings.settings(name).limits.items():
            limits.setdefault(id, {}).update(values)
    settings = FindingSettings(limits, home=NETNS)
    each = {NETNS: Watched(one, settings), OTHER: Watched(two, settings)}
    return Watched(beside(one, two), settings), each


every_pair = pytest.mark.parametrize(("ours", "theirs"), PAIRS)


def space(name: str, row: dict[str, Any]) -> int:
    netns: int = (row["subject"] if name == "findings" else row)["netns"]
    return netns


@pytest.mark.parametrize(("ours", "theirs"), [*PAIRS, ("tour", "churn")])
def test_every_list_has_the_same_rows(ours: str, theirs: str) -> None:
    both, each = watched(ours, theirs)
    told = both.lists()
    for netns, lone in each.items():
        expected = lone.lists()
        for name in LISTS:
            mine = [row for row in told[name] if space(name, row) == netns]
            assert _sorted(mine) == _sorted(expected[name]), (name, netns)
    assert told["findings"]
    counted = [k["netns"] for k in told["kernel"]]
    assert counted == [NETNS, OTHER]


def _sorted(rows: list[Any]) -> list[str]:
    return sorted(json.dumps(row, sort_keys=True) for row in rows)


@every_pair
def test_rows_are_never_the_same_line(ours: str, theirs: str) -> None:
    snapshot = watched(ours, theirs)[0].snapshot
    for name in LISTS:
        table = StringIO()
        csv.write(select(snapshot), table, frozenset({name}))
        head, *lines = table.getvalue().splitlines()
        assert "netns" in head
        assert len({*lines}) == len(lines), name
    for name in (*LISTINGS, "findings"):
        out = StringIO()
        text.write(select(snapshot), out, frozenset({name}))
        lines = [line for line in out.getvalue().splitlines() if _of_one(line)]
        assert len({*lines}) == len(lines), name


def _of_one(line: str) -> bool:
    """Neither blank nor a sentence beneath a finding: those may be alike."""
    return bool(line.strip()) and not line.startswith("  ")


@every_pair
def test_a_row_leads_to_its_own_sockets(ours: str, theirs: str) -> None:
    snapshot = watched(ours, theirs)[0].snapshot
    table = snapshot.sample.sockets
    for listing, place in _rows(snapshot):
        if listing.scope is not None:
            chosen = _chosen(snapshot, scope_of(listing, select(snapshot), place))
            assert len(chosen)
            spaces = {*table.netns[chosen].tolist()}
            assert spaces == {netns_of(listing, select(snapshot), place)}, listing.name


def _rows(snapshot: Snapshot) -> Iterator[tuple[Listing, int]]:
    """Some rows of every list, of both namespaces."""
    selection = select(snapshot)
    for listing in (*LISTINGS.values(), FINDINGS):
        assert listing.netns is not None
        rows = listing.rows(selection)
        spaces = listing.netns(selection, rows)
        for netns in (NETNS, OTHER):
            yield from ((listing, int(row)) for row in rows[spaces == netns][:4])


def _chosen(snapshot: Snapshot, filter: str) -> Any:
    return select(snapshot, parse(filter), filter).rows


@every_pair
def test_a_finding_is_about_sockets_of_its_own_namespace(ours: str, theirs: str) -> None:
    snapshot = watched(ours, theirs)[0].snapshot
    for finding in snapshot.findings:
        rows = subject.rows(finding.subject, snapshot)
        assert {*snapshot.sample.sockets.netns[rows].tolist()} <= {finding.subject.netns}
    by_key = {finding.key: finding for finding in snapshot.findings}
    for finding in snapshot.findings:
        if finding.because is not None:
            assert by_key[finding.because].subject.netns == finding.subject.netns


@every_pair
@pytest.mark.parametrize("filter", FILTERS)
def test_a_filter_selects_in_each_what_it_selects_there_alone(
    ours: str, theirs: str, filter: str
) -> None:
    both, each = watched(ours, theirs)
    for netns, lone in each.items():
        inside = f"({filter}) and netns = {netns}"
        assert _keys(both.snapshot, inside) == _keys(lone.snapshot, filter)


def _keys(snapshot: Snapshot, filter: str) -> tuple[list[int], list[int]]:
    selection = select(snapshot, parse(filter), filter)
    over = ended(snapshot).take(selection.closed())
    return sorted(snapshot.sample.sockets.key[selection.rows].tolist()), sorted(over.cookie)


@every_pair
def test_what_is_recorded_of_a_row_is_its_own(ours: str, theirs: str) -> None:
    both, each = watched(ours, theirs)
    for name, kind in RECORDED.items():
        for netns, lone in each.items():
            listing, selection = RECORDED_OF[name], select(lone.snapshot)
            for key in listing.keys(selection, listing.rows(selection)[:4]).tolist():
                mine, expected = (
                    rings.several(name, key, kind.metrics).values
                    for rings in (both.rings, lone.rings)
                )
                if len(mine) and not np.isnan(mine).all():
                    np.testing.assert_array_equal(mine, expected, f"{name} {netns}")


@every_pair
def test_a_page_says_what_it_says_of_the_namespace_alone(ours: str, theirs: str) -> None:
    both, each = watched(ours, theirs)
    for listing, place in _rows(both.snapshot):
        key = listing.keys(select(both.snapshot), np.array([place])).tolist()[0]
        lone = each[netns_of(listing, select(both.snapshot), place)]
        assert _page(both, listing, key) == _page(lone, listing, key), listing.name


def _page(watched: Watched, listing: Listing, key: int) -> list[str]:
    """But for the columns and lines of the namespace."""
    make = VIEWS[listing.name].pane
    assert make is not None
    made = make(Scene(select(watched.snapshot), watched.rings, ROOM), key)
    assert made is not None
    lines = ["".join(part for part, _ in row.line).split() for row in made.rows]
    words = {"Netns", "netns", "demo", "other"}
    told = (" ".join(word for word in line if word not in words) for line in lines)
    return [made.title, *filter(None, told)]
