"""Panes: what is most needed first, true to the snapshot, in any width."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tcptop.analysis.rings import Rings
from tcptop.analysis.selection import select
from tcptop.columns import LISTENERS, LISTINGS, PROCESSES, RECORDED, SOCKETS
from tcptop.columns.trend import CELLS, KEY, per_cell, with_trend
from tcptop.model import tcp
from tcptop.model.address import halves
from tcptop.model.finding import Subject
from tcptop.model.route import Link, Neighbour, Route, route_key
from tcptop.model.sample import ProcessFacts, Sample
from tcptop.model.sockopt import SocketOptions
from tcptop.model.source import Requests
from tcptop.tui.panes import process
from tcptop.tui.panes.rows import NAME, PaneModel, Room, Scene, Target, place_of
from tcptop.tui.views import VIEWS
from tcptop.tui.widgets.lines import to_ascii
from tests.tui.test_charts import over
from tests.unit.prepared import (
    CURL,
    FIRST_COOKIE,
    NETNS,
    NGINX,
    OTHER_NETNS,
    OVERFLOW,
    WORKER,
    derived,
    everything,
    found,
    kernel,
    later,
    mini,
    owners,
    sample,
    selected,
    socket,
    socket_key,
    understood,
)

SIZES = ((79, 18), (119, 34), (199, 54))  # of the table in terminals of 80x24, 120x40, 200x60
ROOM = Room(*SIZES[0])
WEB, NAMED = "127.0.0.1:80", "127.0.0.1:40001"
BOTH = [
    socket("LISTEN", "0.0.0.0:80", inode=1, send_q=128),
    socket("ESTABLISHED", NAMED, WEB, inode=4, uid=1000, send_q=5000, timer=4, expires=3000),
    socket("ESTABLISHED", WEB, NAMED, inode=2, uid=33, recv_q=70_000),
    mini("TIME_WAIT", "127.0.0.1:40010", WEB),
]
LISTENER, CLIENT, SERVER, CLOSED = (socket_key(FIRST_COOKIE + place) for place in range(4))
HELD = owners((1, NGINX, 6), (2, WORKER, 7), (4, CURL, 3))


def scene(*samples: Sample, room: Room = ROOM) -> Scene:
    """What was seen and recorded, from the first of the samples on."""
    rings = Rings(RECORDED)
    for key in samples[0].sockets.key.tolist()[:16]:
        rings.watch(key)
    for snapshot in understood(*samples):
        rings.add(snapshot)
    return Scene(selected(*samples), rings, room)


def shown(scene: Scene, view: str, key: int) -> PaneModel:
    make = VIEWS[view].pane
    assert make is not None
    pane = make(scene, key)
    assert pane is not None
    return PaneModel(pane)


def lines(model: PaneModel) -> list[str]:
    return ["".join(text for text, _ in model.line(row)).rstrip() for row in range(len(model))]


def line(model: PaneModel, start: str) -> str:
    return next(line for line in lines(model) if line[2:].startswith(start))


def targets(model: PaneModel) -> Iterator[Target]:
    for row in range(len(model)):
        if (target := model.target(model.key(row))) is not None:
            yield target


def every_pane(scene: Scene) -> Iterator[PaneModel]:
    for view, listing in LISTINGS.items():
        for key in listing.keys(scene.selection, listing.rows(scene.selection)).tolist():
            yield shown(scene, view, key)


def key_of(scene: Scene, view: str, words: str) -> int:
    """Of the row whose cells have these words."""
    listing = LISTINGS[view]
    rows = listing.rows(scene.selection)
    texts = zip(*(c.texts(scene.selection, rows) for c in listing.columns), strict=True)
    (place,) = (at for at, cells in enumerate(texts) if words in " ".join(cells))
    return int(listing.keys(scene.selection, rows)[place])


# -- all of them


@pytest.mark.parametrize("size", [*SIZES, (39, 5), (10, 3)])
@pytest.mark.parametrize("ascii_only", [False, True])
def test_every_row_of_every_list_has_one(size: tuple[int, int], ascii_only: bool) -> None:
    first = everything()
    room = Room(*size, ascii_only)
    for model in every_pane(scene(first, later(first, 1.0), room=room)):
        keys = [model.key(row) for row in range(len(model))]
        assert [model.row_of(key) for key in keys] == list(range(len(model)))
        for text in lines(model):
            assert len(text) <= max(size[0], SIZES[0][0])  # the table cuts what is narrower
            assert not ascii_only or to_ascii(text).count("?") == text.count("?")


def test_what_a_row_opens_is_there() -> None:
    seen = set()
    now = Scene(found(OVERFLOW), Rings(RECORDED), ROOM)
    for model in every_pane(now):
        for target in targets(model):
            assert place_of(target.listing, now.selection, target.key) is not None
            seen.add(target.listing.name)
    assert seen == {*LISTINGS, "findings"}


def test_the_first_row_leads_to_all_sockets() -> None:
    now = scene(everything())
    for view in ("processes", "listeners", "ports", "remotes"):
        listing = LISTINGS[view]
        for key in listing.keys(now.selection, listing.rows(now.selection)).tolist():
            model = shown(now, view, key)
            assert model.target(model.key(0)) == Target(listing, key, sockets=True)


def test_what_is_gone_has_none() -> None:
    now = scene(everything())
    panes = [view.pane for view in VIEWS.values() if view.pane]
    assert [pane(now, 12345) for pane in panes] == [None] * 9


def test_foreign_text_is_shown_and_not_obeyed() -> None:
    evil = replace(CURL, name="a\x1b[2J", cmdline="b\x9b1m\nc 日本", cgroup="/d\x1b]0;")
    route = Route(5.0, kind="unicast", link=Link("e\x1b[", 2, 1500, True, True, None))
    made = sample(BOTH, owners=owners((4, evil, 3)), users={1000: "f\x1b"})
    where = route_key(made.sockets, 1)
    assert where is not None
    now = scene(replace(made, routes={where: route}))
    text = "\n".join(each for model in every_pane(now) for each in lines(model))
    assert "a\\x1b[2J" in text
    assert "e\\x1b[" in text
    assert all(each.isprintable() or each == "\n" for each in text)
    assert "日本" in text


def test_it_is_of_the_moment_that_is_looked_at() -> None:
    """Not of the newest look: rings go on while the view is paused."""
    first = sample(BOTH, owners=HELD)
    rings, past = Rings(RECORDED), derived(first)
    rings.watch(CLIENT)
    rings.add(past)
    more = later(first, 60.0, sockets=sample([*BOTH[:1], BOTH[1] | {"send_q": 9_000}]).sockets)
    rings.add(derived(first, more))
    model = shown(Scene(select(past), rings, ROOM), "sockets", CLIENT)
    assert "Send-Q 4.9KiB" in next(each for each in lines(model) if each.startswith("Queues"))


@pytest.mark.parametrize(("size", "beside"), [*zip(SIZES, (1, 2, 3), strict=True)])
def test_there_are_more_charts_beside_each_other_where_there_is_room(
    size: tuple[int, int], beside: int
) -> None:
    rows = [each | {"info": {"rtt": 250, "snd_cwnd": 10}} for each in BOTH]
    now = scene(sample(rows, owners=HELD), room=Room(*size))
    axes = [each for each in lines(shown(now, "sockets", CLIENT)) if "-30s" in each]
    assert axes[0].count("-30s") == beside
    assert sum(each.count("-30s") for each in axes) == 3  # queues, round trip, segments


# -- a process


def test_a_control_group_that_is_no_unit_is_not_called_one() -> None:
    found = everything()
    held = {pid: replace(each, cgroup="/api/2") for pid, each in found.owners.processes.items()}
    now = scene(replace(found, owners=replace(found.owners, processes=held)))
    model = shown(now, "processes", key_of(now, "processes", "nginx: worker"))
    assert line(model, "user").endswith("  cgroup /api/2")


def test_a_process() -> None:
    now = scene(everything())
    model = shown(now, "processes", key_of(now, "processes", "nginx: worker"))
    assert model.pane.title == "Process nginx/101"
    assert line(model, "sockets").endswith("3 sockets: 1 ESTAB, 1 CLOSE-WAIT, 1 LISTEN")
    assert "nginx: worker" in line(model, "command")
    assert "www-data (33)  unit /system.slice/nginx.service" in line(model, "user")
    assert "40 of 1,024  4%" in line(model, "descriptors")
    assert "23 h" in line(model, "uptime")
    kinds = [target.listing.name for target in targets(model) if not target.sockets]
    assert {*kinds} - {"findings"} == {"listeners", "remotes", "sockets"}


DOING = ProcessFacts(
    200, "disk-sleep", 12.0, 0.03, 8, 47_185_920, 0.0, 1, "ep_poll", None, "sys\x1btemd", "/srv/a"
)


def test_a_process_says_what_it_is_doing() -> None:
    """Once it was asked: while its pane is open."""
    made = sample(BOTH, owners=owners((4, CURL, 3)))
    before = scene(made)
    key = key_of(before, "processes", "curl")
    assert process.requests(before.snapshot, key) == Requests(processes=frozenset([CURL.pid]))
    assert process.requests(before.snapshot, 12345) == Requests()
    assert not [each for each in lines(shown(before, "processes", key)) if "of a core" in each]
    model = shown(scene(replace(made, facts={200: DOING})), "processes", key)
    row = model.row_of(("told", "state"))
    assert row is not None
    assert ("disk-sleep", "warn") in model.line(row)
    assert line(model, "state").endswith("for at least 12 s")
    assert "3% of a core  8 threads; 45 MiB of memory" in line(model, "cpu")
    assert line(model, "parent").endswith("sys\\x1btemd/1")
    assert line(model, "directory").endswith("/srv/a")
    assert "program" not in "\n".join(lines(model))
    gone = replace(DOING, state="sleeping", state_s=0.2, threads=1, replaced=True, parent=0)
    model = shown(scene(replace(made, facts={200: gone})), "processes", key)
    assert line(model, "state").endswith("sleeping  waits for events (epoll) (ep_poll)")
    assert "its file was deleted or replaced" in line(model, "program")
    assert line(model, "parent").endswith("none")


def test_a_process_in_a_container() -> None:
    number = "3f2a" * 16
    inside = replace(CURL, cgroup=f"/docker/{number}", container_name="payments-7d4f")
    now = scene(sample(BOTH, owners=owners((4, inside, 3))))
    model = shown(now, "processes", key_of(now, "processes", "curl"))
    told = f"payments-7d4f (docker container {number[:12]});"
    assert line(model, "container").endswith(told)
    assert number in "".join(lines(model))


def test_descriptors_near_their_limit_are_marked() -> None:
    full = replace(CURL, open_fds=250)
    now = scene(sample(BOTH, owners=owners((4, full, 3))))
    model = shown(now, "processes", key_of(now, "processes", "curl"))
    row = model.row_of(("told", "descriptors"))
    assert row is not None
    assert ("250 of 256", "bad") in model.line(row)


def test_descriptors_that_may_not_be_read_are_unknown() -> None:
    other = replace(CURL, open_fds=None, fd_limit=None)
    now = scene(sample(BOTH, owners=owners((4, other, 3))))
    model = shown(now, "processes", key_of(now, "processes", "curl"))
    assert line(model, "descriptors").split(None, 2)[1:] == [
        "–", "not permitted: another user's process, or it is gone"
    ]  # fmt: skip


def test_sockets_of_nobody_say_why() -> None:
    now = scene(everything())
    model = shown(now, "processes", key_of(now, "processes", "(accept queues)"))
    assert model.pane.title == "Sockets without a process (accept queues)"
    assert "no process has accepted it yet" in line(model, "why")


def test_what_it_counts_of_a_destination_is_its_own() -> None:
    rows = [
        socket("ESTABLISHED", f"10.0.0.1:{40001 + at}", "10.0.0.9:8080", inode=at + 1)
        for at in range(5)
    ]
    held = owners(*((at + 1, CURL if at < 3 else WORKER, 9) for at in range(5)))
    now = scene(sample(rows, owners=held))
    model = shown(now, "processes", key_of(now, "processes", "curl"))
    (row,) = (each for each in lines(model) if "10.0.0.1 " in each and "10.0.0.9:8080" in each)
    assert row.split()[1:5] == ["3", "10.0.0.1", "10.0.0.9:8080", "5"]


def test_connections_of_a_process_to_one_place_can_be_told_apart() -> None:
    rows = [
        socket("ESTABLISHED", f"10.0.0.1:{40001 + at}", "10.0.0.9:8080", inode=at + 1)
        for at in range(3)
    ]
    held = owners(*((at + 1, CURL, 9) for at in range(3)))
    now = scene(sample(rows, owners=held))
    model = shown(now, "processes", key_of(now, "processes", "curl"))
    assert sum("10.0.0.1:4000" in each for each in lines(model)) == 3


# -- a connection


def test_a_connection_to_this_host_has_both_ends() -> None:
    first = sample(BOTH, owners=HELD)
    now = scene(first, later(first, 6.0))
    model = shown(now, "sockets", CLIENT)
    assert model.pane.title == f"Connection {NAMED} with {WEB}"
    assert line(model, "state").split() == ["state", "ESTAB", "ESTAB"]
    assert line(model, "for").split()[1:] == ["6", "s", "at", "least"] * 2
    assert line(model, "Recv-Q").split() == ["Recv-Q", "0", "B", "70,000", "B"]
    assert line(model, "Send-Q").split() == ["Send-Q", "5,000", "B", "0", "B"]
    assert "unread for 6 s" in line(model, "other end")
    goals = set(targets(model))
    assert {
        Target(SOCKETS, SERVER),
        Target(PROCESSES, key_of(now, "processes", "curl")),
    } < goals
    assert Target(SOCKETS, CLIENT) in set(targets(shown(now, "sockets", SERVER)))
    assert Target(LISTENERS, LISTENER) in set(targets(shown(now, "sockets", SERVER)))


def test_what_is_wrong_comes_first() -> None:
    first = sample(BOTH, owners=HELD)
    model = shown(scene(first, later(first, 6.0)), "sockets", SERVER)
    assert model.line(0)[1:] == (
        ("verdict      ", "dim"), ("unread for 6 s: the process does not read", "warn")
    )  # fmt: skip


def test_what_a_finding_is_about_is_not_called_sound() -> None:
    sound = replace(OVERFLOW, subject=Subject(NETNS, (), None, None, (FIRST_COOKIE + 1,)))
    selection = select(replace(derived(sample(BOTH)), findings=(sound,)))
    texts = lines(shown(Scene(selection, Rings(RECORDED), ROOM), "sockets", CLIENT))
    assert any(OVERFLOW.title in text for text in texts)
    assert not any("no problem" in text for text in texts)
    sane = lines(shown(scene(sample(BOTH)), "sockets", CLIENT))
    assert any("no problem" in text for text in sane)


def test_facts_go_by_what_they_are_about() -> None:
    model = shown(scene(sample(BOTH, owners=HELD)), "sockets", CLIENT)
    text = lines(model)
    order = ["Sending", "Receiving", "Path", "Timers", "Route", "Socket options", "Memory"]
    assert [each for each in text if each in order] == order
    assert "snd_cwnd          0 segments     congestion window: how much may be in flight" in text
    assert "rtt               0.25 ms        smoothed round trip" in text


def test_a_long_value_moves_no_other_fact() -> None:
    samples = [
        sample([socket("ESTABLISHED", NAMED, WEB, info={"bytes_acked": number})])
        for number in (1, 2**50)
    ]
    few, many = (lines(shown(scene(each), "sockets", LISTENER)) for each in samples)
    rows = [next(x for x in text if x.startswith("bytes_retrans")) for text in (few, many)]
    assert rows[0] == rows[1]
    assert f"bytes_acked       {2**50:,} B" in many


def test_what_the_kernel_does_not_keep_is_unknown_and_says_why() -> None:
    text = lines(shown(scene(sample(BOTH, owners=HELD)), "sockets", CLOSED))
    place = text.index("tcp_info")
    assert text[place + 1] == (
        "tcp_info          –              the kernel keeps no tcp_info in this state"
    )


def routed(route: Route | None, options: SocketOptions | None = None) -> list[str]:
    """The facts of the client's end with this route and these options."""
    made = sample(BOTH, owners=HELD)
    where = route_key(made.sockets, 1)
    assert where is not None
    given = replace(
        made,
        routes={where: route} if route else {},
        options={made.sockets.id(1): options} if options else {},
    )
    return [re.sub(" +", " ", each) for each in lines(shown(scene(given), "sockets", CLIENT))]


