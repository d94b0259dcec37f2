"""Command-line options that say the same as a filter."""

from __future__ import annotations

from tcptop.analysis.filter.fields import FIELDS
from tcptop.analysis.filter.hosts import PORT_HINT
from tcptop.analysis.filter.nodes import Expression, Number, Port, Text, Word
from tcptop.analysis.filter.words import span, wrong


def process_option(text: str) -> Expression:
    """-p NAME|PID: all digits is a pid, else a glob on the name. Raises FilterError if empty."""
    if text.isascii() and text.isdecimal() and len(text) < 19:
        return Number("pid", "=", ((int(text), int(text)),))
    if not text:
        raise wrong(Word(text, 0, text), "a name is missing", *FIELDS["process"].expected)
    return Text("process", "=", (text,))


def port_option(text: str) -> Expression:
    """-P PORT[-PORT], local or remote. Raises FilterError."""
    found = span(text.removeprefix(":"))
    if found is None or found.high > 65535:
        raise wrong(Word(text, 0, text), f'"{text}" is not a port or a range of ports', *PORT_HINT)
    return Port("port", "=", (found,))
