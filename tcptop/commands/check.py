"""`tcptop check`: what is wrong, with the exit code of a monitoring plug-in."""

from __future__ import annotations

import threading

from tcptop.commands.filter import compiled, filter_text
from tcptop.commands.source import at_home, source
from tcptop.options import CheckOptions

CODES = {"OK": 0, "WARNING": 1, "CRITICAL": 2, "UNKNOWN": 3}


def run(chosen: CheckOptions) -> int:
    """Look for `--over` seconds, tell the findings, and end with the code of the worst cause."""
    from tcptop.analysis.findings.silence import too_early
    from tcptop.analysis.selection import select
    from tcptop.analysis.watch import WatchLoop, watched
    from tcptop.commands.effective import decided
    from tcptop.views import json, output, plugin

    expression, user = compiled(chosen), decided(chosen)
    findings = at_home(user.findings)
    with source(chosen) as live_source:
        loop = WatchLoop(live_source, findings)
        last = watched(loop, user.interval, chosen.over, threading.Event())
    notes = [each.note for each in (*last.silent, *too_early(chosen.over, user.findings))]
    selection = select(last, expression, filter_text(chosen))
    with output.opened(None) as out:
        if chosen.format == "json":
            json.write_findings(selection, out, notes)
        else:
            plugin.write(selection, out, notes, chosen.strict)
    return CODES[plugin.verdict(selection, chosen.strict)]
