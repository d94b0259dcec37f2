"""Connections on which nothing moves: found on real sockets, and gone when they move again."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pytest

from tcptop.analysis.derive import derive
from tcptop.analysis.findings.settings import FindingSettings
from tcptop.analysis.history import History
from tcptop.analysis.verdicts import verdicts
from tcptop.demo import held, sockets, traffic, veth
from tcptop.demo.held import HeldSockets
from tcptop.demo.holder import Holder
from tcptop.demo.namespace import DemoNamespace
from tcptop.demo.veth import CLIENT, SERVER
from tcptop.model.finding import Finding
from tcptop.model.sample import Sample
from tcptop.model.snapshot import Snapshot
from tests.kernel.snapshots import Watch, row_of
from tests.kernel.states import SocketPair

LOST, SHUT_LOST = "10.78.0.66", "10.78.0.67"
BUFFER = 8192
STEP = 40  # steps a second of the threads here
EVERY_S = 0.5


@dataclass
class Stalls:
    """All kinds at once; names of pairs as in `_pairs`. A pair's client and server are its ends."""

    pairs: dict[str, SocketPair]
    early: Snapshot  # within two seconds
    late: Snapshot  # after seven
    single: Snapshot  # the same sample without those before it
    recovered: Snapshot

    def verdict(self, made: HeldSockets) -> str | None:
        row = row_of(self.late.sample.sockets, made)
        return verdicts(self.late, np.array([row]))[0]


