"""The course of a recording: its numbers, and its findings from beginning to end.

Numbers are kept in so many columns, each with the least and the most of the time it stands for:
a spike of one sample stays, and a week takes no more room than a minute.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from tcptop.analysis import identity, subject
from tcptop.analysis.recorded import host_values
from tcptop.analysis.selection import everything
from tcptop.columns.endpoints import addresses, zones
from tcptop.columns.kernel_counters import CATALOGUE
from tcptop.columns.netns import place
from tcptop.columns.sockets import local_texts
from tcptop.model.address import endpoint
from tcptop.model.breaks import DRIFT, GAP_INTERVALS, GAP_S, STEP_S
from tcptop.model.finding import SEVERITIES, Finding, causes
from tcptop.model.named_tuple import NamedTuple
from tcptop.model.sample import Sample
from tcptop.model.selection import Selection
from tcptop.model.snapshot import Snapshot
from tcptop.model.table import F64
from tcptop.views.findings import culprits

COLUMNS = 600
REST_S = 10.0  # a finding that comes again sooner has not ended
SUBJECTS = 64  # listeners and destinations whose numbers are kept
FULLEST = 8  # destinations of a sample
_DIGITS = re.compile("[0-9]+")
MEANT = {(each.section, each.name) for each in CATALOGUE}


class ColumnBand:
    """One number over time. `most_at` is when it was `most`; NaN where it was never known."""

    def __init__(self) -> None:
        self.low, self.high = np.full(COLUMNS, np.nan), np.full(COLUMNS, np.nan)
        self.least = self.most = self.last = self.most_at = np.nan

    def put(self, column: int, at: float, value: float) -> None:
        if value != value:
            return
        self.low[column] = np.fmin(self.low[column], value)
        self.high[column] = np.fmax(self.high[column], value)
        self.least = float(np.fmin(self.least, value))
        if not value <= self.most:
            self.most, self.most_at = value, at
        self.last = value


@dataclass
class Episode:
    """A finding while it was there; `worst` as it was when it was most severe, then about most
    `sockets`, the last time, which is `at`: it may be told for a while after they have gone."""

    worst: Finding
    at: float
    spans: list[list[float]]
    sockets: int = -1
    people: tuple[str, ...] = ()

    @property
    def began(self) -> float:
        return min(begin for begin, _ in self.spans)  # the clock may have been set back

    @property
    def ended(self) -> float:
        return self.spans[-1][1]

    @property
    def lasted_s(self) -> float:
        return sum(end - begin for begin, end in self.spans)

    @property
    def rank(self) -> int:
        return SEVERITIES.index(self.worst.severity)


@dataclass
class Watched:
    """A listener, or a destination: what it is called, how full it was, and what fits."""

    name: str
    used: ColumnBand = field(default_factory=ColumnBand)
    dropped: ColumnBand = field(default_factory=ColumnBand)
    capacity: float = np.nan
    fullest: float = 0.0


class Course:
    """Made of the snapshots from `begin` to `end`, in order; `worst` is the one with most wrong,
    then with most sockets that this is about, the last of several."""

    def __init__(self, begin: float, end: float) -> None:
        self.begin, self.end = begin, end
        self.samples = 0
        self.first_at = np.full(COLUMNS, np.nan)  # of the samples in a column
        self.last_at = np.full(COLUMNS, np.nan)
        self.host: dict[str, ColumnBand] = {}
        self.counters: dict[tuple[str, str], ColumnBand] = {}
        self.listeners: dict[int, Watched] = {}
        self.destinations: dict[int, Watched] = {}
        self.episodes: dict[str, Episode] = {}
        self.limits: dict[tuple[int, str], list[tuple[float, str]]] = {}
        self.notes: dict[str, str] = {}  # those that differ in numbers are one, the last
        self.boots: dict[str | None, float] = {}
        self.gaps: list[tuple[float, float]] = []
        self.steps: list[tuple[float, float]] = []  # when the clock was set, and by how much
        self.worst: Snapshot | None = None
        self._wrong = (0, 0, 0)
        self._interval = 1.0
        self._before: Sample | None = None

    @property
    def gap_s(self) -> float:
        """Longer than this without a sample is a gap."""
        return max(GAP_INTERVALS * self._interval, GAP_S)

    @property
    def wide_gaps(self) -> list[tuple[float, float]]:
        """Those that are wide enough to be seen; where the clock was set back too, none is."""
        least = (self.end - self.begin) / COLUMNS
        return [(begin, end) for begin, end in self.gaps if end - begin >= least]

    @property
    def booted(self) -> list[float]:
        """The first samples after boots."""
        return [*self.boots.values()][1:]

    def add(self, snapshot: Snapshot) -> None:
        sample = snapshot.sample
        at = sample.taken_at
        if self._before is not None:
            self._breaks(self._before, sample)
        self._before, self.samples = sample, self.samples + 1
        self._interval = sample.interval_s or self._interval
        column = self._column(at)
        self.first_at[column] = np.fmin(self.first_at[column], at)
        self.last_at[column] = np.fmax(self.last_at[column], at)
        self.boots.setdefault(sample.host.boot_id, at)
        self._numbers(snapshot, column, at)
        self._findings(snapshot, at)
        self._limits(sample, at)
        for note in (*sample.notes, *(each.note for each in snapshot.silent)):
            self.notes[_DIGITS.sub("", note)] = note

    def _breaks(self, before: Sample, sample: Sample) -> None:
        """Time without samples, by the clock that nobody sets, which begins anew with a boot."""
        wall = passed = sample.taken_at - before.taken_at
        if sample.host.boot_id == before.host.boot_id:
            passed = sample.clock - before.clock
            if abs(wall - passed) > max(STEP_S, passed * DRIFT):
                self.steps.append((sample.taken_at, wall - passed))
        if passed > self.gap_s:
            self.gaps.append((before.taken_at, sample.taken_at))

    def _column(self, at: float) -> int:
        share = (at - self.begin) / (self.end - self.begin) if self.end > self.begin else 0.0
        return int(min(max(share, 0.0), 1.0) * (COLUMNS - 1))

    def _numbers(self, snapshot: Snapshot, column: int, at: float) -> None:
        for name, value in host_values(snapshot).items():
            self.host.setdefault(name, ColumnBand()).put(column, at, value)
        for key, rate in _rates(snapshot).items():
            if rate > 0 or key in self.counters:
                self.counters.setdefault(key, ColumnBand()).put(column, at, rate)
        selection = everything(snapshot)
        for reading in _queues(selection, self.listeners):
            _keep(self.listeners, reading, column, at)
        for reading in _ports(selection, self.destinations):
            _keep(self.destinations, reading, column, at)

    def _findings(self, snapshot: Snapshot, at: float) -> None:
        concerned = np.zeros(len(snapshot.sample.sockets), bool)
        for finding in snapshot.findings:
            known = self.episodes.get(finding.key)
            if known is None:
                known = self.episodes[finding.key] = Episode(finding, at, [[at, at]])
            elif 0 <= at - known.ended <= max(REST_S, self.gap_s):
                known.spans[-1][1] = at
            else:
                known.spans.append([at, at])
            about = subject.rows(finding.subject, snapshot)
            concerned |= about
            rank = SEVERITIES.index(finding.severity), int(np.count_nonzero(about))
            if rank >= (known.rank, known.sockets):
                known.worst, known.at, known.sockets = finding, at, rank[1]
                known.people = tuple(culprits(snapshot, finding))
        loud = [each.severity for each in causes(snapshot.findings)]
        number = int(np.count_nonzero(concerned))
        wrong = (loud.count("critical"), loud.count("warning"), number)
        if wrong >= self._wrong:
            self._wrong, self.worst = wrong, snapshot

    def _limits(self, sample: Sample, at: float) -> None:
        for kernel in sample.kernel:
            for name, value in kernel.sysctls.items():
                told = self.limits.setdefault((kernel.netns, name), [(at, value)])
                if told[-1][1] != value:
                    told.append((at, value))


class UseReading(NamedTuple):
    """Of one listener or destination at one moment; `dropped` a second, NaN where not known."""

    key: int
    name: str
    used: float
    fits: float
    dropped: float = np.nan


def _keep(kept: dict[int, Watched], reading: UseReading, column: int, at: float) -> None:
    watched = kept.get(reading.key)
    if watched is None:
        if len(kept) >= SUBJECTS:
            return
        watched = kept[reading.key] = Watched(reading.name)
    watched.used.put(column, at, reading.used)
    watched.dropped.put(column, at, reading.dropped)
    if reading.fits == reading.fits:
        watched.capacity = reading.fits
        full = reading.used / reading.fits if reading.fits > 0 else 0.0
        watched.fullest = max(watched.fullest, full)


def _rates(snapshot: Snapshot) -> Mapping[tuple[str, str], float]:
    """Those with a meaning, over all namespaces."""
    found: dict[tuple[str, str], float] = {}
    for sections in snapshot.kernel_rates.values():
        for section, rates in sections.items():
            for name, rate in rates.items():
                if (section, name) in MEANT and rate is not None:
                    found[section, name] = found.get((section, name), 0.0) + rate
    return found


def _queues(selection: Selection, kept: Mapping[int, Watched]) -> Iterator[UseReading]:
    """Of each listener with a queue or drops, now or before, its key, name, the longest queue since
    the last sample, what fits, and drops a second."""
    snapshot, found = selection.snapshot, selection.snapshot.listeners
    sample = snapshot.sample
    rows = found.row
    keys = identity.listener_keys(selection, np.arange(len(found)))
    queue = np.maximum(sample.sockets.recv_q[rows].astype(np.int64), sample.peaks.of(keys))
    fits = sample.sockets.backlog(sample.backlog_told, rows) + 1
    known = np.isin(keys, np.array(list(kept), np.uint64))
    busy = np.flatnonzero((queue > 0) | (np.nan_to_num(found.drops_per_s) > 0) | known)
    names = local_texts(selection, rows[busy])
    for n, name in zip(busy.tolist(), names, strict=True):
        where = place(snapshot, int(sample.sockets.netns[rows[n]]))
        numbers = float(queue[n]), float(fits[n]), float(found.drops_per_s[n])
        yield UseReading(int(keys[n]), name + where, *numbers)


def _ports(selection: Selection, kept: Mapping[int, Watched]) -> Iterator[UseReading]:
    """Of the fullest destinations, now or before, key, name, ports used, and how many there are."""
    snapshot, found = selection.snapshot, selection.snapshot.ports
    fits: F64 = (found.used + np.maximum(found.headroom, 0)).astype(np.float64)
    share = found.used / np.maximum(fits, 1)
    every = identity.port_keys(selection, np.arange(len(found)))
    wanted = np.isin(every, np.array(list(kept), np.uint64))
    wanted[np.argsort(-share, kind="stable")[:FULLEST]] = True
    rows = np.flatnonzero(wanted)
    keys = every[rows].tolist()
    remotes = addresses(found.remote_hi[rows], found.remote_lo[rows])
    scopes = zones(snapshot.sample, found.netns[rows], found.interface[rows])
    for n, key, remote, zone in zip(rows.tolist(), keys, remotes, scopes, strict=True):
        where = endpoint(remote, int(found.remote_port[n]), zone)
        name = where + place(snapshot, int(found.netns[n]))
        yield UseReading(key, name, float(found.used[n]), float(fits[n]))
