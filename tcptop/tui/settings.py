"""What command line and configuration decided for the live view, and what is remembered from run to
run: how lists are arranged, the theme, whether names are asked.

A file of preferences that is not understood is left as it is, and nothing is remembered meanwhile.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import field, replace
from pathlib import Path
from typing import Any

from tcptop.analysis.clause import NO_FILTER, Clause
from tcptop.analysis.findings import settings as findings
from tcptop.columns.marks import KEY as MARK
from tcptop.columns.names import OpenNames
from tcptop.model.archive import OpenWriter
from tcptop.model.dataclass import dataclass
from tcptop.tui.widgets.layout import TableColumn
from tcptop.views.output import written_whole


@dataclass(frozen=True)
class ScreenSettings:
    """`opening` is the view to begin with, None for what the first sample suggests; `keys` binds
    actions, by their ids, to other keys; `state` is the file of what is remembered from run to run,
    None for nothing; `open_names` gives names for addresses, if there are any; `netns` is the inode
    of the namespace that the shell is in, 0 where it is not known; `open_writer` makes a recording,
    or goes on in one; `other_host` is what is looked at, where that is not the host whose names
    `open_names` knows, which may have others for the same addresses."""

    interval: float = 1.0
    clause: Clause = NO_FILTER
    scope: str = "current netns"
    user: str = ""
    ascii_only: bool = False
    findings: findings.FindingSettings = findings.DEFAULTS
    opening: str | None = None
    keys: Mapping[str, str] = field(default_factory=dict)
    theme: str | None = None
    no_themes: str = ""  # why there are only the terminal's own colours
    state: Path | None = None
    open_names: OpenNames | None = None
    netns: int = 0
    open_writer: OpenWriter | None = None
    other_host: str | None = None


SCHEMA = "tcptop.state/1"
MOST = 1_000_000  # bytes; ours has some thousand
MOST_CELLS = 1000  # of a column in the file
NARROWEST, WIDEST = 3, 100  # cells of a column on the screen
CHOSEN = -1  # the priority of columns that go only after all others


class PreferencesError(ValueError):
    """What is wrong with the file, in a few words."""


@dataclass(frozen=True, slots=True)
class Arrangement:
    """How a list is shown, by the keys of its columns; those of other versions stay in here.

    A column that is neither hidden nor shown is there where it has room. `more` is what a newer
    version wrote beside it.
    """

    order: tuple[str, ...] = ()
    hidden: frozenset[str] = frozenset()
    widths: Mapping[str, int] = field(default_factory=dict)  # cells
    sort: str | None = None
    reverse: bool = False
    more: Mapping[str, Any] = field(default_factory=dict)
    shown: frozenset[str] = frozenset()  # before those that only have room

    def columns(self, keys: Sequence[str]) -> list[str]:
        """Which of the columns there are to show, in order; never none.

        One that the file does not know stands after its usual neighbour.
        """
        arranged = [key for key in self.order if key in keys]
        for at, key in enumerate(keys):
            if key not in arranged:
                arranged.insert(arranged.index(keys[at - 1]) + 1 if at else 0, key)
        return [key for key in arranged if key not in self.hidden] or arranged

    def order_of(self, keys: Sequence[str]) -> list[str]:
        """All columns in their order, hidden ones too."""
        return replace(self, hidden=frozenset()).columns(keys)

    def sorted_by(self, keys: Sequence[str]) -> tuple[str, bool] | None:
        """Column and whether its order is turned round; None: as usual."""
        return (self.sort, self.reverse) if self.sort is not None and self.sort in keys else None

    def laid_out(self, columns: Sequence[TableColumn]) -> list[TableColumn]:
        """The columns in their order; marks of findings stay where they are, at the left."""
        marks = [column for column in columns if column.key == MARK]
        others = {column.key: column for column in columns if column.key != MARK}
        return [*marks, *(self._as_chosen(others[key]) for key in self.columns([*others]))]

    def _as_chosen(self, column: TableColumn) -> TableColumn:
        width = self.widths.get(column.key)
        if width is not None:
            column = column._replace(width=min(width, WIDEST), flex=False, least=0)
        return column._replace(priority=CHOSEN) if column.key in self.shown else column

    # -- with another choice

    def switched(self, key: str, on: bool) -> Arrangement:
        """With a column shown before others, or hidden."""
        alone = frozenset({key})
        shown = self.shown | alone if on else self.shown - alone
        hidden = self.hidden - alone if on else self.hidden | alone
        return replace(self, shown=shown, hidden=hidden)

    def moved(self, keys: Sequence[str], key: str, steps: int) -> Arrangement:
        """With a column so many places further."""
        places = self.order_of(keys)
        at = places.index(key)
        places.insert(max(0, min(at + steps, len(places) - 1)), places.pop(at))
        return replace(self, order=tuple(places))

    def widened(self, key: str, now: int, steps: int) -> Arrangement:
        """With a column by so many cells wider than it is now."""
        width = max(NARROWEST, min(now + steps, WIDEST))
        return replace(self, widths={**self.widths, key: width})

    def usual(self) -> Arrangement:
        """As it is without any choice; the sort stays."""
        return Arrangement(sort=self.sort, reverse=self.reverse, more=self.more)


@dataclass(frozen=True, slots=True)
class Preferences:
    """`views` are by name; `more` is what a newer version wrote beside them."""

    views: Mapping[str, Arrangement] = field(default_factory=dict)
    theme: str | None = None
    resolve: bool = False
    more: Mapping[str, Any] = field(default_factory=dict)


class PreferencesFile:
    """The file behind the preferences. `complaint` is a sentence, empty where all is well."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self.preferences, self.complaint = load(path) if path else (Preferences(), "")

    def keep(self, preferences: Preferences) -> str:
        """Remember them, where they changed. Returns a sentence where that is not possible."""
        if preferences == self.preferences:
            return ""
        self.preferences = preferences
        if self._path is None or self.complaint:
            return ""
        return save(self._path, preferences)


