"""What each key does: a function each, given the app; it returns what to say of it, if anything.

The screen is painted after each of them. `keys.py` says which keys do it, and the palette offers
all of them by name.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from tcptop.analysis.clause import NO_FILTER, Clause
from tcptop.columns import PROCESSES, SOCKETS
from tcptop.model.cells import cut, safe
from tcptop.options import THEMES
from tcptop.tui import export
from tcptop.tui.palette import commands
from tcptop.tui.place import CONTENTS, Sort
from tcptop.tui.recording import record
from tcptop.tui.settings import Arrangement
from tcptop.tui.terminal.clipboard import copy
from tcptop.tui.themes import MEANINGS, TERMINAL
from tcptop.tui.tree_model import TreeGroup
from tcptop.tui.views import beside, view_key
from tcptop.tui.watcher import in_background

if TYPE_CHECKING:
    from tcptop.tui.app import TcptopApp as App
    from tcptop.tui.session import Session

INTERVALS = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0)
HOST_ROOM = 16  # cells of the name of a host in what is said
NOTHING_YET = "no sample yet"

MARKDOWN, JSON = ".md", ".json"  # endings

Told = str | None


# -- moving about


def view(app: App, name: str) -> Told:
    session = app.session
    if session.here.view != name or len(session.trail.places) > 1:
        session.go_to(name, app.main.followed)
    return None


def turn(app: App, steps: int) -> Told:
    return view(app, beside(app.session.here.view, steps))


def into(app: App) -> Told:
    return open_row(app, app.main.cursor)


def open_row(app: App, key: Hashable | None) -> Told:
    choices = app.session.choices
    if isinstance(key, TreeGroup):
        choices.turned ^= {key}
        return None
    opened = key is not None and app.session.open(key)
    return None if opened else "nothing to open here"


def leave(app: App) -> Told:
    if app.session.back():
        return None
    if not app.session.typed.text:
        return "this is the first view; q quits"
    apply_filter(app, NO_FILTER)
    return "filter cleared; / and Up bring it back"


def help(app: App) -> Told:
    if app.session.here.help:
        return leave(app)
    app.session.help(app.main.followed)
    return None


def explain(app: App) -> Told:
    return explain_page(app, app.session.page_of(app.main.cursor))


def pages(app: App) -> Told:
    return explain_page(app, CONTENTS)


def explain_page(app: App, name: str) -> Told:
    app.session.explain(name, app.main.followed)
    return None


# -- time


def pause(app: App) -> Told:
    return app.session.time.pause()


def step(app: App, steps: int) -> Told:
    return app.session.time.step(steps)


def minute(app: App, minutes: int) -> Told:
    return app.session.time.minute(minutes)


def ask_time(app: App) -> Told:
    app.main.type_time()
    return None


def jump(app: App, text: str) -> Told:
    return app.session.time.jump(text) if text else None


def edge(app: App, steps: int) -> Told:
    return app.session.time.edge(steps)


def mark(app: App) -> Told:
    return app.session.time.mark()


def changes(app: App) -> Told:
    session = app.session
    if not session.time.marks():
        return session.time.unmarked
    if session.here.changes and not session.here.help:
        return leave(app)
    session.compare(app.main.followed)
    return None


# -- lists


def sort(app: App, steps: int) -> Told:
    shown = [*app.main.table.widths_shown]
    now = app.session.sort.key
    at = shown.index(now) + steps if now in shown else 0
    return sort_by(app, shown[at % len(shown)] if shown else now)


def reverse(app: App) -> Told:
    sort = app.session.sort
    return sort_by(app, sort.key, not sort.reverse)


def sort_by(app: App, key: str, reverse: bool = False) -> Told:
    session = app.session
    if not session.here.listing or app.main.pictured:
        return "only lists are sorted"
    session.choices.sorts[session.here.view] = Sort(key, reverse)
    column = session.listing.column(key)
    descending = column.largest_first != reverse
    called = "! (severity)" if column.title == "!" else column.title
    return f"sorted by {called}, {'descending' if descending else 'ascending'}"


def tree(app: App) -> Told:
    session = app.session
    if session.here.view != SOCKETS.name or not session.here.listing:
        return f"only connections can be grouped; {view_key(SOCKETS)} shows them"
    grouped = session.choices.tree = not session.choices.tree
    return f"{_grouped(session)}; Enter folds and unfolds" if grouped else "plain list"


async def columns(app: App) -> Told:
    session = app.session
    if not session.here.listing or app.main.pictured:
        return "only lists have columns to choose"
    arrangement = session.choices.arrangements.get(session.here.view, Arrangement())
    app.column_chooser.box.begin(session.listing, arrangement)
    await app.open_box(app.column_chooser)
    return None


def names(app: App) -> Told:
    on = app.session.choices.names is None
    app.resolve(on)
    app.remember()
    if on and app.settings.other_host is not None:
        other = cut(safe(app.settings.other_host), HOST_ROOM) or "the other one"
        return f"names as this host finds them, not {other}: may be of other machines"
    if on:
        return "host and service names where known; looked up in the background"
    return "addresses and ports as numbers"


def group(app: App) -> Told:
    session = app.session
    if session.here.listing and session.here.view in (PROCESSES.name, SOCKETS.name):
        return _by_workload(app)
    by_port = app.session.choices.by_port = not app.session.choices.by_port
    return "remotes by " + ("address and port" if by_port else "address")


def _by_workload(app: App) -> Told:
    """The tree of connections is one of namespaces next, where there are several."""
    session, choices = app.session, app.session.choices
    if session.here.view != SOCKETS.name:
        choices.by_workload = not choices.by_workload
        return "by container or unit" if choices.by_workload else "by process"
    units, spaces = choices.tree and choices.by_workload, choices.tree and choices.by_netns
    choices.by_netns = units and session.several_namespaces
    choices.by_workload, choices.tree = not units and not spaces, True
    return _grouped(session)


def _grouped(session: Session) -> str:
    """How connections are."""
    if session.choices.by_workload:
        return "by container or unit, and process"
    return f"by {'netns and process' if session.choices.by_netns else 'process and remote'}"


def wide(app: App) -> Told:
    wide = app.main.table.wide = not app.main.table.wide
    return "all columns; Shift and arrows scroll" if wide else "the columns that fit"


def follow(app: App) -> Told:
    follow = app.main.table.followed is None
    app.main.table.follow(follow)
    if follow:
        return "the cursor follows the selected row"
    return "the cursor stays in its line"


# -- filtering and finding


def filter(app: App) -> Told:
    app.main.type_filter()
    return None


def apply_filter(app: App, clause: Clause) -> Told:
    app.session.typed = clause
    return None


def find(app: App) -> Told:
    if app.main.pictured:
        return f"no rows to search; {view_key(SOCKETS)} shows the connections"
    app.main.type_text()
    return None


def find_text(app: App, text: str) -> Told:
    """Empty: the one before."""
    app.finder.wanted = text or app.finder.wanted
    return app.finder.begin(0, 1) if app.finder.wanted else None


def find_next(app: App, steps: int) -> Told:
    if not app.finder.wanted or app.main.pictured:
        return find(app)
    return app.finder.begin(steps, steps)


# -- what leaves the screen


def copy_row(app: App) -> Told:
    row = app.session.row_of(app.main.cursor) if app.main.picture is app.main.overview else None
    text = "" if app.main.pictured else app.main.table.row_text()
    text = export.row(*row) if row is not None else text
    return _copy(app, text, "no row to copy; Y copies a command")


def copy_command(app: App) -> Told:
    row = app.session.row_of(app.main.cursor)
    command = export.command(*row, app.settings.netns) if row is not None else ""
    return _copy(app, command, "no command shows the same")


def _copy(app: App, text: str, otherwise: str) -> Told:
    return f"{copy(text, app.write_through)}: {text}" if text else otherwise


def write_ticket(app: App) -> Told:
    shown = app.main.on_screen()
    if shown is None:
        return NOTHING_YET
    from tcptop.tui import ticket

    name = export.file_name(shown.selection, MARKDOWN)
    same = (MARKDOWN, shown.selection, app.session.here, app.main.cursor)
    return _once(app, same, lambda: export.write_text(ticket.text(shown), name))


def export_as(app: App) -> Told:
    shown = app.main.on_screen()
    if shown is None:
        return NOTHING_YET
    app.main.type_file(export.file_name(shown.selection, MARKDOWN))
    return None


def export_to(app: App, name: str) -> Told:
    if not name:
        return "not exported: no name"
    return _write(app, name)


def _write(app: App, name: str) -> Told:
    """As the file's ending says."""
    shown = app.main.on_screen()
    if shown is None:
        return NOTHING_YET
    from tcptop.tui import ticket

    if name.endswith(MARKDOWN):
        in_background(app, lambda: export.write_text(ticket.text(shown), name), app.say)
    elif name.endswith(JSON):
        in_background(app, lambda: export.write_json(shown.selection, name), app.say)
    else:
        return f"not exported: {name} ends neither with {MARKDOWN} nor with {JSON}"
    return "exporting…"


