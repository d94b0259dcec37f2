"""Connections that have ended, column by column."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tcptop.analysis.selection import ended
from tcptop.columns.endpoints import addresses
from tcptop.model import closed as codes
from tcptop.model import owner, tcp
from tcptop.model.closed import Closed
from tcptop.model.selection import Selection
from tcptop.model.table import Index
from tcptop.views.rows import Columns, integers, known, measured, named, rfc3339
from tcptop.views.socket_rows import FAMILIES, People, interfaces


def told(selection: Selection) -> bool:
    """Whether it is known what has ended: the kernel was asked, and one look is no watch."""
    snapshot = selection.snapshot
    return bool(snapshot.closed or (snapshot.sample.deaths and snapshot.over_s is not None))


def order(selection: Selection) -> Index:
    """Newest first."""
    return selection.closed()


def columns(selection: Selection, places: Index) -> Columns:
    """The fields of `closed[]`."""
    sample, some = selection.snapshot.sample, ended(selection.snapshot).take(places)
    former = selection.snapshot.former
    return {
        "netns": [former[n].inode if n in former else n for n in some.netns.tolist()],
        "cookie": [f"{cookie:x}" for cookie in some.cookie.tolist()],
        "family": named(FAMILIES, some.family),
        "local_address": known(_texts(some.local_hi, some.local_lo), some.local_known),
        "local_port": known(some.local_port, some.local_port > 0),
        "remote_address": addresses(some.remote_hi, some.remote_lo),
        "remote_port": known(some.remote_port, some.remote_port > 0),
        "interface": interfaces(sample, some.netns, some.interface),
        "owner": named(owner.OWNER_KINDS, some.owner),
        "owner_note": [owner.NOTES[note] or None for note in some.note.tolist()],
        "processes": _processes(some),
        "closed_at": list(map(rfc3339, some.at.tolist())),
        "life_s": measured(some.life_s),
        "shorter_than_s": measured(some.short_s),
        "last_state": [tcp.STATES[state] or None for state in some.state.tolist()],
        "opened": some.opened.tolist(),
        "bytes_sent": integers(some.known("bytes_sent")),
        "bytes_received": integers(some.known("bytes_received")),
        "retransmits": integers(some.known("total_retrans")),
        "rtt_us": integers(some.known("rtt")),
        "reset": known(some.reset == codes.YES, some.reset != codes.UNKNOWN),
        "ended_by": [codes.CLOSERS[first] for first in some.first.tolist()],
    }


def _texts(hi: NDArray[np.uint64], lo: NDArray[np.uint64]) -> NDArray[Any]:
    return np.array(addresses(hi, lo), object)


def _processes(some: Closed) -> list[list[dict[str, Any]]]:
    people = People(some.processes)
    return [[{**people[at], "fd": None}] if at >= 0 else [] for at in some.process.tolist()]
