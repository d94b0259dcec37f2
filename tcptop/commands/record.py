"""`tcptop record`: samples into a file until stopped, without a screen and without conclusions."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING

from tcptop.commands.errors import one_line, tell
from tcptop.commands.filter import clause
from tcptop.commands.stopping import SignalStop
from tcptop.model.cells import safe
from tcptop.options import RecordOptions

if TYPE_CHECKING:
    from tcptop.analysis.watch import WatchLoop
    from tcptop.model.sample import Sample, SampleFilter
    from tcptop.sources.recording.writer import RecordingWriter

CLOCK_ERROR_S = 1e-3


def run(chosen: RecordOptions) -> int:
    """Until a signal, or the end of `--duration`; then the file is closed well."""
    from tcptop.analysis.watch import WatchLoop
    from tcptop.commands.effective import decided
    from tcptop.commands.source import OWNERS_BUDGET_S, check_via, home, source
    from tcptop.sources.recording.writer import RecordingWriter

    check_via(chosen)
    shown = _shown(chosen)
    user = decided(chosen, home=home(chosen))
    with source(chosen, OWNERS_BUDGET_S) as live_source:  # of another host it may take long
        stop = SignalStop()
        writer = RecordingWriter(chosen.file, chosen.keep, chosen.max_size)
        try:
            if sys.stderr.isatty():
                tell(f"{safe(chosen.file)}: recording; Ctrl-C ends it")
            loop = WatchLoop(live_source, user.findings)
            _record(loop, writer, Pace(user.interval, chosen.duration), stop, shown)
        finally:
            writer.close()
    tell(f"{safe(chosen.file)}: {writer.told()}")
    return stop.code


class Pace:
    """How long to wait after a sample, so that the last one is taken when the time is over."""

    def __init__(self, interval: float, duration: float | None) -> None:
        self._interval, self._duration = interval, duration
        self._end: float | None = None

    def after(self, clock: float) -> float | None:
        """Seconds; None where it is over."""
        if self._duration is None:
            return self._interval
        self._end = clock + self._duration if self._end is None else self._end
        left = self._end - clock
        return min(self._interval, left) if left > CLOCK_ERROR_S else None


def _shown(chosen: RecordOptions) -> SampleFilter | None:
    """What is kept of the filter. Raises UsageError."""
    from tcptop.model.sample import SampleFilter

    if clause(chosen, hosts=False) is None:
        return None
    return SampleFilter(tuple(chosen.filter), tuple(chosen.process), tuple(chosen.port))


def _record(
    loop: WatchLoop,
    writer: RecordingWriter,
    pace: Pace,
    stop: SignalStop,
    shown: SampleFilter | None,
) -> None:
    """Samples are understood too: what the findings want to know more of is in the next one.

    A first sample that fails ends it; a later one is told, and tried again.
    """
    sample: Sample | None = loop.step().sample
    said = ""
    rest: float | None = None
    while True:
        if sample is not None:
            writer.add(replace(sample, shown=shown))
            rest, said = pace.after(sample.clock), ""
        if rest is None or loop.wait(rest, stop):
            return
        try:
            sample = loop.step().sample
        except (OSError, ValueError) as error:
            sample = None
            if said != one_line(error):
                said = one_line(error)
                tell(f"sampling failed, trying again: {said}")