def test_the_way_to_the_peer() -> None:
    link = Link("eth0", 2, 9000, True, False, "bond")
    hop = Neighbour("10.0.0.254", "FAILED", None)
    route = Route(
        998.0, "", "unicast", "10.0.0.0/8", "10.0.0.254", "main",
        mtu=1400, mtu_learned_s=500.0, link=link, neighbour=hop,
    )  # fmt: skip
    text = routed(route)
    for fact in (
        "route 10.0.0.0/8 table main",
        "gateway 10.0.0.254",
        "route MTU 1,400 B learned from the path;",
        "device eth0 bond no carrier",
        "device MTU 9,000 B largest packet that the device takes",
        "neighbour 10.0.0.254 the next hop on the link",
        "neighbour state FAILED nobody on the link answers: nothing can",
        "read 2 s ago by rtnetlink",
    ):
        assert any(each.startswith(fact) for each in text)


def test_no_way_and_no_answer_say_so() -> None:
    assert "route – not read yet; known with the next sample" in routed(None)
    assert "route – a blackhole route" in routed(Route(1.0, "a blackhole route"))
    here = routed(Route(1.0, kind="local"))
    assert any(each.startswith("route local the peer is this host") for each in here)
    assert "options – not read yet; known with the next sample" in routed(None)
    assert "TCP_NODELAY on a small write is sent at once" in routed(
        None, SocketOptions(999.0, nodelay=True)
    )