def export_json(app: App) -> Told:
    shown = app.session.shown
    if shown is None:
        return "nothing to export yet"
    selection = shown.selection
    name = export.file_name(selection, JSON)
    return _once(app, (JSON, selection), lambda: export.write_json(selection, name))


def _once(app: App, same: tuple[object, ...], work: Callable[[], str]) -> Told:
    """Who holds the key down wants one file of a sample, not one each time it repeats."""
    if same == app.exported:
        return "exported already"
    app.exported = same
    in_background(app, work, partial(_written, app))
    return "exporting…"


def _written(app: App, told: str) -> None:
    if told.startswith(export.REFUSED):
        app.exported = ()
    app.say(told)


# -- the program


async def commands_by_name(app: App) -> Told:
    app.palette.box.begin([*commands(app.session, app.main.pictured, app.settings.keys)])
    await app.open_box(app.palette)
    return None


def interval(app: App, steps: int) -> Told:
    if app.player is not None:
        return app.player.hurry(-steps)
    now = app.watcher.interval
    others = [i for i in INTERVALS if (i > now if steps > 0 else i < now)]
    if others:
        app.watcher.interval = min(others) if steps > 0 else max(others)
    return f"refresh every {app.watcher.interval:g} s"


def next_theme(app: App) -> Told:
    return use_theme(app, THEMES[(THEMES.index(app.theme) + 1) % len(THEMES)])


