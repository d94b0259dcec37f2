"""What leaves the screen: the command that shows the same as a row, and files."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count
from typing import TextIO

import numpy as np

from tcptop.analysis.selection import selected_processes
from tcptop.columns.listing import Listing, netns_of, shell_command
from tcptop.model.cells import safe
from tcptop.model.netns import reaching
from tcptop.model.selection import Selection
from tcptop.tui.header import counted
from tcptop.views import output

REFUSED = "not exported"  # how it begins what it says where there is no file


def command(listing: Listing, selection: Selection, place: int, own: int) -> str:
    """For a row, typed into a shell in namespace `own`; empty where none shows it."""
    netns = netns_of(listing, selection, place)
    inside = reaching(selection.snapshot.sample, netns) if own and netns != own else None
    return shell_command(listing, selection, place, inside)


def row(listing: Listing, selection: Selection, place: int) -> str:
    """The columns of a row."""
    at = np.array([place])
    texts = (column.texts(selection, at)[0].strip() for column in listing.columns)
    return "  ".join(text for text in texts if text)


def write_json(selection: Selection, name: str) -> str:
    """All that is selected, to a file; returns what to say about it."""
    from tcptop.views import json

    each = replace(selection, processes=selected_processes(selection.snapshot, selection.selected))

    def write(out: TextIO) -> None:
        json.write(each, out)

    return _written(name, write) or f"exported {counted(len(selection.rows))} to {_full(name)}"


def write_text(text: str, name: str) -> str:
    """A text, to a file; returns what to say about it."""

    def write(out: TextIO) -> None:
        out.write(text)

    return _written(name, write) or f"written: {_full(name)}"


def _written(name: str, write: Callable[[TextIO], None]) -> str:
    """Why it was not possible; empty where it was."""
    try:
        with output.opened(name) as out:
            write(out)
    except OSError as error:
        return f"{REFUSED}: {name}: {error.strerror or error}"
    return ""


def _full(name: str) -> str:
    return safe(os.path.abspath(name))


def file_name(selection: Selection, ending: str) -> str:
    """`tcptop-HOST-20261122T083000Z.json`, by the moment of the sample; one that is not there."""
    sample = selection.snapshot.sample
    taken = datetime.fromtimestamp(sample.taken_at, UTC).strftime("%Y%m%dT%H%M%SZ")
    host = "".join(c if c.isalnum() or c in "-." else "_" for c in sample.host.hostname)
    return _unused(f"tcptop-{host}-{taken}", ending)


def _unused(stem: str, ending: str) -> str:
    """The name, or with a number where there is such a file: two filters of one held sample."""
    name, numbers = f"{stem}{ending}", count(2)
    while os.path.lexists(name):
        name = f"{stem}-{next(numbers)}{ending}"
    return name
