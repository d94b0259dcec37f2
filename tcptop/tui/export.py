"""What leaves the screen: the command that shows the same as a row, or all of it as a JSON file."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from itertools import count

from tcptop.columns.listing import Listing, netns_of, shell_command
from tcptop.model.netns import reaching
from tcptop.model.selection import Selection
from tcptop.tui.header import counted
from tcptop.views import json, output


def command(listing: Listing, selection: Selection, place: int, own: int) -> str:
    """For a row, typed into a shell in namespace `own`; empty where none shows it."""
    netns = netns_of(listing, selection, place)
    inside = reaching(selection.snapshot.sample, netns) if own and netns != own else None
    return shell_command(listing, selection, place, inside)


def write(selection: Selection) -> str:
    """Write a file in the present directory; returns what to say about it."""
    name = _unused(file_name(selection))
    try:
        with output.opened(name) as out:
            json.write(selection, out)
    except OSError as error:
        return f"not exported: {name}: {error.strerror or error}"
    return f"exported {counted(len(selection.rows))} to {os.path.abspath(name)}"


def file_name(selection: Selection) -> str:
    """`tcptop-HOST-20261122T083000Z.json`, by the moment of the sample."""
    sample = selection.snapshot.sample
    taken = datetime.fromtimestamp(sample.taken_at, UTC).strftime("%Y%m%dT%H%M%SZ")
    host = "".join(c if c.isalnum() or c in "-." else "_" for c in sample.host.hostname)
    return f"tcptop-{host}-{taken}.json"


def _unused(name: str) -> str:
    """The name, or with a number where there is such a file: two filters of one held look."""
    stem, names = name.removesuffix(".json"), count(2)
    while os.path.lexists(name):
        name = f"{stem}-{next(names)}.json"
    return name
