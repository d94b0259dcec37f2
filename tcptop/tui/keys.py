"""The keys of the live view, as tables; help, palette, last line and `[keys]` are made from these.

Relies on `_character_to_key` of Textual 8.2, which says how the key of a character is called.
"""

from __future__ import annotations

import string
from collections.abc import Mapping, Sequence

from textual.binding import Binding, BindingType
from textual.keys import _character_to_key

from tcptop.tui.views import VIEWS, view_key

Key = tuple[str, str, str, str, str]  # id, keys, action, label, tooltip
KeyHint = tuple[str, str, str]  # id, usual key, what it does

KEYS: tuple[Key, ...] = (
    ("help", "question_mark,h,f1", "help", "help", "Keys and columns of this view"),
    ("quit", "f10,ctrl+c,ctrl+q", "quit", "quit", "Quit"),
    ("close", "q,Q", "close", "close", "Close the page, pane or list; from a view, quit"),
    ("commands", "colon", "commands_by_name", "commands", "All commands, by name"),
    ("into", "enter,right", "into", "open", "Open the selected row"),
    ("explain", "x,i", "explain", "explain",
     "Explain the selected row: what it means, how to confirm and fix it"),
    ("pages", "X", "pages", "pages", "All explain pages"),
    ("back", "escape,left", "leave", "back", "Back; in the first view, clear the filter"),
    ("filter", "slash,backslash,f4", "filter", "filter",
     "Filter, with the syntax of ss"),
    ("pause", "space,z,Z", "pause", "pause",
     "Pause or resume the display (sampling goes on)"),
    ("step_back", "left_square_bracket", "step(-1)", "previous sample",
     "Previous sample; ten minutes are kept, or what fits into 64 MB"),
    ("step_on", "right_square_bracket", "step(1)", "next sample",
     "Next sample; after the newest, live"),
    ("jump", "b", "ask_time", "jump", "Jump to a time: 13:02, 13:02:30, -5m, +30s, RFC 3339"),
    ("finding_back", "left_parenthesis", "edge(-1)", "jump to previous finding",
     "Where a finding begins or ends before this, in a recording"),
    ("finding_on", "right_parenthesis", "edge(1)", "jump to next finding",
     "Where a finding begins or ends after this, in a recording"),
    ("minute_back", "left_curly_bracket", "minute(-1)", "minute back", "Back one minute"),
    ("minute_on", "right_curly_bracket", "minute(1)", "minute forward", "Forward one minute"),
    ("mark", "m", "mark", "mark", "Mark the sample shown, to compare with"),
    ("changes", "D", "changes", "changes",
     "Changes since the mark, or since the oldest sample kept"),
    ("sort", "s,greater_than_sign,f6", "sort(1)", "sort", "Sort by the next column"),
    ("sort_previous", "less_than_sign", "sort(-1)", "sort left", "Sort by the previous column"),
    ("reverse", "S,I", "reverse", "reverse", "Reverse sort order"),
    ("tree", "t,f5", "tree", "tree", "Connections by process and remote, or as a plain list"),
    ("columns", "o,f2", "columns", "columns", "Choose the columns, their order and widths"),
    ("names", "d", "names", "names", "Names of hosts and services, or numbers"),
    ("wide", "w", "wide", "wide", "Show all columns; Shift and arrows scroll"),
    ("follow", "f", "follow", "follow", "Follow the selected row, or keep the line"),
    ("group", "a", "group", "group",
     "Processes and connections by container or unit; remotes by address and port"),
    ("find", "ctrl+f,f3", "find", "find", "Search the rows"),
    ("find_next", "n", "find_next(1)", "next", "Next match"),
    ("find_previous", "N", "find_next(-1)", "previous", "Previous match"),
    ("copy_row", "y", "copy_row", "copy", "Copy the row, to the clipboard and to a file"),
    ("copy_command", "Y", "copy_command", "copy ss",
     "Copy the command that shows the same: ss, nstat or sysctl"),
    ("ticket", "E", "write_ticket", "ticket",
     "Write what is on the screen as Markdown, for a ticket"),
    ("export", "e", "export_as", "export",
     "Export to a file whose name is asked: .md is what is on the screen, .json all of it"),
    ("export_json", "ctrl+s", "export_json", "export JSON",
     "Export what the filter selects, as JSON"),
    ("record", "R", "record", "record",
     "Record to a file, beginning with the samples kept; once more: end it"),
    ("faster", "plus,equals_sign", "interval(-1)", "faster", "Refresh more often"),
    ("slower", "minus", "interval(1)", "slower", "Refresh less often"),
    ("theme", "T", "next_theme", "theme", "Next colour theme"),
    ("mouse", "M", "mouse", "mouse", "Enable the mouse, or leave it to the terminal"),
    ("repaint", "ctrl+l", "repaint", "repaint", "Redraw the screen"),
    ("suspend", "ctrl+z", "suspend", "suspend", "Suspend (fg resumes)"),
)  # fmt: skip

