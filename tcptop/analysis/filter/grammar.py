"""The parser of filters, made of grammar.lark."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lark import Lark


@lru_cache(maxsize=1)
def parser() -> Lark:
    """The LALR parser; lark is loaded with the first filter."""
    from lark import Lark

    grammar = Path(__file__).with_name("grammar.lark").read_text("utf-8")
    return Lark(grammar, parser="lalr", propagate_positions=True)
