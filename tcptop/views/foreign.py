"""Text of other processes in formats that people open with other programs."""

from __future__ import annotations

import re

from tcptop.model.cells import safe

# What makes a spreadsheet take a cell for a formula, the full-width forms included (OWASP).
FORMULA = ("=", "+", "-", "@", "＝", "＋", "－", "＠")

# What means nothing in Markdown, nor to those who link addresses, names and numbers in it.
PLAIN = re.compile(
    r"""(?! [-+=] | \d+[.)]\  | .*(?:www\.|://) )        # begins no list, holds no address
    (?: (?<=[a-z0-9])_(?=[a-z0-9])                      # a_b, but not _emphasis_
      | (?<=[a-z0-9])_?\*(?=\ |$)                       # tcp_keepalive_*
      | :(?![a-z])                                      # no :emoji:
      | [a-z0-9 .,;(){}%/+=?'"–≥≤→-] )+""",
    re.IGNORECASE | re.VERBOSE,
)


def spreadsheet(text: str) -> str:
    """A cell that no spreadsheet computes: an apostrophe goes before what looks like a formula."""
    return f"'{safe(text)}" if text.startswith(FORMULA) else safe(text)


def code(text: str) -> str:
    r"""A Markdown code span; backticks become \x60."""
    plain = safe(text).replace("`", r"\x60").strip()
    return f"`{plain}`" if plain else ""


def prose(text: str) -> str:
    """A sentence in Markdown; all of it a code span where a part of it would mean something."""
    return text if PLAIN.fullmatch(text) else code(text)


def code_cell(text: str) -> str:
    r"""A code span within a table, where even that does not hide a pipe: it becomes \x7c."""
    return code(text.replace("|", r"\x7c"))
