"""Connections that have ended: what is told of each, whose they were, and what a filter selects."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from tcptop.analysis.apparent import inferred
from tcptop.analysis.derive import derive
from tcptop.analysis.filter import parse
from tcptop.analysis.history import CLOSED as MOST
from tcptop.analysis.history import History, with_closed
from tcptop.analysis.selection import ended, select
from tcptop.analysis.turnover import of_processes, of_remotes
from tcptop.columns import CLOSED
from tcptop.model import closed as codes
from tcptop.model import owner, tcp
from tcptop.model.closed import Closed, joined
from tcptop.model.sample import Deaths, Sample
from tcptop.model.snapshot import Snapshot
from tests.unit.findings.watched import at
from tests.unit.prepared import (
    CURL,
    NETNS,
    NGINX,
    OTHER_NETNS,
    TAKEN_AT,
    WORKER,
    Row,
    found,
    kernel,
    mini,
    owners,
    socket,
    table,
)

WEB, CLIENT = "10.0.0.1:80", "10.0.0.1:40001"
LISTENER = socket("LISTEN", "0.0.0.0:80", inode=1, cookie=1)
OPEN = {"segs_out": 5, "segs_in": 5, "rtt": 250, "min_rtt": 40}


def dead(local: str, remote: str, cookie: int = 99, netns: int = NETNS, **info: int) -> Row:
    return socket("CLOSE", local, remote, cookie=cookie, netns=netns, info=OPEN | info)


def deaths(*rows: Row, clock: float = 1.0, netns: int = NETNS) -> tuple[Deaths, ...]:
    return (Deaths(netns, table(rows), np.full(len(rows), TAKEN_AT + clock)),)


def watched(*samples: Sample) -> Snapshot:
    history = History()
    for each in samples:
        snapshot, history = derive(each, history)
    return snapshot


def told(row: Row, rows: Sequence[Row] = (LISTENER,), after: Sequence[Row] = (LISTENER,)) -> Closed:
    """Of the connection that has ended between two looks at these rows."""
    held = owners((1, NGINX, 6), (2, WORKER, 7), (4, CURL, 3))
    first = at(0.0, rows, owners=held)
    return ended(watched(first, at(1.0, after, owners=held, deaths=deaths(row, clock=0.5))))


@pytest.mark.parametrize(
    ("row", "reset"),
    [
        # A client's bytes_acked has its SYN, and its FIN where that was acknowledged.
        (dead(CLIENT, "10.0.0.9:8080", bytes_sent=10, bytes_acked=12), codes.NO),
        (dead(CLIENT, "10.0.0.9:8080", bytes_sent=10, bytes_acked=11), codes.YES),
        (dead(CLIENT, "10.0.0.9:8080", bytes_sent=10, bytes_acked=5), codes.YES),
        (dead(CLIENT, "10.0.0.9:8080", bytes_sent=25, bytes_acked=12, bytes_retrans=15), codes.NO),
        (dead(CLIENT, "10.0.0.9:8080", bytes_sent=9, bytes_acked=3, backoff=4), codes.UNKNOWN),
        (dead(CLIENT, "10.0.0.9:8080", bytes_sent=9, bytes_acked=10, probes=4), codes.UNKNOWN),
        (dead(WEB, "10.0.0.7:51000", bytes_sent=10, bytes_acked=11), codes.NO),
        (dead(WEB, "10.0.0.7:51000", bytes_sent=10, bytes_acked=10), codes.YES),
        # Who called is not known: 1 is the SYN, or the FIN.
        (dead("10.0.0.1:50000", "10.0.0.9:8080", bytes_acked=1), codes.UNKNOWN),
        (dead("10.0.0.1:50000", "10.0.0.9:8080", bytes_acked=0), codes.YES),
        # Cleared by the kernel when it was reset; of the last it is not known that it was open.
        (dead("0.0.0.0:40001", "10.0.0.9:0", segs_out=0, segs_in=0, rtt=0), codes.YES),
        (
            dead("0.0.0.0:40001", "10.0.0.9:0", segs_out=0, segs_in=0, rtt=0, min_rtt=2**32 - 1),
            codes.UNKNOWN,
        ),
        (dead(CLIENT, "10.0.0.9:81", rtt=0, min_rtt=2**32 - 1, segs_in=1), codes.YES),
        (dead(CLIENT, "10.0.0.9:81", rtt=0, min_rtt=2**32 - 1, segs_in=0), codes.NO),
    ],
)
def test_whether_a_reset_ended_it(row: Row, reset: int) -> None:
    assert told(row).reset.tolist() == [reset]


@pytest.mark.parametrize(
    ("info", "life"),
    [
        ({"data_segs_in": 3, "data_segs_out": 0, "last_data_sent": 350}, 0.35),
        ({"data_segs_in": 0, "data_segs_out": 3, "last_data_recv": 360}, 0.36),
        # The kernel told it 100 ms after the last ACK, with which it had ended in order.
        (
            {"data_segs_out": 0, "last_data_sent": 350, "bytes_acked": 2, "last_ack_recv": 100},
            0.25,
        ),
        ({"data_segs_in": 1, "data_segs_out": 1, "last_data_sent": 350}, None),
    ],
)
def test_the_kernel_tells_the_age_of_what_never_sent_or_received(
    info: dict[str, int], life: float | None
) -> None:
    found = told(dead(CLIENT, "10.0.0.9:8080", **info))
    assert found.life_s.tolist() == pytest.approx([life or np.nan], nan_ok=True)
    assert found.short_s.tolist() == [1.0]


def test_what_is_older_than_the_watch_did_not_live_between_two_looks() -> None:
    row = dead(CLIENT, "10.0.0.9:8080", last_ack_recv=7000, data_segs_in=1, data_segs_out=1)
    assert np.isnan(told(row).short_s).all()


def test_a_known_one_has_the_ends_that_the_kernel_forgot() -> None:
    rows = [LISTENER, socket("ESTABLISHED", CLIENT, "10.0.0.9:8080", inode=4, cookie=7)]
    found = told(dead("0.0.0.0:40001", "10.0.0.9:0", 7, segs_out=0, segs_in=0, rtt=0), rows)
    assert found.remote_port.tolist() == [8080]
    assert found.local_known.all()
    assert found.state.tolist() == [tcp.ESTABLISHED]
    assert (found.reset.tolist(), found.first.tolist()) == ([codes.YES], [codes.HERE])
    assert found.note.tolist() == [owner.HELD]
    assert found.processes == (CURL,)


@pytest.mark.parametrize(
    ("local", "remote", "first"),
    [(CLIENT, "10.0.0.9:8080", codes.HERE), (WEB, "10.0.0.1:40009", codes.THERE)],
)
def test_who_waits_has_closed_first(local: str, remote: str, first: int) -> None:
    """This end, or the other one that is here too."""
    after = [
        LISTENER,
        mini("TIME_WAIT", CLIENT, "10.0.0.9:8080", cookie=50),
        mini("TIME_WAIT", "10.0.0.1:40009", WEB, cookie=51),
    ]
    sent = {"bytes_acked": 2 if local == CLIENT else 1}
    assert told(dead(local, remote, **sent), after=after).first.tolist() == [first]


@pytest.mark.parametrize("waits", [False, True])
def test_what_waits_counts_once_as_opened(waits: bool) -> None:
    """By its row, which is another socket of the kernel's, or by its end."""
    row = mini("TIME_WAIT", CLIENT, "10.0.0.9:8080", cookie=50)
    told = deaths(dead(CLIENT, "10.0.0.9:8080"), clock=0.5)
    totals = watched(
        at(0.0, [LISTENER], kernel=(kernel(opens=10),)),
        at(1.0, [LISTENER, row][: 1 + waits], kernel=(kernel(opens=11),), deaths=told),
    ).totals
    assert (totals.opened, totals.counted, totals.closes_seen) == (1, 1, 1)