VIEW_KEYS: tuple[Key, ...] = (
    ("view.next", "tab", "turn(1)", "next view", "Next view"),
    ("view.previous", "shift+tab", "turn(-1)", "previous view", "Previous view"),
    *(
        (f"view.{name}", view_key(view.listing), f"view('{name}')", title, title)
        for name, view in VIEWS.items()
        for title in [view.listing.title]
    ),
)

TABLE_KEYS: tuple[Key, ...] = (
    ("table.up", "up,k", "move(-1)", "Up", "Move the cursor to the previous row"),
    ("table.down", "down,j", "move(1)", "Down", "Move the cursor to the next row"),
    ("table.page_up", "pageup", "page(-1.0)", "Page up", "Move up by a screenful"),
    ("table.page_down", "pagedown", "page(1.0)", "Page down", "Move down by a screenful"),
    ("table.half_up", "ctrl+u", "page(-0.5)", "Half up", "Move up by half a screenful"),
    ("table.half_down", "ctrl+d", "page(0.5)", "Half down", "Move down by half a screenful"),
    ("table.top", "home,g", "top", "Top", "Go to the first row and stay there"),
    ("table.bottom", "end,G", "bottom", "Bottom", "Go to the last row"),
    ("table.left", "shift+left", "slide(-1)", "Left", "Scroll left, when wide"),
    ("table.right", "shift+right", "slide(1)", "Right", "Scroll right, when wide"),
)

DIAGRAM_KEYS: tuple[Key, ...] = (
    ("picture.up", "up,k", "step(0, -1)", "Up", "In the picture: the state above"),
    ("picture.down", "down,j", "step(0, 1)", "Down", "In the picture: the state below"),
    ("picture.left", "left,h", "step(-1, 0)", "Left", "In the picture: the state on the left"),
    ("picture.right", "right,l", "step(1, 0)", "Right", "In the picture: the state on the right"),
)

PROMPT_KEYS: tuple[Key, ...] = (
    ("filter.apply", "enter", "submit", "apply", "Apply the filter"),
    ("filter.leave", "escape", "cancel", "leave", "Cancel"),
    ("filter.complete", "tab", "complete", "complete", "Complete the word, or list the words"),
    ("filter.earlier", "up", "earlier(1)", "earlier", "Previous filter"),
    ("filter.later", "down", "earlier(-1)", "later", "Next filter"),
)

CHOOSER_KEYS: tuple[Key, ...] = (
    ("columns.toggle", "space,x", "switch", "show/hide", "Show the column, or hide it"),
    ("columns.up", "up,k", "step(-1)", "up", "Previous column"),
    ("columns.down", "down,j", "step(1)", "down", "Next column"),
    ("columns.top", "home,g", "step(-1000)", "first", "First column"),
    ("columns.bottom", "end,G", "step(1000)", "last", "Last column"),
    ("columns.left", "K,shift+up,minus,left", "shift(-1)", "left", "Move the column left"),
    ("columns.right", "J,shift+down,plus,right", "shift(1)", "right", "Move the column right"),
    ("columns.narrower", "less_than_sign", "widen(-1)", "narrower", "Make the column narrower"),
    ("columns.wider", "greater_than_sign", "widen(1)", "wider", "Make the column wider"),
    ("columns.reset", "r", "reset", "reset", "Reset columns"),
    ("columns.close", "enter,escape,o,f2,q", "close", "done", "Back to the list"),
)

PALETTE_KEYS: tuple[Key, ...] = (
    ("palette.run", "enter", "run", "run", "Run"),
    ("palette.up", "up,ctrl+p", "step(-1)", "up", "Previous command"),
    ("palette.down", "down,ctrl+n,tab", "step(1)", "down", "Next command"),
    ("palette.page_up", "pageup", "step(-10)", "page up", "Ten commands up"),
    ("palette.page_down", "pagedown", "step(10)", "page down", "Ten commands down"),
    ("palette.rub_out", "backspace,ctrl+h", "rub_out(1)", "delete", "Delete the last letter"),
    ("palette.clear", "ctrl+u,ctrl+w", "rub_out(1000)", "clear", "Delete what is typed"),
    ("palette.close", "escape", "close", "cancel", "Cancel"),
)

