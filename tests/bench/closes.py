"""What it costs to be told what ends: `python -m tests.bench.closes [CLOSES_PER_S]`.

The live view at 80x24 in a private network namespace in which so many sockets end a second, with
and without --no-events, both at once and several times, as others use the machine too. CPU time of
the whole process, threads too; the kernel's own work is not in it. Root only; about a minute.
"""

from __future__ import annotations

import socket
import sys
import threading
import time
from contextlib import ExitStack

from tcptop.demo.namespace import DemoNamespace
from tests.bench.bytes import environ
from tests.bench.idle import SIZE, WARM_UP, measure
from tests.tui.terminal import Terminal

ROUNDS, SECONDS = 4, 10
BURSTS_PER_S = 50


def main(per_s: int) -> None:
    with DemoNamespace() as namespace, ExitStack() as stack:
        port = namespace.run(serve)
        namespace.helper().run(call, port, per_s // 2)
        base = [sys.executable, "-m", "tcptop", "--netns", str(namespace.pid)]
        programs = {
            name: stack.enter_context(Terminal([*base, *more], environ(), SIZE))
            for name, more in (("events", []), ("--no-events", ["--no-events"]))
        }
        for each in programs.values():
            each.wait_for("LIVE")
        measure(programs, WARM_UP)
        print(f"{'':8} {'events %':>9} {'without %':>9} {'more':>6}")
        for number in range(ROUNDS):
            told, untold = (cost.cpu for cost in measure(programs, SECONDS).values())
            print(
                f"round {number + 1:2} {told:9.2f} {untold:9.2f} {told - untold:6.2f}", flush=True
            )


def serve() -> int:
    """The port of a thread that closes what it accepts."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=4096)

    def accept() -> None:
        while True:
            listener.accept()[0].close()

    threading.Thread(target=accept, daemon=True).start()
    return int(listener.getsockname()[1])


def call(port: int, per_s: int) -> None:
    """So many connections a second from now on; both ends of each close."""

    def calling() -> None:
        due = time.monotonic()
        while True:
            for _ in range(per_s // BURSTS_PER_S):
                with socket.create_connection(("127.0.0.1", port)) as made:
                    made.recv(1)
            due += 1 / BURSTS_PER_S
            time.sleep(max(0.0, due - time.monotonic()))

    threading.Thread(target=calling, daemon=True).start()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000)
