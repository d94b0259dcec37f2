"""A namespace that ended and another one with the same inode: nothing of the one is the other's."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tcptop.analysis.apparent import inferred
from tcptop.analysis.derive import derive
from tcptop.analysis.filter import parse
from tcptop.analysis.findings.settings import FindingSettings
from tcptop.analysis.history import History
from tcptop.analysis.reborn import MOST
from tcptop.analysis.selection import ended, select
from tcptop.columns import CLOSED, netns
from tcptop.model.sample import Deaths, Namespace, Sample
from tcptop.model.snapshot import Snapshot
from tcptop.views import closed_rows
from tests.unit.prepared import (
    CURL,
    NETNS,
    OTHER_NETNS,
    TAKEN_AT,
    Row,
    kernel,
    later,
    mini,
    owners,
    sample,
    socket,
    table,
)

HOME = Namespace(NETNS, None, first=True, cookie=1)
OLD, NEW = Namespace(OTHER_NETNS, "old", cookie=7), Namespace(OTHER_NETNS, "new", cookie=8)
THERE = ("10.0.0.1:40001", "10.0.0.9:443")
THEIRS = replace(CURL, netns=OTHER_NETNS)


def at(clock: float, space: Namespace | None, *rows: Row, opens: int = 10, **more: Any) -> Sample:
    spaces = (HOME, space) if space else (HOME,)
    kernels = (kernel(), kernel(OTHER_NETNS, opens=opens)) if space else (kernel(),)
    made = sample([{"netns": OTHER_NETNS} | row for row in rows], namespaces=spaces, kernel=kernels)
    return later(made, clock, **more)


def gone(clock: float, *rows: Row) -> tuple[Deaths, ...]:
    dead = table([{"netns": OTHER_NETNS} | row for row in rows])
    return (Deaths(OTHER_NETNS, dead, np.full(len(rows), TAKEN_AT + clock - 0.5), cookie=7),)


OPEN = socket("ESTABLISHED", *THERE, inode=4, cookie=7, netns=OTHER_NETNS)
DEAD = socket("CLOSE", *THERE, cookie=7, netns=OTHER_NETNS, info={"segs_out": 5, "bytes_acked": 2})
HELD = owners((4, THEIRS, 3))


def watched(*samples: Sample) -> Snapshot:
    history = History()
    for each in samples:
        snapshot, history = derive(each, history, FindingSettings(home=NETNS))
    return snapshot


def closed_spaces(snapshot: Snapshot) -> list[str]:
    selection = select(snapshot)
    column = netns.told(CLOSED).column(netns.KEY)
    return list(column.texts(selection, CLOSED.rows(selection)))


def test_what_has_ended_keeps_the_name_of_its_namespace() -> None:
    first = at(0, OLD, OPEN, owners=HELD)
    over = at(1, None, deaths=gone(1, DEAD))
    assert closed_spaces(watched(first, over)) == ["old"]
    assert closed_spaces(watched(first, over, at(2, NEW, OPEN | {"cookie": 9}))) == ["old"]


@pytest.mark.parametrize("between", [True, False])
def test_another_one_with_its_inode_has_not_closed_them(between: bool) -> None:
    first = at(0, OLD, OPEN, owners=HELD)
    over = [at(1, None, deaths=gone(1, DEAD))] if between else []
    last = at(2, NEW, OPEN | {"cookie": 9}, deaths=() if between else gone(2, DEAD))
    seen = watched(first, *over, last)
    told = closed_rows.columns(select(seen), np.arange(1))
    assert told["netns"] == [OTHER_NETNS]
    assert closed_spaces(seen) == ["old"]
    assert ended(seen).process.tolist() == [0]
    for filter, number in (("netns = old", 1), ("netns = new", 0)):
        assert len(select(seen, parse(filter), filter).closed()) == number


def test_a_connection_of_the_new_one_is_not_put_down_to_a_process_of_the_old() -> None:
    first = at(0, OLD, OPEN, owners=HELD)
    waits = mini("TIME_WAIT", "10.0.0.1:40002", THERE[1], netns=OTHER_NETNS, cookie=9)
    for space, known in ((OLD, True), (NEW, False)):
        seen = watched(first, at(1, space, waits, owners=HELD))
        assert (inferred(seen).process >= 0).tolist() == [known]


def test_its_counters_and_findings_begin_anew() -> None:
    first = at(0, OLD, opens=10)
    listener = socket("LISTEN", "0.0.0.0:80", netns=OTHER_NETNS, recv_q=129, send_q=128, inode=5)
    assert OTHER_NETNS in watched(first, at(1, OLD, opens=500)).kernel_rates
    assert OTHER_NETNS not in watched(first, at(1, NEW, opens=500)).kernel_rates
    for space, since in ((OLD, TAKEN_AT), (NEW, TAKEN_AT + 1)):
        seen = watched(at(0, OLD, listener), at(1, space, listener | {"cookie": 99}))
        (finding,) = (each for each in seen.findings if each.subject.netns == OTHER_NETNS)
        assert finding.since == since


def test_the_same_one_that_was_not_seen_for_a_while_is_the_same() -> None:
    first, over = at(0, OLD, OPEN, owners=HELD), at(1, None, deaths=gone(1, DEAD))
    seen = watched(first, over, at(2, OLD), at(3, replace(OLD, cookie=None)), at(4, OLD))
    assert closed_spaces(seen) == ["old"]
    assert not seen.former
    assert ended(seen).netns.tolist() == [OTHER_NETNS]


def test_not_more_are_remembered_than_a_thousand() -> None:
    history = History()
    for number in range(4):
        inodes = range(400 * number + 1, 400 * number + 401)
        spaces = (HOME, *(Namespace(inode, None, cookie=inode) for inode in inodes))
        _, history = derive(later(sample([], namespaces=spaces), number), history)
    assert len(history.former) == MOST
