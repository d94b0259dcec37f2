"""`tcptop replay FILE --save FILE2`: a span of a recording as one of its own."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING

from tcptop.commands.errors import DONE, CommandError
from tcptop.commands.moments import moment, refuse_empty
from tcptop.model.cells import safe
from tcptop.options import ReplayOptions

if TYPE_CHECKING:
    from tcptop.model.sample import Sample
    from tcptop.sources.recording.archive import RecordingArchive


def save(chosen: ReplayOptions) -> int:
    """Whole samples, into a file that was not there; nothing is left of it where that fails."""
    from tcptop.sources.recording.archive import open_archive

    assert chosen.save is not None
    with open_archive(chosen.file) as archive:
        span = _span(archive, chosen)
        if os.path.lexists(chosen.save):
            raise CommandError(f"{chosen.save}: there is such a file")
        try:
            told = _written(chosen.save, _within(archive, span))
        except BaseException:
            for ending in ("", "-wal", "-shm", "-journal"):
                with suppress(OSError):
                    os.unlink(chosen.save + ending)
            raise
    print(f"tcptop: {safe(chosen.save)}: {told}", file=sys.stderr)
    return DONE


def _span(archive: RecordingArchive, chosen: ReplayOptions) -> tuple[float, float]:
    taken_at = archive.index().taken_at
    if not len(taken_at):
        raise CommandError(f"{chosen.file}: no samples in it yet")
    first, last = float(taken_at[0]), float(taken_at[-1])
    begin = -math.inf if chosen.begin is None else moment(chosen.begin, "--begin", (first, last))
    end = math.inf if chosen.end is None else moment(chosen.end, "--end", (first, last))
    if not ((taken_at >= begin) & (taken_at <= end)).any():
        refuse_empty(chosen.file, archive.index().extent)
    return begin, end


def _within(archive: RecordingArchive, span: tuple[float, float]) -> Iterator[Sample]:
    index = archive.index()
    wanted = index.number[(index.taken_at >= span[0]) & (index.taken_at <= span[1])]
    for taken in archive.samples(int(wanted[0])):
        if taken.number > wanted[-1]:
            return
        if span[0] <= taken.sample.taken_at <= span[1]:
            yield taken.sample


def _written(path: str, samples: Iterator[Sample]) -> str:
    from tcptop.sources.recording.errors import RecordingError
    from tcptop.sources.recording.writer import RecordingWriter

    writer = RecordingWriter(path)
    many = 0
    try:
        for sample in samples:
            writer.add(sample)
            many += 1
    finally:
        writer.close()
    if not many:
        raise RecordingError(f"{path}: not written: no sample of that span can be read")
    return writer.told()