# -- a listener


def test_a_full_listener() -> None:
    first = everything()
    room = Room(*SIZES[1])
    now = scene(first, later(first, 4.0), room=room)
    model = shown(now, "listeners", LISTENER)
    assert model.pane.title == "Listener 0.0.0.0:80"
    assert "96 of 129 wait for accept() (74%), peak 96" in lines(model)[0]
    assert "backlog 128, all that net.core.somaxconn allows" in lines(model)[0]
    assert "12 in all" in line(model, "drops")
    assert line(model, "SYN queue").split()[2] == "1"
    assert "- backlog 128" in next(each for each in lines(model) if "Accept queue " in each)
    assert sum(text.startswith(">    4.0s") for text in lines(model)) == 2  # ESTAB and SYN-RECV


def test_who_waits_longest_is_first() -> None:
    waiting = [
        socket("ESTABLISHED", WEB, f"10.0.0.7:{port}", info={"last_data_recv": port})
        for port in (3000, 9000, 1000)
    ]
    now = scene(sample([BOTH[0], *waiting], owners=owners((1, NGINX, 6))))
    text = lines(shown(now, "listeners", LISTENER))
    waits = [each.split()[1:] for each in text if "10.0.0.7:" in each]
    ends = [next(word for word in wait if word.startswith("10.0.0.7:")) for wait in waits]
    assert [(wait[0], end) for wait, end in zip(waits, ends, strict=True)] == [
        ("9.0s", "10.0.0.7:9000"), ("3.0s", "10.0.0.7:3000"), ("1.0s", "10.0.0.7:1000")
    ]  # fmt: skip


