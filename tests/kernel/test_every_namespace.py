"""All network namespaces at once: what is read of each, and that it is left alone afterwards."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import resource
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from tcptop.analysis.derive import derive
from tcptop.analysis.history import History
from tcptop.analysis.peers import peer_rows
from tcptop.demo import held, veth
from tcptop.demo.held import until
from tcptop.demo.namespace import DemoNamespace
from tcptop.demo.sockets import LOOPBACK, accepted, connected, dialing, listening
from tcptop.model import owner, tcp
from tcptop.model.netns import from_outside, reaching
from tcptop.model.sample import NO_OWNERS, Namespace, Sample
from tcptop.model.snapshot import Snapshot
from tcptop.sources import namespaces
from tcptop.sources.deaths import BUFFER, DeathListener, DeathReader
from tcptop.sources.live import LiveSource
from tcptop.sources.other_namespaces import DESCRIPTORS
from tests import warm
from tests.kernel.nobody import SYS_ADMIN, SYS_PTRACE, as_nobody, with_one_right
from tests.kernel.snapshots import kind, pids

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="only root may enter namespaces")
PORT = 7077


class Everywhere:
    """Looks at every namespace again and again, as the live view does. Close it."""

    def __init__(self, budget_s: float | None = None) -> None:
        self.history = History()
        self.source = LiveSource(budget_s, everywhere=True)

    def __enter__(self) -> Everywhere:
        return self

    def __exit__(self, *_: object) -> None:
        self.source.close()

    def snapshot(self) -> Snapshot:
        snapshot, self.history = derive(self.source.sample(), self.history)
        return snapshot


@pytest.fixture
def other() -> Iterator[DemoNamespace]:
    with DemoNamespace() as made:
        yield made


def serve(port: int = PORT) -> held.HeldSockets:
    """A listener, and a connection to it that it accepted; the client's end."""
    listener = listening(port=port)
    client = connected(LOOPBACK, port)
    accepted(listener.fd)
    return client


def sample() -> Sample:
    with Everywhere() as watch:
        return watch.source.sample()


def namespace_of(sample: Sample, inode: int) -> Namespace:
    (found,) = (each for each in sample.namespaces if each.inode == inode)
    return found


def test_the_same_addresses_and_ports_in_two_namespaces_are_told_apart(
    namespace: DemoNamespace, other: DemoNamespace
) -> None:
    clients = {each.inode: each.run(serve) for each in (namespace, other)}
    with Everywhere() as watch:
        watch.snapshot()
        snapshot = watch.snapshot()
    table = snapshot.sample.sockets
    for inode, client in clients.items():
        rows = np.flatnonzero(table.netns == inode).tolist()
        assert sorted(table.state[rows].tolist()) == [tcp.ESTABLISHED] * 2 + [tcp.LISTEN]
        assert set(table.local_port[rows].tolist()) == {PORT, client.local[1]}
        assert {kind(snapshot, row) for row in rows} == {owner.OWNER_KINDS[owner.PROCESS]}
        assert {pid for row in rows for pid in pids(snapshot, row)} == {client.pid}
        places = np.flatnonzero(snapshot.processes.netns == inode)
        assert snapshot.processes.sockets[places].tolist() == [3]
        listeners = np.flatnonzero(table.netns[snapshot.listeners.row] == inode)
        assert len(listeners) == 1
    assert len(np.unique(table.key)) == len(table)


def test_each_has_its_own_counters_limits_and_interfaces(
    linked: tuple[DemoNamespace, DemoNamespace],
) -> None:
    client, server = linked
    client.sysctl("net.ipv4.ip_local_port_range", "20000 20100")
    server.sysctl("net.core.somaxconn", 77)
    listener = server.run(listening, veth.SERVER.v4)
    client.run(connected, veth.SERVER.v4, listener.local[1])
    seen = sample()
    ours, theirs = seen.kernel_of(client.inode), seen.kernel_of(server.inode)
    assert ours.sysctls["net.ipv4.ip_local_port_range"] == "20000 20100"
    assert theirs.sysctls["net.core.somaxconn"] == "77"
    assert theirs.sysctls["net.ipv4.ip_local_port_range"] != "20000 20100"
    assert ours.sysctls["net.core.somaxconn"] != "77"
    assert (ours.counters["Tcp"]["ActiveOpens"], ours.counters["Tcp"]["PassiveOpens"]) == (1, 0)
    assert (theirs.counters["Tcp"]["ActiveOpens"], theirs.counters["Tcp"]["PassiveOpens"]) == (0, 1)
    for each in (client, server):
        assert veth.DEVICE in namespace_of(seen, each.inode).interfaces.values()
        assert seen.kernel_of(each.inode).sockstat["TCP"]["inuse"] > 0


