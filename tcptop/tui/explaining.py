"""Which page explains what is under the cursor."""

from __future__ import annotations

import numpy as np

from tcptop.columns.kernel import entries
from tcptop.columns.marks import about
from tcptop.model import tcp
from tcptop.model.selection import Selection
from tcptop.tui.place import CONTENTS

# Of a row that no finding is about.
OTHERWISE = {"listeners": "queues", "ports": "ports"}


def page_of(view: str, selection: Selection, place: int) -> str:
    """The page of a finding, of a connection's state, or of what a list is about; or CONTENTS.

    `place` is that of the row in the snapshot's list.
    """
    if view == "findings":
        return selection.snapshot.findings[place].id
    if view == "kernel":
        return next(iter(entries(selection)[place].feeds), CONTENTS)
    if view == "states":
        return tcp.SS_STATES[place]
    (finding,) = about(view, selection, np.array([place]))
    if finding is not None:
        return finding.id
    if view == "sockets":
        return tcp.SS_STATES[int(selection.snapshot.sample.sockets.state[place])]
    return OTHERWISE.get(view, CONTENTS)
