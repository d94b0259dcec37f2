"""The lines around the table, as plain functions of what is known.

tcptop  web-1  current netns  root          1,204 sockets  poll 12 ms  cpu 1%  LIVE 1s
 ! critical  nginx on :8080 is too slow to accept: 42 SYNs/s dropped   +2 more   7 lists all
ESTAB 1,032 +12 ▂▃▅▆  TIME-WAIT 158 -3 ▆▅▃▂  LISTEN 14  CLOSE-WAIT 3
 0 Overview [1 Processes 12] 2 Connections 1,204  3 Listeners 14  4 Ports 3  5 Remotes 9  ...
filter: state established
... the table ...
/filter  Enter open  Esc back  s sort  Space pause  e export  ? help  q quit
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from tcptop.analysis.findings import silence
from tcptop.analysis.findings.settings import FindingSettings
from tcptop.analysis.findings.words import clock_time
from tcptop.columns import (
    CLOSED,
    FINDINGS,
    KERNEL,
    LISTENERS,
    NAMESPACES,
    OVERVIEW,
    PORTS,
    PROCESSES,
    REMOTES,
    SOCKETS,
    STATES,
    states,
    units,
)
from tcptop.columns.findings import severity
from tcptop.columns.marks import STYLES
from tcptop.model import tcp
from tcptop.model.cells import cell_slice, cell_width, cut, ljust, rjust, safe
from tcptop.model.dataclass import dataclass
from tcptop.model.finding import Finding, causes
from tcptop.model.selection import Selection
from tcptop.model.snapshot import Snapshot, Totals, Trend
from tcptop.model.table import I64
from tcptop.tui.views import VIEWS, View, view_key
from tcptop.tui.views import tabs as tabs_of
from tcptop.tui.widgets.layout import Line

TREND = 8  # samples in a small picture
PICTURES_FROM = 100  # columns of the terminal
BLIND_FROM, BLIND_BELOW = 20, 0.99  # connections, and the share of them from which nothing is said
HOST_ROOM = 24  # columns that a long host name may take where there are few


@dataclass(frozen=True, slots=True)
class Status:
    """What the header says besides the snapshot."""

    scope: str  # which namespace
    user: str
    interval: float
    held_at: float | None = None  # the time of the sample that is held; None is live
    past: bool = False  # it was gone back to
    poll_ms: float | None = None  # about as long as the last samples took; None is exactly
    cpu: float | None = None  # tcptop's own, of one processor
    failed: str = ""  # why the last sample was not possible
    recording: bool = False  # samples are written to a file
    noted: bool = False  # there are notes, which were shown before
    replayed: tuple[str, str] | None = None  # of a recording: what goes on, and its look
    timeline: Sequence[Line] = ()
    remark: str = ""  # what is not known yet of what is shown


def title(selection: Selection | None, status: Status, width: int) -> Line:
    """Who and where on the left, how it goes on the right; what matters least gives way."""
    if selection is None:
        first = "reading…" if status.replayed else "first sample…"
        return ((ljust(f" tcptop  {first}", width), "header"),)
    mode, style = _mode(status)
    recording = RECORDING if status.recording else ""
    left, right = _left(selection, status), _right(selection, status)
    room = width - cell_width(recording + mode) - 2
    for rank in range(LEAST, 0, -1):
        if _length(left) + _length(right) > room:
            left = [part for part in left if part[0] != rank]
            right = [part for part in right if part[0] != rank]
    start = cut(_joined(left), max(0, room - _length(right)))
    gap = " " * (room - cell_width(start) - _length(right))
    told = (f" {start}{gap}{_joined(right)}", "header"), (recording, "bad header")
    return (*(told if recording else told[:1]), (f"{mode} ", style))


RECORDING = "REC "
NOTED = "[?]"  # the mark of what the help explains
# (rank, text): the highest rank is left out first, 0 never.
Part = tuple[int, str]
LEAST = 5


def _left(selection: Selection, status: Status) -> list[Part]:
    sample = selection.snapshot.sample
    by = "recorded" if status.replayed else status.user
    rights = status.user if sample.privileged else f"{by}, not privileged"
    host = cut(safe(sample.host.hostname), HOST_ROOM)
    return [
        (4, "tcptop"),
        (0, host),
        (2, safe(status.scope)),
        (3 if sample.privileged else 1, safe(rights)),
        *([(0, NOTED)] if status.noted else []),
    ]


def _right(selection: Selection, status: Status) -> list[Part]:
    sample = selection.snapshot.sample
    parts = [(1, counted(len(sample.sockets)))]
    if not status.replayed:
        poll_ms = sample.poll_ms if status.poll_ms is None else status.poll_ms
        parts += [(3, f"poll {poll_ms:.0f} ms")]
    parts += [(4, blind)] if (blind := _blind_spot(selection.snapshot.totals)) else []
    return parts if status.cpu is None else [*parts, (5, f"cpu {status.cpu * 100:.0f}%")]


def _blind_spot(totals: Totals) -> str:
    """`saw 93% of opens` where some connections were too short to be seen; else empty."""
    ratio = totals.opens_seen_ratio
    if ratio is None or totals.counted < BLIND_FROM or ratio >= BLIND_BELOW:
        return ""
    return f"saw {math.floor(100 * ratio)}% of opens"


def _joined(parts: list[Part]) -> str:
    return "".join(f"{text}  " for _, text in parts)


def _length(parts: list[Part]) -> int:
    return cell_width(_joined(parts))


def _mode(status: Status) -> tuple[str, str]:
    if status.replayed:
        return status.replayed
    if status.held_at is not None:  # by its time: an age would change every second
        word = "PAST" if status.past else "PAUSED"
        return f"{word} {clock_time(status.held_at)}", "warn header"
    if status.failed:
        return "FAILING", "bad header"
    return f"LIVE {status.interval:g}s", "header"


def strip(trend: Trend, width: int) -> Line:
    """Counts of the states that occur, their change since the last sample, and a small trend."""
    spans: list[tuple[str, str]] = [(" ", "")]
    used = 1
    pieces = list(_pieces(trend, with_pictures=width >= PICTURES_FROM))
    for at, (text, style, picture) in enumerate(pieces):
        more = f"+{len(pieces) - at} more"
        last = at == len(pieces) - 1
        if used + cell_width(text + picture) + (0 if last else 2 + len(more)) > width:
            spans.append((cut(more, width - used), "dim"))
            break
        spans += [(text, style), (picture + "  ", "dim")]
        used += cell_width(text + picture) + 2
    return tuple(spans)


def _pieces(trend: Trend, with_pictures: bool) -> Iterator[tuple[str, str, str]]:
    """(text, look, picture) of each state that occurs, the most sockets first: what does not fit
    is left out from the end."""
    now = trend.by_state[-1].tolist() if len(trend.by_state) else []
    for state in sorted(states.ORDER, key=lambda each: -now[each]) if now else ():
        if now[state]:
            counts = trend.by_state[-TREND:, state]
            text = f"{tcp.SS_STATES[state]} {counts[-1]:,}{_change(counts)}"
            moves = with_pictures and counts.min() != counts.max()
            picture = units.spark(counts, TREND) if moves else ""
            yield text, states.style(state, now[state]), f" {picture}" if picture else ""


def _change(counts: I64) -> str:
    change = int(counts[-1] - counts[-2]) if len(counts) > 1 else 0
    return f" {change:+,}" if change else ""


# Where there is no room for all names: whose short one is shown, then who has none, in this order.
SHORTENED = (SOCKETS, NAMESPACES, PROCESSES, FINDINGS, LISTENERS)
UNNAMED = (STATES, PORTS, REMOTES, KERNEL, CLOSED, NAMESPACES, OVERVIEW)


def tabs(selection: Selection | None, view: str, width: int) -> Line:
    """The views with their keys; counts where there is room. No name is cut. Read it with
    `tab_at`."""
    views = [VIEWS[name] for name in tabs_of(view)]
    at = [each.listing.name for each in views].index(view)
    for names in _named(views, at, selection):
        if sum(map(len, names)) <= width:
            break
    return tuple((name, "cursor" if place == at else "") for place, name in enumerate(names))


def _named(views: Sequence[View], at: int, selection: Selection | None) -> Iterator[list[str]]:
    """The names of the tabs with their keys, in less and less room."""
    keys = [each.key or str(place) for place, each in enumerate(views)]
    names = {each.listing.name: each.listing.title for each in views}
    counted = [names[each.listing.name] + _count(each, selection) for each in views]
    yield _spaced(counted, keys, at, 2)
    yield _spaced(counted, keys, at, 1)
    yield _spaced([*names.values()], keys, at, 2)
    yield _spaced([*names.values()], keys, at, 1)
    for listing in SHORTENED:
        names |= {listing.name: listing.short} if listing.name in names else {}
        yield _spaced([*names.values()], keys, at, 1)
    yield _spaced([*names.values()], keys, at, 1, joint="")
    for listing in (*UNNAMED, *SHORTENED):
        if listing.name in names and listing.name != views[at].listing.name:
            names[listing.name] = ""
            yield _spaced([*names.values()], keys, at, 1, joint="")


def _spaced(
    names: Sequence[str], keys: Sequence[str], at: int, blanks: int, joint: str = " "
) -> list[str]:
    """With blanks between neighbours and brackets around the one at `at`."""
    keyed = [f"{key}{joint if name else ''}{name}" for key, name in zip(keys, names, strict=True)]
    spaced = [f" {name} "[: len(name) + blanks] for name in keyed]
    spaced[at] = f"[{keyed[at]}]"
    if blanks == 1:
        spaced[at + 1 : at + 2] = keyed[at + 1 : at + 2]
    return spaced


def tab_at(line: Line, x: int) -> str | None:
    """The view whose name in the line of `tabs` is at column `x`."""
    for view, (name, _) in zip(VIEWS, line, strict=False):  # those without a digit come last
        x -= cell_width(name)
        if x < 0:
            return view
    return None


def _count(view: View, selection: Selection | None) -> str:
    if selection is None or not view.counted:
        return ""
    return f" {len(view.listing.rows(selection)):,}"


def filter_line(selection: Selection | None, text: str, view: str, width: int) -> Line | None:
    """The filter in force and how much it leaves; None without one."""
    if not text:
        return None
    found = "  " + counted(len(selection.rows)) if selection is not None else ""
    whole = "numbers and states" if VIEWS[view].listing is OVERVIEW else "rows"
    found += f"; {whole} count all" if VIEWS[view].listing.whole else ""
    room = max(10, width - cell_width(found) - cell_width(" filter: "))
    return ((" filter: ", "dim"), (cut(safe(text), room), "good"), (found, "dim"))


def counted(sockets: int) -> str:
    """`1 socket`, `1,204 sockets`."""
    return f"{sockets:,} socket{'' if sockets == 1 else 's'}"


def remark(text: str, style: str, width: int) -> Line:
    """A line of words."""
    return ((cut(f" {safe(text)}", width), style),)


def footer(keys: Sequence[tuple[str, str]], width: int) -> Line:
    """Keys and what they do, those that one needs first; as many as fit."""
    spans: list[tuple[str, str]] = [(" ", "")]
    used = 1
    for key, label in keys:
        if used + cell_width(f"{key} {label}") > width:
            break
        spans += [(key, "header"), (f" {label}  ", "dim")]
        used += cell_width(f"{key} {label}  ")
    return tuple(spans)


# -- the worst that was found


ALARM_ROWS = 12  # of the terminal: with fewer there is no room for it
ALARM_WIDE = 100  # columns of the terminal; with fewer, titles need the room of all that is obvious
ALARM_KEY = f"{view_key(FINDINGS)} lists all"


def alarm(snapshot: Snapshot | None, settings: FindingSettings, width: int) -> Line:
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
    said = " ..  no problems yet" if early else " ok  no problems"
    if notes:
        said += f", {notes} notice{'' if notes == 1 else 's'}  {ALARM_KEY}"
    elif early:
        said += "; some findings need a longer watch"
    return ((cut(said, width), "dim"),)


def _trouble(worst: Sequence[Finding], notes: int, width: int) -> Line:
    spans: list[tuple[str, str]] = []
    room, rest = width, ""
    for at, finding in enumerate(worst):
        head, title = f" {severity(finding)}  ", safe(finding.title)
        after = _rest(len(worst) - at - 1, notes, width >= ALARM_WIDE)
        if at and cell_width(head + title + after) > room:
            break
        rest, title = after, cut(title, max(0, room - cell_width(head + after)))
        style = STYLES[finding.severity]
        spans += [(head, style), (title, style if style == "bad" else "")]
        room -= cell_width(head + title)
    return (*spans, (cell_slice(rjust(rest, room), 0, max(0, room)), "dim"))


def _rest(more: int, notes: int, wide: bool) -> str:
    """The end of the alarm, and a blank before it."""
    parts = [f"  +{more} more"] if more else []
    parts += [f"  +{notes} info"] if notes and wide else []
    parts += [f"  {ALARM_KEY}"] if wide else []
    return "".join(parts) + " "