def test_the_ends_of_a_connection_between_two_find_each_other(
    linked: tuple[DemoNamespace, DemoNamespace],
) -> None:
    client, server = linked
    for address in (veth.SERVER.v4, veth.SERVER.v6):
        listener = server.run(listening, address)
        client.run(connected, address, listener.local[1])
        server.run(accepted, listener.fd)
    with Everywhere() as watch:
        snapshot = watch.snapshot()
    table = snapshot.sample.sockets
    open_ = table.state == tcp.ESTABLISHED
    ours = np.flatnonzero(open_ & (table.netns == client.inode))
    theirs = np.flatnonzero(open_ & (table.netns == server.inode))
    assert len(ours) == len(theirs) == 2
    peers = peer_rows(table, ours)
    assert sorted(peers.tolist()) == theirs.tolist()
    assert table.local_port[peers].tolist() == table.remote_port[ours].tolist()
    assert peer_rows(table, theirs).tolist() == ours[np.argsort(peers)].tolist()


def test_limits_of_the_whole_host_are_told_everywhere(namespace: DemoNamespace) -> None:
    namespace.run(listening)
    seen = sample()
    home = seen.kernel_of(namespaces.current_inode())
    for name in ("net.ipv4.tcp_mem", "net.ipv4.tcp_max_orphans"):
        assert seen.kernel_of(namespace.inode).sysctls[name] == home.sysctls[name]


def test_a_namespace_is_told_with_its_processes(namespace: DemoNamespace) -> None:
    helper = namespace.helper()
    namespace.run(listening)
    seen = sample()
    told = namespace_of(seen, namespace.inode)
    assert told.pids == tuple(sorted((namespace.pid, helper.pid)))
    assert told.processes == 2
    assert not told.first
    own = namespace_of(seen, namespaces.current_inode())
    assert own.first == (own.inode == namespaces.first_inode())
    assert os.getpid() in own.pids or (own.processes or 0) > len(own.pids)


def enter_and_listen(pid: int, port: int) -> int:
    """A listener in the namespace of another process, held from outside: a proxy's. Its inode."""
    home = os.open("/proc/self/ns/net", os.O_RDONLY)
    there = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY)
    namespaces._setns(there)
    made = socket.socket()
    namespaces._setns(home)
    made.bind((LOOPBACK, port))
    made.listen()
    held.hold(made)
    os.close(there)
    os.close(home)
    return os.fstat(made.fileno()).st_ino


def test_a_socket_that_a_process_of_another_namespace_holds_is_its(
    namespace: DemoNamespace, other: DemoNamespace
) -> None:
    inode = other.run(enter_and_listen, namespace.pid, PORT)
    with Everywhere() as watch:
        snapshot = watch.snapshot()
    (row,) = np.flatnonzero(snapshot.sample.sockets.inode == inode).tolist()
    assert snapshot.sample.sockets.netns[row] == namespace.inode
    assert pids(snapshot, row) == [other.pid]
    assert snapshot.sample.owners.processes[other.pid].netns == other.inode


def test_an_empty_namespace_is_known_and_not_read(namespace: DemoNamespace) -> None:
    with Everywhere() as watch:
        seen = watch.source.sample()
        assert namespace.inode in seen.netns
        assert seen.kernel_of(namespace.inode).counters == {}
        assert namespace.inode not in _pinned()
        namespace.run(listening)
        assert watch.source.sample().kernel_of(namespace.inode).counters


def test_one_without_sockets_is_told_from_the_next_with_its_inode(
    namespace: DemoNamespace,
) -> None:
    """By the cookie, which the kernel gives to one only."""
    with Everywhere() as watch:
        for _ in range(2):
            idle = namespace_of(watch.source.sample(), namespace.inode)
        namespace.run(listening)
        busy = namespace_of(watch.source.sample(), namespace.inode)
    assert idle.cookie == busy.cookie == namespace.run(namespaces.cookie)


def _pinned() -> set[int]:
    """Namespaces of the netlink sockets that this process holds."""
    found = set()
    for name in os.listdir("/proc/self/fd"):
        try:
            if os.readlink(f"/proc/self/fd/{name}").startswith("socket:"):
                found.add(_netns_of(int(name)))
        except OSError:
            continue
    return found


