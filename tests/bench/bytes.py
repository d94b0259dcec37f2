"""Bytes and CPU of the live view: `python -m tests.bench.bytes`, about a minute, root only.

About 200 sockets in a private network namespace, of which all, one in ten or none have traffic
each second, shown in the Connections view with our display and with Textual's own, at three
sizes, and `top -d 1` beside them. Without traffic the columns Idle and Seen still change every ten
seconds. CPU is that of the main thread; tcptop polls in another one.
"""

from __future__ import annotations

import os
import select
import socket
import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from tcptop.demo.namespace import DemoNamespace
from tests.tui.terminal import Terminal

ROOT = Path(__file__).parents[2]
PAIRS = 100
SIZES = ((80, 24), (120, 40), (200, 60))
EVERY = {"all": 1, "one in ten": 10, "none": 0}  # every so manieth pair has traffic
# Keys, traffic, and what to call it. There are no listeners: nothing but the header may change.
ROUNDS = (
    ("2", "all", "all"),
    ("2", "one in ten", "one in ten"),
    ("2", "none", "none"),
    ("3", "none", "header only"),
    ("2 ", "all", "all, paused"),
)
WARM_UP, SECONDS = 4, 3
PLAIN = {"TERM": "xterm-256color", "COLORTERM": "truecolor", "LANG": "C.UTF-8"}


turns = count()
held: list[socket.socket] = []  # in the namespace's process


@dataclass(frozen=True)
class Cost:
    """Per second, and the percentage of one processor."""

    sent: float
    cpu: float


def main() -> None:
    print(f"{'':7} {'sockets with':14} {'tcptop':>16} {'stock display':>16} {'top -d 1':>16}")
    print(f"{'size':7} {'traffic':14}" + f" {'B/s':>9} {'CPU %':>6}" * 3)
    with DemoNamespace() as namespace:
        namespace.run(connect)
        for size in SIZES:
            with ExitStack() as stack:
                compare(namespace, size, stack)


def connect() -> None:
    """Pairs of connected sockets, in the namespace."""
    with socket.create_server(("127.0.0.1", 0), backlog=PAIRS) as listener:
        for _ in range(PAIRS):
            held.append(socket.create_connection(listener.getsockname()))
            held.append(listener.accept()[0])


def stir(every: int, turn: int) -> None:
    """Read what came last, and send as much that both ends' queues and times change."""
    for at in range(0, PAIRS, every) if every else ():
        sender, receiver = held[2 * at : 2 * at + 2]
        with suppress(BlockingIOError):
            receiver.recv(65536, socket.MSG_DONTWAIT)
        sender.send(b"x" * (1 + (turn * 379 + at * 83) % 991))


def compare(namespace: DemoNamespace, size: tuple[int, int], stack: ExitStack) -> None:
    """tcptop, tcptop with Textual's display, and top, all running at once."""
    tcptop = [sys.executable, "-m", "tcptop", "--netns", str(namespace.pid)]
    programs = [
        stack.enter_context(Terminal(tcptop, environ(), size)),
        stack.enter_context(Terminal(tcptop, environ(TCPTOP_DISPLAY="stock"), size)),
        stack.enter_context(Terminal(["top", "-d", "1"], environ(), size)),
    ]
    for program in programs[:2]:
        program.wait_for("LIVE")
    measure(namespace, programs, "none", WARM_UP)
    for keys, traffic, what in ROUNDS:
        for program in programs[:2]:
            program.type(keys)
        measure(namespace, programs, traffic, 1)
        costs = measure(namespace, programs, traffic, SECONDS)
        cells = "".join(f" {cost.sent:9,.0f} {cost.cpu:6.2f}" for cost in costs)
        print(f"{size[0]:3}x{size[1]:<3} {what:14}{cells}", flush=True)


def measure(
    namespace: DemoNamespace, programs: list[Terminal], traffic: str, seconds: int
) -> list[Cost]:
    sent = [0] * len(programs)
    before = [used(program.process.pid) for program in programs]
    began = time.monotonic()
    for second in range(seconds):
        namespace.run(stir, EVERY[traffic], next(turns))
        while (left := began + second + 1 - time.monotonic()) > 0:
            masters = [program.master for program in programs]
            for master in select.select(masters, [], [], left)[0]:
                sent[masters.index(master)] += len(os.read(master, 65536))
    took = time.monotonic() - began
    after = [used(program.process.pid) for program in programs]
    return [
        Cost(count / took, (end - start) / took * 100)
        for count, start, end in zip(sent, before, after, strict=True)
    ]


def used(pid: int) -> float:
    """CPU seconds of the main thread (/proc/PID/task/TID/schedstat: the first number, in ns)."""
    return int(Path(f"/proc/{pid}/task/{pid}/schedstat").read_text().split()[0]) / 1e9


def environ(**extra: str) -> Mapping[str, str]:
    """A terminal of 2020 and later, over SSH."""
    kept = {"PATH": os.environ["PATH"]}  # no home: what was chosen there would be measured
    return {**kept, **PLAIN, "PYTHONPATH": str(ROOT), "SSH_TTY": "/dev/pts/0", **extra}


if __name__ == "__main__":
    main()
