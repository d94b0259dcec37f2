"""A wider terminal never shows less of a list than a narrower one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tcptop.analysis.selection import select
from tcptop.columns import SOCKETS
from tcptop.columns.sockets import timer
from tcptop.model import tcp
from tcptop.model.cells import cell_width, cut_middle
from tcptop.tui.lists import IDLE_TIMEOUT_S, live_listing
from tcptop.tui.models import ListingModel, column_of
from tcptop.tui.place import Sort
from tcptop.tui.views import VIEWS
from tcptop.tui.widgets import layout
from tcptop.tui.widgets.table import Needs
from tests.unit.prepared import CURL, derived, everything, owners, sample, socket

LONG = "2001:db8:1111:2222:3333:4444:5555"


@pytest.mark.parametrize("view", [*VIEWS])
@pytest.mark.parametrize("six", [False, True], ids=["as prepared", "long IPv6"])
def test_what_is_shown_in_full_is_so_in_more_room(view: str, six: bool) -> None:
    model = listed(view, six)
    rows = range(len(model))
    before: set[tuple[int, str]] = set()
    for width in range(10, 300):
        content, empty = Needs().ask(model, rows, None)
        columns, sizes = layout.lay_out(model.columns, width, content, empty)
        shown = {
            (row, column.key)
            for column, size in zip(columns, sizes, strict=True)
            for row, text in enumerate(texts(model, column))
            if cell_width(text) <= size
        }
        assert before <= shown, (width, before - shown)
        before = shown


def texts(model: ListingModel, column: layout.TableColumn) -> list[str]:
    return layout.plain([model.cells(row, [column])[0] for row in range(len(model))])


def listed(view: str, six: bool) -> ListingModel:
    listing = live_listing(VIEWS[view].listing, IDLE_TIMEOUT_S)
    made = everything()
    if six:
        ends = (f"[{LONG}:6663]:50000", f"[{LONG}:6661]:65301")
        leaky = replace(CURL, name="python3", label="leaky.py", cmdline="/srv/leaky.py " * 20)
        rows = [
            socket("ESTABLISHED", *ends, inode=4, timer=1, expires=900, retrans=2, send_q=9),
            socket("LISTEN", f"[{LONG}:6661]:65301", inode=5, recv_q=3, send_q=2),
        ]
        made = sample(rows, owners=owners((4, leaky, 3), (5, leaky, 4)))
    selection = select(derived(made))
    return ListingModel(listing, selection, Sort(listing.sort_by))


@pytest.mark.parametrize("view", ["sockets", "listeners", "ports", "remotes", "closed"])
@pytest.mark.parametrize("six", [False, True], ids=["as prepared", "long IPv6"])
def test_no_address_is_cut_beside_what_matters_less(view: str, six: bool) -> None:
    """Those of priority 0 go with any address; all others come after whole ones."""
    model = listed(view, six)
    rows = range(len(model))
    content, empty = Needs().ask(model, rows, None)
    assert content is not None
    for width in range(60, 200):
        columns, sizes = layout.lay_out(model.columns, width, content, empty)
        vital = {column.key for column in model.columns if not column.priority}
        for column, size in zip(columns, sizes, strict=True):
            cut = content(column.key) > size
            if cut and column.tail == layout.ADDRESS and not column.priority:
                assert {each.key for each in columns} <= vital, width


def test_a_timer_is_told_with_its_time() -> None:
    assert timer(tcp.TIMERS.index("retransmit"), 13_000, 4) == "13s retransmit #4"
    column = next(each for each in SOCKETS.columns if each.key == "timer")
    assert layout.place("13s retransmit #4", column_of(column), column.width) == "13s r…"


WIDEST = ("192.168.100.101:43210", "192.168.100.200:54321")
SIX = (f"[{LONG}:6663]:50000", f"[{LONG}:6661]:65301")


def waiting(ends: tuple[str, str], timer: str, recv_q: int = 1) -> ListingModel:
    """A connection with a timer beside one that was not closed and their listener; marked."""
    leaky = replace(CURL, name="python3", label="leaky.py --port 80")
    rows = [
        socket("ESTABLISHED", *ends, inode=4, send_q=9, recv_q=recv_q)
        | {"timer": tcp.TIMERS.index(timer), "expires": 900, "retrans": 2},
        *(socket("CLOSE_WAIT", *ends, inode=4, info={"last_ack_recv": 10**6}) for _ in range(20)),
        socket("LISTEN", "0.0.0.0:8080", inode=5, send_q=128),
    ]
    listing = live_listing(SOCKETS, IDLE_TIMEOUT_S)
    selection = select(derived(sample(rows, owners=owners((4, leaky, 3), (5, leaky, 4)))))
    return ListingModel(listing, selection, Sort(listing.sort_by))


def at_80(model: ListingModel) -> dict[str, int]:
    """The columns, and the cells of each."""
    content, empty = Needs().ask(model, range(len(model)), None)
    columns, sizes = layout.lay_out(model.columns, 79, content, empty)
    return dict(zip((column.key for column in columns), sizes, strict=True))


@pytest.mark.parametrize("ends", [WIDEST, SIX], ids=["IPv4", "IPv6"])
@pytest.mark.parametrize("timer", ["retransmit", "persist"])
@pytest.mark.parametrize("recv_q", [0, 1])
def test_at_80_columns_there_is_a_timer_between_all_addresses(
    ends: tuple[str, str], timer: str, recv_q: int
) -> None:
    """The pages speak of it; of IPv4 at most the near end is cut for it, and who it is, named
    still."""
    sizes = at_80(waiting(ends, timer, recv_q))
    assert {"state", "send_q", "local", "remote", "process", "timer"} <= set(sizes)
    assert sizes["timer"] >= len("0.9s …")
    if ends is WIDEST:
        assert sizes["remote"] == len(ends[1])
        assert sizes["local"] == len(ends[0]) if not recv_q else sizes["local"] >= 14


@pytest.mark.parametrize("timer", ["keepalive", "timewait"])
def test_a_timer_of_which_nothing_is_to_be_feared_gives_way(timer: str) -> None:
    sizes = at_80(waiting(WIDEST, timer))
    assert "timer" not in sizes
    assert sizes["local"] == len(WIDEST[0])


def test_the_backlog_of_a_listener_is_no_queue() -> None:
    rows = [
        socket("ESTABLISHED", *WIDEST, inode=4, recv_q=7),
        socket("LISTEN", "0.0.0.0:8080", inode=5, send_q=128),
    ]
    listing = live_listing(SOCKETS, IDLE_TIMEOUT_S)
    model = ListingModel(listing, select(derived(sample(rows))), Sort(listing.sort_by))
    assert model.empty("send_q", range(2))
    assert not model.empty("recv_q", range(2))


@pytest.mark.parametrize("width", [60, 80])
def test_who_it_is_has_room_in_every_list_of_addresses(width: int) -> None:
    for view in ("sockets", "listeners"):
        model = listed(view, True)
        content, empty = Needs().ask(model, range(len(model)), None)
        columns, _ = layout.lay_out(model.columns, width, content, empty)
        assert "process" in [column.key for column in columns], view


def test_an_address_keeps_its_end() -> None:
    column = layout.TableColumn("remote", "Remote", 17, tail=":")
    shown = {layout.place(f"[{LONG}:666{n}]:65301", column, 19) for n in (1, 2)}
    assert shown == {"[2001:…:6661]:65301", "[2001:…:6662]:65301"}
    assert layout.place("10.0.0.1:80", column, 17) == "10.0.0.1:80      "
    assert cut_middle("abcdefghij", 3) == "ab…"


def test_a_column_without_anything_gives_way() -> None:
    columns = (
        layout.TableColumn("name", "Name", 8),
        layout.TableColumn("none", "None", 6, right=True),
        layout.TableColumn("some", "Some", 6, right=True, priority=9),
    )
    kept, _ = layout.lay_out(columns, 18, lambda key: 8, lambda key: key == "none")
    assert [column.key for column in kept] == ["name", "some"]
    kept, _ = layout.lay_out(columns, 24, lambda key: 8, lambda key: key == "none")
    assert [column.key for column in kept] == ["name", "none", "some"]


def test_what_is_not_needed_is_left_to_others() -> None:
    """An address is not cut beside a timer that says nothing."""
    columns = (
        layout.TableColumn("local", "Local", 12, flex=True, least=5, grow=1, tail=":"),
        layout.TableColumn("timer", "Timer", 18, least=11),
    )
    needs = {"local": 15, "timer": 0}
    _, sizes = layout.lay_out(columns, 22, needs.__getitem__)
    assert sizes == [15, 5]
    needs["timer"] = 13
    _, sizes = layout.lay_out(columns, 22, needs.__getitem__)
    assert sizes == [7, 13]


def test_one_long_name_takes_no_room_from_all_others() -> None:
    columns = (
        layout.TableColumn("process", "Process", 10, flex=True, grow=2, most=30),
        layout.TableColumn("some", "Some", 6, right=True, priority=3),
        layout.TableColumn("command", "Command line", 20, flex=True, priority=9),
    )
    needs = {"process": 64, "some": 6, "command": 50}
    assert layout.lay_out(columns, 60, needs.__getitem__)[1] == [30, 6, 21]
    assert layout.lay_out(columns, 89, needs.__getitem__)[1] == [30, 6, 50]
    assert layout.lay_out(columns, 200, needs.__getitem__)[1] == [64, 6, 50]


@pytest.mark.parametrize("view", ["sockets", "listeners", "processes"])
def test_on_a_wide_screen_one_sees_how_it_was_started(view: str) -> None:
    model = listed(view, False)
    content, empty = Needs().ask(model, range(len(model)), None)
    columns, _ = layout.lay_out(model.columns, 199, content, empty)
    assert "Command line" in [column.title for column in columns]


def test_titles_are_cut_between_words() -> None:
    columns = (layout.TableColumn("local", "Local address", 9), layout.TableColumn("n", "Nine", 3))
    assert layout.titles(columns, [9, 3]) == "Local     Nin "
    assert layout.titles(columns, [13, 4]) == "Local address Nine "
    (header, *_) = layout.header_line(columns, [9, 3], "local", False)
    assert header[0] == "Local▲"
