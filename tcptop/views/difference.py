"""What changed between two moments, as text and as JSON (schema `tcptop.diff/1`)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, TextIO

import numpy as np

from tcptop.analysis.difference import NO_SOCKETS, Difference, ThenNow, diff
from tcptop.analysis.findings.words import joined
from tcptop.analysis.selection import everything
from tcptop.columns import LISTENERS, PROCESSES, REMOTES, units
from tcptop.columns.changes import SnapshotPair, told
from tcptop.model import owner, tcp
from tcptop.model.address import text
from tcptop.model.cells import cell_width, ljust, rjust, safe
from tcptop.model.finding import Finding
from tcptop.model.named_tuple import NamedTuple
from tcptop.model.snapshot import Snapshot
from tcptop.views import findings
from tcptop.views.head import head, silent_rules
from tcptop.views.json_text import encode, objects
from tcptop.views.rows import rfc3339
from tcptop.views.socket_rows import identity, operators_name

SCHEMA = "tcptop.diff/1"


class ComparedSide(NamedTuple):
    """A moment, and whether its totals, and all of its sockets, are known."""

    file: str
    snapshot: Snapshot
    counted: bool = True
    whole: bool = True


def write(old: ComparedSide, new: ComparedSide, out: TextIO) -> None:
    """For people: a line on the two moments, what could not be compared, then the changes."""
    found, compared = _compared(old, new), SnapshotPair(old.snapshot, new.snapshot)
    out.write(f"{_title(old, new, found)}\n")
    out.writelines(f"note: {safe(note)}\n" for note in _notes(old, new, found))
    rows = [(each.section, each.what, *_numbers(each.pair)) for each in told(found, compared)]
    if not rows:
        out.write("\nNothing else differs.\n" if _notes(old, new, found) else "\nNo differences.\n")
        return
    table = [("", "", "then", "now", "change"), *rows]
    numbered = [row for row in table if row[4]]  # what stands alone in its line may be long
    widths = [max(cell_width(row[place]) for row in numbered) for place in range(5)]
    widths[0] = max(cell_width(row[0]) for row in table)
    last = ""
    for row in table:
        shown = row[0] if row[0] != last else ""
        out.write("\n" if shown else "")
        last = row[0]
        cells = [ljust(shown, widths[0]), ljust(row[1], widths[1])]
        cells += [rjust(cell, width) for cell, width in zip(row[2:], widths[2:], strict=True)]
        out.write("  ".join(cells).rstrip() + "\n")


def _numbers(pair: ThenNow | None) -> tuple[str, str, str]:
    if pair is None:
        return "", "", ""
    then, now = pair
    return units.count(then), units.count(now), f"{now - then:+,d}"


def _title(old: ComparedSide, new: ComparedSide, found: Difference) -> str:
    then, now = (each.snapshot.sample for each in (old, new))
    hosts = list(
        dict.fromkeys(safe(each.host.hostname or "host not known") for each in (then, now))
    )
    later = f"{units.long_duration(abs(found.over_s))} {'later' if found.over_s > 0 else 'before'}"
    if not found.over_s:
        later = "the same moment"
    return f"{' and '.join(hosts)}: {rfc3339(then.taken_at)} to {rfc3339(now.taken_at)} ({later})"


def _compared(old: ComparedSide, new: ComparedSide) -> Difference:
    """Without what is known of one side alone."""
    found = diff(old.snapshot, new.snapshot)
    if not (old.counted and new.counted):
        found = replace(found, by_state=())
    if not (old.whole and new.whole):
        found = replace(found, processes=(), listeners=(), remotes=(), sockets=NO_SOCKETS)
    return found


def _notes(old: ComparedSide, new: ComparedSide, found: Difference) -> list[str]:
    notes = []
    if not found.same_boot:
        notes.append(
            f"{_why_apart(old.snapshot, new.snapshot)}: pids, cookies and counters are not "
            "compared; processes are told apart by their names, listeners by their addresses."
        )
    for each in (old, new):
        if not each.whole:
            notes.append(
                f"{each.file} does not have all sockets of its moment: processes, listeners, "
                "destinations and connections are not compared."
            )
        if not each.counted:
            notes.append(f"{each.file} has no totals: states are not compared.")
    for side, other in ((old, new), (new, old)):
        if rules := sorted({*silent_rules(side.snapshot)} - {*silent_rules(other.snapshot)}):
            at = rfc3339(side.snapshot.sample.taken_at)
            those = "this rule" if len(rules) == 1 else "these rules"
            notes.append(f"Only of {at} {those} could not look: {joined(rules)}.")
    return notes


def _why_apart(old: Snapshot, new: Snapshot) -> str:
    hosts = old.sample.host.hostname, new.sample.host.hostname
    if not all(hosts):
        return "Of a dump of ss the host is not known"
    if hosts[0] != hosts[1]:
        return f"They are of two hosts, {hosts[0]} and {hosts[1]}"
    return "The host was booted between them"


def write_json(old: ComparedSide, new: ComparedSide, out: TextIO) -> None:
    """One object. Then and now are `old` and `new`, null where a thing was not there."""
    found = _compared(old, new)
    whole, counted = old.whole and new.whole, old.counted and new.counted
    out.write(
        encode(
            {
                "schema": SCHEMA,
                "old": _moment(old),
                "new": _moment(new),
                "over_s": round(found.over_s, 3),
                "same_boot": found.same_boot,
                "notes": _notes(old, new, found),
                "findings": _findings(old.snapshot, new.snapshot, found),
                "states": _states(found) if counted else None,
                PROCESSES.name: [*_processes(found, new.snapshot)] if whole else None,
                LISTENERS.name: [*_listeners(found, old, new)] if whole else None,
                REMOTES.name: [*_remotes(found, old, new)] if whole else None,
                "sysctls": [
                    {"netns": each.netns, "name": each.name, **_pair(each.value)}
                    for each in found.sysctls
                ],
                "counters": [
                    {
                        "netns": each.netns,
                        "section": each.section,
                        "name": each.name,
                        **_pair(each.value),
                    }
                    for each in found.counters
                ]
                if found.same_boot
                else None,
            }
        )
        + "\n"
    )


def _pair(values: tuple[Any, Any]) -> dict[str, Any]:
    return {"old": values[0], "new": values[1]}


def _moment(side: ComparedSide) -> dict[str, Any]:
    about = head(everything(side.snapshot))
    return {"file": side.file, **{name: about[name] for name in ("taken_at", "host", "collector")}}


def _findings(old: Snapshot, new: Snapshot, found: Difference) -> dict[str, Any]:
    return {
        "begun": _told(new, found.begun),
        "changed": [
            _pair((*_told(old, (before,)), *_told(new, (after,))))
            for before, after in found.changed
        ],
        "ended": _told(old, found.ended),
    }


def _told(snapshot: Snapshot, some: tuple[Finding, ...]) -> list[Any]:
    """As the snapshot's own list has them."""
    selection = everything(replace(snapshot, findings=some))
    return [json.loads(each) for each in objects(findings.columns(selection, selection.findings))]


