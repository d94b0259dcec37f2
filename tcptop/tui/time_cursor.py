"""Which snapshot is shown: the newest, one that is held, or an earlier one; and the marked one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Protocol

from tcptop.analysis.findings.words import clock_time
from tcptop.columns import units
from tcptop.model.moment import FORMS, moment
from tcptop.model.snapshot import Snapshot

if TYPE_CHECKING:
    from tcptop.tui.changes_model import ChangesModel

MINUTE_S = 60.0
NOTHING_YET = "no sample yet"


class Timeline(Protocol):
    """The snapshots that one can go back to."""

    @property
    def oldest(self) -> Snapshot | None: ...

    def before(self, snapshot: Snapshot) -> Snapshot | None: ...

    def after(self, snapshot: Snapshot) -> Snapshot | None: ...

    def at(self, clock: float) -> Snapshot | None:
        """The last one up to a moment, or else the oldest."""


@dataclass
class TimeCursor:
    """`newest` is the last snapshot; `held` the one that is shown instead while paused, or `past`
    where it was gone back to. `marked` is the one to compare with.

    What moves it returns what is to be said of that.
    """

    replayed: ClassVar[bool] = False  # of a recording, which is over
    unmarked: ClassVar[str] = NOTHING_YET  # why there is nothing to compare with
    timeline: Timeline
    newest: Snapshot | None = None
    held: Snapshot | None = None
    past: bool = False
    marked: Snapshot | None = None
    _marked_at: float = 0.0  # its `place`
    _changes: ChangesModel | None = None

    @property
    def snapshot(self) -> Snapshot | None:
        """The one that is shown."""
        return self.held or self.newest

    @property
    def place(self) -> float:
        """Of what is shown, in the order in which samples were taken."""
        return self.snapshot.sample.clock if self.snapshot is not None else 0.0

    @property
    def called(self) -> str:
        """What is shown, in a word or by its time."""
        return "now" if self.held is None else clock_time(self.held.sample.taken_at)

    @property
    def moving(self) -> bool:
        """Whether what is shown goes on by itself."""
        return self.held is None

    def pause(self) -> str | None:
        """Hold the present one, or go on with the newest."""
        self.held, self.past = (self.newest if self.held is None else None), False
        return None

    def step(self, steps: int) -> str | None:
        now = self.snapshot
        if now is None:
            return NOTHING_YET
        if steps < 0:
            return self._go_back(self.timeline.before(now))
        return self._go_on(self.timeline.after(now))

    def minute(self, minutes: int) -> str | None:
        now = self.snapshot
        if now is None or self.newest is None:
            return NOTHING_YET
        moment = now.sample.clock + minutes * MINUTE_S
        found = self.timeline.at(moment)
        if minutes > 0:
            return self._go_on(found if moment < self.newest.sample.clock else None)
        oldest = found is None or found.sample.clock >= now.sample.clock
        return self._go_back(None if oldest else found)

    def jump(self, text: str) -> str | None:
        """To a time as it is typed."""
        oldest, newest = self.timeline.oldest, self.newest
        if oldest is None or newest is None:
            return NOTHING_YET
        last = newest.sample.taken_at
        found = moment(text, (oldest.sample.taken_at, last))
        if found is None:
            return f"{text}: no time, such as {FORMS}"
        kept = self.timeline.at(newest.sample.clock - (last - found))
        if found < oldest.sample.taken_at or kept is None:
            return f"the oldest sample kept is of {clock_time(oldest.sample.taken_at)}"
        return self._go_to(kept) if found < last else self._go_on(None)

    def edge(self, steps: int) -> str | None:
        """To where a finding begins or ends."""
        return "only in a recording: tcptop replay FILE"

    def _go_back(self, snapshot: Snapshot | None) -> str:
        if snapshot is None:
            return "this is the oldest sample kept"
        return self._go_to(snapshot)

    def _go_on(self, snapshot: Snapshot | None) -> str:
        if self.held is None:
            return "this is the newest sample"
        if snapshot is None:
            self.held, self.past = None, False
            return "live again"
        return self._go_to(snapshot)

    def _go_to(self, snapshot: Snapshot) -> str:
        self.held, self.past = snapshot, True
        newest = self.newest or snapshot
        ago = units.long_duration(newest.sample.clock - snapshot.sample.clock)
        return f"{ago} ago; Space returns to live"

    # -- what changed

    def mark(self) -> str:
        """Have the present one to compare with."""
        self.marked, self._marked_at = self.snapshot, self.place
        if self.marked is None:
            return NOTHING_YET
        at = clock_time(self.marked.sample.taken_at)
        return f"marked {at}; D shows what changes from now on"

    def marks(self) -> bool:
        """Whether there is one to compare with: the marked one, or else the oldest."""
        oldest = self.timeline.oldest
        if self.marked is None and oldest is not None:
            self.marked, self._marked_at = oldest, oldest.sample.clock
        return self.marked is not None

    @property
    def changes(self) -> ChangesModel | None:
        """What changed from the mark to what is shown, or the other way round."""
        if self.marked is None or self.snapshot is None:
            return None
        from tcptop.columns.changes import SnapshotPair
        from tcptop.tui.changes_model import ChangesModel

        backwards = self.place < self._marked_at
        both = (self.snapshot, self.marked) if backwards else (self.marked, self.snapshot)
        compared = SnapshotPair(*both)
        if self._changes is None or self._changes.compared != compared:
            self._changes = ChangesModel(compared, backwards)
        return self._changes
