"""Random keys over live churn: nothing breaks, and nothing grows that is not meant to.

TCPTOP_MONKEY_S is for how many seconds, TCPTOP_MONKEY_SEED which keys; both are told on failure.
"""

from __future__ import annotations

import gc
import os
import random
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from textual.binding import Binding, BindingType

from tcptop.demo.scenarios import choose
from tcptop.demo.stage import Stage
from tcptop.tui.app import TcptopApp
from tcptop.tui.column_chooser import ColumnChooser
from tcptop.tui.palette import Palette
from tcptop.tui.widgets.lines import Diagram
from tcptop.tui.widgets.prompt import Prompt
from tcptop.tui.widgets.table import Table
from tests.tui.live import CHARACTERS, Live, live_in

SECONDS = float(os.environ.get("TCPTOP_MONKEY_S", "10"))
SEED = int(os.environ.get("TCPTOP_MONKEY_SEED") or time.time())
CHURN = ("connection-churn", "resets", "syn-queue-full", "connect-unanswered")
WARM = 0.4  # of the time: what is made once is there then
FDS, THREADS = 4, 3  # more than before, at most: an export or a lookup may be on its way
MB = 1 << 20
# Besides the looks that are kept (64 MB, then the older become sparser): the rings, which become
# resident as they fill (15 MB), Python's and numpy's caches, and pages that malloc does not return.
ROOM = 48 * MB
SIZES = [(80, 24), (120, 40), (200, 60), (40, 10), (20, 5)]
TEXT = [*CHARACTERS, *"abcdefghijklmnoprstuvwxyz0123456789.:()"]


def every_key() -> list[str]:
    """Of all bindings; text; none that ends or stops the program."""
    groups: Sequence[Sequence[BindingType]] = (
        *(TcptopApp.BINDINGS, Table.BINDINGS, Diagram.BINDINGS),
        *(Prompt.BINDINGS, ColumnChooser.BINDINGS, Palette.BINDINGS),
    )
    bound = [each for group in groups for each in group if isinstance(each, Binding)]
    ends = {"q", "Q", "f10", "ctrl+c", "ctrl+q", "ctrl+z"}
    return [key for each in bound for key in each.key.split(",") if key not in ends] + TEXT


@dataclass(frozen=True)
class Cost:
    """What this process has at a moment."""

    threads: int
    fds: int
    rss: int  # bytes
    kept: int  # of it, in looks to go back to

    @classmethod
    def now(cls, view: Live) -> Cost:
        gc.collect()
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return cls(
            threading.active_count(),
            len(os.listdir("/proc/self/fd")),
            pages * os.sysconf("SC_PAGE_SIZE"),
            view.app.watcher.recent.nbytes,
        )


@pytest.fixture
def churn() -> Iterator[Stage]:
    with Stage(choose(CHURN)) as stage:
        yield stage


async def press_on(view: Live, dice: random.Random, pressed: list[str], until: float) -> None:
    """Some keys at once, now and then another size or a click, again and again."""
    known = every_key()
    while time.monotonic() < until:
        some = dice.choices(known, k=dice.randint(1, 5))
        pressed += some
        await view.press(*some)
        if dice.random() < 0.05:
            size = dice.choice(SIZES)
            pressed.append("%dx%d" % size)
            await view.pilot.resize_terminal(*size)
        if dice.random() < 0.05:
            width, height = view.app.size
            where = dice.randrange(width), dice.randrange(height)
            pressed.append("click %d,%d" % where)
            await view.pilot.click(offset=where, times=dice.randint(1, 2))
        assert view.app.crash is None
        assert "cannot look" not in view.app.failed
        for path in Path().glob("tcptop-*.json"):
            path.unlink()


@pytest.mark.timeout(SECONDS + 120)
@pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")
async def test_random_keys(churn: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    dice, pressed, began = random.Random(SEED), list[str](), time.monotonic()
    try:
        async with live_in(churn.pid, (80, 24)) as view:
            with monkeypatch.context() as kept_open:
                kept_open.setattr(view.app, "action_quit", stay, raising=False)  # by name, from `:`
                await press_on(view, dice, pressed, began + SECONDS * WARM)
                before = Cost.now(view)
                await press_on(view, dice, pressed, began + SECONDS)
                after = Cost.now(view)
            await still_there(view)
    except BaseException:
        print(f"TCPTOP_MONKEY_S={SECONDS:g} TCPTOP_MONKEY_SEED={SEED}: {' '.join(pressed)}")
        raise
    print(f"{len(pressed)} keys: {before} {after}")
    assert after.threads <= before.threads + THREADS
    assert after.fds <= before.fds + FDS
    assert after.rss - before.rss <= max(0, after.kept - before.kept) + ROOM


async def stay() -> None:
    """Instead of quitting."""


async def still_there(view: Live) -> None:
    """It looks, it shows, it answers."""
    await view.pilot.resize_terminal(80, 24)
    for _ in range(12):  # out of whatever is open, of which each has the keys alone
        await view.press("escape")
    if view.session.time.held is not None:
        await view.press("space")
    seen = view.session.time.newest
    await view.press(*["plus"] * 9, "2", "home")
    await view.until(lambda: view.session.time.newest is not seen, "looked again")
    assert view.rows()
    await view.press("question_mark")
    assert "main keys" in view.text()
    await view.press("q", "q")  # the help, and the list
    assert view.app._exit
