"""Time: the picture is held, an earlier sample is shown in every view, or two are compared."""

from __future__ import annotations

from tcptop.analysis.findings.words import clock_time
from tcptop.columns import units
from tcptop.model.snapshot import Snapshot
from tcptop.tui.moving import Moving

MINUTE_S = 60.0


class LookingBack(Moving, inherit_bindings=False):
    """The keys that choose the moment."""

    def action_pause(self) -> None:
        self.session.pause()
        self._show()

    def action_step(self, samples: int) -> None:
        session, now = self.session, self.session.snapshot
        if now is None:
            self._say("nothing was seen yet")
        elif samples < 0:
            self._go_back(session.recent.before(now))
        else:
            self._go_on(session.recent.after(now))

    def action_minute(self, minutes: int) -> None:
        session, now = self.session, self.session.snapshot
        if now is None or session.newest is None:
            self._say("nothing was seen yet")
            return
        moment = now.sample.clock + minutes * MINUTE_S
        found = session.recent.at(moment)
        if minutes > 0:
            later = moment < session.newest.sample.clock
            self._go_on(found if later else None)
        else:
            oldest = found is None or found.sample.clock >= now.sample.clock
            self._go_back(None if oldest else found)

    def action_mark(self) -> None:
        session = self.session
        session.marked = session.snapshot
        self._show()
        if session.marked is not None:
            at = clock_time(session.marked.sample.taken_at)
            self._say(f"marked {at}; D shows what changes from now on")

    def action_changes(self) -> None:
        session = self.session
        session.marked = session.marked or session.recent.oldest
        if session.marked is None:
            self._say("nothing was seen yet")
        elif self.here.changes and not self.here.help:
            self.action_leave()
        else:
            session.compare(self.followed)
            self._show(swapped=True)

    def _go_back(self, snapshot: Snapshot | None) -> None:
        if snapshot is None:
            self._say("this is the oldest look that is kept")
        else:
            self._hold(snapshot)

    def _go_on(self, snapshot: Snapshot | None) -> None:
        if self.session.held is None:
            self._say("this is the newest look")
        elif snapshot is None:
            self._hold(None)
            self._say("live again")
        else:
            self._hold(snapshot)

    def _hold(self, snapshot: Snapshot | None) -> None:
        newest = self.session.newest
        self.session.hold(snapshot, past=snapshot is not None)
        self._show()
        if snapshot is not None and newest is not None:
            ago = units.duration(newest.sample.clock - snapshot.sample.clock)
            self._say(f"{ago} ago; Space is back to now")
