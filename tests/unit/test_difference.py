"""What differs between two looks is what was opened, closed, moved and counted between them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tcptop.analysis.derive import derive
from tcptop.analysis.difference import Difference, diff
from tcptop.analysis.history import History
from tcptop.model import tcp
from tcptop.model.address import halves
from tcptop.model.sample import Sample
from tcptop.model.snapshot import Snapshot
from tests.unit.prepared import (
    CURL,
    NETNS,
    OVERFLOW,
    UNANSWERED,
    WORKER,
    Row,
    derived,
    everything,
    kernel,
    later,
    owners,
    sample,
    socket,
    socket_key,
)

STAYS = socket("ESTABLISHED", "10.0.0.1:80", "10.0.0.7:1000", cookie=2, inode=2)
HELD = owners((1, WORKER, 3), (2, WORKER, 4), (3, CURL, 5), (4, CURL, 6))


def listener(queue: int, drops: int | None, cookie: int = 1) -> Row:
    memory = None if drops is None else {"drops": drops}
    columns = {"cookie": cookie, "inode": 1, "send_q": 128, "recv_q": queue}
    return socket("LISTEN", "0.0.0.0:80", memory=memory) | columns


def pair(old: Sample, new: Sample) -> tuple[Snapshot, Snapshot]:
    first, history = derive(old, History())
    return first, derive(new, history)[0]


def between(old: list[Row], new: list[Row]) -> tuple[Difference, Snapshot, Snapshot]:
    first = sample(old, owners=HELD)
    second = replace(later(first, 60), sockets=sample(new).sockets)
    snapshots = pair(first, second)
    return diff(*snapshots), *snapshots


def test_nothing_differs_from_itself() -> None:
    snapshot = derived(everything())
    same = diff(snapshot, snapshot)
    assert same.over_s == 0
    sockets = (same.sockets.opened, same.sockets.closed, same.sockets.before, same.sockets.after)
    assert [len(rows) for rows in sockets] == [0, 0, 0, 0]
    assert not any((same.processes, same.listeners, same.remotes, same.counters))
    assert not same.begun + same.ended


def test_sockets_open_close_and_change_their_state() -> None:
    gone = socket("ESTABLISHED", "10.0.0.1:40001", "10.0.0.9:443", cookie=3, inode=3)
    fresh = socket("SYN_SENT", "10.0.0.1:40002", "10.0.0.9:443", cookie=4, inode=4)
    closing = STAYS | {"state": "CLOSE_WAIT"}
    found, old, new = between([gone, STAYS], [closing, fresh])
    assert found.over_s == 60
    then, now = old.sample.sockets, new.sample.sockets
    assert now.cookie[found.sockets.opened].tolist() == [4]
    assert then.cookie[found.sockets.closed].tolist() == [3]
    assert then.cookie[found.sockets.before].tolist() == [2]
    assert now.cookie[found.sockets.after].tolist() == [2]
    assert now.state[found.sockets.after].tolist() == [tcp.CLOSE_WAIT]
    assert found.by_state[tcp.ESTABLISHED] == (2, 0)
    assert found.by_state[tcp.CLOSE_WAIT] == (0, 1)


def test_processes_are_told_by_what_they_hold() -> None:
    more = [
        socket("ESTABLISHED", "10.0.0.1:40001", f"10.0.0.9:{port}", cookie=port, inode=port)
        for port in (3, 4)
    ]
    found, _, _ = between([STAYS], [STAYS | {"state": "CLOSE_WAIT"}, *more])
    changes = {change.process: change for change in found.processes}
    assert changes[CURL].sockets == (0, 2)
    assert changes[WORKER].sockets == (1, 1)
    assert changes[WORKER].close_wait == (0, 1)
    assert [change.process for change in found.processes] == [CURL, WORKER]


def test_sockets_that_nobody_holds_are_told_too() -> None:
    orphan = socket("FIN_WAIT1", "10.0.0.1:80", "10.0.0.8:1", cookie=9)
    found, _, new = between([STAYS], [STAYS, orphan])
    (change,) = found.processes
    assert (change.process, change.sockets) == (None, (0, 1))
    assert change.owner == new.owner[new.sample.sockets.cookie == 9]


def test_a_listener_is_told_by_its_queue_and_its_drops() -> None:
    found, _, _ = between([listener(1, 10)], [listener(129, 52)])
    (change,) = found.listeners
    assert (change.key, change.row) == (socket_key(1), 0)
    assert (change.there, change.queue, change.dropped) == ((True, True), (1, 129), 42)


def test_drops_that_nobody_counted_are_not_zero() -> None:
    assert between([listener(1, None)], [listener(2, None)])[0].listeners[0].dropped is None
    assert between([listener(1, 50)], [listener(2, 3)])[0].listeners[0].dropped is None


def test_listeners_come_and_go() -> None:
    found, _, _ = between([listener(5, 1)], [STAYS, listener(0, 7, cookie=8)])
    came, went = sorted(found.listeners, key=lambda change: change.there)
    assert (came.key, came.row, came.there, came.dropped) == (socket_key(8), 1, (False, True), 7)
    assert (went.key, went.row, went.there, went.dropped) == (socket_key(1), 0, (True, False), None)
    assert went.queue == (5, 0)


def test_remotes_are_counted_by_address() -> None:
    again = STAYS | {"cookie": 5, "remote": "10.0.0.7:1001", "inode": 0}
    found, _, _ = between([STAYS], [STAYS, again])
    (change,) = found.remotes
    assert (change.netns, change.address, change.sockets) == (NETNS, halves("10.0.0.7"), (1, 2))


def test_counters_that_grew_are_told_and_gauges_are_not() -> None:
    first = sample([STAYS])
    counters = {"Tcp": {"ActiveOpens": 25, "CurrEstab": 9, "PassiveOpens": 1}}
    grown = replace(kernel(), counters=counters)
    found = diff(*pair(first, later(first, 1, kernel=(grown,))))
    assert [(c.section, c.name, c.value, c.grown) for c in found.counters] == [
        ("Tcp", "ActiveOpens", (10, 25), 15)
    ]


def test_findings_begin_and_end() -> None:
    before = replace(derived(everything()), findings=(OVERFLOW,))
    after = replace(before, findings=(UNANSWERED,))
    found = diff(before, after)
    assert (found.begun, found.ended) == ((UNANSWERED,), (OVERFLOW,))
    none = replace(before, findings=())
    for order in ((OVERFLOW, UNANSWERED), (UNANSWERED, OVERFLOW)):  # effects follow their causes
        some = replace(before, findings=order)
        told = (diff(none, some).begun, diff(some, none).ended)
        assert told == ((OVERFLOW, UNANSWERED),) * 2  # critical, warning


def test_every_row_of_both_tables_is_accounted_for() -> None:
    old = [STAYS | {"cookie": cookie} for cookie in range(50)]
    found, before, after = between(old, [STAYS | {"cookie": c} for c in range(99, 20, -1)])
    cookies = before.sample.sockets.cookie, after.sample.sockets.cookie
    assert set(cookies[0][found.sockets.closed].tolist()) == set(range(21))
    assert set(cookies[1][found.sockets.opened].tolist()) == set(range(50, 100))
    assert not np.intersect1d(cookies[1][found.sockets.opened], cookies[0]).size


def test_of_two_boots_names_and_addresses_are_compared() -> None:
    """The same sockets under other cookies and pids; one limit and a listener are new."""
    first = sample([STAYS, listener(1, 10)], owners=HELD, kernel=(kernel(),))
    first = replace(first, host=replace(first.host, boot_id="one"))
    again = replace(WORKER, pid=WORKER.pid + 1000)
    more = socket("LISTEN", "0.0.0.0:81") | {"cookie": 78, "inode": 8}
    second = replace(
        first,
        taken_at=first.taken_at + 60,
        host=replace(first.host, boot_id="two", uptime_s=5.0),
        sockets=sample([STAYS | {"cookie": 77}, listener(1, 99, cookie=9), more]).sockets,
        owners=owners((1, again, 3), (2, again, 4), (8, again, 5)),
        kernel=(replace(kernel(), sysctls={**kernel().sysctls, "net.core.somaxconn": "9"}),),
    )
    found = diff(derived(first), derived(second))
    assert not found.same_boot
    assert len(found.sockets.opened) == len(found.sockets.closed) == 0
    (process,) = found.processes
    assert (process.process, process.sockets[1] - process.sockets[0]) == (again, 1)
    (new,) = found.listeners
    assert (new.there, new.row, new.dropped) == ((False, True), 2, None)
    assert (len(found.remotes), len(found.counters)) == (0, 0)
    (limit,) = found.sysctls
    assert (limit.name, limit.value[1]) == ("net.core.somaxconn", "9")


def test_a_finding_that_became_worse_has_changed() -> None:
    busy = [listener(129, 10)]
    first, history = derive(sample(busy, owners=HELD), History())
    later_one = derive(later(sample(busy, owners=HELD), 30), history)[0]
    was, *_ = first.findings or later_one.findings
    worse = replace(later_one, findings=(replace(was, severity="warning", title="other"),))
    found = diff(replace(first, findings=(was,)), worse)
    assert (found.begun, found.ended) == ((), ())
    assert [(a.title, b.title) for a, b in found.changed] == [(was.title, "other")]


@pytest.mark.parametrize(
    ("then", "now", "changed"),
    [
        ("17 wait, the oldest for 25 s", "17 wait, the oldest for 2 h 11 min", False),
        ("17 wait, the oldest for 25 s", "18 wait, the oldest for 25 s", True),
        ("no ACK for 9.5 s: 3 sockets", "no ACK for 4 min 12 s: 3 sockets", False),
    ],
)
def test_time_that_passes_is_no_change(then: str, now: str, changed: bool) -> None:
    busy = sample([listener(129, 10)], owners=HELD)
    first, history = derive(busy, History())
    second = derive(later(busy, 30), history)[0]
    (was, *_) = first.findings or second.findings
    found = diff(
        replace(first, findings=(replace(was, title=then),)),
        replace(second, findings=(replace(was, title=now),)),
    )
    assert bool(found.changed) == changed
