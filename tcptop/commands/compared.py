"""FILE or FILE@TIME -> one moment, understood: of a recording, or a JSON snapshot."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

from tcptop.commands import recorded
from tcptop.commands.errors import CommandError
from tcptop.model.named_tuple import NamedTuple
from tcptop.options import JudgingOptions, UsageError

if TYPE_CHECKING:
    from tcptop.analysis.findings.settings import FindingSettings
    from tcptop.model.snapshot import Snapshot


class Moment(NamedTuple):
    """What was read. `counted`: its totals are known; `whole`: so are all of its sockets."""

    file: str
    snapshot: Snapshot
    counted: bool = True
    whole: bool = True
    filter: str | None = None


def moment(word: str, chosen: JudgingOptions) -> Moment:
    """Raises UsageError, CommandError and OSError."""
    from tcptop.sources import file_kind

    path, at = _split(word)
    kind = file_kind.kind(path)
    if kind == file_kind.SNAPSHOT:
        if at is not None:
            raise UsageError(
                f"tcptop: {word}: a JSON snapshot is one moment; TIME is of recordings"
            )
        return of_snapshot(path)
    if kind == file_kind.DUMP:
        if at is not None:
            raise UsageError(f"tcptop: {word}: a dump of ss is one moment; TIME is of recordings")
        return Moment(path, of_dump(path, chosen)[0])
    with recorded.watched(path, chosen) as (recording, loop):
        return Moment(path, recorded.at_time(recording, loop, at, f"{path} @"))


def _split(word: str) -> tuple[str, str | None]:
    """A file may have an @ in its name."""
    path, sign, at = word.rpartition("@")
    return (word, None) if not sign or not path or os.path.exists(word) else (path, at)


def of_dump(
    path: str, chosen: JudgingOptions, redact: bool = False
) -> tuple[Snapshot, FindingSettings]:
    """What `ss -tanime -D FILE` wrote; `redact` as in recorded.watched."""
    from tcptop.analysis.derive import derive
    from tcptop.analysis.history import History
    from tcptop.commands.effective import decided
    from tcptop.sources import ss_dump

    settings = decided(chosen, home=ss_dump.HERE).findings
    sample = ss_dump.read(path)
    if redact:
        from tcptop.sources.redacted import Aliases

        sample = Aliases().sample(sample)
    return derive(sample, History(), settings)[0], settings


def of_snapshot(path: str, settings: FindingSettings | None = None) -> Moment:
    """A JSON snapshot with the findings that it has; of `settings` those that are ignored."""
    from tcptop.analysis.derive import derive
    from tcptop.analysis.history import History
    from tcptop.sources import snapshot_json

    read = snapshot_json.read(path)
    try:
        snapshot, _ = derive(read.sample, History())
    except Exception as error:  # its numbers fit together on no host
        raise CommandError(f"{path}: no whole snapshot: {type(error).__name__}") from error
    ignored = settings.ignored if settings else frozenset[str]()
    totals = snapshot.totals
    if read.by_state is not None:
        totals = replace(totals, sockets=sum(read.by_state), by_state=read.by_state)
    told = replace(
        snapshot,
        totals=totals,
        over_s=read.over_s,
        findings=tuple(each for each in read.findings if each.id not in ignored),
        silent=read.silent,
    )
    return Moment(path, told, read.by_state is not None, read.whole, read.filter)
