"""The column of network namespaces, in lists whose rows may be of several."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tcptop.columns.column import Column
from tcptop.columns.kernel import KERNEL
from tcptop.columns.listing import Listing
from tcptop.columns.namespaces import NAMESPACES
from tcptop.model.cells import safe
from tcptop.model.selection import Selection
from tcptop.model.table import Index

KEY = "netns"


def told(listing: Listing) -> Listing:
    """The list with the namespace of each row, where a row is of one."""
    if listing.netns is None or listing.name in (NAMESPACES.name, KERNEL.name):
        return listing
    return replace(listing, columns=(*listing.columns, _column(listing)))


def several(listing: Listing, selection: Selection, rows: Index) -> bool:
    """Whether some rows are of more than one namespace."""
    if listing.netns is None or not len(rows) or not selection.snapshot.namespaces.several:
        return False
    spaces = listing.netns(selection, rows)
    return bool((spaces != spaces[0]).any())


def _column(listing: Listing) -> Column:
    def texts(selection: Selection, rows: Index) -> list[str]:
        assert listing.netns is not None
        known = {each.inode: each.title for each in selection.snapshot.sample.namespaces}
        inodes = listing.netns(selection, rows).tolist()
        return [safe(known.get(inode, str(inode))) for inode in inodes]

    return Column(
        KEY, "Netns", 10, "Its network namespace: the name, else container, unit or inode.",
        lambda s, rows: np.array(texts(s, rows), dtype=str), texts,
        flex=True, priority=2, largest_first=False, least=6, grow=3,
    )  # fmt: skip
