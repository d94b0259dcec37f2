"""Draws the live view of `tcptop demo`, headless. As root: python -m screenshots.make."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from html import unescape
from pathlib import Path

from textual.pilot import Pilot

from tcptop import options
from tcptop.analysis.findings.settings import FindingSettings as Findings
from tcptop.commands.source import OWNERS_BUDGET_S, source
from tcptop.demo.scenarios import TOUR, choose
from tcptop.demo.stage import Stage
from tcptop.model.cells import cell_width
from tcptop.model.sample import Sample
from tcptop.model.source import Requests, Source, Stop
from tcptop.sources.names import SystemNames
from tcptop.tui.app import TcptopApp
from tcptop.tui.settings import ScreenSettings

HERE = Path(__file__).resolve().parent
SIZE, SMALL = (120, 36), (80, 24)
SECONDS = 45  # until charts have something to show
# Those that show together what most people look for; the last two begin to move at once.
SCENARIOS = (*TOUR, "ephemeral-port-exhaustion", "recv-queue-unread")

# As Rich writes a text, without the length that a browser would stretch it to.
TEXT = re.compile(
    r'(<text\b[^>]*) x="([\d.]+)" (y="[^"]*") textLength="[^"]*"([^>]*)>([^<]*)</text>'
)
CELL = 12.2  # units of a cell

# What is pressed before each picture, and what leads back.
PICTURES = {
    "overview": "0",
    "findings": "7",
    "finding": "7 down enter",
    "explain": "7 x",
    "processes": "1",
    "process": "1 down enter",
    "connections": "2",
    "connection": "2 less_than_sign enter",
    "listener": "3 enter",
    "destination": "4 enter",
    "kernel": "6",
    "states": "8",
    "help": "2 question_mark",
}


@dataclass
class Anonymous:
    """A source that does not tell on which machine the pictures were made."""

    real: Source

    def sample(self) -> Sample:
        sample = self.real.sample()
        processes = {
            pid: replace(process, cmdline=f"/usr/bin/{process.name}", cgroup=None)
            for pid, process in sample.owners.processes.items()
        }
        owners = replace(sample.owners, processes=processes)
        host = replace(sample.host, hostname="shop-1")
        return replace(sample, host=host, owners=owners, notes=())

    def request(self, wanted: Requests) -> None:
        self.real.request(wanted)

    def wait(self, interval: float, stop: Stop) -> bool:
        return self.real.wait(interval, stop)


@contextmanager
def anonymous(pid: int) -> Iterator[Source]:
    with source(options.SourceOptions(str(pid)), OWNERS_BUDGET_S) as real:
        yield Anonymous(real)


async def draw(stage: Stage) -> None:
    settings = ScreenSettings(scope="demo", user="root", findings=Findings(stage.limits_by_finding))
    app = TcptopApp(lambda: anonymous(stage.pid), SystemNames(), settings)
    async with app.run_test(size=SIZE) as pilot:
        await asyncio.sleep(SECONDS)
        for name, pressed in PICTURES.items():
            await picture(app, pilot, name, pressed)
        await pilot.resize_terminal(*SMALL)
        await picture(app, pilot, "small", "7")


async def picture(app: TcptopApp, pilot: Pilot[None], name: str, pressed: str) -> None:
    for key in pressed.split():
        await pilot.press(key)
        await pilot.pause(0.2)
    await pilot.pause(1.2)  # what was opened is in the next look
    (HERE / f"{name}.svg").write_text(placed(app.export_screenshot()), encoding="utf-8")
    for _ in pressed.split()[1:]:
        await pilot.press("escape")


def placed(svg: str) -> str:
    """With a place of its own for each character of texts that are not ASCII: browsers take
    braille and blocks from fonts with other widths."""
    return TEXT.sub(_placed, svg)


def _placed(text: re.Match[str]) -> str:
    before, x, y, after, shown = text.groups()
    letters = unescape(shown)
    if letters.replace("\xa0", " ").isascii() or cell_width(letters) != len(letters):
        return text[0]
    places = " ".join(f"{float(x) + CELL * at:.1f}" for at in range(len(letters)))
    return f'{before} x="{places}" {y}{after}>{shown}</text>'


def main() -> None:
    os.chdir("/")  # which the page of a process shows as its directory
    with Stage(choose(SCENARIOS)) as stage:
        asyncio.run(draw(stage))


if __name__ == "__main__":
    main()
