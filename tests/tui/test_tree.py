"""Connections as a tree: groups, sums, folding, and the cursor that stays on its socket."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tcptop.analysis.derive import derive
from tcptop.analysis.history import History
from tcptop.columns import LISTINGS
from tcptop.model.sample import Sample
from tcptop.tui.lists import Criteria, show
from tcptop.tui.place import Sort
from tcptop.tui.tree_model import TreeGroup, TreeModel
from tests.tui.live import Live, live, next_look
from tests.unit.prepared import CURL, NGINX, owners, sample, socket, table

SOCKETS = 100_000


def crowded() -> Sample:
    """nginx talks to one remote three times and to another once, and listens; curl does once."""
    rows = [
        socket("LISTEN", "10.0.0.1:80", inode=1, recv_q=3, send_q=128),
        socket("ESTABLISHED", "10.0.0.1:80", "10.0.0.7:1001", inode=2, recv_q=1000),
        socket("ESTABLISHED", "10.0.0.1:80", "10.0.0.7:1002", inode=3, recv_q=2000),
        socket("CLOSE_WAIT", "10.0.0.1:80", "10.0.0.7:1003", inode=4, recv_q=1),
        socket("ESTABLISHED", "10.0.0.1:80", "10.0.0.8:1004", inode=5, send_q=70_000),
        socket("ESTABLISHED", "10.0.0.1:5000", "10.0.0.9:443", inode=6, recv_q=500),
    ]
    held = owners(*((inode, NGINX, inode) for inode in range(1, 6)), (6, CURL, 3))
    return sample(rows, owners=held)


def groups(view: Live) -> list[str]:
    """The rows that stand for several sockets."""
    return [row.strip() for row in view.rows() if row.strip()[:2] in ("- ", "+ ")]


async def opened(view: Live) -> None:
    await view.press("2", "t")


async def test_every_socket_is_below_its_process_and_remote() -> None:
    async with live(size=(120, 60)) as view:
        await view.press("2")
        flat = len(view.rows())
        await view.press("t")
        model = view.session.shown.model  # type: ignore[union-attr]
        assert isinstance(model, TreeModel)
        folded = [key for key in map(model.key, range(len(model))) if isinstance(key, TreeGroup)]
        await view.press("g")
        for key in folded:
            if key.level == 1:
                view.session.choices.turned ^= {key}
        view.app.paint()
        await view.settled()
        model = view.session.shown.model  # type: ignore[union-attr]
        assert isinstance(model, TreeModel)
        keys = [model.key(row) for row in range(len(model))]
        assert len(set(keys)) == len(keys)
        assert sum(isinstance(key, int) for key in keys) == flat
        assert [model.row_of(key) for key in keys] == list(range(len(keys)))
        await view.press("t")
        assert len(view.rows()) == flat


async def test_enter_folds_and_unfolds_a_group() -> None:
    async with live(size=(120, 60)) as view:
        await opened(view)
        assert view.titles().split()[0].startswith("Process")
        assert "Enter folds" in view.status()
        before = view.rows()
        assert view.cursor().strip().startswith("- ")
        await view.press("enter")
        assert view.cursor().strip().startswith("+ ")
        assert len(view.rows()) < len(before)
        await view.press("right")
        assert view.rows() == before


async def test_a_group_counts_and_sums_what_is_in_it() -> None:
    async with live(crowded(), size=(120, 60)) as view:
        await opened(view)
        first, *_ = groups(view)
        assert "5 socks" in first
        assert "2.9KiB" in first  # not with the listener's queue, which is no bytes
        assert "68KiB" in first
        remote = next(row for row in view.rows() if row.strip().startswith("+ 10.0.0.7"))
        assert "3 socks" in remote
        assert "2.9KiB" in remote
        # A remote with one socket, and a listener, have no line of their own.
        assert any(row.strip().startswith("10.0.0.8:1004") for row in view.rows())
        assert any(row.strip().startswith("on 10.0.0.1:80") for row in view.rows())


async def test_sorting_is_of_groups_by_their_sums_and_inside_them() -> None:
    async with live(crowded(), size=(120, 60)) as view:
        await opened(view)
        while view.session.sort.key != "recv_q":
            await view.press("s")
        assert "nginx" in groups(view)[0]
        await view.press("S")
        assert "curl" in groups(view)[0]
        await view.press("S")
        rows = view.rows()
        at = next(n for n, row in enumerate(rows) if "+ 10.0.0.7" in row)
        await view.press(*["down"] * at, "enter")
        below = view.rows()[at + 1 : at + 4]
        assert [row.split()[0] for row in below] == [
            "10.0.0.7:1002", "10.0.0.7:1001", "10.0.0.7:1003",
        ]  # fmt: skip


async def test_a_filter_chooses_what_is_in_the_tree() -> None:
    async with live(crowded(), size=(120, 60)) as view:
        await opened(view)
        await view.type("dst 10.0.0.7")
        assert len(groups(view)) == 2
        assert "3 socks" in groups(view)[0]


async def test_the_cursor_stays_on_its_socket_and_group() -> None:
    first = crowded()
    async with live(first, size=(120, 60)) as view:
        await opened(view)
        await view.press("down", "down", "down", "down", "down", "down")
        key, text = view.app.main.table.cursor, view.cursor()
        await view.take(next_look(first, sockets=first.sockets.part(1, 6)))
        assert view.app.main.table.cursor == key
        assert view.cursor().split()[0] == text.split()[0]


async def test_a_socket_that_is_folded_away_leaves_the_cursor_on_its_group() -> None:
    async with live(crowded(), size=(120, 60)) as view:
        await view.press("2", "end")
        while "10.0.0.7:1002" not in view.cursor():
            await view.press("up")
        await view.press("t")
        assert view.cursor().strip().startswith("+ 10.0.0.7")


async def test_a_socket_opens_and_esc_comes_back() -> None:
    async with live(crowded(), size=(120, 60)) as view:
        await opened(view)
        while "10.0.0.8:1004" not in view.cursor():
            await view.press("down")
        before = view.lines()[1:]  # the first one says what tcptop costs
        await view.press("enter")
        assert "10.0.0.8" in view.text()
        assert view.session.here.item is not None
        await view.press("escape")
        assert view.lines()[1:] == before


async def test_its_first_column_stands_for_two_in_the_chooser() -> None:
    async with live(crowded()) as view:
        await opened(view)
        await view.press("o")
        line = next(line for line in view.lines() if " Process " in line)
        assert "shown" in line


async def test_other_lists_have_no_tree() -> None:
    async with live() as view:
        await view.press("t")
        assert "only connections can be grouped" in view.status()
        await view.press("x", "escape", "2", "t", "1", "t", "2")
        assert groups(view)


async def test_a_group_has_no_page_or_command_of_its_own() -> None:
    async with live() as view:
        await opened(view)
        await view.press("x", "escape", "f", "space")
        assert groups(view)


async def test_without_sockets_there_is_nothing() -> None:
    async with live() as view:
        await view.type("dst 203.0.113.9")
        await view.press("2", "t")
        assert "Nothing matches the filter" in view.text()


def test_a_hundred_thousand_sockets_are_grouped_and_folded() -> None:
    made = table([socket("ESTABLISHED", "10.0.0.1:80", "10.0.0.2:1000")])
    many = made.take(np.zeros(SOCKETS, np.int64))
    many.cookie[:] = np.arange(SOCKETS) + 1
    many.remote_lo[:] = (np.arange(SOCKETS) % 5000) + (0xFFFF << 32)
    many.recv_q[:] = np.arange(SOCKETS)[::-1] % 977
    snapshot, _ = derive(replace(sample([]), sockets=many), History())
    for key in ("state", "recv_q"):
        flat = show(snapshot, Criteria(LISTINGS["sockets"], Sort(key)))
        grown = show(snapshot, Criteria(LISTINGS["sockets"], Sort(key), turned=frozenset()), flat)
        model = grown.model
        assert isinstance(model, TreeModel)
        assert len(model) == 1 + 5000
        outer = model.key(0)
        assert isinstance(outer, TreeGroup)
        turned = Criteria(LISTINGS["sockets"], Sort(key), turned=frozenset({outer}))
        assert show(snapshot, turned, grown).model is model
        assert len(model) == 1