def test_the_members_of_a_group_are_beside_it() -> None:
    rows = [socket("LISTEN", "0.0.0.0:80", recv_q=at, send_q=9) for at in range(3)]
    now = scene(sample([*rows, socket("LISTEN", "0.0.0.0:81")]))
    model = shown(now, "listeners", LISTENER)
    assert any(each.startswith("SO_REUSEPORT group  3") for each in lines(model))
    members = [target.key for target in targets(model) if not target.sockets]
    assert members == [LISTENER, LISTENER + 1, LISTENER + 2]


def test_without_a_backlog_there_is_no_limit() -> None:
    now = scene(sample(BOTH, source="procfs"))
    model = shown(now, "listeners", LISTENER)
    assert "the backlog is not known" in line(model, "accept queue")
    assert not any("- backlog" in each for each in lines(model))


# -- a destination and a remote end


def test_a_destination_that_runs_out() -> None:
    first = sample(_opened(20), kernel=(kernel(opens=20),), owners=owners((1, CURL, 3)))
    grown = []
    for at in range(1, 12):
        number = 20 + 4 * at
        tables = {"sockets": sample(_opened(number)).sockets, "kernel": (kernel(opens=number),)}
        grown.append(later(first, at, **tables))
    now = scene(first, *grown, room=Room(*SIZES[1]))
    key = key_of(now, "ports", "10.0.0.9:8080")
    model = shown(now, "ports", key)
    ports = now.snapshot.ports
    assert f"{ports.headroom[0]} of 100" in line(model, "ports left")
    assert line(model, "in use").split()[2] == str(ports.used[0])
    assert "32 (50% of its sockets)" in line(model, "TIME-WAIT")
    assert "they run out in" in line(model, "opened")
    assert any("- range 100" in each for each in lines(model))
    (axes,) = (each for each in lines(model) if re.search(r"now +\+\d", each))
    end_s = float(re.findall(r"\+(\d+)s", axes)[0])  # the forecast goes on to the end
    assert end_s >= ports.exhausted_in_s[0]
    (responsible,) = (t for t in targets(model) if t.listing is PROCESSES)
    assert responsible.key == key_of(now, "processes", "curl")


