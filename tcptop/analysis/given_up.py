"""Clients that gave up, as columns: `giving_up` finds them."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from tcptop.model.named_tuple import NamedTuple
from tcptop.model.table import F64, U16, U32, U64, Bools, Index

FIRST = 3  # segments of a first request
ANSWERED = 4  # segments with a request for one with an answer: more, and nobody answers them


class Abandoned(NamedTuple):
    """Columns. They had waited for `least_s` to `most_s`; `reset`, else closed in order; `open_`:
    our program had not closed its end when that was seen."""

    key: U64  # SocketTable.key
    netns: U32
    port: U16  # ours
    remote_hi: U64
    remote_lo: U64
    least_s: F64
    most_s: F64
    reset: Bools
    open_: Bools

    def take(self, rows: Index | Bools) -> Abandoned:
        return Abandoned(**{name: getattr(self, name)[rows] for name in self._fields})


NOBODY = Abandoned(
    *(np.zeros(0, kind) for kind in ("u8", "u4", "u2", "u8", "u8", "f8", "f8", "?", "?"))
)


def together(parts: Iterable[Abandoned]) -> Abandoned:
    some = [each for each in parts if len(each.key)]
    return Abandoned(*map(np.concatenate, zip(*some, strict=True))) if some else NOBODY
