"""What a recording takes: `python -m tests.bench.recording [steady|idle|churn|crowd]...`

Samples a second apart of real sockets in a private network namespace: bytes on disk of a socket
and sample, beside `gzip -6` of what `ss -tanpi` prints each second, and CPU time of encoding and
storing beside that of the poll. Each sample that is read back is compared with what was written,
for every field. Root only; some three minutes each.
"""

from __future__ import annotations

import os
import resource
import select
import socket
import subprocess
import sys
import tempfile
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import NamedTuple, TypeVar

from tcptop.demo.namespace import DemoNamespace
from tcptop.model.sample import Sample
from tcptop.sources.live import LiveSource
from tcptop.sources.namespaces import entered, open_namespace
from tcptop.sources.recording.reader import RecordingReader
from tcptop.sources.recording.writer import RecordingWriter
from tests.bench.closes import serve
from tests.bench.crowd import crowd
from tests.recordings.alike import differences

T = TypeVar("T")
SAMPLES, REPEATED = 60, 10
TIME_WAIT_S = 60


class Load(NamedTuple):
    """Pairs of connected sockets, of which some talk so often a second; connections a second."""

    pairs: int
    active: int
    hz: float
    per_s: int
    most: float  # bytes of a socket and sample
    beside_ss: float  # how many times smaller, at least


LOADS = {
    "steady": Load(100, 5, 10.0, 0, 2.4, 7),
    "idle": Load(5000, 250, 2.0, 0, 0.70, 25),
    "churn": Load(1, 0, 1.0, 300, 0.36, 20),
}


def main(names: list[str]) -> None:
    for name in names or [*LOADS, "crowd"]:
        if name == "crowd":
            with crowd(102_000) as pid:
                _in_thread(partial(_measure, name, pid, 1.1, 0.0, 10))
        else:
            with busy(LOADS[name]) as pid:
                _in_thread(partial(_measure, name, pid, LOADS[name].most, LOADS[name].beside_ss))


@contextmanager
def busy(load: Load) -> Iterator[int]:
    with DemoNamespace() as namespace:
        namespace.sysctl("net.ipv4.tcp_max_tw_buckets", 65536)
        port = namespace.run(hold, load.pairs)
        namespace.helper().run(talk, port, load.pairs, load.active, load.hz)
        if load.per_s:
            closing = namespace.helper().run(serve)
            namespace.helper().run(call_and_close, closing, load.per_s)
            time.sleep(TIME_WAIT_S + 2)
        yield namespace.pid


def hold(pairs: int) -> int:
    """The port of a server that answers what it is sent."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (pairs + 200, pairs + 200))
    listener = socket.create_server(("127.0.0.1", 0), backlog=4096)

    def answer() -> None:
        poll, held = select.epoll(), {}
        poll.register(listener, select.EPOLLIN)
        while True:
            for descriptor, _ in poll.poll():
                if descriptor == listener.fileno():
                    made, _ = listener.accept()
                    held[made.fileno()] = made
                    poll.register(made, select.EPOLLIN)
                else:
                    held[descriptor].send(held[descriptor].recv(4096))

    threading.Thread(target=answer, daemon=True).start()
    return int(listener.getsockname()[1])


def talk(port: int, pairs: int, active: int, hz: float) -> None:
    """Connect, every second one with keepalive; some ask and get their answers from now on."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (pairs + 200, pairs + 200))
    made = [socket.create_connection(("127.0.0.1", port)) for _ in range(pairs)]
    for each in made[::2]:
        each.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)

    def talking() -> None:
        while True:
            for each in made[:active]:
                each.send(b"x" * 100)
                each.recv(4096)
                time.sleep(1 / (active * hz))
            if not active:
                time.sleep(60)

    threading.Thread(target=talking, daemon=True).start()


def call_and_close(port: int, per_s: int) -> None:
    """So many connections a second, closed here first."""

    def calling() -> None:
        due = time.monotonic()
        while True:
            for _ in range(per_s // 50):
                socket.create_connection(("127.0.0.1", port)).close()
            due += 1 / 50
            time.sleep(max(0.0, due - time.monotonic()))

    threading.Thread(target=calling, daemon=True).start()


def _in_thread(work: Callable[[], None]) -> None:
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()


def _measure(name: str, pid: int, most: float, beside_ss: float, count: int = SAMPLES) -> None:
    descriptor = open_namespace(str(pid))
    with entered(descriptor), tempfile.TemporaryDirectory() as directory:
        os.close(descriptor)
        path = f"{directory}/x"
        samples, polled, stored = _recorded(path, count)
        rows = sum(len(each.sockets) for each in samples)
        size = _hours(f"{directory}/y", samples) / (REPEATED * rows)
        print(
            f"{name}: {rows / count:,.0f} sockets, {size:.3f} bytes a socket and sample, at most "
            f"{most:g}; encode and store / poll: {stored / polled:.0%}, "
            f"{stored / count * 1e3:.1f} of {polled / count * 1e3:.1f} ms",
            flush=True,
        )
        _compare(path, samples)
        if beside_ss:
            text = _gzip_of_ss(20)
            print(
                f"{name}: gzip -6 of ss -tanpi: {text:.2f} bytes, {text / size:.1f} times as "
                f"much, at least {beside_ss:g}",
                flush=True,
            )


def _recorded(path: str, count: int) -> tuple[list[Sample], float, float]:
    """The samples, and CPU seconds of all polls and of storing them."""
    source, writer, never = LiveSource(budget_s=0.3), RecordingWriter(path), threading.Event()
    samples, polled, stored = [], 0.0, 0.0
    for _ in range(count):
        spent, sample = _cpu(source.sample)
        polled += spent
        stored += _cpu(partial(writer.add, sample))[0]
        samples.append(sample)
        source.wait(1.0, never)
    stored += _cpu(writer.close)[0]
    source.close()
    return samples, polled, stored


def _hours(path: str, samples: list[Sample]) -> int:
    """Bytes on disk of the same samples again and again: a single group leaves pages free, which
    the next ones use."""
    writer, passed = RecordingWriter(path), 0.0
    for _ in range(REPEATED):
        for each in samples:
            now = replace(each, taken_at=each.taken_at + passed)
            writer.add(replace(now, clock=each.clock + passed))
        passed += samples[-1].clock - samples[0].clock + 1.0
    writer.close()
    return os.stat(path).st_size


def _compare(path: str, samples: list[Sample]) -> None:
    reader = RecordingReader(path)
    for told, (_, read) in zip(samples, reader.samples(), strict=True):
        assert (found := differences(told, read)) == [], found
    print(f"{len(samples)} samples read back, equal in every field; damage: {reader.damage}")
    reader.close()


def _gzip_of_ss(count: int) -> float:
    """Bytes of a socket and output in one stream."""
    stream, size, rows = zlib.compressobj(6), 0, 0
    for _ in range(count):
        text = subprocess.run(["ss", "-tanpi"], capture_output=True, check=True).stdout
        rows += text.count(b"\n") // 2
        size += len(stream.compress(text))
        time.sleep(1)
    return (size + len(stream.flush())) / rows


def _cpu(work: Callable[[], T]) -> tuple[float, T]:
    before = time.thread_time()
    done = work()
    return time.thread_time() - before, done


if __name__ == "__main__":
    main(sys.argv[1:])
