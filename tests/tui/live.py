"""The live view on prepared samples or on a namespace, and what it has on its screen."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from itertools import count
from typing import Any

from textual import events
from textual._context import visible_screen_stack
from textual.message_pump import MessagePump
from textual.pilot import Pilot
from textual.strip import Strip

from tcptop import options
from tcptop.analysis.clause import NO_FILTER, Clause
from tcptop.analysis.filter import parse
from tcptop.columns import PROCESSES
from tcptop.commands.source import OWNERS_BUDGET_S, source
from tcptop.model.sample import Sample
from tcptop.model.source import Requests, Stop
from tcptop.tui.app import TcptopApp
from tcptop.tui.key_budget import KeyBudget
from tcptop.tui.session import Session
from tcptop.tui.settings import ScreenSettings
from tcptop.tui.watcher import OpenSource
from tests.unit.prepared import everything, later

DEADLINE = 40.0  # seconds; only a failure takes as long
STILL = 5  # rounds of the loop: a key from the terminal's thread takes some until it is a message


# What the keys type that are not named by their character.
CHARACTERS = {
    "space": " ", "slash": "/", "question_mark": "?", "colon": ":", "equals_sign": "=",
    "less_than_sign": "<", "greater_than_sign": ">", "plus": "+", "minus": "-",
    "left_square_bracket": "[", "right_square_bracket": "]",
    "left_curly_bracket": "{", "right_curly_bracket": "}",
}  # fmt: skip


class Served:
    """A source of samples: the first ones, and one more with each `serve`; errors are raised."""

    def __init__(self, *samples: Sample | Exception) -> None:
        self._samples = deque(samples)
        self.requests = Requests()
        self.last = next((s for s in reversed(samples) if isinstance(s, Sample)), None)

    @contextmanager
    def open(self) -> Iterator[Served]:
        yield self

    def serve(self, sample: Sample | Exception) -> None:
        self._samples.append(sample)

    def sample(self) -> Sample:
        sample = self._samples.popleft()
        if isinstance(sample, Exception):
            raise sample
        return sample

    def request(self, wanted: Requests) -> None:
        self.requests = wanted

    def wait(self, interval: float, stop: Stop) -> bool:
        while not self._samples:
            if stop.wait(0.002):
                return True
        return False


class NoNames:
    """Nobody has a name."""

    def host(self, name: str) -> Sequence[str]:
        return []

    def service(self, name: str) -> int:
        raise OSError("no such service")


async def quiet(app: TcptopApp) -> None:
    """Until nobody in the app has a message to handle, or it failed.

    Pilot.pause asks each widget instead: a third of what these tests took.
    """
    end, still = time.monotonic() + DEADLINE, 0
    while still < STILL and app._exception is None:
        assert time.monotonic() < end, "never quiet"
        still = 0 if any(map(_busy, (app, *app._registry))) else still + 1
        await asyncio.sleep(0)


def _busy(pump: MessagePump) -> bool:
    """Whether it has messages, or handles one: else it waits for the next."""
    queue: Any = pump._message_queue
    return pump._running and not (pump._closed or (queue.empty() and queue.ready_event._waiters))


class Live:
    """The app under a pilot."""

    def __init__(self, app: TcptopApp, pilot: Pilot[None], source: Served | None = None) -> None:
        self.app = app
        self.pilot = pilot
        self.source = source

    @property
    def session(self) -> Session:
        return self.app.session

    async def press(self, *keys: str) -> None:
        """All at once, as a terminal sends what was typed ahead."""
        driver = self.app._driver
        assert driver is not None
        for key in keys:
            driver.send_message(
                events.Key(key, CHARACTERS.get(key, key if len(key) == 1 else None))
            )
        await self.settled()

    async def settled(self) -> None:
        """All messages are handled and painted, those that they send too, and feedback given."""
        for _ in range(3):
            await quiet(self.app)
            self.app.screen._on_timer_update()
        while self.app.main.filter_bar._due:
            await self.pilot.pause(0.005)
        undrawn = self.app.main.undrawn or self.app.main.table.undrawn
        if undrawn is not None:
            raise undrawn

    async def type(self, text: str) -> None:
        """A filter into the prompt, applied."""
        await self.press("slash")
        self.app.query_one("#prompt").value = text  # type: ignore[attr-defined]
        await self.press("enter")
        await self.until(lambda: not self.app.main.filter_bar.is_open, f"applied {text}")

    async def until(self, condition: Callable[[], bool], what: str) -> None:
        end = time.monotonic() + DEADLINE
        while not condition():
            assert time.monotonic() < end, f"never {what}:\n" + "\n".join(self.lines())
            await self.pilot.pause(0.005)
        await self.settled()

    async def take(self, sample: Sample | Exception) -> None:
        """One more look, taken and painted."""
        assert self.source is not None
        self.source.serve(sample)
        if isinstance(sample, Sample):
            await self.until(lambda: self._newest() is sample, "looked")
        else:
            await self.until(lambda: str(sample) in self.text(), "told")

    def _newest(self) -> Sample | None:
        newest = self.session.time.newest
        return newest.sample if newest is not None else None

    # -- what is on the screen

    def strips(self) -> list[Strip]:
        visible_screen_stack.set(self.app._background_screens)  # what shines through a modal one
        return self.app.screen._compositor.render_strips()

    def lines(self) -> list[str]:
        return [strip.text.rstrip() for strip in self.strips()]

    def text(self) -> str:
        return "\n".join(self.lines())

    def rows(self) -> list[str]:
        """The lines of the table, without its titles."""
        region = self.app.main.table.region
        return [line for line in self.lines()[region.y + 1 : region.bottom] if line]

    def titles(self) -> str:
        return self.lines()[self.app.main.table.region.y]

    def status(self) -> str:
        return self.lines()[-1]

    def cursor(self) -> str:
        """The text of the row under the cursor."""
        table = self.app.main.table
        return self.lines()[table.region.y + 1 + table._row - table.scroll_offset.y]


@asynccontextmanager
async def live(
    *samples: Sample | Exception,
    size: tuple[int, int] = (80, 24),
    filter: str = "",
    ascii_only: bool = False,
    names: object = None,
    budget: KeyBudget | None = None,
    **more: Any,
) -> AsyncIterator[Live]:
    """The app on prepared samples (`everything()` without any), after the last look of them.

    `more` are other Settings; it begins with the processes. Without a `budget` of keys no key is
    too quick.
    """
    more = {"opening": PROCESSES.name} | more
    source = Served(*(samples or (everything(),)))
    clause = Clause(filter, parse(filter)) if filter else NO_FILTER
    settings = ScreenSettings(clause=clause, user="root", ascii_only=ascii_only, **more)
    app = TcptopApp(source.open, names or NoNames(), settings)  # type: ignore[arg-type]
    app.budget = budget or _leisurely()
    async with app.run_test(size=size) as pilot:
        made = Live(app, pilot, source)
        await made.until(lambda: made._newest() is source.last, "looked")
        yield made


def _leisurely() -> KeyBudget:
    """For which each key comes seconds after the one before."""
    return KeyBudget((), count().__next__)


def next_look(before: Sample, **fields: object) -> Sample:
    """The same sample a second on."""
    return later(before, 1.0, **fields)


def inside(pid: int) -> OpenSource:
    """The real source in the namespace of a process."""
    chosen = options.SourceOptions(str(pid))
    return lambda: source(chosen, OWNERS_BUDGET_S)


@asynccontextmanager
async def live_in(pid: int, size: tuple[int, int] = (120, 40), **more: Any) -> AsyncIterator[Live]:
    """The app on the real sockets of a namespace, after its first look; `more` are Settings; it
    begins with the processes."""
    more = {"opening": PROCESSES.name} | more
    settings = ScreenSettings(interval=0.2, scope=f"netns {pid}", **more)
    app = TcptopApp(inside(pid), NoNames(), settings)
    app.budget = _leisurely()
    async with app.run_test(size=size) as pilot:
        made = Live(app, pilot)
        await made.until(lambda: app.session.time.newest is not None, "looked")
        yield made
