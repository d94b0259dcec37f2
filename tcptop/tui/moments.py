"""Which sample is shown: the newest, one that is held, or an earlier one; and the marked one."""

from __future__ import annotations

from dataclasses import dataclass, field

from tcptop.analysis.recent import Recent
from tcptop.columns.changes import SnapshotPair
from tcptop.model.snapshot import Snapshot
from tcptop.tui.models import ChangesModel


@dataclass
class Moments:
    """`newest` is the last snapshot; `held` the one that is shown instead while paused, or `past`
    where it was gone back to among the `recent`. `marked` is the one to compare with."""

    newest: Snapshot | None = None
    held: Snapshot | None = None
    past: bool = False
    recent: Recent = field(default_factory=Recent)
    marked: Snapshot | None = None
    _changes: ChangesModel | None = None

    @property
    def snapshot(self) -> Snapshot | None:
        """The one that is shown."""
        return self.held or self.newest

    def pause(self) -> None:
        """Hold the present sample, or go on with the newest."""
        self.hold(self.newest if self.held is None else None)

    def hold(self, snapshot: Snapshot | None, past: bool = False) -> None:
        """Show this sample until another one is asked for; None: the newest."""
        self.held, self.past = snapshot, past

    @property
    def changes(self) -> ChangesModel | None:
        """What changed from the mark to the sample that is shown, or the other way round."""
        if self.marked is None or self.snapshot is None:
            return None
        compared = SnapshotPair(
            *sorted((self.marked, self.snapshot), key=lambda each: each.sample.clock)
        )
        if self._changes is None or self._changes.compared != compared:
            self._changes = ChangesModel(compared, backwards=compared.old is not self.marked)
        return self._changes
