"""The live view, which needs a terminal."""

from __future__ import annotations

import gc
import os
import sys
from contextlib import nullcontext, suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from tcptop.commands import memory
from tcptop.commands.errors import CommandError
from tcptop.commands.filter import clause
from tcptop.model.cells import cut, safe
from tcptop.options import LiveOptions, ScreenOptions, SourceOptions
from tcptop.tui.terminal import environment

if TYPE_CHECKING:
    from tcptop.analysis.clause import Clause
    from tcptop.commands.effective import EffectiveConfiguration
    from tcptop.model.archive import SampleWriter
    from tcptop.tui.player import ReplaySettings
    from tcptop.tui.settings import ScreenSettings
    from tcptop.tui.watcher import OpenSource

# Stacks of the threads, and what a first sample takes. A thread that gets its stack and nothing
# else dies before Thread.start() hears of it, which then waits for ever.
THREADS_BYTES = 64 << 20
VIA_ROOM = 24  # cells of the first line for the command through which another host is seen


def run(chosen: LiveOptions) -> int:
    gc.disable()  # imports make no garbage: looking for it takes a tenth of the start; see Watcher
    shown = clause(chosen)
    refuse_without_terminal("the live view", "`tcptop snapshot` needs no terminal")
    from tcptop.commands.effective import decided
    from tcptop.commands.source import check_via
    from tcptop.sources.namespaces import current_inode, may_enter

    check_via(chosen)
    if chosen.via is not None:
        return _elsewhere(chosen, chosen.via, shown)
    netns = chosen.netns or ("all" if may_enter() else "current")
    user = decided(chosen, home=current_inode())
    scope = "all netns" if netns == "all" else f"netns {netns}"
    return show(settings(chosen, user, scope, shown), chosen.mouse, SourceOptions(netns))


def _elsewhere(chosen: LiveOptions, via: str, shown: Clause | None) -> int:
    """Of another host: asked before the screen is drawn, as that may take a password."""
    from tcptop.commands.effective import decided
    from tcptop.commands.source import through

    user = decided(chosen)
    with through(via) as via_source:
        there = via_source.there
        assert there
        user = user._replace(findings=replace(user.findings, home=there.netns))
        scope = cut(f"via {safe(via)}", VIA_ROOM)
        known = settings(chosen, user, scope, shown, other_host=there.hostname)
        known = replace(known, user=there.users.get(there.uid, str(there.uid)))
        return show_of(lambda: nullcontext(via_source), known, chosen.mouse)


def refuse_without_terminal(what: str, instead: str) -> None:
    """Raises CommandError where nothing can be drawn."""
    why_not = environment.refusal(os.environ, environment.has_terminal())
    if why_not:
        raise CommandError(f"{what}: {why_not}; {instead}")


def show(settings: ScreenSettings, mouse: bool | None, looked_at: SourceOptions) -> int:
    """The screen, until it is left."""
    from tcptop.commands.source import OWNERS_BUDGET_S, source

    return show_of(lambda: source(looked_at, OWNERS_BUDGET_S), settings, mouse)


def show_of(
    looked_at: OpenSource | ReplaySettings, settings: ScreenSettings, mouse: bool | None
) -> int:
    """The screen on a source or a recording, until it is left."""
    from tcptop.sources.names import SystemNames
    from tcptop.tui.app import TcptopApp
    from tcptop.tui.terminal.display import finish

    app = TcptopApp(looked_at, SystemNames(), settings)
    memory.need(THREADS_BYTES)
    sys.setswitchinterval(0.0005)  # a key press waits less for the watcher's thread
    app.run(mouse=environment.mouse(os.environ) if mouse is None else mouse)
    if app.recorder is not None:
        with suppress(OSError):  # the terminal may be gone
            print(f"tcptop: {app.recorder.ended()}", file=sys.stderr, flush=True)
    return finish(app)


def settings(
    chosen: ScreenOptions,
    user: EffectiveConfiguration,
    scope: str,
    shown: Clause | None = None,
    opening: str | None = None,
    remembered: bool = True,
    other_host: str | None = None,
) -> ScreenSettings:
    """What the screen has to know of what was typed and configured; what is chosen on it is
    `remembered` from run to run, or forgotten."""
    environment.prepare(os.environ)  # before Textual is imported, which reads it once
    from tcptop.analysis.clause import NO_FILTER
    from tcptop.sources.resolver import Resolver
    from tcptop.sources.users import own_name
    from tcptop.tui.settings import ScreenSettings, usual_path

    return ScreenSettings(
        interval=user.interval,
        clause=shown or NO_FILTER,
        scope=scope,
        user=own_name(),
        ascii_only=chosen.ascii or environment.glyphs(os.environ) == "ascii",
        findings=user.findings,
        keys=user.keys,
        theme=user.theme,
        no_themes=environment.no_themes(os.environ),
        open_names=Resolver,
        netns=user.findings.home or 0,
        state=usual_path(os.environ) if remembered else None,
        opening=opening,
        open_writer=_open_writer,
        other_host=other_host,
    )


def _open_writer(path: str) -> SampleWriter:
    from tcptop.sources.recording.writer import RecordingWriter

    return RecordingWriter(path)