def _opened(number: int) -> list[dict[str, object]]:
    ends = [(f"10.0.0.1:{40000 + at}", "10.0.0.9:8080") for at in range(number)]
    return [
        mini("TIME_WAIT", *end) if at % 2 else socket("ESTABLISHED", *end, inode=1)
        for at, end in enumerate(ends)
    ]


def test_a_remote_end() -> None:
    now = scene(everything())
    key = key_of(now, "remotes", "10.0.0.7")
    model = shown(now, "remotes", key)
    assert model.pane.title == "Remote 10.0.0.7"
    groups = now.selection.remote_groups
    (place,) = np.flatnonzero(groups.remote_lo == np.uint64(halves("10.0.0.7")[1]))
    assert f"{groups.sockets[place]} sockets: " in lines(model)[0]
    assert "0.25 ms  median" in line(model, "round trip")
    opened = {target.key for target in targets(model) if target.listing is SOCKETS}
    table = now.table
    assert opened == set(table.key[groups.group == place].tolist())


# -- small pictures


def test_trends_are_of_the_last_minute() -> None:
    ramp = per_cell(over(list(range(120)), end=5004.0), 5004.0)
    assert len(ramp) == CELLS
    assert ramp.tolist() == [64 + 5 * at for at in range(CELLS)]
    assert per_cell(over([1.0, 2.0], end=5004.0), 5003.0).tolist()[-1] == 2.0
    assert np.isnan(per_cell(over([1.0], end=4000.0), 5004.0)).all()


