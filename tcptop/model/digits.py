"""Numbers as the kernel prints them."""

from __future__ import annotations

LONGEST = 20  # digits of 64 bits, with a sign


def whole(text: str) -> int | None:
    """The number of a text that is one, of at most 64 bits; None for every other text."""
    digits = text.removeprefix("-")
    if not digits.isascii() or not digits.isdecimal() or len(text) > LONGEST:
        return None
    value = int(text)
    return value if -(1 << 63) <= value < 1 << 64 else None


def hexadecimal(text: str) -> int | None:
    """The same of hexadecimal digits, without a sign."""
    if not text.isalnum() or len(text) > LONGEST:
        return None
    try:
        value = int(text, 16)
    except ValueError:
        return None
    return value if value < 1 << 64 else None
