"""What is wrong with a recording, for one line."""

from __future__ import annotations


class RecordingError(OSError):
    """FILE: WHY."""


class DamagedError(ValueError):
    """A part of a file is not what a recorder writes."""
