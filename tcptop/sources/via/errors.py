"""What can go wrong between here and there."""

from __future__ import annotations

MOST_TOLD = 300


class ViaError(OSError):
    """COMMAND: WHY."""


class StalledError(ViaError):
    """Nothing comes any more; it may come later."""


def shown(data: bytes) -> str:
    """The end of what a stranger has said, in one line that a terminal takes."""
    text = " ".join(data[-MOST_TOLD:].decode("utf-8", "replace").split())
    return "".join(letter if letter.isprintable() else "·" for letter in text)
