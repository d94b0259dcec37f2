"""What `R` does: it begins a recording of what is looked at, and ends it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tcptop.tui import export
from tcptop.tui.recorder import Recorder

if TYPE_CHECKING:
    from tcptop.tui.app import TcptopApp as App

ENDING = ".tcptop"  # of the name that is proposed; any will do
REPLAYED = "this is a recording; tcptop replay FILE --save FILE2 keeps a part of it"


def record(app: App) -> str | None:
    """Ask for a file, or end the recording that there is."""
    if app.player is not None:
        return REPLAYED
    if app.recorder is not None:
        app.recorder.stop()
        return "ending the recording…"
    shown = app.session.shown
    if shown is None or app.settings.open_writer is None:
        return "no sample yet"
    app.main.type_recording(export.file_name(shown.selection, ENDING))
    return None


def record_to(app: App, path: str) -> str | None:
    if not path:
        return "not recorded: no name"
    if app.recorder is not None or app.settings.open_writer is None:
        return None
    watcher = app.watcher
    recorder = Recorder(path, app.settings.open_writer, watcher.recent, app)
    app.recorder, watcher.when_kept = recorder, recorder.came
    app.session.unrecorded = ""
    recorder.start()
    return None
