"""Copying: the row under the cursor as text, or the command that shows the same."""

from __future__ import annotations

from tcptop.columns.listing import netns_of, shell_command
from tcptop.model.netns import reaching
from tcptop.tui.moving import Moving
from tcptop.tui.place import Place
from tcptop.tui.terminal.clipboard import copy
from tcptop.tui.viewing import Shown


class Copying(Moving, inherit_bindings=False):
    """The keys that copy."""

    def action_copy_row(self) -> None:
        text = "" if self.pictured else self._table.row_text()
        self._copy(text, "there is no row to copy; Y copies a command")

    def action_copy_command(self) -> None:
        shown, here = self.session.shown, self.here
        key = here.item if here.item is not None else self.cursor
        place = shown.model.place(key) if shown is not None and not _reads(here) else None
        command = ""
        if shown is not None and place is not None:
            command = _command(shown, place, self.settings.netns)
        self._copy(command, "no command shows this")

    def _copy(self, text: str, otherwise: str) -> None:
        if not text:
            self._say(otherwise)
            return
        told = copy(text, self.write_through)
        self._say(f"{told}: {text}")


def _reads(here: Place) -> bool:
    """Whether there is a text, or a list of changes."""
    return here.help or here.changes or here.page is not None


def _command(shown: Shown, place: int, own: int) -> str:
    listing, selection = shown.criteria.listing, shown.selection
    netns = netns_of(listing, selection, place)
    inside = reaching(selection.snapshot.sample, netns) if own and netns != own else None
    return shell_command(listing, selection, place, inside)
