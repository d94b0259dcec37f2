"""The findings of a look as a monitoring plug-in tells them: one line, then the details."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TextIO

from tcptop.columns.units import duration
from tcptop.model.finding import SEVERITIES, Finding, causes
from tcptop.model.selection import Selection
from tcptop.views import findings
from tcptop.views.foreign import visible
from tcptop.views.text import unowned

WORDS = {"info": "OK", "warning": "WARNING", "critical": "CRITICAL"}


def severity(selection: Selection) -> str:
    """That of the worst cause; `info` where there is none."""
    return max((each.severity for each in _causes(selection)), key=SEVERITIES.index, default="info")


def _causes(selection: Selection) -> list[Finding]:
    return causes(findings.chosen(selection, selection.findings))


def write(selection: Selection, out: TextIO) -> None:
    snapshot = selection.snapshot
    shown = findings.chosen(selection, selection.findings)
    out.write(f"{line(selection)}\n")
    out.writelines(f"{each}\n" for each in findings.lines(shown, snapshot.sample.taken_at))
    notes = [f"note: {visible(each)}\n" for each in (*snapshot.sample.notes, *unowned(snapshot))]
    out.writelines(["\n", *notes] if notes else [])


def line(selection: Selection) -> str:
    """The verdict. What comes after a `|` is performance data to Nagios: there is none."""
    found = _causes(selection)
    worst = severity(selection)
    if worst == "info":
        told = _nothing(selection, len(found))
    else:
        first = next(each for each in found if each.severity == worst)
        told = f"{_counts(found)}: {visible(first.title)}"
    return f"TCPTOP {WORDS[worst]}: {told}".replace("|", "/")


def _counts(causes: Sequence[Finding]) -> str:
    """`1 critical, 2 warnings`: how many there are of each, without what is only worth knowing."""
    kinds = [each.severity for each in causes]
    critical, warnings = kinds.count("critical"), kinds.count("warning")
    parts = [f"{critical} critical"] if critical else []
    parts += [f"{warnings} warning{'s' if warnings > 1 else ''}"] if warnings else []
    return ", ".join(parts)


def _nothing(selection: Selection, infos: int) -> str:
    snapshot = selection.snapshot
    watched = f" in {duration(snapshot.over_s)}" if snapshot.over_s else ""
    known = f", {infos} worth knowing" if infos else ""
    count = len(selection.rows)
    return f"nothing wrong with {count} socket{'' if count == 1 else 's'}{watched}{known}"
