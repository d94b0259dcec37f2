"""Looks that find what a test says."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tcptop.analysis import derive as analysis
from tcptop.model.finding import Finding, Subject
from tcptop.model.snapshot import Snapshot
from tests.tui.live import Live
from tests.unit.prepared import (
    FIRST_COOKIE,
    NETNS,
    OVERFLOW,
    UNANSWERED,
    WORTH_KNOWING,
)

STUCK = Finding(
    "close-wait-unread",
    "close-wait-unread/101",
    "warning",
    "nginx does not read: 1 connection left in CLOSE-WAIT",
    Subject(NETNS, (101,), None, None, (FIRST_COOKIE + 4,)),
    evidence=("Its end of file waits.",),
)


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[Finding]:
    """What every look finds; the test changes it."""
    listed = [OVERFLOW, STUCK, WORTH_KNOWING, UNANSWERED]

    def derive(*given: object) -> tuple[Snapshot, object]:
        snapshot, history = real(*given)  # type: ignore[arg-type]
        return replace(snapshot, findings=tuple(listed)), history

    real = analysis.derive
    monkeypatch.setattr("tcptop.analysis.watch.derive", derive)
    return listed


def words(view: Live) -> str:
    """The screen without its line breaks and columns."""
    return " ".join(view.text().split())
