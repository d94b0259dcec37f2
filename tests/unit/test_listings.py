"""Lists: the record of each is complete and true, and nothing else keeps a table of them."""

from __future__ import annotations

import ast
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import tcptop
from tcptop import columns, explain, options
from tcptop.analysis.filter import parse
from tcptop.analysis.recorded import OF_HOST
from tcptop.columns import (
    CLOSED,
    FINDINGS,
    KERNEL,
    LISTENERS,
    LISTINGS,
    NAMESPACES,
    OVERVIEW,
    PORTS,
    REMOTES,
    SOCKETS,
    STATES,
    Listing,
)
from tcptop.columns.listing import netns_of, scope_of, shell_command
from tcptop.columns.marks import marked, page_of
from tcptop.model.netns import reaching
from tcptop.model.selection import Selection
from tcptop.views import lists
from tests.unit.prepared import (
    NETNS,
    OTHER_NETNS,
    OVERFLOW,
    everything,
    found,
    selected,
)

ROOT = Path(tcptop.__file__).parent
EVERY = [each for each in vars(columns).values() if isinstance(each, Listing)]
TOOLS = {"ss", "nstat", "sysctl", "cat", "lsns"}
# The command line loads no list, and JSON is a contract of its own: a test holds both.
NAMED = {"options.py", "views/lists.py"}

every_listing = pytest.mark.parametrize("listing", EVERY, ids=lambda listing: listing.name)


def places(listing: Listing, selection: Selection) -> list[int]:
    return [int(row) for row in listing.rows(selection)]


@every_listing
def test_it_is_named_and_says_why_it_is_empty(listing: Listing) -> None:
    assert listing.name.islower()
    assert listing.name.isalpha()
    assert 2 <= len(listing.short) <= len(listing.title) <= 11
    # States and numbers are never gone; what to say of no findings depends on the watch.
    assert bool(listing.empty) == (listing not in (OVERVIEW, STATES, FINDINGS))
    assert listing.empty == "" or listing.empty.endswith(".")


@every_listing
def test_what_is_said_of_rows_is_said_of_each(listing: Listing) -> None:
    selection = found(OVERFLOW)
    rows = listing.rows(selection)
    assert len(rows)
    assert len(set(listing.keys(selection, rows).tolist())) == len(rows)
    assert len(listing.styles(selection, rows)) == len(rows)
    spaces = {space.inode for space in selection.snapshot.sample.namespaces}
    if listing.netns is not None:
        assert set(listing.netns(selection, rows).tolist()) <= spaces
    if listing.worst is not None:
        worst = listing.worst(selection, rows, [OVERFLOW])
        assert len(worst) == len(rows)
        assert set(worst.tolist()) <= {-1, 0}
    assert (marked(listing) is listing) == (listing.worst is None)


def test_what_is_open_is_not_marked_for_what_has_ended() -> None:
    selection = found(OVERFLOW)
    rows = SOCKETS.rows(selection)
    at_port = replace(OVERFLOW.subject, pids=(), cookies=())
    assert SOCKETS.worst is not None
    for subject, marks in ((at_port, {-1, 0}), (replace(at_port, over=True), {-1})):
        about = replace(OVERFLOW, subject=subject)
        assert set(SOCKETS.worst(selection, rows, [about]).tolist()) == marks


@every_listing
def test_a_row_has_a_command_and_a_page_that_exist(listing: Listing) -> None:
    selection = found(OVERFLOW)
    for place in places(listing, selection):
        command = shell_command(listing, selection, place)
        assert not command or command.split()[0] in TOOLS
        name = page_of(listing, selection, place)
        assert name is None or explain.page(name) is not None
    assert any(shell_command(listing, selection, place) for place in places(listing, selection))


@every_listing
def test_a_scope_is_a_filter_and_says_its_namespace_where_there_are_two(listing: Listing) -> None:
    selection = selected(everything())
    assert len(selection.snapshot.sample.namespaces) == 2
    if listing.scope is None:
        assert listing in (OVERVIEW, SOCKETS, KERNEL, FINDINGS, CLOSED)  # they lead elsewhere
        return
    for place in places(listing, selection):
        text = scope_of(listing, selection, place)
        parse(text)
        netns = netns_of(listing, selection, place)
        assert text.endswith(f" and netns = {netns}") == (listing.netns is not None)


@every_listing
def test_what_is_recorded_has_the_small_picture(listing: Listing) -> None:
    assert (listing.recorded is None) == (listing.sparkline is None)
    if listing.recorded is not None and listing.sparkline is not None:
        assert listing.sparkline.metric in listing.recorded.metrics
        assert listing.recorded is not OF_HOST


def test_what_a_filter_does_not_divide_is_whole() -> None:
    assert {listing for listing in EVERY if listing.whole} == {
        *(OVERVIEW, LISTENERS, PORTS, REMOTES, NAMESPACES)
    }


def test_a_command_is_run_in_the_namespace_of_the_row() -> None:
    selection = selected(everything())
    sample = selection.snapshot.sample
    rows = SOCKETS.rows(selection)
    assert SOCKETS.netns is not None
    (at, *_) = np.flatnonzero(SOCKETS.netns(selection, rows) == OTHER_NETNS).tolist()
    place = int(rows[at])
    inside = reaching(sample, netns_of(SOCKETS, selection, place))
    plain = shell_command(SOCKETS, selection, place)
    assert shell_command(SOCKETS, selection, place, inside).endswith(f" {plain}")
    assert shell_command(SOCKETS, selection, place, "7") == f"nsenter -t 7 -n {plain}"
    assert shell_command(SOCKETS, selection, place, "a b") == f"ip netns exec 'a b' {plain}"
    assert netns_of(STATES, selection, 1) == netns_of(KERNEL, selection, 0) == NETNS


def test_the_tables_that_stay_have_the_same_lists() -> None:
    names = {*LISTINGS, FINDINGS.name}
    assert set(options.LISTS) == names
    assert set(lists.LISTS) == names


@pytest.mark.parametrize("listing", [LISTENERS, PORTS], ids=lambda listing: listing.name)
def test_a_list_is_named_in_its_own_file_and_where_it_must_be(listing: Listing) -> None:
    """Everything else asks its record, or a new list would have to be entered there, too; but for
    the JSON of diff, which has not every list."""
    named = {str(path.relative_to(ROOT)) for path in ROOT.rglob("*.py") if names(path, listing)}
    assert named - {"views/difference.py"} == {f"columns/{listing.name}.py", *NAMED}


def names(path: Path, listing: Listing) -> bool:
    nodes = ast.walk(ast.parse(path.read_text()))
    return any(isinstance(node, ast.Constant) and node.value == listing.name for node in nodes)
