"""TIME of `--at`, `--begin` and `--end` -> Unix time, within what was recorded."""

from __future__ import annotations

from tcptop.model import moment as moments
from tcptop.options import UsageError


def moment(text: str, option: str, span: tuple[float, float]) -> float:
    """Raises UsageError."""
    found = moments.moment(text, span)
    if found is None:
        raise UsageError(f"tcptop: {option} {text}: no time, such as {moments.FORMS}")
    return found