# -- whose


def calling(port: int, inode: int, cookie: int) -> Row:
    return socket("ESTABLISHED", f"10.0.0.1:{port}", "10.0.0.9:8080", inode=inode, cookie=cookie)


@pytest.mark.parametrize(
    ("rows", "named", "note"),
    [
        ([LISTENER, calling(40002, 4, 8)], [CURL], owner.BY_DESTINATION),
        ([LISTENER, calling(40002, 4, 8), calling(40003, 2, 9)], [], owner.NEVER_SEEN),
        ([LISTENER], [], owner.NEVER_SEEN),
    ],
)
def test_others_to_the_same_destination_tell_whose_it_was(
    rows: list[Row], named: list[object], note: int
) -> None:
    """Where they are of one program."""
    found = told(dead(CLIENT, "10.0.0.9:8080"), rows, rows)
    assert [*found.processes] == named
    assert found.note.tolist() == [note]
    elsewhere = told(dead(CLIENT, "10.0.0.9:8081"), rows, rows)
    assert elsewhere.process.tolist() == [-1]


def test_the_listener_tells_whose_an_accepted_one_was() -> None:
    found = told(dead(WEB, "10.0.0.7:51000"))
    assert found.processes == (NGINX,)
    assert found.note.tolist() == [owner.BY_LISTENER]


def test_rows_that_nobody_holds_are_named_the_same_way() -> None:
    """Still there, or remembered from a look before: as inferred, in cells, JSON and filters."""
    held = owners((1, NGINX, 6), (4, CURL, 3))
    rows = [
        LISTENER,
        mini("TIME_WAIT", CLIENT, "10.0.0.9:8080", cookie=50),
        mini("TIME_WAIT", WEB, "10.0.0.7:51000", cookie=51),
        mini("TIME_WAIT", CLIENT, "10.0.0.9:8081", cookie=52),
        mini("SYN_RECV", WEB, "10.0.0.7:51001", cookie=53),
    ]
    first = at(0.0, [*rows, calling(40002, 4, 8)], owners=held)
    snapshot = watched(first, at(1.0, rows, owners=held))
    told = inferred(snapshot)
    assert [told.processes[n].name if n >= 0 else "" for n in told.process.tolist()] == [
        *("", "curl", "nginx", "", "")
    ]
    assert select(snapshot, parse("process = curl")).rows.tolist() == [1]
    assert select(snapshot, parse("owner = remembered")).rows.tolist() == [1, 2]
    assert set(snapshot.owner.tolist()) == {owner.PROCESS, owner.UNKNOWN}


