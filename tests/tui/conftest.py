"""The namespaces of the kernel's tests, for the live view; looks that find what a test says."""

from typing import Any

from textual.css.model import RuleSet
from textual.css.stylesheet import Stylesheet

from tcptop.analysis import watch
from tcptop.analysis.derive import derive
from tcptop.analysis.findings.settings import FindingSettings
from tcptop.analysis.history import History
from tcptop.model.sample import Sample
from tcptop.model.snapshot import Snapshot
from tests import recordings
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


_understood: dict[tuple[int, int], list[tuple[FindingSettings, tuple[Snapshot, History]]]] = {}
_after: set[int] = set()  # ids of the histories in it


def _derive_once(
    sample: Sample, history: History, settings: FindingSettings
) -> tuple[Snapshot, History]:
    """What a recorded look means after those before it, for each app that begins with them: that
    was the half of what a hundred tests took."""
    first = history.began is None
    if not (recordings.is_loaded(sample) and (first or id(history) in _after)):
        return derive(sample, history, settings)
    kept = _understood.setdefault((id(sample), 0 if first else id(history)), [])
    for known, meaning in kept:
        if known == settings:
            return meaning
    meaning = derive(sample, history, settings)
    kept.append((settings, meaning))
    _after.add(id(meaning[1]))
    return meaning


vars(watch)["derive"] = _derive_once
