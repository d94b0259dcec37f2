"""What a process that does not read explains."""

from __future__ import annotations

import numpy as np

from tcptop.analysis.findings.look import Look
from tcptop.analysis.stalls import other_ends
from tcptop.model.finding import Finding


def other_end(effect: Finding, cause: Finding, look: Look) -> bool:
    """A sender's window is shut because the other end, on this host, is not read."""
    cookies = look.table.cookie
    rows = np.flatnonzero(np.isin(cookies, np.array(effect.subject.cookies, np.uint64)))
    twins = other_ends(look.table, rows)
    there = cookies[twins[twins >= 0]]
    return bool(np.isin(there, np.array(cause.subject.cookies, np.uint64)).any())


def same_process(effect: Finding, cause: Finding, look: Look) -> bool:
    """Unread data of a process that does not even read the end of file."""
    shared = set(effect.subject.pids) & set(cause.subject.pids)
    return bool(shared) and effect.subject.netns == cause.subject.netns