def _netns_of(fd: int) -> int:
    """SIOCGSKNS, include/uapi/linux/sockios.h."""
    import fcntl

    descriptor = fcntl.ioctl(fd, 0x894C)
    try:
        return os.fstat(descriptor).st_ino
    finally:
        os.close(descriptor)


def test_this_thread_and_the_first_one_stay_where_they_are(namespace: DemoNamespace) -> None:
    namespace.run(listening)
    before = namespaces.current_inode(), os.stat("/proc/self/ns/net").st_ino
    sample()
    assert (namespaces.current_inode(), os.stat("/proc/self/ns/net").st_ino) == before


def gone(namespace: DemoNamespace) -> bool:
    """Whether the other end of its veth pair has gone with the namespace that it was in."""
    links = namespace.command(["ip", "-br", "link"])
    return veth.DEVICE not in links


def test_a_namespace_that_ends_is_let_go_by_the_next_sample(
    linked: tuple[DemoNamespace, DemoNamespace],
) -> None:
    client, server = linked
    inode = server.inode
    server.run(listening)
    with Everywhere() as watch:
        assert inode in watch.source.sample().netns
        assert inode in _pinned()
        server.close()
        seen = watch.source.sample()
        assert inode not in _pinned()
        assert inode not in {each.inode for each in seen.namespaces}
        assert inode not in seen.sockets.netns
        held.until(lambda: gone(client), "the namespace to end")


@pytest.mark.parametrize("let_go", [True, False])
def test_what_ends_with_its_namespace_is_told(let_go: bool) -> None:
    """The connections of a container that was killed, whether it was let go between two samples or
    by the next one."""
    with DemoNamespace() as made, Everywhere() as watch:
        client, inode = made.run(serve), made.inode
        watch.snapshot()
        (space,) = (e for e in watch.snapshot().sample.namespaces if e.inode == inode)
        made.close()
        assert watch.source._others is not None
        if let_go:
            watch.source._others.let_go()
            assert inode not in _pinned()
        (deaths,) = (e for e in watch.source.sample().deaths if e.netns == inode)
    assert deaths.cookie == space.cookie != namespaces.cookie()
    assert len(deaths.sockets) + (deaths.lost or 0) == 2  # busy processors may tell none in time
    assert {*deaths.sockets.local_port.tolist()} <= {PORT, client.local[1]}


def hold_a_pair(pid: int) -> None:
    """A connection in the namespace of another process, held from outside."""
    home = os.open("/proc/self/ns/net", os.O_RDONLY)
    with open(f"/proc/{pid}/ns/net") as there:
        namespaces._setns(there.fileno())
    serve()
    namespaces._setns(home)
    os.close(home)


def test_what_a_process_elsewhere_holds_has_not_ended(other: DemoNamespace) -> None:
    with DemoNamespace() as made, Everywhere() as watch:
        other.run(hold_a_pair, made.pid)
        inode = made.inode
        assert np.count_nonzero(watch.source.sample().sockets.netns == inode) == 3
        made.close()
        (deaths,) = (e for e in watch.source.sample().deaths if e.netns == inode)
    assert (len(deaths.sockets), deaths.lost) == (0, 0)


def test_a_namespace_that_ends_is_let_go_between_two_samples(
    linked: tuple[DemoNamespace, DemoNamespace],
) -> None:
    client, server = linked
    server.run(listening)
    stop = threading.Event()
    with Everywhere() as watch:
        watch.source.sample()
        waiting = threading.Thread(target=watch.source.wait, args=(60.0, stop))
        waiting.start()
        try:
            server.close()
            held.until(lambda: gone(client), "the namespace to end")
        finally:
            stop.set()
            waiting.join()


def test_a_namespace_stays_while_one_of_its_processes_does(namespace: DemoNamespace) -> None:
    with DemoNamespace() as first:
        inode = first.inode
        first.run(listening)
        with Everywhere() as watch:
            assert inode in watch.source.sample().netns
            last = first.helper()
            keeper = namespace.helper()
            keeper.run(enter, last.pid)
            first.close()
            assert watch.source._others is not None
            watch.source._others.let_go()
            assert inode in _pinned()
            seen = watch.source.sample()
        assert namespace_of(seen, inode).pids == (keeper.pid,)


def enter(pid: int) -> None:
    """Move this process for good."""
    with open(f"/proc/{pid}/ns/net") as there:
        namespaces._setns(there.fileno())


