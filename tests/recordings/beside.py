"""Two network namespaces that use the same addresses, ports and cookies at once, of recordings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np

from tcptop.model import tcp
from tcptop.model.arrays import isin_codes
from tcptop.model.sample import Deaths, ListenerPeaks, Owners, Sample
from tcptop.model.table import SocketTable, concat
from tests import recordings
from tests.recordings.neutral import NETNS

OTHER = NETNS + 1
INODES, PIDS = 50_000_000, 500_000  # are the host's: two namespaces never have the same
SILENT = (tcp.SYN_RECV, tcp.TIME_WAIT, tcp.LISTEN)  # of which no notice comes when they vanish


def alone(name: str) -> list[Sample]:
    """A recording, with notices of the sockets that have ended since the sample before."""
    taken = recordings.load(name)
    first = replace(taken[0], deaths=(Deaths(NETNS),))
    return [first, *(_with_deaths(before, now) for before, now in pairwise(taken))]


def _with_deaths(before: Sample, now: Sample) -> Sample:
    then, left = before.sockets, now.sockets.key[now.sockets.state != tcp.TIME_WAIT]
    gone = then.take(~isin_codes(then.state, SILENT) & ~np.isin(then.key, left))
    gone.state[:], gone.inode[:] = tcp.CLOSE, 0
    at = np.full(len(gone), now.taken_at - 0.5)
    return replace(now, deaths=(Deaths(NETNS, gone, at),))


def elsewhere(samples: Sequence[Sample], like: Sequence[Sample]) -> list[Sample]:
    """The same in the other namespace, by other processes, at the moments of others."""
    return [_moved(each, at) for each, at in zip(samples, like, strict=True)]


def _moved(sample: Sample, at: Sample) -> Sample:
    late, owners = at.clock - sample.clock, sample.owners
    people = {
        pid + PIDS: replace(each, pid=pid + PIDS, netns=OTHER)
        for pid, each in owners.processes.items()
    }
    return replace(
        at,
        sockets=_table(sample.sockets),
        bound=_table(sample.bound),
        owners=replace(
            owners,
            inodes=owners.inodes + np.uint32(INODES),
            pids=owners.pids + PIDS,
            processes=people,
        ),
        peaks=replace(sample.peaks, netns=np.full_like(sample.peaks.netns, OTHER)),
        namespaces=tuple(replace(e, inode=OTHER, name="other") for e in sample.namespaces),
        kernel=tuple(replace(each, netns=OTHER) for each in sample.kernel),
        options={key._replace(netns=OTHER): _read(e, late) for key, e in sample.options.items()},
        routes={key._replace(netns=OTHER): _read(e, late) for key, e in sample.routes.items()},
        deaths=tuple(_told(each, at.taken_at - sample.taken_at) for each in sample.deaths),
    )


def _read(made: Any, late: float) -> Any:
    return replace(made, read_at=made.read_at + late)


def _told(deaths: Deaths, late: float) -> Deaths:
    return replace(deaths, netns=OTHER, sockets=_table(deaths.sockets), at=deaths.at + late)


def _table(table: SocketTable) -> SocketTable:
    inode = np.where(table.inode > 0, table.inode + np.uint32(INODES), table.inode)
    return replace(table, netns=np.full_like(table.netns, OTHER), inode=inode.astype(np.uint32))


def beside(ours: Sequence[Sample], theirs: Sequence[Sample]) -> list[Sample]:
    """Samples of both namespaces."""
    return [_both(one, two) for one, two in zip(ours, theirs, strict=True)]


def _both(one: Sample, two: Sample) -> Sample:
    return replace(
        one,
        sockets=concat([one.sockets, two.sockets]),
        bound=concat([one.bound, two.bound]),
        owners=_owners(one.owners, two.owners),
        peaks=ListenerPeaks(
            np.concatenate([one.peaks.netns, two.peaks.netns]),
            np.concatenate([one.peaks.cookies, two.peaks.cookies]),
            np.concatenate([one.peaks.peaks, two.peaks.peaks]),
        ),
        namespaces=one.namespaces + two.namespaces,
        kernel=one.kernel + two.kernel,
        options={**one.options, **two.options},
        routes={**one.routes, **two.routes},
        deaths=one.deaths + two.deaths,
    )


def _owners(one: Owners, two: Owners) -> Owners:
    """All inodes of the other are larger."""
    return replace(
        one,
        inodes=np.concatenate([one.inodes, two.inodes]),
        pids=np.concatenate([one.pids, two.pids]),
        fds=np.concatenate([one.fds, two.fds]),
        processes={**one.processes, **two.processes},
    )
