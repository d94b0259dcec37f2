"""The namespaces of the kernel's tests, for the live view; looks that find what a test says."""

from typing import Any

from textual.css.model import RuleSet
from textual.css.stylesheet import Stylesheet

from tests.kernel.conftest import namespace, zoo
from tests.tui.telling import told

__all__ = ["namespace", "told", "zoo"]

_parse = Stylesheet._parse_rules
_parsed: dict[object, list[RuleSet]] = {}


def _parse_once(sheet: Stylesheet, css: str, **more: Any) -> list[RuleSet]:
    """The same styles, for each of a thousand apps."""
    key = css, *more.items(), *sheet._variables.items()
    if key not in _parsed:
        _parsed[key] = _parse(sheet, css, **more)
    return _parsed[key]


Stylesheet._parse_rules = _parse_once  # type: ignore[method-assign,assignment]
