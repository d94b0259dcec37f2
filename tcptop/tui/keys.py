"""The keys of the live view, as tables; help, palette, last line and `[keys]` are made from these.

Relies on `_character_to_key` of Textual 8.2, which says how the key of a character is called.
"""

from __future__ import annotations

import string
from collections.abc import Sequence

from textual.binding import Binding, BindingType
from textual.keys import _character_to_key

from tcptop.tui.views import VIEWS

Key = tuple[str, str, str, str, str]  # id, keys, action, label, tooltip
KeyHint = tuple[str, str, str]  # id, usual key, what it does

KEYS: tuple[Key, ...] = (
    ("help", "question_mark,h,f1", "help", "help", "All keys and columns of this view"),
    ("quit", "q,f10,ctrl+c,ctrl+q", "quit", "quit", "End tcptop"),
    ("commands", "colon", "commands_by_name", "commands", "Everything that can be done, by name"),
    ("into", "enter,right", "into", "open", "Open the row under the cursor"),
    ("explain", "x,i", "explain", "explain",
     "What the row under the cursor means, how to confirm and fix it"),
    ("pages", "X", "pages", "pages", "All that can be explained"),
    ("back", "escape,left", "leave", "back", "Go back; at the first view, clear the filter"),
    ("filter", "slash,backslash,f4", "filter", "filter",
     "Show only some sockets, in the language of ss"),
    ("pause", "space,z,Z", "pause", "pause",
     "Hold the picture, or be live again; tcptop goes on looking"),
    ("step_back", "left_square_bracket", "step(-1)", "look before",
     "Go back by a look; the last ten minutes are kept, or what fits into 64 MB"),
    ("step_on", "right_square_bracket", "step(1)", "look after",
     "Go on by a look, and after the newest be live again"),
    ("minute_back", "left_curly_bracket", "minute(-1)", "minute before", "Go back by a minute"),
    ("minute_on", "right_curly_bracket", "minute(1)", "minute after", "Go on by a minute"),
    ("mark", "m", "mark", "mark", "Mark the look that is shown, to compare with"),
    ("changes", "D", "changes", "changes",
     "What changed since the mark, or since the oldest look that is kept"),
    ("sort", "s,greater_than_sign,f6", "sort(1)", "sort", "Sort by the next column on the screen"),
    ("sort_previous", "less_than_sign", "sort(-1)", "sort left", "Sort by the column before it"),
    ("reverse", "S,I", "reverse", "reverse", "Turn the order round"),
    ("tree", "t,f5", "tree", "tree", "Connections by process and remote, or as a plain list"),
    ("columns", "o,f2", "columns", "columns", "Choose the columns, their order and widths"),
    ("names", "d", "names", "names", "Names of hosts and services, or numbers"),
    ("wide", "w", "wide", "wide", "All columns, to sort by and to scroll with Shift and arrows"),
    ("follow", "f", "follow", "follow", "The cursor goes where its row goes, or stays in its line"),
    ("group", "a", "group", "group", "Remotes by address, or by address and port"),
    ("find", "ctrl+f,f3", "find", "find", "Find a text among the rows"),
    ("find_next", "n", "find_next(1)", "next", "The next row that has the text"),
    ("find_previous", "N", "find_next(-1)", "previous", "The row before that has the text"),
    ("copy_row", "y", "copy_row", "copy", "Copy the row, to the clipboard and to a file"),
    ("copy_command", "Y", "copy_command", "copy ss",
     "Copy the command that shows the same: ss, nstat or sysctl"),
    ("export", "e,ctrl+s", "export_json", "export",
     "Write what the filter selects to a file, as JSON"),
    ("faster", "plus,equals_sign", "interval(-1)", "faster", "Look more often"),
    ("slower", "minus", "interval(1)", "slower", "Look less often"),
    ("theme", "T", "next_theme", "theme", "Other colours; first come the terminal's own"),
    ("mouse", "M", "mouse", "mouse", "Give the mouse to tcptop, or back to the terminal"),
    ("repaint", "ctrl+l", "repaint", "repaint", "Paint the whole screen again"),
    ("suspend", "ctrl+z", "suspend", "suspend", "Stop; `fg` goes on"),
)  # fmt: skip

