"""`tcptop check`: what is wrong, with the exit code of a monitoring plug-in."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from tcptop.commands import recorded
from tcptop.commands.errors import CommandError
from tcptop.commands.filter import clause, filter_text, selected
from tcptop.commands.source import check_via, home, source
from tcptop.options import CheckOptions, UsageError

if TYPE_CHECKING:
    from tcptop.analysis.findings.settings import FindingSettings
    from tcptop.model.snapshot import Snapshot

OVER_S = 5.0
CODES = {"OK": 0, "WARNING": 1, "CRITICAL": 2, "UNKNOWN": 3}


def run(chosen: CheckOptions) -> int:
    """Look for `--over` seconds, tell the findings, and end with the code of the worst cause."""
    from tcptop.analysis.findings.silence import too_early
    from tcptop.views import json, output, plugin

    recorded.check_options(chosen)
    check_via(chosen)
    shown = clause(chosen)
    last, settings = _last(chosen)
    if chosen.recording is None:
        early = too_early(_over_s(chosen), settings)
    else:
        early = too_early(last.over_s or 0.0, settings, "")
    notes = [each.note for each in early]
    if chosen.recording is not None and shown is None:
        shown = recorded.shown(last.sample, chosen.recording)
    selection = selected(last, shown)
    with output.opened(None) as out:
        if chosen.format == "json":
            json.write_findings(selection, out, [*notes, *plugin.notes_of_filter(selection)])
        else:
            plugin.write(
                selection, out, [*(each.note for each in last.silent), *notes], chosen.strict
            )
    return CODES[plugin.verdict(selection, chosen.strict)]


def _last(chosen: CheckOptions) -> tuple[Snapshot, FindingSettings]:
    """What is told of, and by which thresholds."""
    from tcptop.analysis.watch import WatchLoop, watched
    from tcptop.commands import compared
    from tcptop.commands.effective import decided
    from tcptop.sources import file_kind

    if chosen.recording is not None and file_kind.kind(chosen.recording) == file_kind.SNAPSHOT:
        return _of_snapshot(chosen, chosen.recording)
    if chosen.recording is not None and file_kind.kind(chosen.recording) == file_kind.DUMP:
        recorded.refuse_moments(chosen)
        return compared.of_dump(chosen.recording, chosen)
    if chosen.recording is not None:
        with recorded.loop(chosen) as (recording, loop):
            return recorded.at(recording, loop, chosen), loop.settings
    user = decided(chosen, home=home(chosen))
    with source(chosen) as live_source:
        loop = WatchLoop(live_source, user.findings)
        return watched(loop, user.interval, _over_s(chosen), threading.Event()), user.findings


def _of_snapshot(chosen: CheckOptions, path: str) -> tuple[Snapshot, FindingSettings]:
    """The findings that it has: they were made when it was taken."""
    from tcptop.commands.compared import of_snapshot
    from tcptop.commands.effective import decided

    given = {"--at": chosen.at, "--over": chosen.over, "--set": chosen.set or None}
    for option, value in given.items():
        if value is not None:
            why = "a JSON snapshot has the findings of its moment"
            raise UsageError(f"tcptop: check: {option} with --from {path}: {why}")
    settings = decided(chosen).findings
    read = of_snapshot(path, settings)
    if not read.whole and filter_text(chosen) is not None:
        raise CommandError(f"{path}: without all sockets of its moment no FILTER can be applied")
    return read.snapshot, settings


def _over_s(chosen: CheckOptions) -> float:
    return OVER_S if chosen.over is None else chosen.over
