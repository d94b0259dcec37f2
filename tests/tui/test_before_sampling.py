"""Keys before the first sample, as where that takes seconds: none of them breaks anything.

TCPTOP_FIRST_KEYS=all presses every sequence of three, which takes the better part of an hour, and
TCPTOP_FIRST_KEYS=pairs every one of two; else it is some of three, others each time.
TCPTOP_MONKEY_SEED says which.
"""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count, product
from pathlib import Path

import pytest
from textual.binding import Binding

from tcptop.model.sample import Sample
from tcptop.model.source import Requests, Stop
from tcptop.tui.app import TcptopApp
from tcptop.tui.column_chooser import ColumnChooser
from tcptop.tui.key_budget import KeyBudget
from tcptop.tui.palette import Palette
from tcptop.tui.settings import ScreenSettings
from tcptop.tui.widgets.lines import Diagram
from tcptop.tui.widgets.prompt import Prompt
from tcptop.tui.widgets.table import Table
from tests.tui.live import Live, NoNames
from tests.tui.test_monkey import stay
from tests.unit.prepared import everything, later

LENGTH = {"all": 3, "pairs": 2}.get(os.environ.get("TCPTOP_FIRST_KEYS", ""))
SEED = int(os.environ.get("TCPTOP_MONKEY_SEED") or time.time())
STARTS, EACH = 5, 15  # of the live view, and sequences in each
ENDS = {"quit", "suspend"}
FROM_THE_START = ("escape",) * 5

Keys = tuple[str, ...]


class Unanswered:
    """A source whose first sample comes when it is `there`."""

    def __init__(self) -> None:
        self.there = threading.Event()
        self._samples = count()

    @contextmanager
    def open(self) -> Iterator[Unanswered]:
        yield self

    def sample(self) -> Sample:
        self.there.wait()
        return later(everything(), float(next(self._samples)))

    def request(self, wanted: Requests) -> None: ...

    def wait(self, interval: float, stop: Stop) -> bool:
        return stop.wait(interval)


def one_key_each() -> list[str]:
    """Of everything that keys are bound to, where nothing is open and in boxes and prompts."""
    groups = (TcptopApp, Table, Diagram, Prompt, ColumnChooser, Palette)
    bound = [each for owner in groups for each in owner.BINDINGS if isinstance(each, Binding)]
    keys = {each.key.split(",")[0] for each in bound if each.id not in ENDS}
    return [*sorted(keys), "x"]  # which is text in a prompt and a box


def sequences() -> list[Sequence[Keys]]:
    """What is pressed, by starts."""
    keys = one_key_each()
    if LENGTH:
        return [[(first, *rest) for rest in product(keys, repeat=LENGTH - 1)] for first in keys]
    dice = random.Random(SEED)
    known = [("question_mark", "2", "s")]
    return [[*known, *(tuple(dice.choices(keys, k=3)) for _ in range(EACH))] for _ in range(STARTS)]


async def press_before_the_sample(typed: Sequence[Keys], pressed: list[str]) -> None:
    source = Unanswered()
    app = TcptopApp(source.open, NoNames(), ScreenSettings(interval=0.1, user="root"))
    app.action_quit = stay  # type: ignore[method-assign]  # by name, from `:`
    app.budget = KeyBudget((), clock=count().__next__)  # of a patient typist: none is ignored
    async with app.run_test(size=(80, 24)) as pilot:
        view = Live(app, pilot)
        for keys in typed:
            pressed.append(" ".join(keys))
            await view.press(*keys)
            assert app.crash is None
            await view.press(*FROM_THE_START)
        pressed.append("the sample")
        source.there.set()
        await view.until(lambda: app.session.time.newest is not None, "sampled")
        assert app.crash is None
        await view.press("2")
        assert view.rows()


@pytest.mark.timeout(7200 if LENGTH else 120)
async def test_any_three_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    pressed: list[str] = []
    try:
        for typed in sequences():
            pressed.clear()
            await press_before_the_sample(typed, pressed)
    except BaseException:
        print(f"TCPTOP_MONKEY_SEED={SEED}: {', '.join(pressed[-12:])}")
        raise
