"""Command-line options that say the same as a filter."""

from __future__ import annotations

from tcptop.analysis.filter.fields import FIELDS
from tcptop.analysis.filter.nodes import Expression, Number, Port, Text, Word
from tcptop.analysis.filter.words import span, wrong


def process_option(text: str) -> Expression:
    """-p NAME|PID: all digits is a pid, else a glob on the name. Raises FilterError if empty."""
    if text.isascii() and text.isdecimal() and len(text) < 19:
        return Number("pid", "=", ((int(text), int(text)),))
    if not text:
        raise wrong(_typed("-p", text), "a name is missing", *FIELDS["process"].expected)
    return Text("process", "=", (text,))


def port_option(text: str) -> Expression:
    """-P PORT[-PORT], local or remote. Raises FilterError."""
    found = span(text.removeprefix(":"))
    if found is None or found.high > 65535:
        why = f'"{text}" is not a port or port range'
        raise wrong(_typed("-P", text), why, "a number such as 443 or 8000-8100")
    return Port("port", "=", (found,))


def _typed(option: str, text: str) -> Word:
    """An option's value where it was typed, so that an error shows both."""
    return Word(text, len(option) + 1, f"{option} {text}")
