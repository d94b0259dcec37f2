"""The column of network namespaces, in lists whose rows may be of several."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tcptop.columns.column import Column
from tcptop.columns.findings import FINDINGS
from tcptop.columns.kernel import KERNEL
from tcptop.columns.listing import Listing
from tcptop.columns.namespaces import NAMESPACES
from tcptop.model.cells import safe
from tcptop.model.selection import Selection
from tcptop.model.snapshot import Snapshot
from tcptop.model.table import Index

KEY = "netns"


def told(listing: Listing) -> Listing:
    """The list with the namespace of each row, where a row is of one."""
    if listing.netns is None or listing.name in (NAMESPACES.name, KERNEL.name):
        return listing
    return replace(listing, columns=(*listing.columns, _column(listing)))


def elsewhere(listing: Listing, selection: Selection, rows: Index) -> bool:
    """Whether some rows are of another namespace than the reader's own, which comes first."""
    spaces = selection.snapshot.sample.namespaces
    if listing.netns is None or not len(rows) or len(spaces) < 2:
        return False
    return bool((listing.netns(selection, rows) != spaces[0].inode).any())


def place(snapshot: Snapshot, netns: int) -> str:
    """` (netns lab)`, after what is in another namespace than the reader's own."""
    spaces = snapshot.sample.namespaces
    if len(spaces) < 2 or netns == spaces[0].inode:
        return ""
    return f" (netns {safe(snapshot.space(netns))})"


def _column(listing: Listing) -> Column:
    def texts(selection: Selection, rows: Index) -> list[str]:
        assert listing.netns is not None
        numbers = listing.netns(selection, rows).tolist()
        return [safe(selection.snapshot.space(number)) for number in numbers]

    return Column(
        KEY, "Netns", 10, "Its network namespace: the name, else container, unit or inode.",
        lambda s, rows: np.array(texts(s, rows), dtype=str), texts,
        flex=True, priority=_priority(listing), largest_first=False, least=6, grow=3, tail="/",
    )  # fmt: skip


def _priority(listing: Listing) -> int:
    """The title of a finding ends with its namespace, which is cut first."""
    return 0 if listing.name == FINDINGS.name else 2
