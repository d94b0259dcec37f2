"""The command: options -> a source and a view. Views are imported only when asked for."""

from __future__ import annotations

import importlib
import os
import signal
import sys
import threading
from argparse import Namespace
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, NoReturn

from tcptop import options
from tcptop.views.foreign import visible

if TYPE_CHECKING:
    from tcptop.analysis.filter import Expression
    from tcptop.model.snapshot import Snapshot
    from tcptop.sources.live import LiveSource
    from tcptop.sources.sock_diag import Request
    from tcptop.tui.app import Settings

DONE, COULD_NOT, USAGE = 0, 1, 2
BROKEN_PIPE = 128 + signal.SIGPIPE
OWNERS_BUDGET_S = 0.3  # a look of the live view; who holds 100,000 sockets takes three

_before_the_end: list[Callable[[], None]] = []  # what a signal must not leave undone


class CommandError(Exception):
    """What could not be done and why, for one line on stderr."""


def main(words: Sequence[str] | None = None) -> NoReturn:
    """Run a command line; ends the process with the contract's exit code."""
    _end_at_once_on_signals()
    if sys.stderr is None:  # closed before we began: print() would put notices on stdout
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115 for the life of the process
    try:
        code = _to_the_end(sys.argv[1:] if words is None else words)
    except BrokenPipeError:
        code = BROKEN_PIPE
    except (CommandError, OSError) as error:
        print(f"tcptop: {one_line(error)}", file=sys.stderr)
        code = COULD_NOT
    _leave_stdout()
    sys.exit(code)


def _end_at_once_on_signals() -> None:
    """Leave as `ss` does: what KeyboardInterrupt meets on its way, such as a half-done import,
    turns it into other errors. The live view has handlers of its own."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup, or in the background
            signal.signal(number, _end)


def _end(number: int, frame: FrameType | None) -> NoReturn:
    for undo in _before_the_end:
        undo()
    os._exit(128 + number)


def _to_the_end(words: Sequence[str]) -> int:
    """The exit code, once stdout has taken everything; --help and usage errors end with one too."""
    try:
        code = run(words)
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else USAGE
    if sys.stdout is not None:
        sys.stdout.flush()
    return code


def one_line(error: BaseException) -> str:
    """WHAT: WHY, whatever was raised, and whatever a file is called."""
    if isinstance(error, OSError) and error.strerror:
        what = os.fsdecode(error.filename) if error.filename else "stdout"
        return f"{visible(what)}: {error.strerror}"
    return " ".join(str(error).split())


def _leave_stdout() -> None:
    """What is still buffered for a closed pipe or a full disk must not complain once more."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except (OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def run(words: Sequence[str]) -> int:
    chosen = options.parse(words)
    if chosen.command in options.LATER:
        raise CommandError(f"{chosen.command}: not in this version")
    if chosen.command == "explain":
        return explain(chosen.word)
    if chosen.netns == "all":
        raise CommandError("--netns all: not in this version; name one namespace, or a pid in it")
    try:
        expression = compiled(chosen)
    except ValueError as error:
        print(_under("tcptop: filter: ", str(error)), file=sys.stderr)
        return USAGE
    if chosen.command == "snapshot":
        return snapshot(chosen, expression)
    return live(chosen, expression)


def explain(word: str | None) -> int:
    """Show the page of a word, or the list of pages."""
    from tcptop.explain import contents, page, suggestions
    from tcptop.views import pager

    found = page(word) if word is not None else None
    if word is not None and found is None:
        near = ", ".join(suggestions(word))
        hint = f"did you mean {near}?" if near else "`tcptop explain` lists them"
        raise CommandError(f'explain: no page "{visible(word)}"; {hint}')
    pager.show(found.text if found else contents())
    return DONE


def _under(head: str, text: str) -> str:
    """The lines of a text behind a head, so that a caret stays under its character."""
    return head + text.replace("\n", "\n" + " " * len(head))


def compiled(chosen: Namespace) -> Expression | None:
    """FILTER and the options that say the same, bound; None for everything.

    The same option repeated is or, different ones are and. Raises FilterError, a ValueError.
    """
    if not (chosen.filter or chosen.process or chosen.port):
        return None
    from tcptop.analysis import filter as language
    from tcptop.sources.names import SystemNames

    parts = []
    if chosen.filter:
        text = " ".join(chosen.filter)
        parts.append(language.bind(language.parse(text), SystemNames()))
    if chosen.process:
        parts.append(language.any_of(*(language.process_option(p) for p in chosen.process)))
    if chosen.port:
        parts.append(language.any_of(*(language.port_option(p) for p in chosen.port)))
    return language.all_of(*parts)


