"""What could not be seen: said once, and then by a mark in the header that the help explains."""

from __future__ import annotations

from collections.abc import Sequence

from tcptop.model.snapshot import Snapshot

READ_S = 3.0  # in which a note can be read
NO_DIGITS = str.maketrans("", "", "0123456789")


class Notices:
    """A note is shown until a key that comes when it could be read; numbers in it may change."""

    def __init__(self) -> None:
        self._began: dict[str, float] = {}  # since when it is shown, by Sample.clock
        self._read: set[str] = set()
        self._clock = 0.0

    def show(self, notes: Sequence[str], snapshot: Snapshot | None, room: bool) -> Sequence[str]:
        """Those that are to be shown now."""
        self._clock = snapshot.sample.clock if snapshot is not None else 0.0
        new = [note for note in notes if room and _kind(note) not in self._read]
        for note in new:
            self._began.setdefault(_kind(note), self._clock)
        return new

    def key(self) -> bool:
        """A key was pressed; whether that makes a difference."""
        could = {n for n, since in self._began.items() if self._clock - since >= READ_S}
        new = could - self._read
        self._read |= new
        return bool(new)


def _kind(note: str) -> str:
    return note.translate(NO_DIGITS)
