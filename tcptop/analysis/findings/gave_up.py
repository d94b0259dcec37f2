"""Clients that gave up on a server of this host: who, after how long, and what of the others."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tcptop.analysis.findings.awaiting import awaiting
from tcptop.analysis.findings.ended import go_on, lately
from tcptop.analysis.findings.hung_up import listeners
from tcptop.analysis.findings.observations import Observations
from tcptop.analysis.given_up import Abandoned, together
from tcptop.model.arrays import isin_sorted
from tcptop.model.named_tuple import NamedTuple
from tcptop.model.socket_id import socket_keys
from tcptop.model.table import F64, Index

LATELY_S = 30.0
WATCHED_S = 4.75  # as of destination-failing
BETWEEN_S = 2.0
LEAST_S = 0.3  # who leaves sooner wanted no answer
ALIKE = 1.1  # by so much what is one deadline may differ
NEARLY_ALL, PARTLY = 0.8, 0.2


class GaveUp(NamedTuple):
    """Of the listener `row`: those of the last `seconds`, and how many others were `answered`;
    `waiting` rows wait now."""

    row: int
    seconds: float
    first_s: float  # since the first of them
    given_up: Abandoned
    answered: int
    waiting: Index
    waiting_s: F64

    @property
    def number(self) -> int:
        return len(self.given_up.key)

    @property
    def every(self) -> int:
        return self.number + self.answered

    @property
    def reset(self) -> int:
        return int(np.count_nonzero(self.given_up.reset))

    @property
    def open_(self) -> int:
        return int(np.count_nonzero(self.given_up.open_))

    @property
    def span_s(self) -> tuple[float, float]:
        """What nearly all have waited: at least the first, at most the second, where one deadline
        ended them."""
        least, most = self.given_up.least_s, self.given_up.most_s
        if least.max() <= most.min():
            return float(least.max()), float(most.min())
        return float(np.quantile(least, 0.9)), float(np.quantile(most, 0.1))

    @property
    def alike(self) -> bool:
        least, most = self.span_s
        return least <= ALIKE * most

    @property
    def waited_s(self) -> float:
        """About so long, by the samples."""
        return float(np.mean(self.span_s))

    @property
    def nearly_all(self) -> bool:
        return self.number >= NEARLY_ALL * self.every


def gave_up(seen: Observations, least: float) -> Iterator[GaveUp]:
    """The listeners where so many did, and others still do."""
    clock = seen.sample.clock
    recent = [m for m in seen.summaries if clock - m.clock <= LATELY_S and len(m.given_up.key)]
    if seen.watched_s < WATCHED_S or sum(len(m.given_up.key) for m in recent) < least:
        return
    for kernel in seen.sample.kernel:
        for row in listeners(seen, kernel.netns):
            parts = [(m.clock, _at(seen, m.given_up, row)) for m in recent]
            found = _gave_up(seen, row, [each for each in parts if len(each[1].key)], least)
            if found and _told(found):
                yield found


def _at(seen: Observations, given_up: Abandoned, row: int) -> Abandoned:
    table = seen.table
    here = (given_up.netns == table.netns[row]) & (given_up.port == table.local_port[row])
    return given_up.take(here)


def _gave_up(
    seen: Observations, row: int, parts: list[tuple[float, Abandoned]], least: float
) -> GaveUp | None:
    every = together(each for _, each in parts)
    if len(every.key) < least:
        return None
    now, first, last = seen.sample.clock, parts[0][0], parts[-1][0]
    if last - first < BETWEEN_S or not go_on(now - last, last - first, len(parts)):
        return None
    seconds = min(LATELY_S, seen.watched_s)
    waiting, waited_s = awaiting(seen, called=False)
    here = seen.table.local_port[waiting] == seen.table.local_port[row]
    here &= seen.table.netns[waiting] == seen.table.netns[row]
    answered = _answered(seen, row, every, seconds)
    waiting, waited_s = waiting[here], waited_s[here]
    return GaveUp(row, seconds, now - first, every, answered, waiting, waited_s)


def _answered(seen: Observations, row: int, gone: Abandoned, seconds: float) -> int:
    """Connections to which something was sent in these seconds, and arrived, open or not: what is
    written to a client that has gone is reset, and acknowledged by nobody."""
    table, closed = seen.table, lately(seen, seconds)
    rows = np.flatnonzero((table.netns == table.netns[row]) & seen.accepted)
    rows = rows[table.local_port[rows] == table.local_port[row]]
    said = table.info_of("data_segs_out", rows) > 0
    said &= table.since_s("last_data_sent", rows) <= seconds
    said &= table.info_of("bytes_acked", rows) > 0
    over = (closed.netns == table.netns[row]) & (closed.local_port == table.local_port[row])
    over &= (closed.known("data_segs_out") > 0) & (closed.known("bytes_acked") > 0)
    keys = np.concatenate([table.key[rows[said]], socket_keys(closed.netns, closed.cookie)[over]])
    return int(np.count_nonzero(~isin_sorted(np.unique(keys), np.sort(gone.key))))


def _told(found: GaveUp) -> bool:
    """A server of logs or metrics answers nobody, and closes as soon as its clients do."""
    owes = found.answered > 0 or 2 * max(found.open_, found.reset) >= found.number
    long = found.span_s[0] >= LEAST_S
    in_part = found.alike and found.number >= PARTLY * found.every
    return owes and long and (found.nearly_all or in_part)
