"""The findings of a look as a monitoring plug-in tells them: one line, then the details."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TextIO

from tcptop.columns.units import long_duration
from tcptop.model.cells import safe
from tcptop.model.finding import SEVERITIES, Finding, causes
from tcptop.model.selection import Selection
from tcptop.views import findings
from tcptop.views.head import silent_rules
from tcptop.views.text import unowned

WORDS = {"info": "OK", "warning": "WARNING", "critical": "CRITICAL"}


def verdict(selection: Selection, strict: bool = False) -> str:
    """OK, WARNING or CRITICAL; UNKNOWN for what is OK only because tcptop failed, or, where that is
    to be told apart, because rules could not look or had nothing to look at."""
    word, silent = WORDS[severity(selection)], selection.snapshot.silent
    blind = any(each.fault for each in silent)
    blind = blind or (strict and bool(silent or nothing_selected(selection)))
    return "UNKNOWN" if word == "OK" and blind else word


def nothing_selected(selection: Selection) -> str:
    """That the filter selects nothing that is or was, which may be a mistake in it; empty where it
    selects something."""
    if selection.filter is None or len(selection.rows) or len(selection.closed()):
        return ""
    count = len(selection.selected)
    return f"the filter selects none of {count} socket{'' if count == 1 else 's'}"


def severity(selection: Selection) -> str:
    """That of the worst cause; `info` where there is none."""
    return max((each.severity for each in _causes(selection)), key=SEVERITIES.index, default="info")


def _causes(selection: Selection) -> list[Finding]:
    return causes(findings.chosen(selection, selection.findings))


def write(
    selection: Selection, out: TextIO, notes: Sequence[str] = (), strict: bool = False
) -> None:
    """The verdict, the findings, and what could not be seen: `notes` say more of that."""
    snapshot = selection.snapshot
    shown = findings.chosen(selection, selection.findings)
    out.write(f"{line(selection, strict)}\n")
    out.writelines(f"{each}\n" for each in findings.lines(shown, snapshot))
    hint = [selection.hint] if selection.hint and not nothing_selected(selection) else []
    unseen = (*hint, *snapshot.sample.notes, *notes, *unowned(snapshot))
    told = [f"note: {safe(each)}\n" for each in unseen]
    out.writelines(["\n", *told] if told else [])


def line(selection: Selection, strict: bool = False) -> str:
    """The verdict. What comes after a `|` is performance data to Nagios: there is none."""
    return f"TCPTOP {': '.join(_parts(selection, strict))}".replace("|", "/")


def _parts(selection: Selection, strict: bool) -> tuple[str, ...]:
    found, silent = _causes(selection), _silent(selection)
    word = verdict(selection, strict)
    if word in ("OK", "UNKNOWN"):
        nothing = nothing_selected(selection)
        but = " and ".join(filter(None, (nothing, silent)))
        told = _why_nothing(selection) if nothing else _nothing(selection, len(found))
        if word == "UNKNOWN":
            return tuple(filter(None, (word, but, told)))
        return f"OK, but {but}" if but else word, told
    worst = next(each for each in found if WORDS[each.severity] == word)
    counts = f"{_counts(found)}, {silent}" if silent else _counts(found)
    return word, counts, safe(worst.title)


def notes_of_filter(selection: Selection) -> list[str]:
    """What the first line says of a filter that selects nothing, as a sentence."""
    nothing = nothing_selected(selection)
    return [f"T{nothing[1:]}: {_why_nothing(selection)}."] if nothing else []


def _why_nothing(selection: Selection) -> str:
    """The name in the filter that fits nobody, or else all of it."""
    return safe(selection.hint or selection.filter or "")


def _silent(selection: Selection) -> str:
    """How many rules could not look, and might have had more to say; empty for none."""
    count = len(silent_rules(selection.snapshot))
    return f"{count} rule{'' if count == 1 else 's'} could not look" if count else ""


def _counts(causes: Sequence[Finding]) -> str:
    """`1 critical, 2 warnings`: how many there are of each, without what is only worth knowing."""
    kinds = [each.severity for each in causes]
    critical, warnings = kinds.count("critical"), kinds.count("warning")
    parts = [f"{critical} critical"] if critical else []
    parts += [f"{warnings} warning{'s' if warnings > 1 else ''}"] if warnings else []
    return ", ".join(parts)


def _nothing(selection: Selection, infos: int) -> str:
    snapshot = selection.snapshot
    watched = f" in {long_duration(snapshot.over_s)}" if snapshot.over_s else ""
    known = f", {infos} notice{'' if infos == 1 else 's'}" if infos else ""
    count = len(selection.rows)
    return f"no problems with {count} socket{'' if count == 1 else 's'}{watched}{known}"
