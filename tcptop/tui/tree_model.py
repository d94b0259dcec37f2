"""The connections as a tree: a table model whose rows are groups and sockets."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence

import numpy as np

from tcptop.analysis.findings import words
from tcptop.analysis.tree import PROCESS, REMOTE, SOCKET, Branches, TreeOf, grow
from tcptop.analysis.workloads import merged
from tcptop.columns import Listing, endpoints, marks, netns, processes, units
from tcptop.columns.marks import KEY as MARK
from tcptop.columns.names import named
from tcptop.model import address, tcp
from tcptop.model.cells import safe
from tcptop.model.named_tuple import NamedTuple
from tcptop.model.selection import Selection
from tcptop.model.table import F64, Index
from tcptop.tui.models import BLOCK, ListingModel
from tcptop.tui.place import Sort
from tcptop.tui.settings import Arrangement
from tcptop.tui.widgets.layout import Cell, TableColumn

LABEL, REDUNDANT = "remote", "process"  # the column of the tree, and what it says already
TITLES: Mapping[TreeOf, str] = {
    "process": "Process, remote",
    "workload": "Unit, process, remote",
    "netns": "Netns, process, remote",
}
SAID: Mapping[TreeOf, tuple[str, ...]] = {  # columns that a tree needs no more
    "process": (),
    "workload": ("unit",),
    "netns": (netns.KEY,),
}
SUMMED = {
    "recv_q": units.size,
    "send_q": units.size,
    "sent_per_s": units.byte_rate,
    "received_per_s": units.byte_rate,
    "retrans": units.count,
}
QUEUES = ("recv_q", "send_q")  # of listeners these are lengths, no bytes
INDENT = "  "


class TreeGroup(NamedTuple):
    """The key of a row that stands for several sockets."""

    level: int
    key: int


class TreeModel(ListingModel):
    """Sockets below their remotes and processes, or below their processes and containers, units or
    network namespaces; `turned` are the groups that the user folded or unfolded."""

    def __init__(
        self,
        listing: Listing,
        selection: Selection,
        sort: Sort,
        turned: frozenset[TreeGroup],
        by: TreeOf = "process",
    ) -> None:
        super().__init__(listing, selection, sort)
        self._by = by
        self._sums: dict[str, tuple[F64, F64]] = {}
        self._branches = self._grown(sort)
        self._rows = self._branches.rows
        self._keys = listing.keys(selection, self._rows)
        self._worst: list[list[int]] | None = None  # ranks of findings
        self._lines = self._branches.unfolded(turned)

    def turn(self, turned: frozenset[TreeGroup]) -> None:
        """Fold and unfold; everything else stays."""
        self._lines = self._branches.unfolded(turned)
        self._blocks.clear()
        self._styles.clear()

    def _grown(self, sort: Sort) -> Branches:
        if sort.key not in SUMMED:
            return grow(self.selection, self._rows, None, self._by)
        values = self._values(sort.key, self._rows)
        downwards = self.listing.column(sort.key).largest_first != sort.reverse
        weights = -values if downwards else values
        return grow(self.selection, self._rows, weights, self._by)

    def _values(self, key: str, rows: Index) -> F64:
        """What is summed; nothing of listeners' queues."""
        values: F64 = self.listing.column(key).values(self.selection, rows).astype(np.float64)
        if key in QUEUES:
            listening = self.selection.snapshot.sample.sockets.state[rows] == tcp.LISTEN
            return np.where(listening, np.nan, values)
        return values

    # -- as a table asks

    def arrange(self, arrangement: Arrangement | None) -> None:
        super().arrange(arrangement)
        signs = [column for column in self._columns if column.key == MARK]
        said = (MARK, LABEL, REDUNDANT, *SAID[self._by])
        others = [c for c in self._columns if c.key not in said]
        label = TableColumn(LABEL, TITLES[self._by], 26, flex=True, tail=":", least=14, priority=-2)
        self._columns = [*signs, label, *others]

    def __len__(self) -> int:
        return len(self._lines)

    def key(self, row: int) -> Hashable:
        kind, ref = self._line(row)
        return self._group(kind, ref) if kind != SOCKET else int(self._keys[ref])

    def _line(self, row: int) -> tuple[int, int]:
        line = self._lines[row]
        return int(self._branches.kind[line]), int(self._branches.ref[line])

    def _group(self, kind: int, ref: int) -> TreeGroup:
        return TreeGroup(kind, int(self._branches.levels[kind].keys[ref]))

    def row_of(self, key: Hashable) -> int | None:
        """Of a socket in a folded group, the row of the group."""
        if isinstance(key, TreeGroup):
            found = np.flatnonzero(self._branches.levels[key.level].keys == np.uint64(key.key))
            return self._seen(key.level, int(found[0])) if len(found) else None
        at = super().row_of(key)
        return None if at is None else self._seen(SOCKET, at)

    def _seen(self, kind: int, ref: int) -> int | None:
        """The row of a line, or of the group that it is folded into."""
        line = self._branches.line(kind, ref)
        row = int(np.searchsorted(self._lines, line))
        if row < len(self._lines) and self._lines[row] == line:
            return row
        processes, remotes = self._branches.levels
        if kind == SOCKET:
            return self._seen(REMOTE, int(remotes.group[ref]))
        return self._seen(PROCESS, int(processes.group[remotes.start[ref]]))

    def place(self, key: Hashable) -> int | None:
        """The socket's place in the snapshot's list, folded or not; groups have none."""
        at = None if isinstance(key, TreeGroup) else super().row_of(key)
        return None if at is None else int(self._rows[at])

    def style(self, row: int) -> str:
        kind, ref = self._line(row)
        if kind != SOCKET:
            return ""
        return self.listing.styles(self.selection, self._rows[ref : ref + 1])[0]

    # -- cells

    def _column(self, block: int, key: str) -> Sequence[Cell]:
        """The cells of a block of lines: those of its sockets at once, of each group its own."""
        made = self._blocks.get((block, key))
        if made is None:
            lines = self._lines[block * BLOCK : (block + 1) * BLOCK]
            kinds, refs = self._branches.kind[lines], self._branches.ref[lines]
            sockets = iter(self._sockets(key, refs[kinds == SOCKET]))
            made = [
                next(sockets) if kind == SOCKET else self._group_cell(key, kind, ref)
                for kind, ref in zip(kinds.tolist(), refs.tolist(), strict=True)
            ]
            self._blocks[block, key] = made
        return made

    def _sockets(self, key: str, refs: Index) -> Sequence[Cell]:
        return self._leaves(refs) if key == LABEL else self._cells(key, self._rows[refs])

    def _leaves(self, refs: Index) -> list[Cell]:
        """The remote ends, deeper where their remote has a line of its own; listeners' own ends.
        Below a unit a process with one socket is named with it."""
        rows, remotes = self._rows[refs], self._branches.levels[REMOTE]
        deep = (remotes.size[remotes.group[refs]] > 1).tolist()
        ends, own = self._texts(LABEL, rows), self._texts("local", rows)
        listens = (self.selection.snapshot.sample.sockets.state[rows] == tcp.LISTEN).tolist()
        names = [""] * len(rows)
        if self._by != "process":
            names = [
                "" if below else f"{self._holder(row)} "
                for below, row in zip(deep, rows.tolist(), strict=True)
            ]
        return [
            f"{INDENT * (2 + below)}{name}{'on ' + local if listening else remote}"
            for below, name, listening, local, remote in zip(
                deep, names, listens, own, ends, strict=True
            )
        ]

    def _holder(self, row: int) -> str:
        owner = endpoints.owner_text(self.selection.snapshot, row).partition(" +")[0]
        return owner.rstrip("†") or "(nobody)"

    def _group_cell(self, key: str, kind: int, ref: int) -> Cell:
        level = self._branches.levels[kind]
        if key == LABEL:
            return self._label(kind, ref)
        if key == "state":
            return _counted(int(level.size[ref]))
        if key in SUMMED:
            return SUMMED[key](float(self._summed(key)[kind][ref]))
        return self._mark(kind, ref) if key == MARK else ""

    def _label(self, kind: int, ref: int) -> str:
        level = self._branches.levels[kind]
        row = int(self._rows[level.start[ref]])
        folded = not self._opened(kind, ref)
        sign = "+ " if folded else "- "
        sample, table = self.selection.snapshot.sample, self.selection.snapshot.sample.sockets
        inside = int(table.netns[row])
        where = netns.place(self.selection.snapshot, inside) if kind == PROCESS else ""
        if kind == PROCESS and self._by == "netns":
            return sign + safe(sample.space(inside))
        if kind == PROCESS and self._by == "workload":
            told = merged(self.selection.snapshot)
            found = told.found[int(told.of[row])]
            box = found.container
            return sign + (safe(words.brief(box)) if box else processes.called(found)) + where
        if kind == PROCESS or self._by != "process":
            return INDENT * kind + sign + self._holder(row) + where
        remote = address.remote_text(table, row)
        zone = sample.zone(inside, int(table.interface[row]))
        return INDENT + sign + named([remote], self._names)[0] + zone

    def _opened(self, kind: int, ref: int) -> bool:
        """Whether something of the group is shown after its line."""
        line = self._branches.line(kind, ref)
        after = self._lines[np.searchsorted(self._lines, line) + 1 :][:1]
        if kind == REMOTE:
            return bool((after == line + 1).any())
        return bool((self._branches.kind[after] > PROCESS).any())

    def _summed(self, key: str) -> tuple[F64, F64]:
        """The sums of a column over the groups of both levels."""
        if key not in self._sums:
            values = self._values(key, self._rows)
            processes, remotes = self._branches.levels
            self._sums[key] = _sums(values, processes.start), _sums(values, remotes.start)
        return self._sums[key]

    def _mark(self, kind: int, ref: int) -> Cell:
        """That of the worst finding about any of the sockets."""
        if self._worst is None:
            ranks = self.listing.column(MARK).values(self.selection, self._rows)
            starts = (level.start for level in self._branches.levels)
            self._worst = [np.maximum.reduceat(ranks, start).tolist() for start in starts]
        rank = self._worst[kind][ref]
        if rank < 0:
            return ""
        severity = marks.least_first(self.selection.snapshot)[rank].severity
        return marks.SIGNS[severity], marks.STYLES[severity]


def _sums(values: F64, starts: Index) -> F64:
    """Of the known values from each start to the next; NaN where none is known."""
    unknown = np.isnan(values)
    sums = np.add.reduceat(np.where(unknown, 0.0, values), starts)
    return np.where(np.logical_and.reduceat(unknown, starts), np.nan, sums)


def _counted(sockets: int) -> str:
    """`34 socks`, in ten cells at most."""
    number = f"{sockets}" if sockets < 10_000 else f"{sockets // 1000}k"
    return f"{number} sock{'' if sockets == 1 else 's'}"
