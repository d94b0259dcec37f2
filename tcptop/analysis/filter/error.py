"""FilterError: what is wrong with a filter, where, and what could stand there."""

from __future__ import annotations

from tcptop.model.cells import cell_width, safe


class FilterError(ValueError):
    """A filter that cannot be used.

    `column` counts from 0 and is that of the first wrong character. `str()` is the filter on one
    line, then a caret under that character, the message and the words that could stand there.
    """

    def __init__(self, text: str, column: int, expected: tuple[str, ...], message: str) -> None:
        super().__init__(text, column, expected, message)
        self.text = text
        self.column = column
        self.expected = expected
        self.message = safe(message)

    def __str__(self) -> str:
        margin = " " * cell_width(safe(self.text[: self.column]))
        hint = f"; expected {_listed(self.expected)}" if self.expected else ""
        return f"{safe(self.text)}\n{margin}^ {self.message}{hint}"


def _listed(words: tuple[str, ...]) -> str:
    *most, last = words
    return f"{', '.join(most)} or {last}" if most else last
