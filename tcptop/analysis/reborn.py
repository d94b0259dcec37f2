"""Network namespaces that have ended: what they were called, and of which the number is another
one's by now. The kernel gives a new one the lowest inode that is free (ida_alloc_min in
proc_alloc_inum), so that a container that is started again has that of the one before.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from tcptop.analysis.findings.summary import SampleSummary
from tcptop.analysis.history import History
from tcptop.model.arrays import isin
from tcptop.model.closed import Closed
from tcptop.model.sample import Deaths, Namespace, Sample
from tcptop.model.snapshot import Apparent, FormerSpace
from tcptop.model.table import U32

MOST = 1000  # that are remembered


def with_spaces(history: History, sample: Sample) -> History:
    """With what the namespaces of this sample, and those that are not there any more, are called;
    and without what was remembered of numbers that are others' now, but for what has ended."""
    now = {each.inode: each for each in sample.namespaces}
    known, former = history.spaces, dict(history.former)
    for inode in known.keys() - now.keys():
        former[inode] = FormerSpace(inode, known[inode].title, known[inode].cookie)
    moved = {}
    for inode, each in now.items():
        before = former.pop(inode, None) or _space(known.get(inode))
        if before and each.cookie and before.cookie and each.cookie != before.cookie:
            moved[inode] = number = 1 + max((n for n in former if n < MOST), default=0)
            former[number] = before
    kept = dict([*former.items()][-MOST:])
    spaces = {i: _with_cookie(each, known.get(i), i in moved) for i, each in now.items()}
    history = replace(history, spaces=spaces, former=kept)
    return _without(history, moved) if moved else history


def _space(known: Namespace | None) -> FormerSpace | None:
    return FormerSpace(known.inode, known.title, known.cookie) if known else None


def _with_cookie(now: Namespace, before: Namespace | None, moved: bool) -> Namespace:
    """It is told only while there are sockets."""
    if now.cookie is not None or before is None or before.cookie is None or moved:
        return now
    return replace(now, cookie=before.cookie)


def _without(history: History, moved: Mapping[int, int]) -> History:
    gone = np.array(sorted(moved), np.uint32)
    others = frozenset(moved)
    return replace(
        history,
        closed=tuple(_renumbered(part, moved, gone) for part in history.closed),
        apparent=_apparent(history.apparent, others),
        kernel={n: each for n, each in history.kernel.items() if n not in others},
        looks={n: each for n, each in history.looks.items() if n not in others},
        namespaces=history.namespaces - others,
        listener_ports={n: p for n, p in history.listener_ports.items() if n not in others},
        port_use=tuple(replace(u, namespaces=u.namespaces - others) for u in history.port_use),
        active={k: a for k, a in history.active.items() if a.finding.subject.netns not in others},
        summaries=tuple(_summary(each, gone) for each in history.summaries),
    )


def _renumbered(closed: Closed, moved: Mapping[int, int], gone: U32) -> Closed:
    theirs = isin(closed.netns, gone)
    if not theirs.any():
        return closed
    numbers = [moved.get(netns, netns) for netns in closed.netns.tolist()]
    return replace(closed, netns=np.array(numbers, np.uint32))


def _apparent(known: Apparent, gone: frozenset[int]) -> Apparent:
    """Without the processes that were in there."""
    theirs = [key for key, each in known.processes.items() if each.netns in gone]
    left = ~isin(known.process, np.array(theirs, known.process.dtype))
    people = {key: each for key, each in known.processes.items() if each.netns not in gone}
    return Apparent(known.key[left], known.process[left], known.clock[left], people)


def _summary(known: SampleSummary, gone: U32) -> SampleSummary:
    others = frozenset(gone.tolist())
    ours = ~isin(known.destination_netns, gone)
    return replace(
        known,
        counters={n: each for n, each in known.counters.items() if n not in others},
        ports=known.ports[~isin((known.ports >> np.uint64(32)).astype(np.uint32), gone)],
        destination=known.destination[ours],
        destination_netns=known.destination_netns[ours],
        opened=known.opened[ours],
        used=known.used[ours],
        calls={to: each for to, each in known.calls.items() if to.netns not in others},
        failed=known.failed and tuple(f for f in known.failed if f.netns not in others),
        lulls={key: each for key, each in known.lulls.items() if each.netns not in others},
        given_up=known.given_up.take(~isin(known.given_up.netns, gone)),
    )


def number_of(deaths: Deaths, former: Mapping[int, FormerSpace]) -> int:
    """Under which number a namespace is known of whose sockets it was told that they ended: its
    inode, unless that is another one's by now."""
    if deaths.cookie is None:
        return deaths.netns
    known = (number for number, each in former.items() if each.cookie == deaths.cookie)
    return next(known, deaths.netns)
