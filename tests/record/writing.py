"""Records real sockets as fast as it can; says the number of each sample that is on disk.

`python -m tests.record.writing FILE PID`: of the network namespace of that process.
"""

from __future__ import annotations

import os
import sys

from tcptop.sources.live import LiveSource
from tcptop.sources.namespaces import entered, open_namespace
from tcptop.sources.recording.errors import RecordingError
from tcptop.sources.recording.writer import RecordingWriter


def main(path: str, netns: str) -> None:
    writer = RecordingWriter(path)
    descriptor = open_namespace(netns)
    with entered(descriptor):
        os.close(descriptor)
        source = LiveSource(events=False)
        while True:
            writer.add(source.sample())
            print(writer.last, flush=True)


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except RecordingError as error:
        sys.exit(f"tcptop: {error}")
