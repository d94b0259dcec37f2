"""FilterError: what is wrong with a filter, where, and what could stand there."""

from __future__ import annotations

from tcptop.model.cells import cell_width, safe

_SHOWN = 8
_LIKELY = (
    *("and", "or", ")", "state", "process", "port", "dport", "sport", "dst", "src", "pid"),
    *("established", "listening", "close-wait", "time-wait", "syn-sent", "syn-recv"),
)


class FilterError(ValueError):
    """A filter that cannot be used.

    `column` counts from 0 and is that of the first wrong character. `str()` is the filter on one
    line, then a caret under that character, the message and the likeliest of the words that could
    stand there.
    """

    def __init__(self, text: str, column: int, expected: tuple[str, ...], message: str) -> None:
        super().__init__(text, column, expected, message)
        self.text = text
        self.column = column
        self.expected = expected
        self.message = safe(message)

    def __str__(self) -> str:
        margin = " " * cell_width(safe(self.text[: self.column]))
        return f"{safe(self.text)}\n{margin}^ {self.said()}"

    def said(self) -> str:
        """The message and what was expected, in one line."""
        return f"{self.message}; expected {self.hint()}" if self.expected else self.message

    def hint(self) -> str:
        """`and, or, state or process`: at most eight of the expected words, the likeliest first."""
        words = sorted(self.expected, key=_rank)
        if len(words) > _SHOWN:
            return f"{', '.join(words[:_SHOWN])}, ..."
        return " or ".join(filter(None, (", ".join(words[:-1]), words[-1])))


def _rank(word: str) -> int:
    """A value that is described, such as "a port such as 443", comes before any keyword."""
    if " " in word:
        return -1
    return _LIKELY.index(word) if word in _LIKELY else len(_LIKELY)
