"""`tcptop check`: what is wrong, with the exit code of a monitoring plug-in."""

from __future__ import annotations

import threading

from tcptop.commands.filter import clause, selected
from tcptop.commands.source import source
from tcptop.options import CheckOptions

CODES = {"OK": 0, "WARNING": 1, "CRITICAL": 2, "UNKNOWN": 3}


def run(chosen: CheckOptions) -> int:
    """Look for `--over` seconds, tell the findings, and end with the code of the worst cause."""
    from tcptop.analysis.findings.silence import too_early
    from tcptop.analysis.watch import WatchLoop, watched
    from tcptop.commands.effective import decided
    from tcptop.sources.namespaces import current_inode
    from tcptop.views import json, output, plugin

    shown, user = clause(chosen), decided(chosen, home=current_inode())
    with source(chosen) as live_source:
        loop = WatchLoop(live_source, user.findings)
        last = watched(loop, user.interval, chosen.over, threading.Event())
    notes = [each.note for each in (*last.silent, *too_early(chosen.over, user.findings))]
    selection = selected(last, shown)
    with output.opened(None) as out:
        if chosen.format == "json":
            json.write_findings(selection, out, [*notes, *plugin.notes_of_filter(selection)])
        else:
            plugin.write(selection, out, notes, chosen.strict)
    return CODES[plugin.verdict(selection, chosen.strict)]
