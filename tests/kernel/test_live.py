"""The live source as a Source: its clock and its waiting."""

from __future__ import annotations

import os
import pickle
import threading
import time
from collections.abc import Iterator

import pytest

from tcptop import __version__
from tcptop.demo import sockets
from tcptop.demo.namespace import DemoNamespace
from tcptop.model.route import route_key
from tcptop.model.source import Requests
from tcptop.sources.live import LEAST_REST_S, LiveSource
from tests.kernel import queues, states
from tests.kernel.nobody import become_nobody
from tests.kernel.snapshots import Watch, row_of
from tests.recordings.plain import taken_apart


@pytest.fixture
def source(namespace: DemoNamespace) -> Iterator[LiveSource]:
    with namespace.entered():
        live = LiveSource()
        yield live
        live.close()


def test_a_sample_comes_an_interval_after_the_one_before_began(source: LiveSource) -> None:
    first = source.sample()
    time.sleep(0.9)  # what becomes of a sample takes time too
    began = time.monotonic()
    assert not source.wait(1.0, threading.Event())
    waited_s = time.monotonic() - began
    second = source.sample()
    assert second.clock - first.clock >= 1.0
    assert waited_s < 0.9  # what is left of the interval, not a whole one


def test_a_late_one_leaves_the_host_a_rest(source: LiveSource) -> None:
    source.sample()
    began = time.monotonic()
    assert not source.wait(0.0, threading.Event())
    assert time.monotonic() - began >= LEAST_REST_S


def test_stopped_is_told_at_once(source: LiveSource) -> None:
    stop = threading.Event()
    stop.set()
    source.sample()
    assert source.wait(3600.0, stop)


@pytest.mark.skipif(os.getuid() != 0, reason="without root, no sockets of another user")
def test_a_sample_stays_as_it_is(namespace: DemoNamespace) -> None:
    pair = namespace.run(states.established)
    namespace.run(queues.accept_overflow)
    stranger = namespace.helper()
    stranger.run(sockets.listening)  # imports what the other user may not be able to read
    with Watch(namespace) as watch:
        table = watch.snapshot().sample.sockets
        row = row_of(table, pair.client)
        where = route_key(table, row)
        assert where is not None
        every = frozenset(table.id(each) for each in range(len(table)))
        holders = frozenset((namespace.pid, stranger.pid))
        watch.source.request(Requests(every, frozenset((where,)), holders))
        watch.poll_listeners()
        first = watch.snapshot().sample
        for name in ("users", "cgroups", "options", "routes", "facts"):
            assert getattr(first, name), name
        before = pickle.dumps(taken_apart(first))
        users = set(first.users)
        stranger.run(become_nobody)
        stranger.run(sockets.listening)
        namespace.run(states.established)
        watch.source.request(Requests(every, processes=frozenset((namespace.pid,))))
        watch.poll_listeners()
        uids = [set(watch.snapshot().sample.users) for _ in range(2)][-1]
    assert uids > users
    assert pickle.dumps(taken_apart(first)) == before


def test_a_sample_says_by_whom_and_how_it_was_taken(source: LiveSource) -> None:
    first = source.sample()
    source.wait(0.2, threading.Event())
    second = source.sample()
    assert first.host.boot_id is not None
    assert len(first.host.boot_id) == 36
    assert second.host.boot_id == first.host.boot_id
    assert (first.interval_s, second.interval_s) == (None, 0.2)
    assert first.version == __version__
