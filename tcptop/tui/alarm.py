"""The line that says the worst that was found, on every screen.

! critical  nginx on :8080 is too slow to accept: 42 SYNs/s dropped   +2 more   7 lists all
"""

from __future__ import annotations

from collections.abc import Sequence

from tcptop.analysis.findings import silence
from tcptop.analysis.findings.settings import FindingSettings
from tcptop.columns import FINDINGS, units
from tcptop.columns.findings import severity
from tcptop.columns.marks import STYLES
from tcptop.model.finding import Finding, causes
from tcptop.model.snapshot import Snapshot
from tcptop.tui.views import digit
from tcptop.tui.widgets.layout import Line, cut

ROWS = 12  # of the terminal: with fewer there is no room for it
WIDE = 100  # columns of the terminal; with fewer, titles need the room of all that is obvious
KEY = f"{digit(FINDINGS)} lists all"


def line(snapshot: Snapshot | None, settings: FindingSettings, width: int) -> Line:
    """The titles of the worst causes, as many as fit, and how many more there are.

    What another finding explains is not told apart, and what is only worth knowing is counted.
    """
    if snapshot is None:
        return ()
    found = causes(snapshot.findings)
    worst = [finding for finding in found if finding.severity != "info"]
    notes = len(found) - len(worst)
    if worst:
        return _trouble(worst, notes, width)
    early = silence.unlooked(snapshot.over_s, settings)
    said = " ..  nothing wrong yet" if early else " ok  nothing wrong"
    if notes:
        said += f", {notes} worth knowing  {KEY}"
    elif early:
        said += "; some findings need a longer watch"
    return ((cut(said, width), "dim"),)


def _trouble(worst: Sequence[Finding], notes: int, width: int) -> Line:
    spans: list[tuple[str, str]] = []
    room, rest = width, ""
    for at, finding in enumerate(worst):
        head, title = f" {severity(finding)}  ", units.safe(finding.title)
        after = _rest(len(worst) - at - 1, notes, width >= WIDE)
        if at and len(head + title + after) > room:
            break
        rest, title = after, cut(title, max(0, room - len(head + after)))
        style = STYLES[finding.severity]
        spans += [(head, style), (title, style if style == "bad" else "")]
        room -= len(head + title)
    return (*spans, (rest.rjust(room)[: max(0, room)], "dim"))


def _rest(more: int, notes: int, wide: bool) -> str:
    """The end of the line, and a blank before it."""
    parts = [f"  +{more} more"] if more else []
    parts += [f"  +{notes} info"] if notes and wide else []
    parts += [f"  {KEY}"] if wide else []
    return "".join(parts) + " "
