"""A moment is the same whichever way one comes there, in every field."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from tcptop.analysis.moments import SAMPLE, Moments
from tcptop.analysis.playback import Playback, Understood
from tcptop.analysis.recorded import SOCKET
from tcptop.analysis.rings import Rings
from tcptop.columns import RECORDED
from tcptop.sources.recording.archive import open_archive
from tests.recordings.alike import differences


def rings() -> Rings:
    return Rings(RECORDED)


@contextmanager
def playback(path: Path, scanned: bool = True) -> Iterator[tuple[Playback, Rings]]:
    shown = rings()
    with open_archive(str(path)) as archive:
        made = Playback(archive, shown, rings)
        while scanned and made.work()[0]:
            pass
        yield made, shown


def seen(moment: Understood, shown: Rings) -> tuple[object, ...]:
    """All that a screen is made of."""
    part = shown.part(0)
    return moment.snapshot, part.clock, part.cookies, part.kinds


@pytest.fixture(scope="module")
def forwards(recording: Path) -> dict[int, tuple[object, ...]]:
    """Every moment, as it was played from the beginning."""
    with playback(recording, scanned=False) as (made, shown):
        first = int(made.index.number[0])
        played = {first: seen(made.go(first), shown)}
        while (moment := made.advance()) is not None:
            played[moment.number] = seen(moment, shown)
    assert len(played) == len(made.index)
    return played


def test_findings_begin_and_end_in_it(recording: Path) -> None:
    with playback(recording) as (made, _):
        edges = [(each.begins, each.finding.id) for each in made.marks.marks]
        assert (True, "accept-queue-overflow") in edges
        assert (False, "accept-queue-overflow") in edges
        assert len(made.marks.worst) == len(made.index)


def test_backwards_and_by_jump_a_moment_is_as_forwards(
    recording: Path, forwards: dict[int, tuple[object, ...]]
) -> None:
    numbers = [*forwards]
    jumps = random.Random(1).choices(numbers, k=6)
    with playback(recording) as (made, shown):
        for number in [*reversed(numbers[6:20]), *jumps]:
            moment = made.go(number)
            assert moment.number == number
            assert moment.exact
            assert differences(seen(moment, shown), forwards[number]) == []


@pytest.mark.parametrize("many", [0, 1, 3, 100])
def test_what_is_kept_of_moments_is_bounded_and_changes_none(
    recording: Path, forwards: dict[int, tuple[object, ...]], many: int
) -> None:
    numbers = [*forwards][12:20]
    largest = max(seen[0].sample.sockets.nbytes for seen in forwards.values())  # type: ignore[attr-defined]
    with playback(recording) as (made, shown):
        kept = made._moments = Moments(many * (SAMPLE + 10 * largest))
        for number in [*numbers, *reversed(numbers), *numbers]:
            assert differences(seen(made.go(number), shown), forwards[number]) == []
            assert kept.nbytes <= kept._budget
        assert kept.nbytes == sum(each.nbytes for each in kept._after.values())
        assert bool(kept._after) == bool(many)
        while (moment := made.advance()) is not None:
            assert differences(seen(moment, shown), forwards[moment.number]) == []


def test_before_it_was_read_a_moment_says_so_and_becomes_exact(
    recording: Path, forwards: dict[int, tuple[object, ...]]
) -> None:
    with playback(recording, scanned=False) as (made, shown):
        last = int(made.index.number[-1])
        first_seen = made.go(last)
        assert not first_seen.exact
        better = None
        while better is None or not better.exact:
            better = made.work()[1]
        assert better.number == last
        assert differences(seen(better, shown), forwards[last]) == []


def test_the_past_of_a_socket_is_read_when_it_is_opened(recording: Path) -> None:
    with playback(recording, scanned=False) as (made, shown):
        last = int(made.index.number[-17])
        moment = made.go(last)
        key = int(moment.snapshot.sample.sockets.key[0])
    with playback(recording, scanned=False) as (made, forwards):
        forwards.watch(key)
        made.go(int(made.index.number[0]))
        while (moment_now := made.advance()) is not None and moment_now.number < last:
            pass
        expected = forwards.several("sockets", key, SOCKET)
    with playback(recording) as (made, shown):
        made.go(last)
        shown.watch(key)
        while not made.settled:
            made.work()
        found = shown.several("sockets", key, SOCKET)
    assert differences(found, expected) == []
    assert not np.isnan(found.values).all(axis=0).any()