@pytest.mark.parametrize("name", ["processes", "listeners", "ports", "remotes"])
def test_a_list_has_them_in_its_last_column(name: str) -> None:
    first = everything()
    now = scene(first, later(first, 1.0))
    listing = with_trend(LISTINGS[name], now.rings)
    column, rows = listing.columns[-1], listing.rows(now.selection)
    assert column.key == KEY
    assert column.priority > max(each.priority for each in LISTINGS[name].columns)
    assert len(column.texts(now.selection, rows)) == len(rows)
    assert np.nanmax(np.abs(column.values(now.selection, rows))) == 0


def test_a_trend_rises() -> None:
    first = sample(_opened(4), owners=owners((1, CURL, 3)))
    samples = [first]
    for at in range(1, 40):
        samples.append(later(first, at, sockets=sample(_opened(4 + at)).sockets))
    now = scene(*samples)
    column = with_trend(LISTINGS["processes"], now.rings).columns[-1]
    rows = np.arange(len(now.selection.processes))
    place = place_of(LISTINGS["processes"], now.selection, key_of(now, "processes", "curl"))
    assert place is not None
    assert column.texts(now.selection, rows)[place].strip()[-1] == "█"
    assert column.values(now.selection, rows)[place] > 0


def test_connections_have_none() -> None:
    assert with_trend(LISTINGS["sockets"], Rings(RECORDED)) is LISTINGS["sockets"]
    assert tcp.LISTEN == 10


