"""Processes as people list them: ended ones by name, TIME-WAIT apart, and both of them last."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from io import StringIO
from typing import TextIO

import numpy as np
import pytest

from tcptop.analysis.filter import parse
from tcptop.analysis.gathered import gathered
from tcptop.analysis.selection import select
from tcptop.columns import LISTENERS, PROCESSES, SOCKETS, ordered, processes
from tcptop.columns.endpoints import owner_text
from tcptop.columns.listing import scope_of
from tcptop.model import owner, tcp
from tcptop.model.sample import Process, Sample
from tcptop.model.selection import Selection
from tcptop.model.snapshot import Snapshot
from tcptop.model.table import Index
from tcptop.views import markdown, text
from tests.unit.prepared import (
    CURL,
    NGINX,
    derived,
    everything,
    later,
    mini,
    owners,
    sample,
    selected,
    socket,
)


def curl(pid: int) -> Process:
    return replace(CURL, pid=pid, start_time=pid)


def ended() -> Snapshot:
    """Three runs of curl that have closed, one that has not, a server, and what nobody holds."""
    ports = range(1, 6)

    def rows(over: bool) -> list[dict[str, object]]:
        made = [
            mini("TIME_WAIT", f"10.0.0.1:{n}", "10.0.0.9:80", cookie=n)
            if over and n < 4
            else socket("ESTABLISHED", f"10.0.0.1:{n}", "10.0.0.9:80", cookie=n, inode=n)
            for n in ports
        ]
        made += [mini("TIME_WAIT", f"10.0.0.1:{n}", "10.0.0.9:80", cookie=n) for n in (20, 21, 22)]
        return [*made, socket("ESTABLISHED", "10.0.0.1:30", "10.0.0.9:80", cookie=30, inode=30)]

    held = [(n, curl(100 + n), 3) for n in range(1, 5)] + [(5, NGINX, 4)]
    first: Sample = sample(rows(False), owners=owners(*held))
    left = owners(*held[3:])
    return derived(first, later(first, 1.0, sockets=sample(rows(True)).sockets, owners=left))


def listed(snapshot: Snapshot, filter: str | None = None) -> Selection:
    return gathered(select(snapshot, parse(filter) if filter else None, filter))


def names(selection: Selection, key: str = "sockets", reverse: bool = False) -> list[str]:
    rows = ordered(PROCESSES, selection, key, reverse)
    return [processes.name(selection, row) for row in rows.tolist()]


def test_ended_processes_of_a_name_are_one_row() -> None:
    selection = listed(ended())
    told = dict(zip(names(selection), ordered(PROCESSES, selection, "sockets", False), strict=True))
    row = int(told["curl† ×3"])
    found = selection.processes
    assert (found.sockets[row], found.members[row]) == (3, 3)
    assert found.by_state[row, tcp.TIME_WAIT] == 3
    assert processes.process(selection, row) is None
    assert int(found.sockets[int(told["curl"])]) == 1


def test_time_wait_that_nobody_is_known_for_is_called_that() -> None:
    selection = listed(ended())
    found = selection.processes
    counts = {processes.name(selection, row): int(found.sockets[row]) for row in range(len(found))}
    assert counts["(closed: TIME-WAIT)"] == 3
    assert counts["(no process)"] == 1
    assert found.sockets.sum() == selected_sockets(ended())
    assert found.by_state.sum() == selected_sockets(ended())


@pytest.mark.parametrize(
    ("hidden_from", "users", "told"),
    [
        (None, (0, 0), {"(no process)"}),
        (65534, (0, 0), {"(not permitted)"}),
        (65534, (0, 65534), {"(owner unknown)"}),
    ],
)
def test_what_may_not_be_seen_is_not_said_to_be_without_a_process(
    hidden_from: int | None, users: tuple[int, int], told: set[str]
) -> None:
    rows = [
        socket("ESTABLISHED", f"10.0.0.1:{n}", "10.0.0.9:80", inode=n, uid=uid)
        for n, uid in enumerate(users, 1)
    ]
    closed = mini("TIME_WAIT", "10.0.0.1:9", "10.0.0.9:80")
    seen_by = {"privileged": hidden_from is None, "owners": owners(hidden_from=hidden_from)}
    snapshot = derived(sample([*rows, closed], **seen_by))
    selection = listed(snapshot)
    seen = {processes.name(selection, row) for row in range(len(selection.processes))}
    assert seen == told | {"(closed: TIME-WAIT)"}
    if len({*users}) == 1:
        assert {owner_text(snapshot, row) for row in (0, 1)} == told


def selected_sockets(snapshot: Snapshot) -> int:
    return int(snapshot.processes.sockets.sum())


@pytest.mark.parametrize("key", [column.key for column in PROCESSES.columns])
@pytest.mark.parametrize("reverse", [False, True])
def test_who_is_gone_or_never_was_comes_last(key: str, reverse: bool) -> None:
    told = names(listed(ended()), key, reverse)
    assert {*told[:2]} == {"curl", "nginx"}
    assert {*told[2:]} == {"curl† ×3", "(closed: TIME-WAIT)", "(no process)"}


@pytest.mark.parametrize("reverse", [False, True])
def test_sockets_without_a_process_come_last_by_process(reverse: bool) -> None:
    for selection in (listed(ended()), selected(everything())):
        for listing, table_rows in ((SOCKETS, lambda s, r: r), (LISTENERS, _listening)):
            rows = ordered(listing, selection, "process", reverse)
            kinds = selection.snapshot.owner[table_rows(selection, rows)]
            late = np.flatnonzero(kinds != owner.PROCESS)
            assert not len(late) or late[0] == len(rows) - len(late)


def _listening(selection: Selection, rows: Index) -> Index:
    found: Index = selection.snapshot.listeners.row[rows]
    return found


@pytest.mark.parametrize("write", [text.write, markdown.write])
def test_text_and_tickets_have_the_rows_of_the_screen(
    write: Callable[[Selection, TextIO, frozenset[str]], None],
) -> None:
    out = StringIO()
    write(select(ended(), None, None), out, frozenset({"processes"}))
    lines = out.getvalue().splitlines()
    places = [
        next(n for n, line in enumerate(lines) if name in line) for name in names(listed(ended()))
    ]
    assert places == sorted(places)
    assert sum("curl" in line for line in lines) == 2


def test_a_row_of_several_opens_as_the_sockets_it_counts() -> None:
    snapshot = ended()
    selection = listed(snapshot)
    for row in range(len(selection.processes)):
        scope = scope_of(PROCESSES, selection, row)
        filter = scope.partition(" and netns")[0]
        chosen = select(snapshot, parse(filter), filter)
        if processes.several(selection, row):
            assert len(chosen.rows) == selection.processes.sockets[row], filter


def test_keys_are_apart_and_stay() -> None:
    selection = listed(ended())
    rows = PROCESSES.rows(selection)
    keys = PROCESSES.keys(selection, rows).tolist()
    assert len(set(keys)) == len(keys)
    assert keys == PROCESSES.keys(listed(ended()), rows).tolist()


@pytest.mark.parametrize(
    ("state", "told"), [("TIME_WAIT", "(closed: TIME-WAIT)"), ("FIN_WAIT2", "(closed: FIN-WAIT-2)")]
)
def test_what_the_kernel_keeps_is_called_by_its_state(state: str, told: str) -> None:
    snapshot = derived(sample([mini(state, "10.0.0.1:1", "10.0.0.9:80")]))
    assert owner_text(snapshot, 0) == told


@pytest.mark.parametrize("complete", [True, False])
def test_while_the_search_is_behind_the_last_known_owner_stays(complete: bool) -> None:
    rows = [
        socket("ESTABLISHED", "10.0.0.1:1", "10.0.0.9:80", cookie=1, inode=7),
        socket("ESTABLISHED", "10.0.0.1:2", "10.0.0.9:80", cookie=2, inode=8),
    ]
    first = sample(rows, owners=owners((7, CURL, 3)))
    second = derived(first, later(first, 1.0, owners=owners(complete=complete)))
    assert owner_text(second, 0) == ("(no process)" if complete else f"curl/{CURL.pid}")
    assert owner_text(second, 1) == ("(no process)" if complete else "(not searched)")
    assert (second.owner[0] == owner.PROCESS) == (not complete)


@pytest.mark.parametrize("complete", [True, False])
def test_root_is_never_told_hidden(complete: bool) -> None:
    row = socket("ESTABLISHED", "10.0.0.1:1", "10.0.0.9:80", inode=7, uid=1000)
    denied = {"unreadable": 1, "unreadable_uids": frozenset({1000}), "complete": complete}
    snapshot = derived(sample([row], owners=owners(**denied)))
    assert owner_text(snapshot, 0) == ("(no process)" if complete else "(not searched)")