def usual_path(environ: Mapping[str, str]) -> Path | None:
    """$XDG_STATE_HOME/tcptop/state.json; None in the home of another user, as under sudo: he could
    not write there any more."""
    state, home = Path(environ.get("XDG_STATE_HOME", "")), Path(environ.get("HOME", ""))
    if not state.is_absolute():
        if not home.is_absolute():
            return None
        state = home / ".local" / "state"
    try:
        nearest = next(each for each in (state, *state.parents) if each.exists())
        ours = nearest.stat().st_uid == os.geteuid()
    except OSError:
        return None
    return state / "tcptop" / "state.json" if ours else None


def load(path: Path) -> tuple[Preferences, str]:
    """What the file says, and a sentence where it is not used."""
    try:
        if path.exists() and not path.is_file():
            raise PreferencesError("not a regular file")
        with path.open("rb") as file:
            return parse(file.read(MOST + 1)), ""
    except FileNotFoundError:
        return Preferences(), ""
    except OSError as error:
        why = error.strerror or str(error)
    except PreferencesError as error:
        why = str(error)
    return Preferences(), f"{path} is not used, and left as it is: {why}"


def save(path: Path, preferences: Preferences) -> str:
    """Write the whole file or leave the one before; a sentence where that failed."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with written_whole(path) as out:
            out.write(text(preferences))
    except OSError as error:
        return f"not remembered: {path}: {error.strerror or error}"
    return ""


def text(preferences: Preferences) -> str:
    """The contents of the file."""
    views = {name: _view(each) for name, each in sorted(preferences.views.items())}
    told: dict[str, Any] = {**preferences.more, "schema": SCHEMA, "views": views}
    told |= {"theme": preferences.theme, "resolve": preferences.resolve}
    return json.dumps(told, indent=2) + "\n"


def _view(arrangement: Arrangement) -> dict[str, Any]:
    return {
        **arrangement.more,
        "order": list(arrangement.order),
        "hidden": sorted(arrangement.hidden),
        "shown": sorted(arrangement.shown),
        "widths": dict(arrangement.widths),
        "sort": arrangement.sort,
        "reverse": arrangement.reverse,
    }


def parse(data: bytes) -> Preferences:
    """Raises PreferencesError."""
    if len(data) > MOST:
        raise PreferencesError("too long")
    try:
        told = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise PreferencesError("not JSON") from error
    if not isinstance(told, dict) or told.get("schema") != SCHEMA:
        raise PreferencesError(f"its schema is not {SCHEMA}")
    return Preferences(
        views={name: _arrangement(name, each) for name, each in _of(told, "views", dict).items()},
        theme=_of(told, "theme", str),
        resolve=_of(told, "resolve", bool),
        more=_rest(told, "schema", "views", "theme", "resolve"),
    )


_EMPTY: dict[type, Any] = {dict: {}, list: [], str: None, bool: False}


def _of(told: Mapping[str, Any], key: str, kind: type) -> Any:
    value = told.get(key)
    if value is None:
        return _EMPTY[kind]
    if not isinstance(value, kind):
        raise PreferencesError(f"{key} is of the wrong kind")
    return value


def _arrangement(name: str, told: Any) -> Arrangement:
    if not isinstance(told, dict):
        raise PreferencesError(f"views.{name!a} is of the wrong kind")
    widths = _of(told, "widths", dict)
    if not all(type(width) is int and 0 < width <= MOST_CELLS for width in widths.values()):
        raise PreferencesError(f"widths are not from 1 to {MOST_CELLS}")
    return Arrangement(
        order=_names(told, "order"),
        hidden=frozenset(_names(told, "hidden")),
        widths=widths,
        sort=_of(told, "sort", str),
        reverse=_of(told, "reverse", bool),
        more=_rest(told, "order", "hidden", "widths", "sort", "reverse", "shown"),
        shown=frozenset(_names(told, "shown")),
    )


def _names(told: Mapping[str, Any], key: str) -> tuple[str, ...]:
    names = _of(told, key, list)
    if not all(isinstance(name, str) for name in names):
        raise PreferencesError(f"{key} has what is no name")
    return tuple(dict.fromkeys(names))


def _rest(told: Mapping[str, Any], *known: str) -> dict[str, Any]:
    return {key: value for key, value in told.items() if key not in known}
