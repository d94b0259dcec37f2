"""The lines around the table, as plain functions of what is known.

tcptop  web-1  current netns  root          1,204 sockets  poll 12 ms  cpu 1%  LIVE 1s
ESTAB 1,032 +12 ▂▃▅▆  LISTEN 14  TIME-WAIT 158 -3 ▆▅▃▂
 1 Processes 12   2 Connections 1204   3 Listeners 14   4 Ports 3   5 Remotes 9   6 Kernel
filter: state established
... the table ...
/filter  Enter open  Esc back  s sort  Space pause  e export  ? help  q quit
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tcptop.columns import LISTINGS, units
from tcptop.model import tcp
from tcptop.model.selection import Selection
from tcptop.model.snapshot import Trend
from tcptop.tui import bindings
from tcptop.tui.place import TITLES, VIEWS, Place
from tcptop.tui.widgets.layout import Line

# The order in which one looks for trouble.
STRIP = (
    *((tcp.ESTABLISHED, ""), (tcp.LISTEN, ""), (tcp.CLOSE_WAIT, "warn"), (tcp.SYN_SENT, "warn")),
    *((tcp.SYN_RECV, "warn"), (tcp.TIME_WAIT, ""), (tcp.FIN_WAIT1, "warn"), (tcp.FIN_WAIT2, "")),
    *((tcp.LAST_ACK, "warn"), (tcp.CLOSING, "warn")),
)
BLOCKS = " ▁▂▃▄▅▆▇█"
ASCII_BLOCKS = " .:-=+*#@"


@dataclass(frozen=True, slots=True)
class Status:
    """What the header says besides the snapshot."""

    scope: str  # which namespace
    user: str
    interval: float
    paused_for: float | None = None  # seconds; None is live
    cpu: float | None = None  # tcptop's own, of one processor


def title(selection: Selection | None, status: Status, width: int) -> Line:
    """Who and where on the left, how it goes on the right; the left gives way."""
    if selection is None:
        return ((" tcptop  looking…".ljust(width), "header"),)
    sample = selection.snapshot.sample
    mode, look = _mode(status)
    cpu = f"  cpu {status.cpu * 100:.0f}%" if status.cpu is not None else ""
    right = f"{len(sample.sockets):,} sockets  poll {sample.poll_ms:.0f} ms{cpu}  "
    rights = status.user if sample.privileged else f"{status.user}, not privileged"
    left = f" tcptop  {units.safe(sample.host.hostname)}  {status.scope}  {rights}"
    room = width - len(right) - len(mode) - 2
    return (
        (left[:room].ljust(room) + " ", "header"),
        (right, "header"),
        (mode + " ", look),
    )


def _mode(status: Status) -> tuple[str, str]:
    if status.paused_for is None:
        return f"LIVE {status.interval:g}s", "header"
    return f"PAUSED {units.duration(status.paused_for)}", "warn"


def strip(trend: Trend, width: int, ascii_only: bool) -> Line:
    """Counts of the states that occur, their change since the last sample, and a small trend."""
    spans: list[tuple[str, str]] = [(" ", "")]
    used = 1
    for state, look in STRIP:
        counts = trend.by_state[:, state]
        if not len(counts) or not counts.max(initial=0):
            continue
        text = f"{tcp.SS_STATES[state]} {counts[-1]:,}{_change(counts)}"
        picture = spark(counts, 8, ascii_only) if width >= 100 else ""
        piece = f"{text} {picture}" if picture else text
        if used + len(piece) > width:
            break
        spans += [(text, look if counts[-1] else "dim"), (f" {picture}  ", "dim")]
        used += len(piece) + 2
    return tuple(spans)


def _change(counts: np.ndarray[tuple[int, ...], np.dtype[np.int64]]) -> str:
    change = int(counts[-1] - counts[-2]) if len(counts) > 1 else 0
    return f" {change:+,}" if change else ""


def spark(
    values: np.ndarray[tuple[int, ...], np.dtype[np.int64]], width: int, ascii_only: bool
) -> str:
    """The last `width` values as bars from zero to the largest of them."""
    if len(values) < 2:
        return ""
    blocks = ASCII_BLOCKS if ascii_only else BLOCKS
    last = values[-width:]
    top = max(int(last.max()), 1)
    levels = np.ceil(last * (len(blocks) - 1) / top).astype(int)
    return "".join(blocks[level] for level in levels.tolist())


def tabs(selection: Selection | None, here: Place, width: int) -> Line:
    """The views with their keys; counts where there is room."""
    counts = _counts(selection) if selection is not None else {}
    full = [_tab(number, counts) for number in range(len(VIEWS))]
    if sum(map(len, full)) > width:
        full = [_tab(number, {}) for number in range(len(VIEWS))]
    if sum(map(len, full)) > width:
        full = [f" {number + 1} {TITLES[number][:5]} " for number in range(len(VIEWS))]
    return tuple(
        (text, "cursor" if VIEWS[number] == here.view else "") for number, text in enumerate(full)
    )


def _counts(selection: Selection) -> dict[str, int]:
    return {name: len(listing.rows(selection)) for name, listing in LISTINGS.items()}


def _tab(number: int, counts: dict[str, int]) -> str:
    count = f" {counts[VIEWS[number]]}" if VIEWS[number] in counts else ""
    return f" {number + 1} {TITLES[number]}{count} "


def scope_line(selection: Selection | None, filters: list[str], width: int) -> Line | None:
    """The filter in force and how much it leaves; None without one."""
    if not filters:
        return None
    text = " and ".join(f"({f})" if len(filters) > 1 else f for f in filters)
    found = f"  {len(selection.rows):,} sockets" if selection is not None else ""
    room = max(10, width - len(found) - 10)
    shown = text if len(text) <= room else text[: room - 1] + "…"
    return ((" filter: ", "dim"), (units.safe(shown), "good"), (found, "dim"))


def note_line(notes: tuple[str, ...], width: int) -> Line | None:
    """What could not be seen, in one line; None where nothing is missing."""
    if not notes:
        return None
    return (((" note: " + units.safe(" ".join(notes)))[:width], "dim"),)


def footer(width: int) -> Line:
    """The keys one needs first, as many as fit."""
    spans: list[tuple[str, str]] = [(" ", "")]
    used = 1
    for key, name in bindings.FOOTER:
        piece = f"{key} {bindings.LABELS[name]}"
        if used + len(piece) > width:
            break
        spans += [(key, "header"), (piece[len(key) :] + "  ", "dim")]
        used += len(piece) + 2
    return tuple(spans)
