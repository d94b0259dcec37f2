"""The same cookie in two namespaces is two sockets, whatever looks at them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tcptop.analysis import subject
from tcptop.analysis.difference import diff
from tcptop.columns import LISTINGS
from tcptop.columns.detail import facts
from tcptop.columns.marks import about
from tcptop.model.finding import Subject
from tcptop.model.sample import ListenerPeaks, Sample
from tcptop.model.socket_id import SocketId
from tcptop.model.sockopt import SocketOptions
from tcptop.sources.proc_net_tcp import parse
from tests.unit.prepared import (
    NETNS,
    OTHER_NETNS,
    derived,
    finding,
    later,
    sample,
    selected,
    socket,
)

HERE, THERE = ("10.0.0.1:40001", "10.0.0.9:443"), ("10.0.0.1:40002", "10.0.0.9:443")


def both(clock: float, sent: tuple[int, int], states: tuple[str, str]) -> Sample:
    rows = [
        socket(state, *ends, netns=netns, cookie=7, info={"bytes_sent": number})
        for state, ends, netns, number in zip(
            states, (HERE, THERE), (NETNS, OTHER_NETNS), sent, strict=True
        )
    ]
    return sample(rows, clock=clock)


OPEN = ("ESTABLISHED", "ESTABLISHED")


def test_each_has_a_past_of_its_own() -> None:
    samples = both(1000, (500, 9_000_000), OPEN), both(1002, (700, 9_001_000), OPEN)
    assert derived(*samples).bytes_sent_per_s.tolist() == [100, 500]


def test_each_changes_by_itself() -> None:
    samples = both(1000, (0, 0), OPEN), both(1002, (0, 0), ("ESTABLISHED", "CLOSE_WAIT"))
    old, new = derived(samples[0]), derived(*samples)
    assert new.changes.sum() == 2
    changed = diff(old, new).sockets
    assert (changed.before.tolist(), changed.after.tolist()) == ([1], [1])
    assert not len(changed.opened)
    assert not len(changed.closed)


def listeners(queues: tuple[int, int]) -> Sample:
    rows = [
        socket("LISTEN", "0.0.0.0:80", netns=netns, cookie=7, recv_q=queue, send_q=128)
        for netns, queue in zip((NETNS, OTHER_NETNS), queues, strict=True)
    ]
    return sample(rows)


def test_a_listener_has_its_own_longest_queue() -> None:
    polled = ListenerPeaks(
        np.array([OTHER_NETNS, NETNS], np.uint32),
        np.array([7, 7], np.uint64),
        np.array([90, 10], np.uint32),
    )
    first = listeners((1, 2))
    assert derived(later(first, 1, peaks=polled)).listeners.peak.tolist() == [10, 90]
    old, new = derived(first), derived(first, later(listeners((1, 5)), 1))
    assert [(each.row, each.queue) for each in diff(old, new).listeners] == [(1, (2, 5))]


def test_rows_of_lists_have_different_keys() -> None:
    for name, one in (("listeners", listeners((0, 0))), ("sockets", both(0, (0, 0), OPEN))):
        listing = LISTINGS[name]
        assert len(set(listing.keys(selected(one), np.arange(2)).tolist())) == 2


def test_a_finding_marks_the_socket_of_its_namespace() -> None:
    named = finding("stuck", subject=Subject(OTHER_NETNS, cookies=(7,)))
    shown = selected(both(0, (0, 0), OPEN))
    shown = replace(shown, snapshot=replace(shown.snapshot, findings=(named,)))
    assert subject.rows(named.subject, shown.snapshot).tolist() == [False, True]
    assert about(LISTINGS["sockets"], shown, np.arange(2)) == [None, named]


def test_options_are_of_one_of_them() -> None:
    one = both(0, (0, 0), OPEN)
    told = replace(one, options={SocketId(OTHER_NETNS, 7): SocketOptions(0.0, nodelay=True)})
    groups = [{fact.group for fact in facts(selected(told), row)} for row in (0, 1)]
    assert ["options" in names for names in groups] == [False, True]


def test_proc_net_tcp_tells_namespaces_apart() -> None:
    line = (
        b"   1: 0100007F:9C40 0100007F:0050 01 00000000:00000000 00:00000000 00000000"
        b"     0        0 4711 1 0000000000000000 20 4 30 10 -1\n"
    )
    one, other = (parse(line, netns) for netns in (NETNS, OTHER_NETNS))
    assert one.cookie.tolist() == other.cookie.tolist()
    assert one.key.tolist() != other.key.tolist()
