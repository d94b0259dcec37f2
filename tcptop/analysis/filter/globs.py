"""Globs over names: each different name is looked at once, whatever the number of sockets."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from fnmatch import translate


def matcher(globs: Iterable[str], ignore_case: bool = True) -> Callable[[str], bool]:
    """Whether a name equals one of the globs (*, ?, [a-z]) as a whole."""
    pattern = "|".join(f"(?:{translate(glob)})" for glob in globs)
    match = re.compile(pattern, re.IGNORECASE if ignore_case else 0).match
    return lambda name: match(name) is not None
