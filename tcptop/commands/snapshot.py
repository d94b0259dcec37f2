"""`tcptop snapshot`: one sample, or a watch of some seconds, as text for people or machines."""

from __future__ import annotations

import importlib
import os
import sys
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tcptop import ending
from tcptop.commands import recorded
from tcptop.commands.errors import DONE
from tcptop.commands.filter import clause, selected
from tcptop.commands.source import check_via, home, source
from tcptop.options import SnapshotOptions, UsageError
from tcptop.views import output

if TYPE_CHECKING:
    from tcptop.analysis.clause import Clause
    from tcptop.analysis.filter import Expression
    from tcptop.sources.sock_diag import Request

SPANS = ("ndjson", "csv")  # formats of more than one sample
ENDINGS = {".json": "json", ".ndjson": "ndjson", ".csv": "csv", ".txt": "text", ".md": "markdown"}


def run(chosen: SnapshotOptions) -> int:
    """Write what the filter selects."""
    from tcptop.analysis.watch import WatchLoop, watched
    from tcptop.commands.effective import decided

    ending.before_the_end.append(output.remove_unfinished)
    if _format(chosen) == "csv" and len(set(chosen.only)) > 1:
        raise UsageError("tcptop: snapshot: csv holds one list; give one --only")
    if chosen.output not in (None, "-"):
        output.refuse_directory(chosen.output)  # before a long look, not after it
    recorded.check_options(chosen)
    check_via(chosen)
    shown = clause(chosen)
    view = importlib.import_module(f"tcptop.views.{_format(chosen)}")
    if chosen.recording is not None:
        return _of_recording(chosen, shown, view)
    user = decided(chosen, home=home(chosen))
    expression = None if shown is None else shown.expression
    looked_at = replace(chosen, events=chosen.events and chosen.over > 0)
    with source(looked_at, dump=request(chosen, expression)) as live_source:
        loop = WatchLoop(live_source, user.findings)
        last = watched(loop, user.interval, chosen.over, threading.Event())
    selection = selected(last, shown)
    with output.opened(chosen.output) as out:
        view.write(selection, out, frozenset(chosen.only), chosen.limit)
    return DONE


def _of_recording(chosen: SnapshotOptions, shown: Clause | None, view: Any) -> int:
    """One moment of it, or every sample from --begin to --end."""
    from tcptop.commands import compared
    from tcptop.sources import file_kind

    wanted = frozenset(chosen.only), chosen.limit
    assert chosen.recording is not None
    if file_kind.kind(chosen.recording) == file_kind.DUMP:
        recorded.refuse_moments(chosen)
        snapshot, _ = compared.of_dump(chosen.recording, chosen)
        with output.opened(chosen.output) as out:
            view.write(selected(snapshot, shown), out, *wanted)
        return DONE
    with recorded.loop(chosen) as (recording, loop):
        if shown is None:
            shown = recorded.shown(recording.first(), chosen.recording)
        if not _is_span(chosen):
            selection = selected(recorded.at(recording, loop, chosen), shown)
            with output.opened(chosen.output) as out:
                view.write(selection, out, *wanted)
            return DONE
        if _format(chosen) not in SPANS:
            raise UsageError(
                f"tcptop: snapshot: --begin and --end write {' or '.join(SPANS)}, "
                f"not {_format(chosen)}"
            )
        every = recorded.every(recording, loop, chosen)
        with output.opened(chosen.output) as out:
            view.write_span((selected(each, shown) for each in every), out, *wanted)
    return DONE


def _is_span(chosen: SnapshotOptions) -> bool:
    return chosen.begin is not None or chosen.end is not None


def request(chosen: SnapshotOptions, expression: Expression | None) -> Request | None:
    """Less than everything to ask the kernel for, where one sample writes rows of sockets alone.

    CSV holds nothing but rows: states that the filter cannot select are left out, but listeners,
    to say whose accept queue a connection waits in. Others are needed for the verdict on an
    established connection, which asks whether its peer is on this host, and to infer whose one was
    that nobody holds any more. Text of sockets alone shows no tcp_info.
    """
    if chosen.over or set(chosen.only) - {"sockets"}:
        return None
    from tcptop.model.tcp import CLOSED_HERE, ESTABLISHED, LISTEN
    from tcptop.sources.sock_diag import EVERYTHING

    if _format(chosen) == "text" and chosen.only and expression is None:
        return EVERYTHING._replace(ext=0)
    if _format(chosen) == "csv" and expression is not None:
        from tcptop.analysis.filter import state_mask

        mask = state_mask(expression)
        alone = (ESTABLISHED, *CLOSED_HERE)
        if mask is not None and not any(mask >> state & 1 for state in alone):
            return EVERYTHING._replace(states=mask | 1 << LISTEN)
    return None


def _format(chosen: SnapshotOptions) -> str:
    if chosen.format:
        return chosen.format
    ending = os.path.splitext(chosen.output or "")[1].lower()
    if ending in ENDINGS:
        return ENDINGS[ending]
    if _is_span(chosen):
        return SPANS[0]
    to_stdout = chosen.output in (None, "-") and sys.stdout is not None
    return "text" if to_stdout and sys.stdout.isatty() else "json"
