"""What a socket costs as JSON: `python -m tests.bench.snapshot_json [SOCKETS]`.

A hundred thousand sockets by repeating the prepared ones, each with a cookie of its own.
"""

from __future__ import annotations

import io
import sys
import time

import numpy as np

from tcptop.views import csv, json, ndjson
from tests.unit.prepared import everything, later, selected


class Sink(io.StringIO):
    """Counts what is written and keeps nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.length = 0
        self.longest = 0

    def write(self, text: str, /) -> int:
        self.length += len(text)
        self.longest = max(self.longest, len(text))
        return len(text)


def main(sockets: int) -> None:
    one = everything()
    table = one.sockets.take(np.arange(sockets) % len(one.sockets))
    table.cookie[:] = np.arange(sockets) + 1
    selection = selected(later(one, 0, sockets=table))
    for view in (json, ndjson, csv):
        sink = Sink()
        began = time.process_time()
        view.write(selection, sink)
        spent = time.process_time() - began
        print(
            f"{view.__name__}: {spent / sockets * 1e6:.1f} µs and {sink.length / sockets:.0f} bytes"
            f" a socket, {spent:.2f} s in all, at most {sink.longest / 1e6:.1f} MB at a time"
        )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 102_000)