THERE: dict[str, Any] = {"netns": OTHER_NETNS, "inode": 5, "info": {"options": 7}}
AGREED = {"options": 7}


@pytest.mark.parametrize(
    ("others", "told"),
    [
        ([], True),
        # Another network of the host has the same addresses: the other end may be in either.
        ([{"netns": 77}], False),
        ([{"netns": 77, "local": "10.0.0.9:80", "remote": "10.0.0.1:40001"}], False),
    ],
)
def test_the_other_end_in_another_namespace_is_shown_where_it_is_sure(
    others: list[dict[str, Any]], told: bool
) -> None:
    ends: dict[str, Any] = {"local": "10.0.0.9:80", "remote": "10.0.0.1:40001"}
    rows = [
        socket("ESTABLISHED", "10.0.0.1:40001", "10.0.0.9:80", inode=4, send_q=5000, info=AGREED),
        socket("ESTABLISHED", *ends.values(), **THERE, recv_q=70_000),
        *(socket("ESTABLISHED", **(ends | each), inode=9, info=AGREED) for each in others),
    ]
    seen = scene(sample(rows, owners=owners((4, CURL, 3), (5, NGINX, 4))))
    model = shown(seen, "sockets", socket_key(FIRST_COOKIE))
    text = "\n".join(lines(model))
    assert ("the other end, in netns lab" in text) == told
    assert ("nginx/100" in text) == told
    back = shown(seen, "sockets", socket_key(FIRST_COOKIE + 1, OTHER_NETNS))
    assert any("the other end, in netns" in each for each in lines(back)) == told


def test_ends_that_did_not_agree_on_the_same_options_are_none_of_one_connection() -> None:
    rows = [
        socket("ESTABLISHED", "10.0.0.1:40001", "10.0.0.9:80", inode=4, info={"snd_wscale": 7}),
        socket("ESTABLISHED", "10.0.0.9:80", "10.0.0.1:40001", **THERE),
    ]
    text = "\n".join(lines(shown(scene(sample(rows)), "sockets", socket_key(FIRST_COOKIE))))
    assert "the other end" not in text


def test_names_leave_a_gap_before_what_they_name() -> None:
    for path in Path(process.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("told", "wrapped"):
                named = [each.value for each in node.args[1:2] if isinstance(each, ast.Constant)]
                assert all(len(str(name)) < NAME for name in named), (path.name, named)