def use_theme(app: App, name: str) -> Told:
    if app.settings.no_themes and name != TERMINAL:
        return f"no other themes: {app.settings.no_themes}"
    app.theme = name
    app.memory.keep(replace(app.memory.preferences, theme=name))
    return f"theme {name}: {MEANINGS[name]}"


def mouse(app: App) -> Told:
    app.mouse = not app.mouse
    return "mouse on" if app.mouse else "mouse off: the terminal selects text"


def repaint(app: App) -> Told:
    app.repaint_all()
    return None


def suspend(app: App) -> Told:
    app.action_suspend_process()
    return None


async def close(app: App) -> Told:
    return await quit(app) if app.session.first else leave(app)


async def quit(app: App) -> Told:
    await app.action_quit()
    return None


# As keys.py and the palette call them; the other functions are what clicks and prompts do.
ACTIONS: dict[str, Callable[..., Told | Awaitable[Told]]] = {
    function.__name__: function
    for function in (
        *(view, turn, into, leave, help, explain, pages, explain_page),
        *(pause, step, minute, ask_time, edge, mark, changes),
        *(sort, reverse, sort_by, tree, columns, names, group, wide, follow),
        *(filter, find, find_next, copy_row, copy_command),
        *(write_ticket, export_as, export_json, record),
        *(commands_by_name, interval, next_theme, use_theme, mouse, repaint, suspend, close, quit),
    )
}