def _states(found: Difference) -> dict[str, Any]:
    pairs = zip(tcp.STATES[1:], found.by_state[1:], strict=True)
    return {state: _pair(pair) for state, pair in pairs if pair[0] != pair[1]}


def _processes(found: Difference, now: Snapshot) -> Iterator[dict[str, Any]]:
    for each in found.processes:
        process = each.process
        yield {
            "pid": process.pid if process and found.same_boot else None,
            "owner": owner.OWNER_KINDS[each.owner],
            "name": process and process.name,
            **operators_name(process),
            "netns": each.netns,
            "sockets": _pair(each.sockets),
            "close_wait": _pair(each.close_wait),
        }


def _listeners(found: Difference, old: ComparedSide, new: ComparedSide) -> Iterator[dict[str, Any]]:
    for each in found.listeners:
        sample = (new if each.there[1] else old).snapshot.sample
        about = identity(sample, sample.sockets.take(np.array([each.row])))
        names = ("netns", "local_address", "local_port", "interface")
        queue = [n if there else None for n, there in zip(each.queue, each.there, strict=True)]
        yield {
            **{name: about[name][0] for name in names},  # type: ignore[index]
            "accept_queue": _pair((queue[0], queue[1])),
            "dropped": each.dropped,
        }


def _remotes(found: Difference, old: ComparedSide, new: ComparedSide) -> Iterator[dict[str, Any]]:
    for each in found.remotes:
        sample = (new if each.sockets[1] else old).snapshot.sample
        zone = sample.zone(each.netns, each.interface)
        yield {
            "netns": each.netns,
            "address": text(*each.address),
            "interface": zone[1:] or None,
            "sockets": _pair(each.sockets),
        }
