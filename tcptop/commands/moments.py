"""TIME of `--at`, `--begin` and `--end` -> Unix time, within what was recorded."""

from __future__ import annotations

from tcptop.commands.errors import CommandError
from tcptop.model import moment as moments
from tcptop.options import UsageError


def moment(text: str, option: str, span: tuple[float, float]) -> float:
    """Raises UsageError."""
    found = moments.moment(text, span)
    if found is None:
        raise UsageError(f"tcptop: {option} {text}: no time, such as {moments.FORMS}")
    return found


def refuse_earlier(taken_at: float, path: str, extent: tuple[float, float]) -> None:
    """Than all that there is. Raises CommandError."""
    if taken_at < extent[0]:
        raise CommandError(f"{path}: begins after that moment: it is of {moments.told(extent)}")


def refuse_empty(path: str, extent: tuple[float, float]) -> None:
    raise CommandError(f"{path}: no sample from --begin to --end: it is of {moments.told(extent)}")
