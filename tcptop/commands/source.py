"""The live source of a namespace, of all, or of another host."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tcptop import ending
from tcptop.commands.errors import CommandError
from tcptop.options import SourceOptions, UsageError

if TYPE_CHECKING:
    from tcptop.model.source import Source
    from tcptop.sources.sock_diag import Request
    from tcptop.sources.via.source import ViaSource

OWNERS_BUDGET_S = 0.3  # a sample of the live view; who holds 100,000 sockets takes three


@contextmanager
def source(
    chosen: SourceOptions, budget_s: float | None = None, dump: Request | None = None
) -> Iterator[Source]:
    """The live source of the chosen namespace, in this thread, or of all; with --via of another
    host."""
    from tcptop.sources import namespaces
    from tcptop.sources.live import LiveSource

    if chosen.via is not None:
        with through(chosen.via) as via_source:
            yield via_source
        return
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
def through(command: str) -> Iterator[ViaSource]:
    """What the shell behind a command sees. Raises ViaError."""
    from tcptop.sources.via.source import ViaSource

    via_source = ViaSource(command)
    ending.before_the_end.append(via_source.close)
    try:
        via_source.connect()
        yield via_source
    finally:
        via_source.close()
        ending.before_the_end.remove(via_source.close)


def check_via(chosen: SourceOptions) -> None:
    """Raises UsageError for --via with an option that has no meaning beside it."""
    if chosen.via is not None and chosen.netns not in ("", "current"):
        why = "it looks where COMMAND leads, such as 'sudo ip netns exec NAME'"
        raise UsageError(f"tcptop: --netns with --via: {why}")


def home(chosen: SourceOptions) -> int | None:
    """The namespace of the shell that commands are for; those for another host are for a shell in
    the one that was looked at."""
    from tcptop.sources.namespaces import current_inode

    return current_inode() if chosen.via is None else None


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
