"""The keys of a table; the ids are those that a keymap may bind anew."""

from __future__ import annotations

from textual.binding import Binding, BindingType

BINDINGS: list[BindingType] = [
    Binding(keys, action, label, show=False, tooltip=tooltip, id=f"table.{name}")
    for name, keys, action, label, tooltip in (
        ("up", "up,k", "move(-1)", "Up", "Move the cursor to the previous row"),
        ("down", "down,j", "move(1)", "Down", "Move the cursor to the next row"),
        ("page_up", "pageup", "page(-1.0)", "Page up", "Move up by a screenful"),
        ("page_down", "pagedown", "page(1.0)", "Page down", "Move down by a screenful"),
        ("half_up", "ctrl+u", "page(-0.5)", "Half up", "Move up by half a screenful"),
        ("half_down", "ctrl+d", "page(0.5)", "Half down", "Move down by half a screenful"),
        ("top", "home,g", "top", "Top", "Go to the first row and stay there"),
        ("bottom", "end,G", "bottom", "Bottom", "Go to the last row"),
        ("left", "shift+left", "slide(-1)", "Left", "Scroll left, when wide"),
        ("right", "shift+right", "slide(1)", "Right", "Scroll right, when wide"),
    )
]
