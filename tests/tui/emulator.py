"""A small strict terminal: it knows all attributes, and refuses what it does not know.

Joined characters are as wide as Rich takes them. `blanks`: what a wide character leaves when it
loses a half, a blank as in xterm or its other half as in pyte.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace

from rich.cells import cell_len

TOKEN = re.compile(
    r"\x1b\[(?P<private>[?<>=])?(?P<numbers>[\d;]*)(?P<middle>[ $]*)(?P<final>[@-~])"
    r"|\x1b\]8;[^;]*;(?P<link>[^\x1b]*)\x1b\\|(?P<char>.)",
    re.DOTALL,
)
ON = {
    1: "bold",
    2: "dim",
    3: "italic",
    4: "underline",
    5: "blink",
    6: "blink2",
    7: "reverse",
    8: "conceal",
    9: "strike",
    21: "underline2",
    51: "frame",
    52: "encircle",
    53: "overline",
}
OFF = {
    22: {"bold", "dim"},
    23: {"italic"},
    24: {"underline", "underline2"},
    27: {"reverse"},
    25: {"blink", "blink2"},
    28: {"conceal"},
    29: {"strike"},
    55: {"overline"},
    54: {"frame", "encircle"},
}


@dataclass(frozen=True)
class Drawn:
    """What one cell shows; no text is the right half of a wide character."""

    text: str = " "
    attributes: frozenset[str] = frozenset()
    foreground: tuple[int, ...] = (39,)
    background: tuple[int, ...] = (49,)
    link: str = ""


@dataclass
class Emulator:
    """`feed` it, then look at `cells[y][x]`; its autowrap is off."""

    width: int
    height: int
    blanks: bool = True
    x: int | None = 0  # None: a relative move from here would depend on the terminal
    y: int = 0
    pen: Drawn = field(default_factory=Drawn)

    def __post_init__(self) -> None:
        self.cells = [[Drawn("#")] * self.width for _ in range(self.height)]
        self._last = (0, 0)  # where the last character was drawn
        self._joining = False

    def feed(self, text: str) -> None:
        """Obey; ValueError for anything strange."""
        for token in TOKEN.finditer(text):
            if token["final"]:
                if not token["private"]:
                    self._control(token["final"] + token["middle"], token["numbers"])
            elif token["char"] is not None:
                self._char(token["char"])
            else:
                self.pen = replace(self.pen, link=token["link"])

    def text(self) -> list[str]:
        return ["".join(cell.text for cell in row) for row in self.cells]

    # -- moving

    def _control(self, final: str, numbers: str) -> None:
        values = [int(number or 0) for number in numbers.split(";")]
        if final == "m":
            self._select(values)
        elif final == "H":
            line, column, *_ = *values, 0, 0
            self._move(max(column, 1) - 1, max(line, 1) - 1)
        elif final in "ABCD":
            count = max(values[0], 1)
            across = {"C": count, "D": -count}.get(final, 0)
            x = self.x if not across else self._known() + across
            self._move(x, self.y + {"A": -count, "B": count}.get(final, 0))
        else:
            raise ValueError(f"unknown control {numbers}{final}")

    def _known(self) -> int:
        if self.x is None:
            raise ValueError("a relative move from the margin")
        return self.x

    def _move(self, x: int | None, y: int) -> None:
        if not 0 <= y < self.height or (x is not None and not 0 <= x < self.width):
            raise ValueError(f"a move outside: {x}, {y}")
        self.x, self.y = x, y

    def _select(self, values: list[int]) -> None:
        words = iter(values)
        for word in words:
            on = self.pen.attributes
            if word == 0:
                self.pen = Drawn(link=self.pen.link)
            elif word in ON:
                self.pen = replace(self.pen, attributes=on | {ON[word]})
            elif word in OFF:
                self.pen = replace(self.pen, attributes=on - OFF[word])
            elif word // 10 in (3, 9):
                self.pen = replace(self.pen, foreground=self._colour(word, words))
            elif word // 10 in (4, 10):
                self.pen = replace(self.pen, background=self._colour(word, words))
            else:
                raise ValueError(f"unknown attribute {word}")

    @staticmethod
    def _colour(word: int, words: object) -> tuple[int, ...]:
        if word not in (38, 48):
            return (word,)
        assert hasattr(words, "__next__")
        kind = next(words)
        return (word, kind, *(next(words) for _ in range({5: 1, 2: 3}[kind])))

    # -- drawing

    def _char(self, char: str) -> None:
        if char == "\r":
            self._move(0, self.y)
        elif char == "\n":
            self._move(self.x, self.y + 1)
        elif char == "\b":
            self._move(self._known() - 1, self.y)
        elif char < " " or "\x7f" <= char < "\xa0":
            raise ValueError(f"a control character: {char!r}")
        elif self._joining or not cell_len(char):
            self._join(char)
        else:
            self._draw(char, cell_len(char))

    def _join(self, char: str) -> None:
        """A mark, or what follows a joiner, to the character before."""
        x, y = self._last
        self._joining = char == "\u200d"
        before = self.cells[y][x]
        after = replace(before, text=before.text + char)
        if char == "\ufe0f" and cell_len(after.text) > cell_len(before.text):
            self._set(x + 1, y, replace(before, text=""))
            self.x = x + 2 if x + 2 < self.width else None
        self.cells[y][x] = after

    def _draw(self, char: str, width: int) -> None:
        x = self._known()
        if x + width > self.width:
            raise ValueError("a wide character at the margin")
        for offset, text in enumerate([char, ""][:width]):
            self._set(x + offset, self.y, replace(self.pen, text=text))
        self._last = (x, self.y)
        self.x = x + width if x + width < self.width else None

    def _set(self, x: int, y: int, drawn: Drawn) -> None:
        row = self.cells[y]
        if self.blanks and drawn.text and not row[x].text and x:
            row[x - 1] = replace(row[x - 1], text=" ")
        row[x] = drawn
        if self.blanks and x + 1 < self.width and not row[x + 1].text:
            row[x + 1] = replace(row[x + 1], text=" ")
