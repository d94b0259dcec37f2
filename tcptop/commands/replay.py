"""`tcptop replay`: the live view over a recording, or over a file that is one moment; or a part of
a recording as one of its own."""

from __future__ import annotations

import gc
import os
from typing import TYPE_CHECKING

from tcptop.commands import live
from tcptop.commands.filter import of_recording
from tcptop.commands.moments import moment, refuse_earlier
from tcptop.options import ReplayOptions, UsageError

if TYPE_CHECKING:
    from tcptop.model.archive import SampleIndex
    from tcptop.model.sample import Sample


def run(chosen: ReplayOptions) -> int:
    _check_options(chosen)
    if chosen.save is not None:
        from tcptop.commands.span import save

        return save(chosen)
    gc.disable()  # imports make no garbage; see live.run
    index, first = _looked_into(chosen.file)
    begin = None if chosen.at is None else moment(chosen.at, "--at", _span(index))
    if begin is not None:
        refuse_earlier(begin, chosen.file, index.extent)
    live.refuse_without_terminal("replay", "`tcptop snapshot --from FILE` needs no terminal")
    from tcptop.commands.effective import decided
    from tcptop.commands.recorded import home
    from tcptop.sources.one_sample import open_moments
    from tcptop.tui.player import ReplaySettings

    user = decided(chosen, home=home(first))
    there = first.host.hostname
    other = None if there == os.uname().nodename else there
    kept = of_recording(first.shown)
    settings = live.settings(chosen, user, os.path.basename(chosen.file), kept, other_host=other)
    played = ReplaySettings(lambda: open_moments(chosen.file), index, begin, chosen.speed)
    return live.show_of(played, settings, chosen.mouse)


def _check_options(chosen: ReplayOptions) -> None:
    if chosen.save is None and (chosen.begin is not None or chosen.end is not None):
        raise UsageError("tcptop: replay: --begin and --end are of --save FILE2; begin with --at")
    if chosen.save is not None and chosen.at is not None:
        raise UsageError("tcptop: replay: --save is of --begin and --end, not of --at")


def _looked_into(path: str) -> tuple[SampleIndex, Sample]:
    """What there is in a file, and its first sample. Raises RecordingError."""
    from tcptop.sources.one_sample import open_moments
    from tcptop.sources.recording.errors import RecordingError

    with open_moments(path) as archive:
        index = archive.index()
        if not len(index):
            raise RecordingError(f"{path}: no samples in it yet")
        first = next(archive.samples(0), None)
        if first is None:
            raise RecordingError(f"{path}: damaged: no sample of it can be read")
        return index, first.sample


def _span(index: SampleIndex) -> tuple[float, float]:
    return float(index.taken_at[0]), float(index.taken_at[-1])
