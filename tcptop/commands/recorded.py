"""A recording in place of the host, for `snapshot` and `check`: one moment, or every sample."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING

from tcptop.commands.moments import moment, refuse_earlier, refuse_empty
from tcptop.options import (
    CheckOptions,
    JudgingOptions,
    RecordingOptions,
    SnapshotOptions,
    UsageError,
)

if TYPE_CHECKING:
    from tcptop.analysis.clause import Clause
    from tcptop.analysis.watch import WatchLoop
    from tcptop.model.sample import Sample
    from tcptop.model.snapshot import Snapshot
    from tcptop.model.source import SeekableSource
    from tcptop.sources.recording.source import RecordingSource


def check_options(chosen: SnapshotOptions | CheckOptions) -> None:
    """Raises UsageError for options that have no meaning together."""
    given = _moments(chosen)
    if given and chosen.recording is None:
        raise UsageError(f"tcptop: {chosen.command}: {given[0]} is of a recording: --from FILE")
    if given[1:] and given[0] == "--at":
        raise UsageError(f"tcptop: {chosen.command}: --at or {given[1]}, not both")
    if chosen.recording is not None and chosen.via is not None:
        raise UsageError(f"tcptop: {chosen.command}: --from or --via, not both")
    if chosen.recording is not None and chosen.netns != "current":
        why = "a recording has what was recorded; choose with: netns = NAME"
        raise UsageError(f"tcptop: {chosen.command}: --netns with --from: {why}")


def refuse_moments(chosen: SnapshotOptions | CheckOptions) -> None:
    """Of a file that is one moment. Raises UsageError."""
    given = [*_moments(chosen), *(["--over"] if chosen.over else [])]
    if given:
        why = f"{chosen.recording} is one moment"
        raise UsageError(f"tcptop: {chosen.command}: {given[0]} is of recordings, and {why}")


def _moments(chosen: SnapshotOptions | CheckOptions) -> list[str]:
    moments = {"--at": chosen.at}
    if isinstance(chosen, SnapshotOptions):
        moments |= {"--begin": chosen.begin, "--end": chosen.end}
    return [option for option, text in moments.items() if text is not None]


def loop(
    chosen: SnapshotOptions | CheckOptions,
) -> AbstractContextManager[tuple[RecordingSource, WatchLoop]]:
    """The watch of a recording, before its first sample."""
    assert chosen.recording is not None
    return watched(chosen.recording, chosen, chosen.over)


@contextmanager
def watched(
    path: str, chosen: JudgingOptions, over: float | None = None, redact: bool = False
) -> Iterator[tuple[RecordingSource, WatchLoop]]:
    """The same of any file; `over` is for how long before a moment its history is made, `redact`
    whether names are hidden before anything is made of them."""
    from tcptop.analysis.watch import WatchLoop
    from tcptop.commands.effective import decided
    from tcptop.sources.recording.source import RUN_UP_S, RecordingSource

    recording = RecordingSource(path, math.inf, over or RUN_UP_S)
    try:
        user = decided(chosen, home=home(recording.first()))
        source: SeekableSource = recording
        if redact:
            from tcptop.sources.redacted import RedactedSource

            source = RedactedSource(recording)
        yield recording, WatchLoop(source, user.findings)
    finally:
        recording.close()


def at(recording: RecordingSource, watch: WatchLoop, chosen: RecordingOptions) -> Snapshot:
    """That of the chosen moment."""
    return at_time(recording, watch, chosen.at, "--at")


def at_time(
    recording: RecordingSource, watch: WatchLoop, text: str | None, option: str
) -> Snapshot:
    """That of a moment, without one of the last."""
    if text is None:
        return watch.seek(recording.span[1])
    taken_at = moment(text, option, recording.span)
    refuse_earlier(taken_at, recording.path, recording.extent)
    return watch.seek(taken_at)


def every(
    recording: RecordingSource, watch: WatchLoop, chosen: SnapshotOptions
) -> Iterator[Snapshot]:
    """From --begin to --end. Raises CommandError where there is none."""
    apart = chosen.output not in (None, "-") or not sys.stdout.isatty()  # from what is written
    return between(recording, watch, *span(recording, chosen.begin, chosen.end), apart)


def span(recording: RecordingSource, begin: str | None, end: str | None) -> tuple[float, float]:
    """Of --begin and --end, without which there is no bound: where the clock was set back, samples
    are earlier than the first. Raises CommandError where it has none between them."""
    start = -math.inf if begin is None else moment(begin, "--begin", recording.span)
    until = math.inf if end is None else moment(end, "--end", recording.span)
    if start > recording.extent[1] or until < recording.extent[0] or start > until:
        refuse_empty(recording.path, recording.extent)
    return start, until


def between(
    recording: RecordingSource, watch: WatchLoop, begin: float, end: float, told: bool = True
) -> Iterator[Snapshot]:
    """Every sample, understood in the light of those before `begin`; `told`: with its progress on a
    terminal."""
    from tcptop.commands.progress import progress
    from tcptop.model.cells import safe
    from tcptop.model.source import EndOfSamples

    earliest, latest = recording.extent
    first, last = max(begin, earliest), min(end, latest)
    with progress(f"{safe(recording.path)}: reading:") as shown:
        snapshot = watch.seek(begin) if begin > -math.inf else watch.step()
        while True:
            taken_at = snapshot.sample.taken_at
            if begin <= taken_at <= end:
                if told:
                    shown.told((taken_at - first) / max(last - first, 1e-3))
                yield snapshot
            elif taken_at > end and recording.beyond(end):
                return
            try:
                snapshot = watch.step()
            except EndOfSamples:
                return


def shown(sample: Sample, path: str) -> Clause | None:
    """What was asked for when it was recorded, which is said."""
    from tcptop.commands.filter import of_recording
    from tcptop.model.cells import safe

    kept = of_recording(sample.shown)
    if kept is not None:
        said = f"shows what it was recorded for: {safe(kept.text)} (`state all` shows all)"
        print(f"tcptop: {safe(path)}: {said}", file=sys.stderr)
    return kept


def home(sample: Sample) -> int | None:
    """The namespace from which its commands are told: of the same host since it was started that of
    the shell, else the one that was recorded."""
    from tcptop.sources.live import boot_id
    from tcptop.sources.namespaces import current_inode

    if sample.host.boot_id is not None and sample.host.boot_id == boot_id():
        return current_inode()
    return sample.namespaces[0].inode if sample.namespaces else None