def read_slowly(fd: int, per_s: int) -> None:
    """A program that always reads, so many bytes a second."""

    def work() -> None:
        while held.get(fd).recv(per_s // STEP):
            time.sleep(1 / STEP)

    held.get(fd).settimeout(None)
    threading.Thread(target=work, daemon=True).start()


def write(fd: int, per_s: int) -> None:
    """A program that writes without end, so many bytes a second at most."""

    def work() -> None:
        while True:
            held.get(fd).sendall(bytes(per_s // STEP))
            time.sleep(1 / STEP)

    held.get(fd).settimeout(None)
    threading.Thread(target=work, daemon=True).start()


def pair(
    client: Holder | DemoNamespace, server: Holder | DemoNamespace, host: str, buffer: int
) -> SocketPair:
    listener = server.run(sockets.listening, host, receive_buffer=buffer)
    made = client.run(sockets.connected, host, listener.local[1], send_buffer=buffer)
    return SocketPair(made, server.run(sockets.accepted, listener.fd))


@pytest.fixture(scope="module")
def stalls() -> Iterator[Stalls]:
    with DemoNamespace() as client, DemoNamespace(beside=client) as server:
        veth.connect(client, server)
        for address in (LOST, SHUT_LOST):
            veth.add(server, address)
            veth.find(client, address, SERVER)
        yield _watched(client, server, client.helper())


def _watched(client: DemoNamespace, server: DemoNamespace, reader: Holder) -> Stalls:
    """The namespace to look at is the client's; `reader` is another process in it."""
    pairs = {
        "remote": pair(client, server, SERVER.v4, BUFFER),
        "local": pair(client, reader, sockets.LOOPBACK, BUFFER),
        "slow": pair(client, reader, sockets.LOOPBACK, 0),
        "lost": pair(client, server, LOST, 0),
        "shut and lost": pair(client, server, SHUT_LOST, BUFFER),
        "asked": pair(server, client, CLIENT.v4, 0),
    }
    for name in ("remote", "local", "shut and lost"):
        client.run(held.fill, pairs[name].client.fd)
    client.run(write, pairs["slow"].client.fd, 1_000_000)
    reader.run(read_slowly, pairs["slow"].server.fd, 10_000)
    for address in (LOST, SHUT_LOST):
        veth.lose(client, address)
    client.run(held.send, pairs["lost"].client.fd, 700)
    server.run(held.send, pairs["asked"].client.fd, 900)
    with Watch(client) as watch:
        early = _looks(watch, 2)
        late = _looks(watch, 6)
        for address in (LOST, SHUT_LOST):
            veth.find(client, address, SERVER)
        server.run(traffic.drain, [pairs[n].server.fd for n in ("remote", "shut and lost")])
        reader.run(traffic.drain, [pairs["local"].server.fd])
        client.run(traffic.drain, [pairs["asked"].server.fd])
        recovered = _looks(watch, 40, until=lambda snapshot: not snapshot.findings)
    return Stalls(pairs, early, late, derive(late.sample, History())[0], recovered)


def _looks(
    watch: Watch,
    seconds: float,
    until: Callable[[Snapshot], bool] = lambda _: False,
    every_s: float = EVERY_S,
) -> Snapshot:
    """The last look of so many seconds, or the first that will do."""
    deadline = time.monotonic() + seconds
    while not until(snapshot := watch.snapshot()) and time.monotonic() < deadline:
        time.sleep(every_s)
    return snapshot


def of(snapshot: Snapshot, rule: str) -> list[Finding]:
    return [finding for finding in snapshot.findings if finding.id == rule]


def to(made: SocketPair) -> str:
    return "{}:{}".format(*made.server.local)


def test_nothing_is_said_early(stalls: Stalls) -> None:
    assert stalls.early.findings == ()


def test_zero_window(stalls: Stalls) -> None:
    found = {f.subject.destination: f for f in of(stalls.late, "zero-window-peer")}
    remote, local = stalls.pairs["remote"], stalls.pairs["local"]
    assert set(found) == {to(remote), to(local)}
    assert found[to(remote)].subject.pids == (remote.client.pid,)
    assert found[to(remote)].because is None
    assert "does not read what" in found[to(remote)].title
    assert f"pid {local.server.pid}) does not read what" in found[to(local)].title


def test_the_local_reader_is_the_cause(stalls: Stalls) -> None:
    found = {f.key: f for f in of(stalls.late, "recv-queue-unread")}
    local, asked = stalls.pairs["local"], stalls.pairs["asked"]
    ports = {f.subject.listener: f for f in found.values()}
    assert set(ports) == {f":{local.server.local[1]}", f":{asked.server.local[1]}"}
    (effect,) = (
        f for f in of(stalls.late, "zero-window-peer") if f.subject.destination == to(local)
    )
    assert effect.because == ports[f":{local.server.local[1]}"].key
    assert ports[f":{asked.server.local[1]}"].values["recv_q"] == 900


def test_black_hole(stalls: Stalls) -> None:
    """The one had data under way; the other's window was shut when the network went."""
    every = {f.subject.destination: f for f in of(stalls.late, "black-hole")}
    lost, shut = to(stalls.pairs["lost"]), to(stalls.pairs["shut and lost"])
    # A second probe may be due later. The network as a whole is not lost: others in it answer.
    assert {lost} <= every.keys() <= {lost, shut}
    found = every[lost]
    assert found.severity == "critical"
    assert found.values["longest_s"] == pytest.approx(8, abs=3)
    assert found.values["give_up_in_s"] == pytest.approx(920, abs=150)


def test_the_kernels_clocks_tell_it_from_one_look(stalls: Stalls) -> None:
    ids = {finding.id for finding in stalls.single.findings}
    assert ids == {"zero-window-peer", "black-hole"}


def test_verdicts(stalls: Stalls) -> None:
    pairs = stalls.pairs
    assert (stalls.verdict(pairs["remote"].client) or "").startswith("peer's window is zero for ")
    assert "kernel gives up in about 15 min" in (stalls.verdict(pairs["lost"].client) or "")
    assert (stalls.verdict(pairs["asked"].server) or "").startswith("unread for ")
    assert stalls.verdict(pairs["slow"].client) is None
    assert stalls.verdict(pairs["slow"].server) is None


def test_recovery_ends_it(stalls: Stalls) -> None:
    assert stalls.recovered.findings == ()


class Impatient(Watch):
    """Of a queue that is small, but already too long for a path of 10 kB/s."""

    settings = FindingSettings({"send-queue-growing": {"bytes": 20_000, "drain_s": 2}})

    def feed(self, sample: Sample) -> Snapshot:
        snapshot, self.history = derive(sample, self.history, self.settings)
        return snapshot


def test_more_is_written_than_the_path_takes(linked: tuple[DemoNamespace, DemoNamespace]) -> None:
    client, server = linked
    slow = "rate 80kbit burst 4kb limit 20000"
    client.command(f"tc qdisc add dev {veth.DEVICE} root tbf {slow}".split())
    made = pair(client, server, SERVER.v4, 0)
    server.run(read_slowly, made.server.fd, 1_000_000)
    client.run(write, made.client.fd, 20_000)
    with Impatient(client) as watch:
        last = _looks(watch, 20, lambda s: bool(of(s, "send-queue-growing")), every_s=1)
    (found,) = of(last, "send-queue-growing")
    assert found.subject.destination == to(made)
    assert found.severity == "warning"
