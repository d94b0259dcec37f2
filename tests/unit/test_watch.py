"""The watch loop on a source that keeps its samples: its clock, its waiting, going back."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import replace

import pytest

from tcptop.analysis.watch import WatchLoop, watched
from tcptop.model.sample import Sample
from tcptop.model.socket_id import SocketId
from tcptop.model.source import EndOfSamples, Requests, SeekableSource, Stop
from tests.unit.findings.test_nagle_delayed_ack import HELD, talking
from tests.unit.prepared import FIRST_COOKIE, NETNS, everything, kernel, later, sample

NEVER = threading.Event()


class Kept:
    """Samples that are over, with a sample before that which is sought; time passes in no time."""

    def __init__(self, *samples: Sample) -> None:
        self.span = samples[0].taken_at, samples[-1].taken_at
        self.speed = 1.0
        self.requests: list[Requests] = []
        self.waited: list[float] = []
        self._all = samples
        self._left = deque(samples)

    def request(self, wanted: Requests) -> None:
        self.requests.append(wanted)

    def sample(self) -> Sample:
        if not self._left:
            raise EndOfSamples
        return self._left.popleft()

    def wait(self, interval: float, stop: Stop) -> bool:
        self.waited.append(interval)
        return stop.is_set()

    def seek(self, taken_at: float) -> Sequence[Sample]:
        place = max(n for n, each in enumerate(self._all) if each.taken_at <= taken_at)
        self._left = deque(self._all[place + 1 :])
        return self._all[max(place - 1, 0) : place + 1]


def seconds(count: int) -> list[Sample]:
    """Samples a second apart."""
    first = everything()
    return [later(first, float(n), kernel=(kernel(opens=10 + n),)) for n in range(count)]


def test_every_sample_is_understood_in_the_light_of_those_before() -> None:
    loop = WatchLoop(Kept(*seconds(3)))
    assert [loop.step().over_s for _ in range(3)] == [None, 1.0, 2.0]
    with pytest.raises(EndOfSamples):
        loop.step()


def test_another_boot_begins_anew() -> None:
    first, second, third = seconds(3)
    reboot = [
        replace(each, host=replace(each.host, boot_id=boot))
        for each, boot in ((first, "a"), (second, "b"), (third, "b"))
    ]
    loop = WatchLoop(Kept(*reboot))
    assert [loop.step().over_s for _ in range(3)] == [None, None, 1.0]


def test_requests_are_those_of_the_screen_and_of_the_findings() -> None:
    delayed = sample(talking(), owners=HELD)  # for which a rule wants to know TCP_NODELAY
    source = Kept(*(later(delayed, float(n)) for n in range(4)))
    loop = WatchLoop(source)
    asked = SocketId(NETNS, 7)
    loop.requests = Requests(sockets=frozenset((asked,)))
    for _ in range(4):
        loop.step()
    wanted = [each.sockets for each in source.requests]
    assert wanted == [*([{asked}] * 3), {asked, SocketId(NETNS, FIRST_COOKIE)}]


def test_going_back_and_on() -> None:
    samples = seconds(6)
    source = Kept(*samples)
    assert isinstance(source, SeekableSource)
    loop = WatchLoop(source)
    for _ in range(5):
        loop.step()
    found = loop.seek(samples[2].taken_at + 0.5)
    assert found.sample is samples[2]
    assert found.over_s == 1.0
    assert loop.step().sample is samples[3]
    assert loop.seek(samples[0].taken_at).over_s is None


def test_a_watch_ends_with_the_source_s_clock() -> None:
    source = Kept(*seconds(9))
    last = watched(WatchLoop(source), 2.0, 3.5, NEVER)
    assert last.over_s == 4.0
    assert source.waited == [2.0, 2.0, 1.5, 0.5]


def test_a_single_look_waits_for_nothing() -> None:
    source = Kept(*seconds(2))
    assert watched(WatchLoop(source), 1.0, 0.0, NEVER).over_s is None
    assert source.waited == []


def test_a_watch_can_be_stopped() -> None:
    stop = threading.Event()
    stop.set()
    assert watched(WatchLoop(Kept(*seconds(9))), 1.0, 5.0, stop).over_s is None


def test_a_watch_of_long_looks_has_two_intervals() -> None:
    """Within one, rules do not know a burst from a steady rate."""
    source = Kept(*(later(everything(), 9.0 * n) for n in range(5)))
    assert watched(WatchLoop(source), 1.0, 5.0, NEVER).over_s == 18.0
    assert source.waited == [1.0, 1.0]


def test_a_watch_of_one_interval_has_no_more() -> None:
    source = Kept(*seconds(4))
    assert watched(WatchLoop(source), 1.0, 1.0, NEVER).over_s == 1.0
