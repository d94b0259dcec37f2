"""The same cookie in two namespaces is two sockets; one that appears later begins by itself."""

from __future__ import annotations

from dataclasses import replace
from io import StringIO
from typing import Any

import numpy as np

from tcptop.analysis import subject
from tcptop.analysis.difference import diff
from tcptop.columns import LISTINGS, changes
from tcptop.columns.detail import facts
from tcptop.columns.marks import about
from tcptop.model import tcp
from tcptop.model.finding import Subject
from tcptop.model.sample import ListenerPeaks, Namespace, Sample
from tcptop.model.snapshot import Snapshot
from tcptop.model.socket_id import SocketId
from tcptop.model.sockopt import SocketOptions
from tcptop.sources.proc_net_tcp import parse
from tcptop.views import markdown, text
from tests.unit.prepared import (
    NETNS,
    OTHER_NETNS,
    Row,
    derived,
    finding,
    kernel,
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


# -- what is alike in two namespaces


def test_what_opened_and_closed_is_told_by_namespace() -> None:
    """Nobody is known for the sockets, and both lead to the same address."""
    rows = [socket("ESTABLISHED", *HERE, netns=n, cookie=7) for n in (NETNS, OTHER_NETNS)]
    before, after = derived(sample([])), derived(sample([]), later(sample(rows), 1))
    for pair, section in (((before, after), "opened"), ((after, before), "closed")):
        told = [each for each in changes.rows(changes.SnapshotPair(*pair)) if each[0] == section]
        assert sorted("(netns lab)" in each.what for each in told) == [False, True]
        if section == "opened":
            scopes = {each.scope.rpartition(" ")[2] for each in told}
            assert scopes == {str(NETNS), str(OTHER_NETNS)}


def test_no_two_namespaces_are_called_the_same() -> None:
    shells = [Namespace(n, None, cgroup="/user.slice/session-1.scope") for n in (5, 6)]
    seen = sample(
        [socket("ESTABLISHED", *HERE, netns=n, cookie=7) for n in (5, 6)],
        namespaces=(Namespace(NETNS, None, first=True), *shells, Namespace(7, "blue")),
    )
    assert [seen.space(n) for n in (NETNS, 5, 6, 7, 8)] == [
        *("host", "session-1.scope/5", "session-1.scope/6", "blue", "8")
    ]
    for filter, number in (
        ("netns = session-1.scope", 2),
        ("netns = session-1.scope/6", 1),
        ("netns != session-1.scope/6", 1),
        ("netns = 5", 1),
    ):
        assert len(selected(seen, filter=filter).rows) == number, filter


def test_text_says_the_namespace_of_rows_that_are_elsewhere_alone() -> None:
    out = StringIO()
    seen = both(0, (0, 0), OPEN)
    text.write(selected(seen, filter="netns = lab"), out, frozenset({"sockets"}))
    assert out.getvalue().splitlines()[-1].endswith("netns:lab")


def test_a_ticket_shows_the_way_to_the_rows_of_another_namespace() -> None:
    out = StringIO()
    markdown.write(selected(both(0, (0, 0), OPEN)), out, frozenset({"sockets"}))
    last = out.getvalue().splitlines()[-1]
    assert last == "Shown by `ss -tanpoi`, the same in each network namespace."
    out = StringIO()
    lab = selected(both(0, (0, 0), OPEN), filter="netns = lab")
    markdown.write(lab, out, frozenset({"sockets"}))
    assert out.getvalue().splitlines()[-1] == "Shown by `ip netns exec lab ss -tanpoi`."


# -- a namespace that appears later


OLD = {"bytes_sent": 9_000_000_000, "bytes_received": 5, "total_retrans": 5}


def later_namespace(*rows: list[Row]) -> Snapshot:
    """Samples two seconds apart; of the first on only one namespace is looked at."""
    spaces = (Namespace(NETNS, None), Namespace(OTHER_NETNS, "late"))
    kernels = [(kernel(),), *((kernel(), kernel(OTHER_NETNS, opens=900 + n)) for n in range(9))]
    return derived(
        *(
            sample(each, clock=1000.0 + 2 * n, namespaces=spaces[: n + 1], kernel=kernels[n])
            for n, each in enumerate(rows)
        )
    )


def client(port: int, **columns: Any) -> Row:
    there = {"netns": OTHER_NETNS, "cookie": port, "inode": port, "info": OLD}
    return socket("ESTABLISHED", f"10.0.0.1:{port}", "10.0.0.9:443", **there | columns)


STAYS = socket("ESTABLISHED", *HERE, cookie=7, info=OLD)


def test_an_old_connection_in_a_namespace_that_appears_is_not_new() -> None:
    seen = later_namespace([STAYS], [STAYS, client(40010)])
    assert np.isnan(seen.bytes_sent_per_s).tolist() == [False, True]
    assert np.isnan(seen.retransmits_per_s).tolist() == [False, True]
    assert np.isnan(seen.age_s).all()
    assert seen.seen_s.tolist() == [2, 0]
    assert seen.changes.sum() == 1
    assert seen.totals.opens_seen_ratio is None
    late = seen.ports.netns == OTHER_NETNS
    assert seen.ports.opens_per_s[~late].tolist() == [0]
    assert np.isnan(seen.ports.opens_per_s[late]).all()
    assert np.isnan(seen.ports.exhausted_in_s[late]).all()


def test_from_its_second_sample_on_a_namespace_is_as_the_others() -> None:
    seen = later_namespace(
        [STAYS],
        [STAYS, client(40010)],
        [STAYS, client(40010, info=OLD | {"bytes_sent": 9_000_000_200}), client(40011)],
    )
    assert seen.bytes_sent_per_s[:2].tolist() == [0, 100]
    assert seen.bytes_sent_per_s[2] == OLD["bytes_sent"] / 2
    assert np.isnan(seen.age_s).tolist() == [True, True, False]
    assert seen.changes[0, tcp.ESTABLISHED] == 1
    assert seen.totals.opens_seen_ratio == 1.0  # one was seen, and ActiveOpens rose by one
    late = seen.ports.netns == OTHER_NETNS
    assert seen.ports.opens_per_s[late].tolist() == [0.5]
    assert np.isfinite(seen.ports.exhausted_in_s[late]).all()
