"""The keys of the live view; footer, help and remapping are made from these."""

from __future__ import annotations

from textual.binding import Binding, BindingType

from tcptop.tui.place import TITLES, VIEWS

Key = tuple[str, str, str, str, str]  # id, keys, action, label, tooltip

KEYS: tuple[Key, ...] = (
    ("help", "question_mark,h,f1", "help", "help", "All keys and columns of this view"),
    ("quit", "q,f10,ctrl+c", "quit", "quit", "End tcptop"),
    ("back", "escape,left", "leave", "back", "Go back; at the first view, clear the filter"),
    ("into", "right", "into", "open", "Open the row under the cursor, as Enter does"),
    ("filter", "slash,backslash,f4", "filter", "filter",
     "Show only some sockets, in the language of ss"),
    ("pause", "space,z,Z", "pause", "pause", "Hold the picture; tcptop goes on looking"),
    ("sort", "s", "sort(1)", "sort", "Sort by the next column"),
    ("sort_next", "greater_than_sign,f6", "sort(1)", "sort right", "Sort by the next column"),
    ("sort_previous", "less_than_sign", "sort(-1)", "sort left", "Sort by the previous column"),
    ("reverse", "S,I", "reverse", "reverse", "Turn the order round"),
    ("next", "tab", "turn(1)", "next view", "The next view"),
    ("previous", "shift+tab", "turn(-1)", "previous view", "The previous view"),
    ("group", "a", "group", "group", "Remotes by address, or by address and port"),
    ("wide", "w", "wide", "wide", "All columns, to be scrolled with shift and arrows"),
    ("export", "e,ctrl+s", "export", "export", "Write a snapshot of what is shown to a file"),
    ("faster", "plus,equals_sign", "interval(-1)", "faster", "Look more often"),
    ("slower", "minus", "interval(1)", "slower", "Look less often"),
    ("mouse", "M", "mouse", "mouse", "Give the mouse to tcptop, or back to the terminal"),
    ("repaint", "ctrl+l", "repaint", "repaint", "Paint the whole screen again"),
    ("suspend", "ctrl+z", "suspend_process", "suspend", "Stop; `fg` goes on"),
)  # fmt: skip

VIEW_KEYS: tuple[Key, ...] = tuple(
    (f"view.{view}", str(number), f"view('{view}')", title, f"The view of {title.lower()}")
    for number, (view, title) in enumerate(zip(VIEWS, TITLES, strict=True), 1)
)

# Screens move the focus with these unless the app takes them first.
PRIORITY = ("next", "previous")

BINDINGS: list[BindingType] = [
    Binding(keys, action, label, show=False, tooltip=tooltip, id=name, priority=name in PRIORITY)
    for name, keys, action, label, tooltip in (*KEYS, *VIEW_KEYS)
]

# What the last line of the screen names, the most needed first: (key as shown, id).
FOOTER = (
    ("?", "help"),
    ("/", "filter"),
    ("Enter", "into"),
    ("Esc", "back"),
    ("s", "sort"),
    ("S", "reverse"),
    ("Space", "pause"),
    ("e", "export"),
    ("q", "quit"),
    ("Tab", "next"),
    ("w", "wide"),
    ("a", "group"),
)
LABELS = {name: label for name, _, _, label, _ in KEYS}