def filter_text(chosen: Namespace) -> str | None:
    """The filter and the options that say the same, as typed."""
    parts = [" ".join(chosen.filter)] if chosen.filter else []
    parts += [f"-p {name}" for name in chosen.process] + [f"-P {port}" for port in chosen.port]
    return " ".join(parts) or None


def snapshot(chosen: Namespace, expression: Expression | None) -> int:
    """Look once, or for `--over`, and write what the filter selects."""
    from tcptop.analysis.selecting import select
    from tcptop.views import output

    _before_the_end.append(output.remove_unfinished)
    if _format(chosen) == "csv" and len(set(chosen.only)) > 1:
        print("tcptop: snapshot: csv holds one list; give one --only", file=sys.stderr)
        return USAGE
    view = importlib.import_module(f"tcptop.views.{_format(chosen)}")
    with source(chosen, request=_request(chosen, expression)) as live_source:
        last = watched(live_source, chosen.interval, chosen.over)
    selection = select(last, expression, filter_text(chosen))
    with output.opened(chosen.output) as out:
        view.write(selection, out, frozenset(chosen.only), chosen.limit)
    return DONE


def _request(chosen: Namespace, expression: Expression | None) -> Request | None:
    """Less than everything to ask the kernel for, where one look writes rows of sockets alone.

    CSV holds nothing but rows: states that the filter cannot select are left out, but listeners,
    to say whose accept queue a connection waits in. Text of all sockets shows no tcp_info.
    """
    if chosen.over or set(chosen.only) - {"sockets"}:
        return None
    from tcptop.model.tcp import LISTEN
    from tcptop.sources.sock_diag import EVERYTHING

    if _format(chosen) == "text" and expression is None:
        return EVERYTHING._replace(ext=0)
    if _format(chosen) == "csv" and expression is not None:
        from tcptop.analysis.filter import state_mask

        mask = state_mask(expression)
        return None if mask is None else EVERYTHING._replace(states=mask | 1 << LISTEN)
    return None


def _format(chosen: Namespace) -> str:
    if chosen.format:
        return str(chosen.format)
    ending = os.path.splitext(chosen.output or "")[1].lower()
    known = {".json": "json", ".ndjson": "ndjson", ".csv": "csv", ".txt": "text", ".md": "markdown"}
    if ending in known:
        return known[ending]
    to_stdout = chosen.output in (None, "-") and sys.stdout is not None
    return "text" if to_stdout and sys.stdout.isatty() else "json"


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


def watched(live_source: LiveSource, interval: float, over: float | None) -> Snapshot:
    """The last snapshot of a watch of `over` seconds; of a single look where it is None."""
    from tcptop.analysis.derive import derive
    from tcptop.analysis.history import History

    sample = live_source.sample()
    last, history = derive(sample, History())
    end = sample.clock + (over or 0)
    never = threading.Event()
    while over and sample.clock < end - 1e-3:
        live_source.wait(min(interval, end - sample.clock), never)
        sample = live_source.sample()
        last, history = derive(sample, history)
    return last


def live(chosen: Namespace, expression: Expression | None) -> int:
    """The live view; needs a terminal."""
    from tcptop.tui import terminal

    why_not = terminal.refusal(os.environ, terminal.has_terminal())
    if why_not:
        raise CommandError(f"the live view: {why_not}; `tcptop snapshot` needs no terminal")
    terminal.prepare(os.environ)  # before Textual is imported, which reads it once
    from tcptop.sources.names import SystemNames
    from tcptop.tui.app import TcptopApp
    from tcptop.tui.terminal_app import finish

    app = TcptopApp(
        lambda: source(chosen, OWNERS_BUDGET_S), SystemNames(), _settings(chosen, expression)
    )
    sys.setswitchinterval(0.0005)  # a key press waits less for the collector's thread
    app.run(mouse=terminal.mouse(os.environ) if chosen.mouse is None else chosen.mouse)
    return finish(app)


def _settings(chosen: Namespace, expression: Expression | None) -> Settings:
    from tcptop.sources.live import user_name
    from tcptop.tui import terminal
    from tcptop.tui.app import Settings
    from tcptop.tui.filtering import NOTHING, Clause

    clause = Clause(filter_text(chosen) or "", expression) if expression else NOTHING
    return Settings(
        interval=chosen.interval,
        clause=clause,
        scope=f"netns {chosen.netns}",
        user=user_name(os.geteuid()),
        ascii_only=chosen.ascii or terminal.glyphs(os.environ) == "ascii",
    )