def test_many_that_come_and_go_leave_nothing_behind() -> None:
    before = open_files()
    with Everywhere(budget_s=0.3) as watch:
        for number in range(12):
            with contextlib.ExitStack() as stack:
                made = [stack.enter_context(DemoNamespace()) for _ in range(8)]
                for each in made[::2]:
                    each.run(serve)
                seen = watch.snapshot().sample
                assert {each.inode for each in made[::2]} <= seen.netns
                inodes = {each.inode for each in made}
                if number % 2:
                    watch.source.poll_listeners()
            until(partial(let_go, watch, inodes), "let go", timeout=30)
    until(lambda: open_files() == before, "closed", timeout=30)


def let_go(watch: Everywhere, inodes: set[int]) -> bool:
    watch.snapshot()
    return not inodes & _pinned()


def open_files() -> list[str]:
    """What this process has open, by kind."""
    links = []
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            links.append(os.readlink(f"/proc/self/fd/{name}").partition("[")[0])
    return sorted(links)


def test_samples_come_as_seldom_as_many_namespaces_take(namespace: DemoNamespace) -> None:
    """Of the live view, which has a budget: a seventh of a processor."""
    namespace.run(listening)
    stop = threading.Event()
    stop.set()
    for budget_s, between_s in ((0.3, 20.0), (None, 1.0)):
        with Everywhere(budget_s) as watch:
            watch.source.sample()
            others = watch.source._others
            assert others is not None
            assert 0 < others.took_s < watch.source._between_s(1.0)
            watch.source.wait(1.0, stop)
            others.took_s = 3.0
            assert watch.source._between_s(1.0) == between_s
            notes = [each for each in watch.source._of_others(NO_OWNERS) if "samples come" in each]
            told = [
                each.endswith("takes a processor 3.0 s: samples come every 20 s.") for each in notes
            ]
            assert told == ([True] if budget_s else [])


def test_two_hundred_namespaces_with_and_without_sockets() -> None:
    with contextlib.ExitStack() as stack:
        made = [stack.enter_context(DemoNamespace()) for _ in range(200)]
        busy = {each.inode for each in made[:50]}
        idle = {each.inode for each in made[50:]}
        for each in made[:50]:
            each.run(serve)
        with Everywhere() as watch:
            watch.snapshot()
            snapshot = watch.snapshot()
            assert not idle & _pinned()
            assert busy <= _pinned()
        assert not busy & _pinned()
    seen, table = snapshot.sample, snapshot.sample.sockets
    assert busy | idle <= seen.netns
    for inode in busy:
        assert np.count_nonzero(table.netns == inode) == 3
    assert not np.isin(table.netns, [*idle]).any()
    held_by = snapshot.processes.netns[snapshot.processes.process >= 0]
    assert busy <= set(held_by.tolist())


def what_nobody_sees(pid: int) -> tuple[Sample, int]:
    """A sample, and the number that stands for the namespace of a process."""
    source = LiveSource(everywhere=True)
    seen = source.sample()
    source.close()
    return seen, os.stat(f"/proc/{pid}/net/sockstat").st_ino


def test_another_user_sees_his_own_and_the_counters_of_others(namespace: DemoNamespace) -> None:
    namespace.run(serve)
    with Everywhere():  # imports what the other user may not be able to read
        pass
    seen, number = as_nobody(what_nobody_sees, namespace.pid)
    own = namespaces.current_inode()
    assert set(seen.sockets.netns.tolist()) | set(seen.netns) == {own}
    assert [each.netns for each in seen.kernel] == [own]
    (theirs,) = (each for each in seen.unentered if each.netns == number)
    assert theirs.counters["Tcp"]["ActiveOpens"] == 1
    assert theirs.sockstat["TCP"]["inuse"] == 3
    assert theirs.sysctls == {}
    assert any("may not be entered; their counters are told" in note for note in seen.notes)


def test_it_is_said_where_processes_are_hidden(namespace: DemoNamespace) -> None:
    """As in a container, or with hidepid, whose namespaces are not found then."""
    namespace.run(listening)
    words = [sys.executable, "-m", "tcptop", "snapshot", "--netns", "all", "--format", "json"]
    hiding = ["unshare", "--pid", "--fork", "--mount-proc", *words]
    for command, hidden in ((words, False), (hiding, True)):
        told = json.loads(warm.run(command, capture_output=True, timeout=60).stdout)
        notes = "\n".join(told["collector"]["notes"])
        assert ("that /proc does not show are not found." in notes) == hidden
        found = {each["inode"] for each in told["namespaces"]}
        assert (namespace.inode in found) is not hidden


