"""The live source of a namespace, and watching it for a while."""

from __future__ import annotations

import os
import threading
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tcptop.commands.ending import CommandError

if TYPE_CHECKING:
    from tcptop.analysis.findings.settings import Settings
    from tcptop.model.snapshot import Snapshot
    from tcptop.sources.live import LiveSource
    from tcptop.sources.sock_diag import Request

OWNERS_BUDGET_S = 0.3  # a look of the live view; who holds 100,000 sockets takes three


@contextmanager
def source(
    chosen: Namespace, budget_s: float | None = None, request: Request | None = None
) -> Iterator[LiveSource]:
    """The live source of the chosen namespace, in this thread."""
    from tcptop.sources import namespaces
    from tcptop.sources.live import LiveSource

    try:
        with _inside(chosen.netns):
            live_source = LiveSource(budget_s, request)
            try:
                yield live_source
            finally:
                live_source.close()
    except namespaces.NamespaceError as error:
        raise CommandError(str(error)) from error


@contextmanager
def _inside(netns: str) -> Iterator[None]:
    """This thread in the chosen namespace."""
    from tcptop.sources.namespaces import entered, open_namespace

    if netns == "current":
        yield
        return
    descriptor = open_namespace(netns)
    try:
        with entered(descriptor):
            yield
    finally:
        os.close(descriptor)


def watched(
    live_source: LiveSource, interval: float, over: float | None, settings: Settings
) -> Snapshot:
    """The last snapshot of a watch of `over` seconds; of a single look where it is None or 0."""
    from tcptop.analysis.derive import derive
    from tcptop.analysis.history import History

    sample = live_source.sample()
    last, history = derive(sample, History(), settings)
    end = sample.clock + (over or 0)
    never = threading.Event()
    while over and sample.clock < end - 1e-3:
        live_source.want(last.wanted)
        live_source.wait(min(interval, end - sample.clock), never)
        sample = live_source.sample()
        last, history = derive(sample, history, settings)
    return last
