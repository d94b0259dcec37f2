"""One recording for all tests: a leak of CLOSE-WAIT and a queue that nobody accepts from."""

from __future__ import annotations

import os
import socket
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from tcptop.demo.namespace import DemoNamespace
from tcptop.sources.live import LiveSource
from tcptop.sources.namespaces import entered, open_namespace
from tcptop.sources.recording.writer import RecordingWriter

BEFORE, DURING, AFTER = 4, 15, 16  # samples
STEP_S = 1.0  # between samples, by the clocks in the file; the test does not wait for it


@pytest.fixture(scope="session")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("replay") / "incident"
    with DemoNamespace() as namespace:
        descriptor = open_namespace(str(namespace.pid))
        with entered(descriptor):
            _record(path)
        os.close(descriptor)
    return path


def _record(path: Path) -> None:
    writer = RecordingWriter(str(path))
    source = LiveSource(events=False)
    began = None
    try:
        for number in range(BEFORE + DURING + AFTER):
            if number == BEFORE:
                held = _trouble()
            if number == BEFORE + DURING:
                held.close()
            sample = source.sample()
            began = began or (sample.taken_at, sample.clock)
            passed = number * STEP_S
            writer.add(
                replace(
                    sample,
                    taken_at=began[0] + passed,
                    clock=began[1] + passed,
                    interval_s=STEP_S if number else None,
                )
            )
    finally:
        source.close()
        writer.close()


def _trouble() -> ExitStack:
    """Until it is closed."""
    stack = ExitStack()
    listener = stack.enter_context(socket.create_server(("127.0.0.1", 8080), backlog=4))
    for _ in range(12):
        client = stack.enter_context(socket.socket())
        client.setblocking(False)
        with suppress(BlockingIOError):
            client.connect(listener.getsockname())
    leaking = stack.enter_context(socket.create_server(("127.0.0.1", 9090), backlog=100))
    for _ in range(40):
        with socket.create_connection(leaking.getsockname()):
            stack.enter_context(leaking.accept()[0])
    return stack
