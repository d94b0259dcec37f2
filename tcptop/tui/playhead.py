"""Which moment of a recording is shown: the keys of time, where the time is over."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tcptop.analysis.finding_marks import FindingMark
from tcptop.analysis.findings.words import clock_time, day
from tcptop.model.moment import FORMS, moment
from tcptop.tui.time_cursor import MINUTE_S, NOTHING_YET, TimeCursor

if TYPE_CHECKING:
    from tcptop.model.archive import SampleIndex
    from tcptop.tui.player import Player

EARLY = "What was before is still being read: findings, rates and ages here are not complete yet."
WITHIN_S = 0.999  # who types a second means the sample that is shown with it
FIRST, LAST = "this is the first sample", "this is the last sample"


class Playhead(TimeCursor):
    """`newest` is the moment that is shown, which the player brings; nothing is held."""

    replayed = True
    unmarked = "the first sample is still being read; m marks the one that is shown"

    def __init__(self, player: Player) -> None:
        super().__init__(player.recent)
        self.player = player
        self.number = 0  # of the sample that is shown

    @property
    def place(self) -> float:
        return self.number  # clocks begin anew with each boot

    @property
    def called(self) -> str:
        return clock_time(self.newest.sample.taken_at) if self.newest is not None else ""

    @property
    def moving(self) -> bool:
        return self.player.playing and not (self.player.at_end and not self.player.follows)

    def pause(self) -> str | None:
        player = self.player
        if player.at_end and not player.follows:
            player.restart()
            return "from the beginning"
        player.play(not player.playing)
        return None

    def step(self, steps: int) -> str | None:
        if self.player.step(steps):
            return None
        return FIRST if steps < 0 else LAST

    def minute(self, minutes: int) -> str | None:
        if self.newest is None:
            return NOTHING_YET
        return self._go(self.newest.sample.taken_at + minutes * MINUTE_S)

    def jump(self, text: str) -> str | None:
        taken_at = self.player.index.taken_at
        found = moment(text, (float(taken_at[0]), float(taken_at[-1])))
        if found is None:
            return f"{text}: no time, such as {FORMS}"
        return self._go(found + WITHIN_S if found.is_integer() else found)

    def _go(self, taken_at: float) -> str | None:
        """To a Unix time, or as near as the recording comes to it."""
        player = self.player
        index = player.index
        player.seek(index.at(taken_at))
        if taken_at < index.taken_at[0]:
            return f"the recording begins at {dated(float(index.taken_at[0]), index)}"
        if taken_at > index.taken_at[-1]:
            return f"the recording ends at {dated(float(index.taken_at[-1]), index)}"
        return None

    def edge(self, steps: int) -> str:
        """To where the previous or next finding begins or ends, and hold there."""
        player = self.player
        found = player.marks.beside(player.number, steps)
        if not found:
            return self._no_edge(steps)
        player.play(False)
        player.seek(player.index.place(found[0].number))
        return _told(found)

    def _no_edge(self, steps: int) -> str:
        player = self.player
        if player.scanned or (steps < 0 and player.number <= player.marks.until):
            return f"no finding begins or ends {'before' if steps < 0 else 'after'} this"
        until = player.marks.until
        if until < 0:
            return "findings are still being looked for"
        at = dated(float(player.index.taken_at[player.index.place(until)]), player.index)
        return f"none there yet: findings are known until {at}"

    def marks(self) -> bool:
        """The first sample, where none was marked."""
        if self.marked is None:
            self.marked, self._marked_at = self.player.first, -1
        return self.marked is not None

    def mark(self) -> str:
        self.marked, self._marked_at = self.snapshot, self.place
        if self.marked is None:
            return NOTHING_YET
        at = clock_time(self.marked.sample.taken_at)
        return f"marked {at}; D shows what is different at other moments"


def _told(marks: Sequence[FindingMark]) -> str:
    first, more = marks[0], len(marks) - 1
    said = f"{'begins' if first.begins else 'ends'}: {first.finding.title}"
    return f"{said}, and {more} more" if more else said


def mode(player: Player, taken_at: float) -> tuple[str, str]:
    """What goes on, for the header, and its style."""
    at = dated(taken_at, player.index)
    if player.following:
        return f"FOLLOWS {at}", "header"
    if player.at_end:
        return f"END {at}", "warn header"
    if player.playing:
        return f"PLAY {player.speed:g}x {at}", "header"
    return f"PAUSED {at}", "warn header"


def dated(taken_at: float, index: SampleIndex) -> str:
    """With the day, where not all of the recording is of today."""
    days = {day(at) for at in (float(index.taken_at[0]), float(index.taken_at[-1]), time.time())}
    clock = clock_time(taken_at)
    return clock if len(days) == 1 else f"{day(taken_at)} {clock}"
