"""What other network namespaces add to a look, as ratios measured in one run:
`python -m tests.bench.namespaces [SOCKETS] [IDLE] [BUSY]`.

Beside the SOCKETS (10,000) of the reader's own namespace: IDLE (200) without sockets, BUSY (50) of
them then with a listener and a connection. CPU time of all threads, the median of ROUNDS looks;
other namespaces of the machine are seen too, and make the first figure larger. Root only.
"""

from __future__ import annotations

import contextlib
import os
import statistics
import sys
import threading
import time

from tcptop.demo.namespace import DemoNamespace
from tcptop.demo.sockets import LOOPBACK, accepted, connected, listening
from tcptop.sources.live import LiveSource
from tcptop.sources.namespaces import entered, open_namespace
from tests.bench.crowd import crowd

ROUNDS = 9
BUDGET_S = 0.3


def main(sockets: int, idle: int, busy: int) -> None:
    with crowd(sockets) as pid, contextlib.ExitStack() as stack:
        alone = _look_ms(pid)
        print(f"{sockets} sockets: a look takes {alone:.1f} ms")
        made = [stack.enter_context(DemoNamespace()) for _ in range(idle)]
        _compare(pid, alone, f"{idle} namespaces without sockets")
        for each in made[: min(busy, idle)]:
            each.run(serve)
        _compare(pid, alone, f"{min(busy, idle)} of them with three")


def _compare(pid: int, alone: float, what: str) -> None:
    now = _look_ms(pid)
    print(f"{what}: {now:.1f} ms, ratio {now / alone:.2f}")


def _look_ms(pid: int) -> float:
    """In a thread of its own, as it stays in the namespace of the crowd."""
    found: list[float] = []

    def looks() -> None:
        descriptor = open_namespace(str(pid))
        with entered(descriptor):
            os.close(descriptor)
            source = LiveSource(BUDGET_S, everywhere=True)
            for _ in range(3):
                source.sample()  # until all owners are known
            found.extend(_cpu_ms(source) for _ in range(ROUNDS))
            source.close()

    worker = threading.Thread(target=looks)
    worker.start()
    worker.join()
    return statistics.median(found)


def _cpu_ms(source: LiveSource) -> float:
    began = time.process_time()
    source.sample()
    return (time.process_time() - began) * 1000


def serve() -> None:
    listener = listening(port=7077)
    connected(LOOPBACK, listener.local[1])
    accepted(listener.fd)


if __name__ == "__main__":
    given = [int(word) for word in sys.argv[1:]]
    main(*given, *(10_000, 200, 50)[len(given) :])
