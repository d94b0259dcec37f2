"""What a user without any right sees: every socket, but few of their owners."""

import os
from typing import NamedTuple

import numpy as np
import pytest

from tcptop.analysis.derive import derive
from tcptop.analysis.history import History
from tcptop.analysis.selection import select
from tcptop.demo import sockets
from tcptop.demo.held import HeldSockets
from tcptop.model import owner, tcp
from tcptop.model.snapshot import Snapshot
from tcptop.model.table import COLUMNS, SocketTable
from tcptop.sources.live import LiveSource
from tcptop.views import text
from tests.kernel import states
from tests.kernel.nobody import NOBODY, become_nobody
from tests.kernel.snapshots import row_of, snapshot_of
from tests.kernel.states import SocketPair
from tests.kernel.zoo import Zoo

needs_root = pytest.mark.skipif(os.getuid() != 0, reason="without root, one is nobody already")


class Seen(NamedTuple):
    """A look of another user, between two of root's."""

    before: Snapshot
    theirs: Snapshot
    after: Snapshot
    own: list[HeldSockets]


def live_look() -> Snapshot:
    """The collector, run by the calling process."""
    source = LiveSource()
    try:
        return derive(source.sample(), History())[0]
    finally:
        source.close()


def own_sockets() -> list[HeldSockets]:
    pair: SocketPair = states.established()
    return [sockets.listening(), *pair]


@pytest.fixture(scope="module")
def seen(zoo: Zoo) -> Seen:
    helper = zoo.namespace.helper()
    helper.run(live_look)  # imports what the other user may not be able to read
    helper.run(own_sockets)
    helper.run(become_nobody)
    own = helper.run(own_sockets)
    before = snapshot_of(zoo.namespace)
    theirs = helper.run(live_look)
    return Seen(before, theirs, snapshot_of(zoo.namespace), own)


def by_cookie(
    table: SocketTable, cookies: np.ndarray[tuple[int], np.dtype[np.uint64]]
) -> SocketTable:
    order = np.argsort(table.cookie)
    return table.take(order[np.searchsorted(table.cookie[order], cookies)])


def test_the_same_sockets(seen: Seen) -> None:
    """Every column, where root's two looks agree; marks take CAP_NET_ADMIN."""
    tables = [snapshot.sample.sockets for snapshot in seen[:3]]
    cookies = np.intersect1d(tables[0].cookie, tables[2].cookie)
    assert set(cookies.tolist()) == set(tables[1].cookie.tolist())
    first, theirs, last = (by_cookie(table, cookies) for table in tables)
    assert len(theirs) > 140
    for name in COLUMNS.keys() - {"mark", "has", "info"}:
        one, two, three = (getattr(table, name) for table in (first, theirs, last))
        still = one == three if one.ndim == 1 else (one == three).all(axis=1)
        assert np.count_nonzero(still) > 0.6 * len(still), name
        assert (one[still] == two[still]).all(), name
    assert (theirs.has == first.has & ~np.uint32(1 << tcp.MARK)).all()


def test_the_same_tcp_info(seen: Seen) -> None:
    tables = [snapshot.sample.sockets for snapshot in seen[:3]]
    cookies = np.intersect1d(tables[0].cookie, tables[2].cookie)
    first, theirs, last = (by_cookie(table, cookies) for table in tables)
    assert (theirs.info_size == first.info_size).all()
    for field in tcp.TCP_INFO:
        one, two, three = (table.tcp_info(field.name) for table in (first, theirs, last))
        still = one == three
        assert (one[still] == two[still]).all(), field.name


def test_the_same_queues(seen: Seen) -> None:
    ours, theirs = (snapshot.sample.sockets.cookie for snapshot in (seen.before, seen.theirs))
    queues = [
        {
            int(cookie): int(table.cookie[at])
            for cookie, at in zip(table.cookie, snapshot.queue, strict=True)
            if at >= 0
        }
        for snapshot in (seen.before, seen.theirs)
        for table in (snapshot.sample.sockets,)
    ]
    assert len(ours) == len(theirs)
    assert queues[0] == queues[1]
    assert len(queues[0]) >= 20
    assert seen.theirs.totals.by_state == seen.before.totals.by_state


@needs_root
def test_own_sockets_have_their_owner(seen: Seen) -> None:
    for made in seen.own:
        row = row_of(seen.theirs.sample.sockets, made)
        assert [(p.pid, fd) for p, fd in seen.theirs.holders.of(row)] == [(made.pid, made.fd)]
        assert seen.theirs.sample.sockets.uid[row] == NOBODY
    assert seen.theirs.totals.attributed == 2 * len(seen.own)  # those it made as root are its too


@needs_root
def test_others_sockets_have_a_reason(seen: Seen) -> None:
    snapshot, table = seen.theirs, seen.theirs.sample.sockets
    held = (table.inode != 0) & (snapshot.owner != owner.PROCESS)
    assert np.count_nonzero(held) > 80
    assert (snapshot.owner[held] == owner.UNKNOWN).all()
    assert (snapshot.note[held] == owner.NOT_PERMITTED).all()
    others = (snapshot.owner != owner.PROCESS) & ~held
    same = np.isin(table.cookie[others], seen.before.sample.sockets.cookie)
    assert same.all()
    assert not (snapshot.note[others] == owner.NOT_PERMITTED).any()


@needs_root
def test_it_is_said_once_what_could_not_be_seen(seen: Seen) -> None:
    assert not seen.theirs.sample.privileged
    assert seen.before.sample.privileged
    (note,) = (note for note in seen.theirs.sample.notes if "CAP_SYS_PTRACE" in note)
    assert str(seen.theirs.sample.owners.unreadable) in note
    assert not [note for note in seen.before.sample.notes if "CAP_SYS_PTRACE" in note]
    lines = text.summary(select(seen.theirs))
    assert any("without a process: not permitted to read" in line for line in lines)
