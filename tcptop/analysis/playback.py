"""Any moment of an archive as a watch from its beginning would have shown it.

What a sample means depends on all before it. So the archive is read once from the beginning
(`scan`), and what is known then is kept every few samples; a moment is understood from there on.
Before the scan has come that far it is understood by fewer samples, and so said to be.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from tcptop.analysis.checkpoints import Checkpoints
from tcptop.analysis.finding_marks import FindingMarks
from tcptop.analysis.findings.settings import DEFAULTS, FindingSettings
from tcptop.analysis.moments import KnownMoment, Moments
from tcptop.analysis.recall import SocketRecall
from tcptop.analysis.rings import Rings
from tcptop.analysis.watch import Known, WatchLoop
from tcptop.model.archive import Archive, Numbered
from tcptop.model.named_tuple import NamedTuple
from tcptop.model.sample import Sample
from tcptop.model.snapshot import Snapshot
from tcptop.model.source import EndOfSamples, Requests, Stop

EVERY = 5  # samples, after which what is known is kept
RUN_UP = 1  # samples before the first screen, for rates
LONG_RUN_UP_S = 200.0  # rules look back for three minutes
NEAR = 30  # samples that are read at once


class Understood(NamedTuple):
    """`exact`: as it is after all samples before it."""

    number: int
    snapshot: Snapshot
    exact: bool


class _Following:
    """The source of a watch: the samples that follow one."""

    def __init__(self, archive: Archive, number: int) -> None:
        self.number = number  # of the last one
        self._archive = archive
        self._coming: Iterator[Numbered] = iter(())

    def request(self, wanted: Requests) -> None:
        """What was asked for when the samples were taken is in them."""

    def pass_to(self, number: int) -> None:
        """Go on after that one, which was not read."""
        self.number, self._coming = number, iter(())

    def sample(self) -> Sample:
        taken = next(self._coming, None)
        if taken is None:  # what was written since
            self._coming = self._archive.samples(self.number + 1)
            taken = next(self._coming, None)
        if taken is None:
            raise EndOfSamples
        self.number = taken.number
        return taken.sample

    def wait(self, interval: float, stop: Stop) -> bool:
        return stop.is_set()


class Track:
    """Sample after sample, understood, and what is recorded of them. `number` is of the last."""

    def __init__(
        self,
        archive: Archive,
        settings: FindingSettings,
        rings: Rings,
        after: int,
        exact: bool,
        known: Known | None = None,
        moments: Moments | None = None,
    ) -> None:
        self.rings, self.exact = rings, exact
        self._moments = moments
        self._source = _Following(archive, after)
        self._loop = WatchLoop(self._source, settings)
        if known is not None:
            self._loop.known = known

    @property
    def number(self) -> int:
        return self._source.number

    @property
    def known(self) -> Known:
        return self._loop.known

    def advance(self) -> Understood | None:
        """The next one; None where there is none yet."""
        boot_id = self.known.boot_id
        snapshot = self._remembered() or self._understood()
        if snapshot is None:
            return None
        if boot_id not in (None, self.known.boot_id):
            self.rings.become([])
        self.rings.add(snapshot)
        return Understood(self.number, snapshot, self.exact)

    def _remembered(self) -> Snapshot | None:
        moment = self._moments.after(self.number) if self._moments is not None else None
        if moment is None:
            return None
        self._source.pass_to(moment.number)
        self._loop.known = moment.known
        return moment.snapshot

    def _understood(self) -> Snapshot | None:
        before = self.number
        try:
            snapshot = self._loop.step()
        except EndOfSamples:
            return None
        if self._moments is not None:
            self._moments.add(before, KnownMoment(self.number, snapshot, self.known))
        return snapshot


class Playback:
    """Used by one thread. `rings` are those of the moment that is shown."""

    def __init__(
        self,
        archive: Archive,
        rings: Rings,
        spare: Callable[[], Rings],
        settings: FindingSettings = DEFAULTS,
    ) -> None:
        self.marks = FindingMarks()
        self.index = archive.index()
        self.first: Snapshot | None = None
        self.checkpoints = Checkpoints()
        self._archive, self._settings, self._rings, self._spare = archive, settings, rings, spare
        self._scan = Track(archive, settings, spare(), -1, exact=True)
        self._moments = Moments()  # exact ones
        self._since = 0  # samples since the last checkpoint
        self._now: Track | None = None
        self._run_up: Track | None = None
        self._recall: SocketRecall | None = None
        self._recalled: frozenset[int] = frozenset()

    def refresh(self) -> bool:
        """Whether more samples have come."""
        before, self.index = len(self.index), self._archive.index()
        return len(self.index) > before

    # -- the moment that is shown

    def go(self, number: int) -> Understood:
        """To that sample, or to the next one that can be read, or the last. Raises EndOfSamples."""
        track = self._nearest(number)
        moment = further = track.advance()
        while further is not None and further.number < number:
            if (further := track.advance()) is not None:
                moment = further
        if moment is None:
            raise EndOfSamples
        if track is not self._now:
            self._recall, self._recalled = None, frozenset()
        self._now = track
        self._run_up = None if track.exact else self._long_run_up(moment.number)
        return moment

    def advance(self) -> Understood | None:
        """The next sample; None where there is none yet."""
        return self._now.advance() if self._now is not None else None

    def _nearest(self, number: int) -> Track:
        """The track that gets there with the fewest samples."""
        now, found = self._now, self.checkpoints.before(number)
        kept = -1 if found is None else found
        near = now is not None and max(kept, number - NEAR) <= now.number < number
        if now is not None and near and (now.exact or number > self.marks.until):
            return now
        place = self.index.place(number)
        begin = self.index.place(kept) if found is not None else 0
        if found is None and place <= NEAR:
            return self._from(-1, exact=True)
        if found is None or (place - begin > NEAR and number > self.marks.until):
            return self._from(int(self.index.number[max(0, place - RUN_UP)]) - 1, exact=False)
        kept_then = self.checkpoints.at(kept)
        self._rings.become(kept_then.rings)
        return self._track(self._rings, kept, True, kept_then.known)

    def _from(self, after: int, exact: bool) -> Track:
        self._rings.become([])
        return self._track(self._rings, after, exact)

    def _track(self, rings: Rings, after: int, exact: bool, known: Known | None = None) -> Track:
        moments = self._moments if exact else None
        return Track(self._archive, self._settings, rings, after, exact, known, moments)

    # -- what is done while nothing else is

    @property
    def settled(self) -> bool:
        """Whether the moment that is shown is as good as it will be."""
        known = self._run_up is None and (self._now is None or self._now.exact)
        return known and self._recall is None and not self._forgotten

    def work(self) -> tuple[bool, Understood | None]:
        """Read one more sample. Whether there was one; and the moment that is shown, where more is
        known of what was before it now."""
        now = self._now
        if now is not None and not now.exact and now.number <= self.marks.until:
            return True, self.go(now.number)
        if self._run_up is not None:
            return True, self._come_up(self._run_up)
        if self._recall is not None or self._forgotten:
            return True, self._remember(self._recall or self._recalling())
        return self._scan_on(), None

    @property
    def _forgotten(self) -> tuple[int, ...]:
        """Sockets that are looked at, whose past has not been read."""
        return tuple(key for key in self._rings.watched if key not in self._recalled)

    def _recalling(self) -> SocketRecall:
        now, oldest = self._now, self._rings.oldest
        number = now.number if now is not None else -1
        place = self.index.place(number)
        clocks = self.index.clock[: place + 1]
        later = np.flatnonzero(clocks < (oldest or 0.0))  # of another boot, or too old
        first = int(self.index.number[int(later[-1]) + 1 if len(later) else 0])
        self._recall = SocketRecall(self._forgotten, self._archive.samples(first), number)
        return self._recall

    def _remember(self, recall: SocketRecall) -> Understood | None:
        """Read one more sample for the sockets that are looked at."""
        if recall.advance():
            return None
        self._recall, self._recalled = None, self._recalled | {*recall.keys}
        if recall.clocks:
            clocks = np.array(recall.clocks)
            for key in recall.keys:
                self._rings.recall(key, clocks, recall.values(key))
        return None

    def _scan_on(self) -> bool:
        """One more sample from the beginning on; False where there is none yet."""
        moment = self._scan.advance()
        if moment is None:
            return False
        self.first = self.first or moment.snapshot
        self.marks.add(moment.number, moment.snapshot.findings)
        self._since += 1
        if self._since >= EVERY:
            self._since = 0
            self.checkpoints.add(moment.number, self._scan.known, self._scan.rings)
        return True

    def _long_run_up(self, number: int) -> Track | None:
        """To a moment that the scan will not reach soon."""
        place = self.index.place(number)
        begin = self.index.at(float(self.index.taken_at[place]) - LONG_RUN_UP_S)
        if begin >= place - RUN_UP or begin <= self.index.place(self.marks.until) + NEAR:
            return None
        return self._track(self._spare(), int(self.index.number[begin]) - 1, exact=False)

    def _come_up(self, track: Track) -> Understood | None:
        """The moment that is shown, once the run-up to it has come there."""
        now, moment = self._now, track.advance()
        if now is not None and moment is not None and moment.number < now.number:
            return None
        self._run_up = None
        if now is None or moment is None or moment.number != now.number:
            return None  # it was played on meanwhile
        self._rings.become([track.rings.part(0)])
        self._now = self._track(self._rings, moment.number, False, track.known)
        return moment