# As the help shows them.
GROUPS: dict[str, Sequence[Key]] = {
    "keys": (*KEYS, *VIEW_KEYS),
    "table": TABLE_KEYS,
    "states": DIAGRAM_KEYS,
    "filter": PROMPT_KEYS,
    "columns": CHOOSER_KEYS,
    "commands": PALETTE_KEYS,
}

# With these one gets far: the ids of their keys, what stands between those, and what they do.
MAIN: tuple[tuple[Sequence[str], str, str], ...] = (
    (("view.overview", "view.closed"), "-",
     "Views: 0 Overview, 7 Findings; Tab: the next"),
    (("table.up", "table.down", "table.page_up", "table.page_down"), " ",
     "Move; g and G: first and last row"),
    (("into", "back"), " ", "Open the selected row; back"),
    (("close", "quit"), " ", "Close it, from a view quit; quit at once"),
    (("filter",), "", "Filter as with ss: state close-wait"),
    (("find", "find_next"), " ", "Search the rows; next match"),
    (("explain", "pages"), " ", "Explain the selected row; all pages"),
    (("sort", "reverse"), " ", "Sort by the next column; reverse"),
    (("columns", "wide", "names"), " ", "Choose columns; show all; names or numbers"),
    (("tree", "group"), " ", "Connections as a tree; group by unit"),
    (("pause", "step_back", "step_on", "jump"), " ",
     "Pause or resume; previous, next sample; jump"),
    (("mark", "changes"), " ", "Mark this sample; what has changed since"),
    (("copy_row", "copy_command"), " ", "Copy the row; copy the ss that shows it"),
    (("ticket", "export", "record"), " ", "Write a ticket; export to a file; record"),
    (("commands",), "", "All commands, by name"),
    (("help",), "", "Help: all keys and columns are below"),
)  # fmt: skip

# What keys do in a replay, where that is another thing: label and tooltip.
REPLAY: Mapping[str, tuple[str, str]] = {
    "pause": ("play", "Play or pause; at the end, from the beginning"),
    "step_back": ("previous sample", "Previous sample"),
    "step_on": ("next sample", "Next sample"),
    "finding_back": ("jump to previous finding", "Where a finding begins or ends before this"),
    "finding_on": ("jump to next finding", "Where a finding begins or ends after this"),
    "changes": ("changes", "Changes since the mark, or since the first sample"),
    "record": ("record", "Only in the live view"),
    "faster": ("faster", "Play faster"),
    "slower": ("slower", "Play slower"),
}

# What works whatever is typed or open.
ALWAYS = tuple(key for key in KEYS if key[0] in ("quit", "repaint", "suspend"))

