"""The live source of a namespace, or of all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tcptop.commands.errors import CommandError
from tcptop.options import SourceOptions

if TYPE_CHECKING:
    from tcptop.sources.live import LiveSource
    from tcptop.sources.sock_diag import Request

OWNERS_BUDGET_S = 0.3  # a sample of the live view; who holds 100,000 sockets takes three


@contextmanager
def source(
    chosen: SourceOptions, budget_s: float | None = None, dump: Request | None = None
) -> Iterator[LiveSource]:
    """The live source of the chosen namespace, in this thread, or of all."""
    from tcptop.sources import namespaces
    from tcptop.sources.live import LiveSource

    try:
        with _inside(chosen.netns):
            live_source = LiveSource(
                budget_s, dump, everywhere=chosen.netns == "all", events=chosen.events
            )
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

    if netns in ("current", "all"):
        yield
        return
    descriptor = open_namespace(netns)
    try:
        with entered(descriptor):
            yield
    finally:
        os.close(descriptor)
