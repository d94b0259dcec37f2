"""A recording as a source: its samples, as fast as they are wanted."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

from tcptop.model.archive import Numbered
from tcptop.model.sample import Sample
from tcptop.model.source import EndOfSamples, Requests, Stop
from tcptop.sources.recording.errors import RecordingError
from tcptop.sources.recording.reader import GroupSpan, RecordingReader, ends

RUN_UP_S = 200.0  # of samples before the one that is sought: rules look back for three minutes


class RecordingSource:
    """Close it. Raises RecordingError and OSError.

    `speed` is how many times faster than they were taken samples come; math.inf does not wait.
    `run_up_s` is for how long before a moment that is sought the history is made.
    """

    def __init__(self, path: str, speed: float = 1.0, run_up_s: float = RUN_UP_S) -> None:
        self.path = path
        self._reader = RecordingReader(path)
        self.speed = speed
        self.run_up_s = run_up_s
        self._spans(self._reader.groups())
        self._number = 0  # of the next sample
        self._coming: Iterator[Numbered] = iter(())
        self._ahead: Numbered | None = None
        self._last_clock: float | None = None

    def _spans(self, groups: list[GroupSpan]) -> None:
        """`span` is from the first sample to the last; `extent` from the earliest to the latest
        time, which is more where the clock was set."""
        self.span = ends(groups, self.path)
        self.extent = min(each.began for each in groups), max(each.ended for each in groups)

    def beyond(self, taken_at: float) -> bool:
        """Whether no sample to come is of that time, or of one before it."""
        coming = (each for each in self._reader.groups() if each.last >= self._number)
        return all(each.began > taken_at for each in coming)

    def close(self) -> None:
        self._reader.close()

    @property
    def damage(self) -> list[str]:
        """What was left out since the last sample."""
        return self._reader.damage

    def first(self) -> Sample:
        """The first one that can be read; it still comes."""
        if self._peek() is None:
            raise RecordingError(f"{self.path}: damaged: no sample of it can be read")
        assert self._ahead is not None
        return self._ahead.sample

    def request(self, wanted: Requests) -> None:
        """What was asked for when the samples were taken is in them."""

    def sample(self) -> Sample:
        """The next one; EndOfSamples where there is none yet."""
        taken = self._next()
        if taken is None:
            raise EndOfSamples
        self._last_clock = taken.sample.clock
        return self._told(taken.sample)

    def wait(self, interval: float, stop: Stop) -> bool:
        """As long as it was between the samples, at this speed."""
        ahead = self._peek()
        if ahead is None or self._last_clock is None or math.isinf(self.speed):
            return stop.is_set()
        between_s = min(max(ahead.sample.clock - self._last_clock, 0.0), 3600.0)
        return stop.wait(between_s / self.speed)

    def seek(self, taken_at: float) -> Iterator[Sample]:
        """The last sample taken until then, or the first, after those of `run_up_s` before it."""
        groups = self._reader.groups()
        self._spans(groups)
        sought = _place(groups, taken_at)
        self._go(_begin(groups, sought, taken_at - self.run_up_s))
        while (taken := self._next()) is not None:
            ahead = self._peek()
            last = ahead is None or _over(ahead, groups[sought], taken_at)
            if last or taken.sample.taken_at >= taken_at - self.run_up_s:
                self._last_clock = taken.sample.clock
                yield self._told(taken.sample)
            if last:
                return
        raise EndOfSamples

    def _go(self, number: int) -> None:
        self._number, self._coming, self._ahead = number, self._reader.samples(number), None
        self._last_clock = None

    def _peek(self) -> Numbered | None:
        if self._ahead is None:
            self._ahead = next(self._coming, None)
            if self._ahead is None:  # what was written since
                self._coming = self._reader.samples(self._number)
                self._ahead = next(self._coming, None)
        return self._ahead

    def _next(self) -> Numbered | None:
        taken, self._ahead = self._peek(), None
        if taken is not None:
            self._number = taken.number + 1
        return taken

    def _told(self, sample: Sample) -> Sample:
        """With a note of what was left out before it."""
        notes, self._reader.damage = self._reader.damage, []
        return replace(sample, notes=(*sample.notes, *notes)) if notes else sample


def _over(ahead: Numbered, sought: GroupSpan, taken_at: float) -> bool:
    """Whether a sample comes after the one that was taken until then, of that group."""
    later = ahead.number >= sought.first and ahead.sample.taken_at > taken_at
    return later or ahead.number > sought.last


def _place(groups: list[GroupSpan], taken_at: float) -> int:
    """The group that has a moment; where the clock was set back, the later one of two."""
    begun = (n for n in reversed(range(len(groups))) if groups[n].began <= taken_at)
    return next(begun, 0)


def _begin(groups: list[GroupSpan], sought: int, taken_at: float) -> int:
    """The number at which a run-up from that time on begins."""
    place = sought
    while place and groups[place - 1].ended >= taken_at and groups[place].began > taken_at:
        place -= 1
    return groups[place].first
