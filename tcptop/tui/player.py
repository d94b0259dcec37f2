"""The thread that plays a recording, in place of the one that watches a host.

What a moment takes is little; while nobody asks for one the recording is read from its beginning
on, for the findings on the timeline.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from functools import partial

import numpy as np
from textual.message import Message
from textual.message_pump import MessagePump

from tcptop.analysis.finding_marks import FindingMarks
from tcptop.analysis.findings.settings import FindingSettings
from tcptop.analysis.playback import Playback, Understood
from tcptop.analysis.rings import Rings
from tcptop.columns import RECORDED
from tcptop.model.archive import Archive, SampleIndex
from tcptop.model.breaks import Breaks, breaks
from tcptop.model.dataclass import dataclass
from tcptop.model.snapshot import Snapshot
from tcptop.model.source import EndOfSamples, Source
from tcptop.tui.lists import show
from tcptop.tui.watcher import SampleFailed, SnapshotTaken, Watcher, one_line

LOOK_S = 1.0  # between two looks for samples that were written meanwhile
TOLD_S = 0.25  # between two notices of how far the findings are
FRAME_S = 0.05  # moments that come faster are not all painted
GAP_S = 5.0  # without samples, beyond what the interval explains: nobody waits for it
SPEEDS = (0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 100.0, 300.0, 1000.0)

OpenArchive = Callable[[], AbstractContextManager[Archive]]


@dataclass(frozen=True)
class ReplaySettings:
    """`begin` is the Unix time to begin at, None for the last sample."""

    open_archive: OpenArchive
    index: SampleIndex
    begin: float | None = None
    speed: float = 1.0


class MomentShown(SnapshotTaken):
    """A snapshot of the recording."""

    def __init__(self, taken: SnapshotTaken, moment: Understood) -> None:
        super().__init__(taken.snapshot, taken.shown)
        self.moment = moment


class Progressed(Message):
    """More is known of the recording."""

    def can_replace(self, message: Message) -> bool:
        return isinstance(message, Progressed)


class Player(Watcher):
    """What is asked for is done by the thread, the last that was asked for first.

    `goal` is the number of the sample to go to; `number` that of the one that was shown last.
    """

    def __init__(
        self, chosen: ReplaySettings, target: MessagePump, settings: FindingSettings
    ) -> None:
        super().__init__(_no_source, 1.0, target, settings)
        self.index = chosen.index
        self.marks = FindingMarks()
        self.playing = True
        self.exact = False  # what is shown is as after all samples before it
        self.first: Snapshot | None = None
        self.follows = False  # samples have come since it was opened
        self.scanned = False  # up to the last sample there is
        self.speed = chosen.speed
        self.number = -1
        self._chosen = chosen
        self._broken = chosen.index, breaks(chosen.index)
        self._unreadable: list[tuple[int, int]] = []  # first numbers, and those after the last
        place = len(self.index) - 1 if chosen.begin is None else self.index.at(chosen.begin)
        self._goal: int | None = int(self.index.number[place])
        self._due = 0.0
        self._looked = self._told = self._painted = 0.0

    @property
    def breaks(self) -> Breaks:
        """Those of the index, found once."""
        if self._broken[0] is not self.index:
            self._broken = self.index, breaks(self.index)
        return self._broken[1]

    # -- what the keys ask for

    @property
    def at_end(self) -> bool:
        return self._place >= len(self.index) - 1

    @property
    def _place(self) -> int:
        """In the index, of where it is or is going to."""
        return self.index.place(self.number if self._goal is None else self._goal)

    @property
    def place(self) -> int:
        """In the index, of what is shown."""
        return self.index.place(self.number)

    @property
    def following(self) -> bool:
        """Playing what has just been written."""
        index, place = self.index, self.place
        if not (self.playing and self.follows and len(index)):
            return False
        behind = float(index.clock[-1] - index.clock[place])
        usual = float(index.clock[-1] - index.clock[-2]) if len(index) > 1 else 0.0
        return 0 <= behind <= 2 * LOOK_S + 2 * usual

    def play(self, on: bool) -> None:
        self.playing = on
        self._wake.set()

    def restart(self) -> None:
        """From the beginning."""
        self.seek(0)
        self.play(True)

    def seek(self, place: int) -> None:
        self._goal = int(self.index.number[max(0, min(place, len(self.index) - 1))])
        self._wake.set()

    def step(self, steps: int) -> bool:
        """Hold, so many samples further; whether there are so many."""
        self.playing = False
        place = self._place + steps
        self.seek(place)
        return 0 <= place < len(self.index)

    def hurry(self, steps: int) -> str:
        """The next speed."""
        now = self.speed
        others = [each for each in SPEEDS if (each > now if steps > 0 else each < now)]
        if others:
            self.speed = min(others) if steps > 0 else max(others)
        self._due = 0.0
        self._wake.set()
        return f"speed {self.speed:g}x"

    # -- the thread

    def _run(self) -> None:
        try:
            with self._chosen.open_archive() as archive:
                spare = partial(Rings, RECORDED)
                self._play(Playback(archive, self.rings, spare, self._settings))
        except Exception as error:  # whatever it is, the screen must say it
            self._tell(SampleFailed(one_line(error), final=True))

    def _play(self, playback: Playback) -> None:
        self.marks = playback.marks
        while not self._stopped:
            self._wake.clear()
            try:
                busy = self._once(playback)
            except (OSError, ValueError) as error:
                self._tell(SampleFailed(one_line(error)))
                busy, self._goal = False, None
            if not busy and not self._stopped:
                self._wake.wait(self._rest_s())

    def _once(self, playback: Playback) -> bool:
        """The most urgent thing; whether there may be more to do."""
        goal, now = self._goal, time.monotonic()
        if goal is not None:
            self._reach(playback, goal)
        elif self.playing and now >= self._due and not self.at_end:
            self._go_on(playback)
        elif now - self._looked >= LOOK_S:
            self._look(playback)
        else:
            return self._work(playback)
        return True

    def _reach(self, playback: Playback, goal: int) -> None:
        before, moment = self.number, None
        with suppress(EndOfSamples):
            moment = playback.go(goal)
        if moment is None or moment.number != goal:
            self._forget(goal, moment.number if moment is not None else goal + 1)
            place = int(np.searchsorted(self.index.number, goal)) - 1
            if goal < before and place >= 0 and self._goal == goal:  # back, over what is damaged
                self._goal = int(self.index.number[place])
                return
        if moment is not None:
            self._show(moment)
        if self._goal == goal:  # else it was asked for another one meanwhile
            self._goal = None
        self._due = time.monotonic() + self._gap_s()

    def _forget(self, first: int, end: int) -> None:
        """Samples that cannot be read are none to go to."""
        self._unreadable.append((first, end))
        self.index = self._readable(self.index)

    def _readable(self, index: SampleIndex) -> SampleIndex:
        gone = np.zeros(len(index), bool)
        for first, end in self._unreadable:
            gone |= (index.number >= first) & (index.number < end)
        return index.without(gone) if gone.any() else index

    def _go_on(self, playback: Playback) -> None:
        following, moment = int(self.index.number[self.place + 1]), playback.advance()
        if moment is None or moment.number != following:
            self._forget(following, moment.number if moment is not None else following + 1)
        if moment is None:
            return
        self.number = moment.number
        now, due = time.monotonic(), self._due + self._gap_s()
        self._due = due if due > now - 1.0 else now
        if now - self._painted >= FRAME_S or self.at_end:
            self._show(moment)

    def _show(self, moment: Understood) -> None:
        self.number, self._painted = moment.number, time.monotonic()
        self.exact = moment.exact
        shown = None
        criteria = self.criteria
        if criteria is not None:
            with suppress(Exception):  # who paints meets it too, and says that it cannot be drawn
                shown = show(moment.snapshot, criteria)
        self._tell(MomentShown(SnapshotTaken(moment.snapshot, shown), moment))

    def _look(self, playback: Playback) -> None:
        """Whether samples were written meanwhile."""
        self._looked = time.monotonic()
        if playback.refresh():
            was_at_end = self.at_end
            self.index = self._readable(playback.index)
            self.follows, self.scanned = True, False
            if was_at_end:
                self._due = self._looked
            self._tell(Progressed())

    def _work(self, playback: Playback) -> bool:
        if self.scanned and playback.settled:
            return False
        some, moment = playback.work()
        if moment is not None:
            self._show(moment)
        self.scanned, self.first = not some, playback.first
        now = time.monotonic()
        if now - self._told >= TOLD_S or not some:
            self._told = now
            self._tell(Progressed())
        return some

    def _gap_s(self) -> float:
        """Seconds from what is shown to the next sample, as it is played."""
        index, place = self.index, self.place
        if place + 1 >= len(index):
            return 0.0
        gap = float(index.clock[place + 1] - index.clock[place])
        usual = float(index.clock[place] - index.clock[place - 1]) if place else gap
        if not 0 <= gap <= max(usual, 0.0) * 3 + GAP_S:
            gap = 1.0
        return gap / self.speed

    def _rest_s(self) -> float:
        now = time.monotonic()
        left = [self._looked + LOOK_S - now]
        if self.playing and not self.at_end:
            left.append(self._due - now)
        return max(0.0, min(left))


def _no_source() -> AbstractContextManager[Source]:
    raise AssertionError("a recording is not watched")