VIEW_KEYS: tuple[Key, ...] = (
    ("view.next", "tab", "turn(1)", "next view", "The next view"),
    ("view.previous", "shift+tab", "turn(-1)", "previous view", "The view before"),
    *(
        (f"view.{name}", str(number), f"view('{name}')", view.listing.title, view.listing.title)
        for number, (name, view) in enumerate(VIEWS.items(), 1)
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
    ("filter.apply", "enter", "submit", "apply", "Show what the filter selects"),
    ("filter.leave", "escape,ctrl+c", "cancel", "leave", "Leave the filter as it was"),
    ("filter.complete", "tab", "complete", "complete", "Complete the word, or list the words"),
    ("filter.earlier", "up", "earlier(1)", "earlier", "The filter used before"),
    ("filter.later", "down", "earlier(-1)", "later", "The filter used after it"),
)

CHOOSER_KEYS: tuple[Key, ...] = (
    ("columns.toggle", "space,x", "switch", "show/hide", "Show the column, or hide it"),
    ("columns.up", "up,k", "step(-1)", "up", "The column before"),
    ("columns.down", "down,j", "step(1)", "down", "The next column"),
    ("columns.top", "home,g", "step(-1000)", "first", "The first column"),
    ("columns.bottom", "end,G", "step(1000)", "last", "The last column"),
    ("columns.left", "K,shift+up,minus,left", "shift(-1)", "left", "Move the column left"),
    ("columns.right", "J,shift+down,plus,right", "shift(1)", "right", "Move the column right"),
    ("columns.narrower", "less_than_sign", "widen(-1)", "narrower", "Make the column narrower"),
    ("columns.wider", "greater_than_sign", "widen(1)", "wider", "Make the column wider"),
    ("columns.reset", "r", "reset", "reset", "All columns as they usually are"),
    ("columns.close", "enter,escape,o,f2,q,ctrl+c", "close", "done", "Back to the list"),
)

PALETTE_KEYS: tuple[Key, ...] = (
    ("palette.run", "enter", "run", "run", "Do it"),
    ("palette.up", "up,ctrl+p", "step(-1)", "up", "The command before"),
    ("palette.down", "down,ctrl+n,tab", "step(1)", "down", "The next command"),
    ("palette.page_up", "pageup", "step(-10)", "page up", "Ten commands up"),
    ("palette.page_down", "pagedown", "step(10)", "page down", "Ten commands down"),
    ("palette.rub_out", "backspace,ctrl+h", "rub_out(1)", "delete", "Delete the last letter"),
    ("palette.clear", "ctrl+u,ctrl+w", "rub_out(1000)", "clear", "Delete what is typed"),
    ("palette.close", "escape,ctrl+c", "close", "leave", "Do nothing"),
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

# What works whatever is typed or open.
ALWAYS = tuple(key for key in KEYS if key[0] in ("quit", "repaint", "suspend"))

# What the last line of the screen names, the most needed first.
HELP: KeyHint = ("help", "?", "help")
BACK: KeyHint = ("back", "Esc", "back")
EXPLAIN: KeyHint = ("explain", "x", "explain")
PAUSE: KeyHint = ("pause", "Space", "pause")
VIEW: KeyHint = ("view.next", "Tab", "view")
EXPORT: KeyHint = ("export", "e", "export")
QUIT: KeyHint = ("quit", "q", "quit")
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
    ("into", "Enter", "its sockets"), EXPLAIN, BACK, PAUSE, QUIT, VIEW, EXPORT, PAGES,
)  # fmt: skip
CHANGES_HINTS: tuple[KeyHint, ...] = (
    BACK, HELP, ("into", "Enter", "open"), ("mark", "m", "mark anew"), EXPLAIN, PAUSE, QUIT, VIEW,
)  # fmt: skip
FACT_HINTS: tuple[KeyHint, ...] = (BACK, HELP, EXPLAIN, VIEW, PAUSE, EXPORT, QUIT)
PANE_HINTS: tuple[KeyHint, ...] = (
    BACK, ("into", "Enter", "open"), EXPLAIN, ("table.page_down", "PgDn", "page"), HELP, VIEW,
    PAUSE, EXPORT, QUIT,
)  # fmt: skip
FINDING_HINTS: tuple[KeyHint, ...] = (
    ("into", "Enter", "its sockets"), EXPLAIN, BACK, HELP, VIEW, PAUSE, QUIT,
)  # fmt: skip
PAGE_HINTS: tuple[KeyHint, ...] = (
    BACK, ("into", "Enter", "open the page named"), PAGES, ("table.page_down", "PgDn", "page"),
    QUIT,
)  # fmt: skip
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


def bindings(keys: Sequence[Key]) -> list[BindingType]:
    """As Textual wants them; the last line and the help are our own."""
    return [
        Binding(pressed, action, label, show=False, tooltip=told, id=id)
        for id, pressed, action, label, told in keys
    ]


def app_bindings(keys: Sequence[Key]) -> list[BindingType]:
    """Of keys whose actions are those of `actions.ACTIONS`."""
    return bindings([(id, key, doing(do), label, told) for id, key, do, label, told in keys])


def doing(action: str) -> str:
    """`step(-1)` as Textual runs it."""
    name, _, arguments = action.partition("(")
    return f"app.do('{name}', {arguments}" if arguments else f"app.do('{name}')"


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
