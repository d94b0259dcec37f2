"""What the live view costs while nothing happens: `python -m tests.bench.idle [SOCKETS ...]`.

All of the process, with its threads and children, at 80x24 in a private network namespace of 200
and of 10,000 connected sockets, beside htop and top at the same interval. Root only; about three
minutes. CPU time counts, so that another program beside changes little.
"""

from __future__ import annotations

import compileall
import os
import select
import shutil
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from tests.bench.bytes import ROOT, environ
from tests.bench.crowd import crowd
from tests.tui.terminal import Terminal

SIZE = (80, 24)
WARM_UP, SECONDS = 35, 30  # all findings have been watched for as long as they need
TICK_S = 1 / os.sysconf("SC_CLK_TCK")
BESIDE = {"htop": ["htop", "-d", "10"], "top": ["top", "-d", "1"]}


@dataclass(frozen=True)
class Cost:
    """The share of one processor, in percent, bytes a second, and what is resident."""

    cpu: float
    sent: float
    rss_mb: float


def main(sizes: list[int]) -> None:
    compileall.compile_dir(ROOT / "tcptop", quiet=1)  # as pip does, else the start compiles
    titles = f"{'sockets':>7} {'program':8} {'CPU %':>6} {'times':>6} {'B/s':>6} {'MB':>5}"
    print(f"{titles} {'start s':>8}")
    for sockets in sizes:
        with crowd(sockets) as pid, ExitStack() as stack:
            compare(sockets, pid, stack)


def compare(sockets: int, pid: int, stack: ExitStack) -> None:
    """`times` is what htop takes, `start` the CPU time until the first picture is complete."""
    command = [sys.executable, "-m", "tcptop", "--netns", str(pid)]
    tcptop = stack.enter_context(Terminal(command, environ(), SIZE))
    tcptop.wait_until(lambda: "LIVE" in tcptop.lines()[0], "LIVE")
    start = used(tcptop.process.pid)
    beside = {name: words for name, words in BESIDE.items() if shutil.which(name)}
    programs = {"tcptop": tcptop} | {
        name: stack.enter_context(Terminal(words, environ(), SIZE))
        for name, words in beside.items()
    }
    measure(programs, WARM_UP)
    costs = measure(programs, SECONDS)
    other = costs.get("htop")
    for name, cost in costs.items():
        times = f"{cost.cpu / other.cpu:6.1f}" if other and other.cpu else f"{'-':>6}"
        first = f"{start:8.2f}" if name == "tcptop" else ""
        print(
            f"{sockets:7,} {name:8} {cost.cpu:6.2f} {times} {cost.sent:6,.0f} "
            f"{cost.rss_mb:5.0f} {first}",
            flush=True,
        )


def measure(programs: dict[str, Terminal], seconds: float) -> dict[str, Cost]:
    sent = dict.fromkeys(programs, 0)
    names = {terminal.master: name for name, terminal in programs.items()}
    before = {name: used(each.process.pid) for name, each in programs.items()}
    began = time.monotonic()
    while (left := began + seconds - time.monotonic()) > 0:
        for master in select.select(list(names), [], [], left)[0]:
            sent[names[master]] += len(os.read(master, 65536))
    took = time.monotonic() - began
    return {
        name: Cost(
            (used(each.process.pid) - before[name]) / took * 100,
            sent[name] / took,
            resident(each.process.pid) / 1e6,
        )
        for name, each in programs.items()
    }


def used(pid: int) -> float:
    """CPU seconds of all threads, and of children that have ended (proc(5): 14 to 17)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) * TICK_S


def resident(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    main([int(word) for word in sys.argv[1:]] or [200, 10_000])
