"""`tcptop check`: what is wrong, with the exit code of a monitoring plug-in."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from tcptop.commands.filter import compiled, filter_text
from tcptop.commands.source import at_home, source
from tcptop.options import CheckOptions

if TYPE_CHECKING:
    from tcptop.analysis.findings.settings import FindingSettings
    from tcptop.model.snapshot import Snapshot

CODES = {"info": 0, "warning": 1, "critical": 2}
OF_PROCESSES = ("close-wait-leak", "close-wait-unread", "fd-limit")  # a finding for each process


def run(chosen: CheckOptions) -> int:
    """Look for `--over` seconds, tell the findings, and end with the code of the worst cause."""
    from tcptop.analysis.selection import select
    from tcptop.analysis.watch import WatchLoop, watched
    from tcptop.commands.effective import decided
    from tcptop.views import json, output, plugin

    expression, user = compiled(chosen), decided(chosen)
    findings = at_home(user.findings)
    with source(chosen) as live_source:
        loop = WatchLoop(live_source, findings)
        last = watched(loop, user.interval, chosen.over, threading.Event())
    told = noted(last, chosen.over, user.findings)
    selection = select(told, expression, filter_text(chosen))
    with output.opened(None) as out:
        if chosen.format == "json":
            json.write_findings(selection, out)
        else:
            plugin.write(selection, out)
    return CODES[plugin.severity(selection)]


def noted(snapshot: Snapshot, over: float, settings: FindingSettings) -> Snapshot:
    """Which rules could not say all that they might: too short a sample, or unknown processes."""
    notes = (*_unlooked(over, settings), *_unowned(snapshot, settings))
    sample = snapshot.sample
    return replace(snapshot, sample=replace(sample, notes=(*sample.notes, *notes)))


def _unlooked(over: float, settings: FindingSettings) -> Iterator[str]:
    from tcptop.analysis.findings.engine import unlooked
    from tcptop.analysis.findings.rules import RULES

    needed = {rule.id: rule.look_s for rule in RULES}
    short = {id: needed[id] for id in unlooked(over, settings)}
    if short:
        yield _too_short(over, short)


def _unowned(snapshot: Snapshot, settings: FindingSettings) -> Iterator[str]:
    from tcptop.model.owner import NOT_PERMITTED, NOT_SEARCHED

    unknown = sum(int((snapshot.note == code).sum()) for code in (NOT_PERMITTED, NOT_SEARCHED))
    rules = [id for id in OF_PROCESSES if id not in settings.ignored]
    if unknown and rules:
        named = ", ".join(rules)
        yield f"The processes of {unknown} sockets are not known: {named} say nothing of them."


def _too_short(over: float, needed: Mapping[str, float]) -> str:
    rules = ", ".join(f"{id} ({look_s:g} s)" for id, look_s in needed.items())
    longest = max(needed.values())
    return f"{over:g} s of looking are too short for {rules}: --over {longest:g} is enough."