# -- the list


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("state established", 2),
        ("not state established", 2),
        ("dst 10.0.0.9", 3),
        ("dport = 81", 1),
        ("sport = 80", 1),
        ("process = curl", 2),
        ("pid = 101", 1),
        ("rtt < 1ms", 3),
        ("owner = unknown", 1),
        *((text, 0) for text in ("recvq = 0", "sendq = 0", "timer = none", "user = root")),
        *((text, 0) for text in ("idle < 1h", "retrans = 0", "keepalive = off", "drops = 0")),
        ("keepalive = unknown", 4),
        (f"netns = {NETNS}", 4),
        (f"netns = {OTHER_NETNS}", 0),
    ],
)
def test_a_filter_selects_them_by_what_is_known(text: str, number: int) -> None:
    snapshot = found().snapshot
    selection = select(snapshot, parse(text), text)
    assert len(CLOSED.rows(selection)) == number
    assert len(ended(snapshot)) == 4


def test_the_newest_come_first_and_the_oldest_are_forgotten() -> None:
    one = told(dead(CLIENT, "10.0.0.9:8080"))
    parts: tuple[Closed, ...] = ()
    for number in range(200):
        many = one.take(np.zeros(500, np.int64))
        many.at[:] = number
        parts = with_closed(parts, many)
        assert len(parts) <= 16
    every = joined(parts)
    assert MOST <= len(every) < MOST + 5000
    assert every.at[-1] == 199
    assert (np.diff(every.at) >= 0).all()


def test_the_same_ends_in_two_namespaces_are_two_connections() -> None:
    here, there = (dead(CLIENT, "10.0.0.9:8080", 9, netns=n) for n in (NETNS, OTHER_NETNS))
    both = deaths(here) + deaths(there, netns=OTHER_NETNS)
    first = at(0.0, [LISTENER])
    snapshot = watched(first, at(1.0, [LISTENER, calling(40002, 4, 8)], deaths=both))
    every = ended(snapshot)
    assert every.netns.tolist() == [NETNS, OTHER_NETNS]
    keys = CLOSED.keys(select(snapshot), np.arange(2))
    assert len(set(keys.tolist())) == 2


# -- how many a second


def test_what_opens_and_ends_a_second_by_destination_remote_and_process() -> None:
    held = owners((1, NGINX, 6), (4, CURL, 3))
    waits = mini("TIME_WAIT", "10.0.0.1:40005", "10.0.0.9:8080", cookie=50)
    rows = [LISTENER, calling(40002, 4, 8)]
    short = [dead(f"10.0.0.1:{40_003 + n}", "10.0.0.9:8080", 90 + n) for n in range(3)]
    accepted = dead(WEB, "10.0.0.7:51000", 95)
    first = at(0.0, rows, owners=held)
    last = at(2.0, [*rows, waits], owners=held, deaths=deaths(*short, accepted, clock=1.5))
    snapshot = watched(first, last)
    ports = snapshot.ports
    (place,) = np.flatnonzero(ports.remote_port == 8080).tolist()
    # One of the three waits in TIME_WAIT: its row has been counted as opened.
    assert (ports.opens_per_s[place], ports.closes_per_s[place]) == (1.5, 1.5)
    remotes = of_remotes(snapshot, snapshot.remotes)
    assert (remotes.opens_per_s.tolist(), remotes.closes_per_s.tolist()) == ([1.5], [1.5])
    people = of_processes(snapshot, snapshot.processes)
    names = [p.name if p else "" for p in snapshot.holders.at(snapshot.processes.process)]
    by_name = dict(zip(names, zip(*(c.tolist() for c in people), strict=True), strict=True))
    assert by_name["curl"] == (1.0, 1.5)
    assert by_name["nginx"] == (0.5, 0.5)
    assert np.isnan(by_name[""]).all()


def test_without_events_ends_are_unknown_and_openings_those_of_the_rows() -> None:
    rows = [LISTENER, calling(40002, 4, 8)]
    snapshot = watched(at(0.0, rows[:1]), at(1.0, rows))
    assert snapshot.ports.opens_per_s.tolist() == [1.0]
    remotes = of_remotes(snapshot, snapshot.remotes)
    for each in (snapshot.ports, remotes, of_processes(snapshot, snapshot.processes)):
        assert np.isnan(each.closes_per_s).all()
    assert remotes.opens_per_s.tolist() == [1.0]
    first = watched(at(0.0, rows))
    assert np.isnan(of_remotes(first, first.remotes).opens_per_s).all()