# What the last line of the screen names, the most needed first.
HELP: KeyHint = ("help", "?", "help")
BACK: KeyHint = ("back", "Esc", "back")
EXPLAIN: KeyHint = ("explain", "x", "explain")
TICKET: KeyHint = ("ticket", "E", "ticket")
PAUSE: KeyHint = ("pause", "Space", "pause")
TIME_HINTS: tuple[KeyHint, ...] = (
    PAUSE, ("finding_on", ")", "next finding"), ("jump", "b", "jump"),
    ("step_back", "[", "back"), ("step_on", "]", "on"),
)  # fmt: skip
VIEW: KeyHint = ("view.next", "Tab", "view")
EXPORT: KeyHint = ("export", "e", "export")
QUIT: KeyHint = ("close", "q", "quit")
CLOSE: KeyHint = ("close", "q", "close")
PAGES: KeyHint = ("pages", "X", "all pages")
LIST_HINTS: tuple[KeyHint, ...] = (
    HELP, ("filter", "/", "filter"), ("into", "Enter", "open"), BACK, ("sort", "s", "sort"),
    EXPLAIN, PAUSE, QUIT, VIEW, ("reverse", "S", "reverse"), EXPORT, ("columns", "o", "columns"),
    ("commands", ":", "commands"), ("tree", "t", "tree"), ("names", "d", "names"),
    ("find", "^F", "find"), ("copy_command", "Y", "copy ss"),
    ("wide", "w", "wide"), ("follow", "f", "follow"), ("group", "a", "group"), PAGES,
)  # fmt: skip
STATE_HINTS: tuple[KeyHint, ...] = (
    HELP, ("filter", "/", "filter"), ("picture.down", "arrows", "choose"),
    ("into", "Enter", "its sockets"), QUIT, EXPLAIN, BACK, PAUSE, VIEW, EXPORT, PAGES,
)  # fmt: skip
OVERVIEW_HINTS: tuple[KeyHint, ...] = (
    HELP, ("into", "Enter", "open"), ("picture.down", "arrows", "choose"), QUIT, VIEW, EXPLAIN,
    PAUSE, ("filter", "/", "filter"), BACK, EXPORT, PAGES,
)  # fmt: skip
CHANGES_HINTS: tuple[KeyHint, ...] = (
    BACK, CLOSE, HELP, ("into", "Enter", "open"), ("mark", "m", "new mark"), EXPLAIN, PAUSE, VIEW,
)  # fmt: skip
FACT_HINTS: tuple[KeyHint, ...] = (BACK, CLOSE, HELP, EXPLAIN, VIEW, PAUSE, EXPORT)
PANE_HINTS: tuple[KeyHint, ...] = (
    BACK, CLOSE, ("into", "Enter", "open"), EXPLAIN, ("table.page_down", "PgDn", "page"), HELP,
    TICKET, VIEW, PAUSE, EXPORT,
)  # fmt: skip
FINDING_HINTS: tuple[KeyHint, ...] = (
    ("into", "Enter", "its sockets"), EXPLAIN, BACK, CLOSE, TICKET, HELP, VIEW,
    PAUSE,
)  # fmt: skip
PAGE_HINTS: tuple[KeyHint, ...] = (
    BACK, CLOSE, ("into", "Enter", "open page"), PAGES, ("table.page_down", "PgDn", "page"),
)  # fmt: skip
CONTENTS_HINTS = tuple(hint for hint in PAGE_HINTS if hint != PAGES)  # which X has brought
TYPING_HINTS = (
    ("Enter", "apply"), ("Esc", "leave"), ("Tab", "complete"), ("Up", "earlier filters"),
)  # fmt: skip

KEY_NAMES = {
    **{_character_to_key(character): character for character in string.punctuation},
    "space": "Space",
    "escape": "Esc",
    "enter": "Enter",
    "left": "Left",
    "right": "Right",
    "up": "Up",
    "down": "Down",
    "pageup": "PgUp",
    "pagedown": "PgDn",
    "home": "Home",
    "end": "End",
    "tab": "Tab",
}


def told_in_replay(keys: Sequence[Key]) -> Sequence[Key]:
    """With what they do there."""
    return [(id, key, do, *REPLAY.get(id, (label, told))) for id, key, do, label, told in keys]


def bindings(keys: Sequence[Key]) -> list[BindingType]:
    """As Textual wants them; the last line and the help are our own."""
    return [
        Binding(pressed, action, label, show=False, tooltip=told, id=id, priority=id == "quit")
        for id, pressed, action, label, told in keys
    ]


def app_bindings(keys: Sequence[Key]) -> list[BindingType]:
    """Of keys whose actions are those of `actions.ACTIONS`."""
    return bindings([(id, key, doing(do), label, told) for id, key, do, label, told in keys])


def doing(action: str) -> str:
    """`step(-1)` as Textual runs it."""
    name, _, arguments = action.partition("(")
    return f"app.do('{name}', {arguments}" if arguments else f"app.do('{name}')"


def bound(id: str, chosen: Mapping[str, str]) -> list[str]:
    """The keys of an action; `chosen` are those that were bound anew."""
    usual = next(keys for each, keys, *_ in KEYS if each == id)
    return [key.strip() for key in chosen.get(id, usual).split(",")]


def chosen(bound_anew: Mapping[str, str]) -> set[str]:
    """The keys that were bound anew."""
    return {key.strip() for keys in bound_anew.values() for key in keys.split(",")}


def key_names(keys: str) -> list[str]:
    """Keys, separated by commas, as they are printed on a keyboard."""
    return [key_name(key.strip()) for key in keys.split(",")]


def key_name(key: str) -> str:
    """A key as it is printed on a keyboard."""
    if key in KEY_NAMES:
        return KEY_NAMES[key]
    if key.startswith("ctrl+"):
        return "^" + key[5:].upper()
    if key.startswith("shift+"):
        return "Shift-" + key_name(key[6:])
    return key.upper() if key.startswith("f") and key[1:].isdigit() else key