def what_is_seen() -> tuple[Snapshot, int]:
    """The second look, and how many namespaces it could not enter."""
    with Everywhere() as watch:
        watch.snapshot()
        return watch.snapshot(), len(watch.source._finder.hidden)


def test_who_may_enter_but_not_look_at_processes_knows_which_are_inside(
    namespace: DemoNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those with a name are entered by that, and are not said to be hidden as well."""
    namespace.run(serve)
    with tempfile.TemporaryDirectory(dir="/tmp") as directory:
        name = Path(directory, "blue")
        name.touch()
        os.chmod(directory, 0o755)
        monkeypatch.setattr(namespaces, "NAMED", directory)
        namespaces_mount(f"/proc/{namespace.pid}/ns/net", str(name))
        try:
            seen, _ = with_one_right(SYS_ADMIN, what_is_seen)
        finally:
            namespaces_unmount(str(name))
    found = namespace_of(seen.sample, namespace.inode)
    assert (found.name, found.pids) == ("blue", (namespace.pid,))
    assert np.count_nonzero(seen.sample.sockets.netns == namespace.inode) == 3
    numbers = {each.netns for each in seen.sample.unentered}
    assert os.stat(f"/proc/{namespace.pid}/net/sockstat").st_ino not in numbers


def test_who_may_look_at_processes_but_not_enter_is_told_what_no_rule_saw(
    namespace: DemoNamespace,
) -> None:
    namespace.run(serve)
    seen, hidden = with_one_right(SYS_PTRACE, what_is_seen)
    assert not hidden
    assert namespace.inode not in seen.sample.netns
    (theirs,) = (each for each in seen.sample.unentered if each.netns == namespace.inode)
    assert theirs.sockstat["TCP"]["inuse"] == 3
    assert any("it takes CAP_SYS_ADMIN (root)" in note for note in seen.sample.notes)
    assert any(each.note.endswith("no rule could look there.") for each in seen.silent)


def test_a_named_one_without_a_process_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(namespaces, "NAMED", str(tmp_path))
    with DemoNamespace() as holder, DemoNamespace() as proxy:
        inode, name = holder.inode, tmp_path / "blue"
        proxy.run(enter_and_listen, holder.pid, PORT)
        name.touch()
        namespaces_mount(f"/proc/{holder.pid}/ns/net", str(name))
        try:
            holder.close()
            seen = sample()
        finally:
            namespaces_unmount(str(name))
    assert namespace_of(seen, inode).name == "blue"
    assert namespace_of(seen, inode).pids == ()
    assert seen.sockets.local_port[seen.sockets.netns == inode].tolist() == [PORT]


def hold_open(path: str) -> int:
    return os.open(path, os.O_RDONLY)


def test_one_that_a_process_holds_open_alone_is_read(other: DemoNamespace) -> None:
    """As a container runtime may, between two containers of a pod; until it lets go."""
    with DemoNamespace() as holder, Everywhere() as watch:
        inode, proxy = holder.inode, other.helper()
        proxy.run(enter_and_listen, holder.pid, PORT)
        descriptor = other.run(hold_open, f"/proc/{holder.pid}/ns/net")
        holder.close()
        snapshot = watch.snapshot()
        found = namespace_of(snapshot.sample, inode)
        assert (found.name, found.pids) == (None, ())
        table = snapshot.sample.sockets
        (row,) = np.flatnonzero(table.netns == inode).tolist()
        assert (int(table.local_port[row]), pids(snapshot, row)) == (PORT, [proxy.pid])
        command = from_outside("ss -Hltn", reaching(snapshot.sample, inode) or "")
        assert f":{PORT} " in subprocess.check_output(["sh", "-c", command], text=True)
        other.run(os.close, descriptor)
        assert watch.source._others is not None
        watch.source._others.let_go()
        assert inode not in _pinned()


def mounted_aside(source: str, target: str) -> None:
    """In a mount namespace of its own, of which no other sees what is mounted."""
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.unshare(0x20000) == 0  # CLONE_NEWNS
    assert libc.mount(None, b"/", None, 0x44000, None) == 0  # MS_REC | MS_PRIVATE
    namespaces_mount(source, target)


def test_one_that_is_mounted_in_another_mount_namespace_alone_is_read(tmp_path: Path) -> None:
    path = tmp_path / "cni 1"
    path.touch()
    with DemoNamespace() as holder, DemoNamespace() as proxy:
        inode = holder.inode
        proxy.run(enter_and_listen, holder.pid, PORT)
        proxy.helper().run(mounted_aside, f"/proc/{holder.pid}/ns/net", str(path))
        holder.close()
        assert os.stat(path).st_ino != inode
        with Everywhere() as watch:
            snapshot = watch.snapshot()
        found = namespace_of(snapshot.sample, inode)
        assert (found.name, found.pids) == (None, ())
        table = snapshot.sample.sockets
        assert table.local_port[table.netns == inode].tolist() == [PORT]
        command = from_outside("ss -Hltn", reaching(snapshot.sample, inode) or "")
        assert f":{PORT} " in subprocess.check_output(["sh", "-c", command], text=True)


def test_where_it_is_not_told_what_ends_that_is_said(
    namespace: DemoNamespace, other: DemoNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    for each in (namespace, other):
        each.run(serve)
    inodes, opened = {namespace.inode, other.inode}, DeathListener.open

    def refused(self: DeathListener, netns: int, buffer: int = BUFFER) -> DeathReader:
        if netns in inodes:
            raise OSError(errno.ENOBUFS, os.strerror(errno.ENOBUFS))
        return opened(self, netns, buffer)

    monkeypatch.setattr(DeathListener, "open", refused)
    seen = sample()
    assert not inodes & {each.netns for each in seen.deaths}
    (note,) = (each for each in seen.notes if "what ends" in each)
    why = os.strerror(errno.ENOBUFS)
    assert note == f"Of 2 other network namespaces the kernel does not tell what ends: {why}."


def namespaces_mount(source: str, target: str) -> None:
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.mount(source.encode(), target.encode(), None, 4096, None) == 0  # MS_BIND


def namespaces_unmount(target: str) -> None:
    import ctypes

    assert ctypes.CDLL(None, use_errno=True).umount2(target.encode(), 2) == 0  # MNT_DETACH


def leak_unconnected(number: int) -> None:
    """Sockets that were made and never used: they are in no dump, and sockstat counts none."""
    for _ in range(number):
        held.hold(socket.socket())


def test_a_leak_in_a_namespace_without_sockets_in_use_is_seen(namespace: DemoNamespace) -> None:
    namespace.run(leak_unconnected, 40)
    with Everywhere() as watch:
        for _ in range(3):
            seen = watch.source.sample()
    assert seen.owners.unlisted[namespace.pid].sockets == 40


def limit_of_descriptors() -> int:
    """Of a process that was allowed few, once it has looked everywhere."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    LiveSource(everywhere=True).close()
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def test_there_are_descriptors_for_many_namespaces(namespace: DemoNamespace) -> None:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    hard = DESCRIPTORS if hard == resource.RLIM_INFINITY else hard
    assert namespace.helper().run(limit_of_descriptors) == min(hard, DESCRIPTORS)


def test_check_tells_the_same_trouble_of_two_namespaces_apart(
    namespace: DemoNamespace, other: DemoNamespace
) -> None:
    for each in (namespace, other):
        each.run(overflowing)
    words = ("check", "--netns", "all", "--over", "2", "-i", "0.5", "--format", "json")
    done = warm.run(
        [sys.executable, "-m", "tcptop", *words, "--config", os.devnull],
        capture_output=True,
        text=True,
        timeout=60,
    )
    told = json.loads(done.stdout)
    full = [
        each
        for each in told["findings"]
        if each["subject"]["listener"] == f"{LOOPBACK}:{PORT}"
        and each["subject"]["netns"] in (namespace.inode, other.inode)
        and each["id"] == "accept-queue-overflow"
    ]
    assert {each["subject"]["netns"] for each in full} == {namespace.inode, other.inode}
    assert len({each["key"] for each in full}) == len(full) == 2
    for each in full:
        made = namespace if each["subject"]["netns"] == namespace.inode else other
        assert each["subject"]["pids"] == [made.pid]
        assert each["title"].endswith(f"(netns {made.inode})")
        assert each["confirm"].startswith(f"nsenter -t {made.pid} -n ")


def overflowing() -> None:
    """A listener with a full accept queue, and clients that try."""
    listener = listening(port=PORT, backlog=2)
    for _ in range(8):
        dialing(LOOPBACK, listener.local[1])
