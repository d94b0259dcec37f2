"""`:`: everything that can be done, by name; type some letters of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from typing import ClassVar, TypeVar

from textual.binding import BindingType

from tcptop.columns.marks import KEY as MARK
from tcptop.explain import pages
from tcptop.model.cells import cell_width, cut, ljust, safe
from tcptop.model.named_tuple import NamedTuple
from tcptop.options import THEMES
from tcptop.tui import keys
from tcptop.tui.session import Session
from tcptop.tui.widgets.layout import Line
from tcptop.tui.widgets.modal import ChoiceBox

NAME = 22  # cells, at least

T = TypeVar("T")
Rank = tuple[int, int]  # the less the better: the kind of the fit, and where or how wide it is


class Command(NamedTuple):
    """`action` as Textual runs it."""

    name: str
    told: str
    key: str
    action: str


class Palette(ChoiceBox, inherit_bindings=False):
    """Shows the commands that fit what is typed, and runs the chosen one when it is closed."""

    BINDINGS: ClassVar[list[BindingType]] = keys.bindings(keys.PALETTE_KEYS)

    def __init__(self, run: Callable[[str], Awaitable[object]], ascii_only: bool) -> None:
        super().__init__(ascii_only, "palette")
        self._run = run
        self._commands: Sequence[Command] = ()
        self._fitting: Sequence[Command] = ()
        self._typed = ""

    def begin(self, commands: Sequence[Command]) -> None:
        """Have these to choose from, before it is opened."""
        self._commands = commands
        self._type("")

    def take_text(self, text: str) -> bool:
        self._type(self._typed + text)
        return True

    def _type(self, text: str) -> None:
        self._typed, self.row = text, 0
        self._fitting = fitting(self._commands, text, lambda each: (each.name, each.told))
        self.draw()

    # -- what is shown

    def heading(self) -> str:
        return f": {safe(self._typed)}_"

    def hint(self) -> str:
        return "Enter runs it  Esc leaves" if self._fitting else "no match"

    def rows(self, width: int) -> Sequence[Line]:
        longest = max((cell_width(command.name) for command in self._fitting), default=0)
        name = min(longest, max(NAME, width * 2 // 5))
        return [_line(command, name, width) for command in self._fitting]

    # -- what keys do

    def act(self) -> None:
        self.call_later(self.action_run)

    async def action_run(self) -> None:
        if self._fitting:
            command = self._fitting[self.row]
            self.close()
            await self._run(command.action)

    def action_rub_out(self, letters: int) -> None:
        self._type(self._typed[:-letters])


def _line(command: Command, name: int, width: int) -> Line:
    room = max(0, width - name - 2 - len(command.key) - 1)
    told = ljust(cut(command.told, room), room + 1)
    return (
        (ljust(cut(command.name, name), name + 2), ""),
        (told, "dim"),
        (command.key, "header" if command.key else ""),
    )


# -- what there is


def commands(session: Session, pictured: bool, chosen: Mapping[str, str]) -> Iterator[Command]:
    """All that can be done at the moment; `chosen` are the keys that were bound anew, by id."""
    listed = keys.GROUPS["keys"]
    for id, usual, action, label, told in (
        keys.told_in_replay(listed) if session.time.replayed else listed
    ):
        name = f"view {label}" if action.startswith("view(") else label
        key = keys.key_names(chosen.get(id, usual))[0]
        if id != "commands":
            yield Command(name, "" if told == label else told, key, keys.doing(action))
    if session.here.listing and not pictured:
        for column in session.listing.columns:
            if column.key != MARK:
                action = keys.doing(f"sort_by('{column.key}')")
                yield Command(f"sort by {column.title}", column.meaning, "", action)
    for name in THEMES:
        yield Command(f"theme {name}", "", "", keys.doing(f"use_theme('{name}')"))
    for page in pages():
        action = keys.doing(f"explain_page('{page.name}')")
        yield Command(f"explain {page.name}", page.summary, "", action)


# -- how well it fits


def fit(text: str, typed: str) -> Rank | None:
    """None where it does not fit: the letters have to occur in their order."""
    text, typed = text.lower(), typed.lower()
    at = text.find(typed)
    if at == 0:
        return 0, 0
    if at > 0:
        return (1, at) if not text[at - 1].isalnum() else (2, at)
    spread = _spread(text, typed)
    return None if spread is None else (3, spread)


def _spread(text: str, typed: str) -> int | None:
    """The cells from the first letter to the last one, of the first way to find them all."""
    first = at = -1
    for letter in typed:
        at = text.find(letter, at + 1)
        if at < 0:
            return None
        first = at if first < 0 else first
    return at - first


def fitting(things: Iterable[T], typed: str, texts: Callable[[T], Iterable[str]]) -> list[T]:
    """The things that fit, best first; of a thing's texts an earlier one weighs more, and of two
    equal fits the one of the shorter first text."""
    words = typed.split()
    if not words:
        return list(things)
    found = [(_best(words, [*texts(thing)]), thing) for thing in things]
    ranked = [(rank, thing) for rank, thing in found if rank is not None]
    return [thing for _, thing in sorted(ranked, key=lambda each: each[0])]


def _best(words: list[str], texts: list[str]) -> tuple[int, Rank, int] | None:
    """In one text all words, in any order; letters that lie apart count in the first text only."""
    for nth, text in enumerate(texts):
        ranks = [fit(text, word) for word in words]
        known = [rank for rank in ranks if rank is not None and (nth == 0 or rank[0] < 3)]
        if len(known) == len(words):
            far = any(kind == 3 for kind, _ in known)
            return (len(texts) if far else nth), max(known), len(texts[0])
    return None
