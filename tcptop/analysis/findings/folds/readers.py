"""What a process that does not read explains."""

from __future__ import annotations

import numpy as np

from tcptop.analysis import subject
from tcptop.analysis.findings.look import Look
from tcptop.analysis.stalls import other_ends
from tcptop.model.finding import Finding

MOST = 0.5  # of the connections that are not read


def other_end(effect: Finding, cause: Finding, look: Look) -> bool:
    """A sender's window is shut because the other end, on this host, is not read."""
    twins = other_ends(look.table, np.flatnonzero(subject.named(effect.subject, look.table)))
    return bool(subject.named(cause.subject, look.table)[twins[twins >= 0]].any())


def same_process(effect: Finding, cause: Finding, look: Look) -> bool:
    """Unread data of a process that does not even read the end of file."""
    shared = set(effect.subject.pids) & set(cause.subject.pids)
    return bool(shared) and effect.subject.netns == cause.subject.netns


def cannot_pass_it_on(effect: Finding, cause: Finding, look: Look) -> bool:
    """A proxy does not read because those that it writes to do not: one held up for each unread.

    A process that is stuck itself leaves many unread, whatever its slowest reader does. On one
    and the same connection either end may be the one to blame.
    """
    held_up, unread = cause.values.get("connections", 0), effect.values.get("connections", 0)
    longer = cause.values.get("longest_s", 0) >= effect.values.get("longest_s", 0)
    others = not set(effect.subject.cookies) & set(cause.subject.cookies)
    passing = longer and others and held_up >= MOST * unread
    return passing and same_process(effect, cause, look)
