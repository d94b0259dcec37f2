"""tcptop beside ss at scale, as ratios measured in one run: `python -m tests.bench.scale [N]`.

Makes N sockets (102,000) of six processes in a private network namespace. Root only.
"""

from __future__ import annotations

import os
import resource
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from tcptop.analysis.derive import derive
from tcptop.analysis.history import History
from tcptop.columns import LISTINGS
from tcptop.sources.live import LiveSource
from tcptop.sources.namespaces import entered, open_namespace
from tcptop.sources.sock_diag import EVERYTHING, NETLINK_SOCK_DIAG, encode
from tcptop.tui.lists import Criteria, show
from tcptop.tui.place import Sort
from tests.bench.crowd import crowd

TCPTOP = f"{sys.executable} -m tcptop snapshot"
ROUNDS = 5


def main(sockets: int) -> None:
    with crowd(sockets) as pid:
        print(f"{sockets} sockets")
        inside = f"nsenter -t {pid} -n"
        _compare(f"{TCPTOP} --netns {pid} --format text", f"{inside} ss -tanp", 0.25)
        _compare(f"{TCPTOP} --netns {pid} --format json", f"{inside} ss -tanpi", 0.6)
        worker = threading.Thread(target=_polls, args=(str(pid),))
        worker.start()
        worker.join()


def _compare(ours: str, theirs: str, most: float) -> None:
    """Wall time of two commands that write to a file, the best of two each."""
    fast, slow = (min(_wall(command) for _ in range(2)) for command in (ours, theirs))
    words = f"{ours.split(' -m ')[1]}: {fast:.2f} s; {theirs.split(' -n ')[1]}: {slow:.2f} s"
    print(f"{words}; ratio {fast / slow:.2f}, at most {most}")


def _wall(command: str) -> float:
    with tempfile.TemporaryFile() as out:
        began = time.perf_counter()
        subprocess.run(command.split(), stdout=out, check=True)
        return time.perf_counter() - began


def _polls(pid: str) -> None:
    """Draining a dump, looking (poll, decode, owners known), and deriving, by turns."""
    descriptor = open_namespace(pid)
    with entered(descriptor):
        os.close(descriptor)
        source = LiveSource()
        sample = source.sample()
        _, history = derive(sample, History())
        drains, looks, derives = [], [], []
        for _ in range(ROUNDS):
            drains.append(_cpu(_drain))
            looks.append(_cpu(lambda: source.sample()))
            derives.append(_cpu(lambda: derive(sample, history)))
        source.close()
    snapshot, _ = derive(sample, history)
    flat = show(snapshot, Criteria(LISTINGS["sockets"], Sort("recv_q")))
    tree = Criteria(LISTINGS["sockets"], Sort("recv_q"), turned=frozenset())
    grouped = min(_cpu(lambda: len(show(snapshot, tree, flat).model)) for _ in range(ROUNDS)) * 1e3
    drained, looked, derived = (min(each) * 1e3 for each in (drains, looks, derives))
    print(f"CPU: drain {drained:.0f} ms, look {looked:.0f} ms, derive {derived:.0f} ms")
    print(f"grouped as a tree: {grouped:.0f} ms; ratio to a look {grouped / looked:.2f}, at most 1")
    print(f"look / drain: {looked / drained:.2f}, at most 1.5")


def _cpu(work: Callable[[], object]) -> float:
    before = resource.getrusage(resource.RUSAGE_THREAD)
    work()
    after = resource.getrusage(resource.RUSAGE_THREAD)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _drain() -> None:
    """Receive the whole dump and look at nothing but its end."""
    buffer = bytearray(65536)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_SOCK_DIAG) as diag:
        diag.send(encode(EVERYTHING, socket.AF_UNSPEC, 1))
        done = False
        while not done:
            size = diag.recv_into(buffer)
            # NLMSG_DONE (3) closes the last datagram with 20 bytes
            done = size >= 20 and struct.unpack_from("=IH", buffer, size - 20) == (20, 3)


if __name__ == "__main__":
    assert Path("/proc/self/ns/net").exists()
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 102_000)
