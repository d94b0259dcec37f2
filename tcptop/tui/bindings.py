"""The keys of the live view; footer, help and remapping are made from these."""

from __future__ import annotations

from textual.binding import Binding, BindingType

from tcptop.tui.views import VIEWS

Key = tuple[str, str, str, str, str]  # id, keys, action, label, tooltip
Shown = tuple[str, str]  # a key and what it does, in the last line
Named = tuple[str, str, str]  # id, usual key, what it does

KEYS: tuple[Key, ...] = (
    ("help", "question_mark,h,f1", "help", "help", "All keys and columns of this view"),
    ("quit", "q,f10,ctrl+c,ctrl+q", "quit", "quit", "End tcptop"),
    ("commands", "colon", "commands", "commands", "Everything that can be done, by name"),
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
    ("export", "e,ctrl+s", "export", "export", "Write what the filter selects to a file, as JSON"),
    ("faster", "plus,equals_sign", "interval(-1)", "faster", "Look more often"),
    ("slower", "minus", "interval(1)", "slower", "Look less often"),
    ("theme", "T", "next_theme", "theme", "Other colours; first come the terminal's own"),
    ("mouse", "M", "mouse", "mouse", "Give the mouse to tcptop, or back to the terminal"),
    ("repaint", "ctrl+l", "repaint", "repaint", "Paint the whole screen again"),
    ("suspend", "ctrl+z", "suspend_process", "suspend", "Stop; `fg` goes on"),
)  # fmt: skip

VIEW_KEYS: tuple[Key, ...] = (
    ("view.next", "tab", "turn(1)", "next view", "The next view"),
    ("view.previous", "shift+tab", "turn(-1)", "previous view", "The view before"),
    *(
        (f"view.{name}", str(number), f"view('{name}')", view.listing.title, view.listing.title)
        for number, (name, view) in enumerate(VIEWS.items(), 1)
    ),
)

# Screens move the focus with these unless the app takes them first.
PRIORITY = ("view.next", "view.previous")

BINDINGS: list[BindingType] = [
    Binding(keys, action, label, show=False, tooltip=tooltip, id=name, priority=name in PRIORITY)
    for name, keys, action, label, tooltip in (*KEYS, *VIEW_KEYS)
]

# What works while a filter is typed; all other keys are text or nothing.
WHILE_TYPING = {"quit", "repaint", "suspend_process"}

# What the last line of the screen names, the most needed first.
HELP: Named = ("help", "?", "help")
BACK: Named = ("back", "Esc", "back")
EXPLAIN: Named = ("explain", "x", "explain")
PAUSE: Named = ("pause", "Space", "pause")
VIEW: Named = ("view.next", "Tab", "view")
EXPORT: Named = ("export", "e", "export")
QUIT: Named = ("quit", "q", "quit")
PAGES: Named = ("pages", "X", "all pages")
LIST_KEYS: tuple[Named, ...] = (
    HELP, ("filter", "/", "filter"), ("into", "Enter", "open"), BACK, ("sort", "s", "sort"),
    EXPLAIN, PAUSE, QUIT, VIEW, ("reverse", "S", "reverse"), EXPORT, ("columns", "o", "columns"),
    ("commands", ":", "commands"), ("tree", "t", "tree"), ("names", "d", "names"),
    ("find", "^F", "find"), ("copy_command", "Y", "copy ss"),
    ("wide", "w", "wide"), ("follow", "f", "follow"), ("group", "a", "group"), PAGES,
)  # fmt: skip
STATE_KEYS: tuple[Named, ...] = (
    HELP, ("filter", "/", "filter"), ("picture.down", "arrows", "choose"),
    ("into", "Enter", "its sockets"), EXPLAIN, BACK, PAUSE, QUIT, VIEW, EXPORT, PAGES,
)  # fmt: skip
CHANGES_KEYS: tuple[Named, ...] = (
    BACK, HELP, ("into", "Enter", "open"), ("mark", "m", "mark anew"), EXPLAIN, PAUSE, QUIT, VIEW,
)  # fmt: skip
FACT_KEYS: tuple[Named, ...] = (BACK, HELP, EXPLAIN, VIEW, PAUSE, EXPORT, QUIT)
PANE_KEYS: tuple[Named, ...] = (
    BACK, ("into", "Enter", "open"), EXPLAIN, ("table.page_down", "PgDn", "page"), HELP, VIEW,
    PAUSE, EXPORT, QUIT,
)  # fmt: skip
FINDING_KEYS: tuple[Named, ...] = (
    ("into", "Enter", "its sockets"), EXPLAIN, BACK, HELP, VIEW, PAUSE, QUIT,
)  # fmt: skip
PAGE_KEYS: tuple[Named, ...] = (
    BACK, ("into", "Enter", "open the page named"), PAGES, ("table.page_down", "PgDn", "page"),
    QUIT,
)  # fmt: skip
TYPING_KEYS: tuple[Shown, ...] = (
    ("Enter", "apply"), ("Esc", "leave"), ("Tab", "complete"), ("Up", "earlier filters"),
)  # fmt: skip
