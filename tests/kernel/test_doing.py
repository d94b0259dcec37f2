"""What processes do, what they hold that is in no dump, and UNIX listeners: on real ones."""

from __future__ import annotations

import ctypes
import errno
import json
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from tcptop.demo import sockets
from tcptop.demo.namespace import DemoNamespace
from tcptop.model.address import halves
from tcptop.model.sample import LostSocket, ProcessFacts
from tcptop.model.source import Requests
from tcptop.sources import lost, unix_listeners, wire
from tcptop.sources.live import LiveSource
from tcptop.sources.process_facts import FactsReader
from tests import warm
from tests.kernel import states

READY = "print('ready', flush=True);"
PATIENCE_S = 40.0


@contextmanager
def program(code: str) -> Iterator[int]:
    """A Python program that has said that it is ready; its pid."""
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        try:
            assert child.stdout.readline() == b"ready\n"
            yield child.pid
        finally:
            child.kill()


def facts(pid: int, seconds: float = 0.3) -> ProcessFacts:
    reader = FactsReader()
    reader.request([pid])
    reader.read()
    time.sleep(seconds)
    return reader.read()[pid]


def test_a_busy_process_uses_a_core_and_an_idle_one_none() -> None:
    with program(f"{READY}\nwhile True: pass") as busy, program(READY + "input()") as idle:
        reader = FactsReader()
        reader.request([busy, idle])
        reader.read()
        before, began = cpu_s(busy), time.monotonic()
        time.sleep(0.5)
        found = reader.read()
        share = (cpu_s(busy) - before) / (time.monotonic() - began)
    assert found[busy].cpu_share == pytest.approx(share, abs=0.15)
    assert found[busy].cpu_share != found[idle].cpu_share == pytest.approx(0, abs=0.05)


COMPUTES = """
import ctypes, threading
def work():
    ctypes.CDLL(None).prctl(15, b"cruncher", 0, 0, 0)
    print('ready', flush=True)
    while True: pass
threading.Thread(target=work, daemon=True).start()
input()
"""


def test_the_thread_that_computes_is_named() -> None:
    with program(COMPUTES) as pid:
        busiest = facts(pid, 0.5).busiest
    assert busiest is not None
    assert busiest.name == "cruncher"
    assert busiest.wants == pytest.approx(1, abs=0.2)


def test_no_thread_of_one_that_sleeps_is_busy() -> None:
    with program(READY + "input()") as pid:
        reader = FactsReader()
        reader.request([pid])
        for _ in range(3):
            time.sleep(0.1)
            found = reader.read()[pid].busiest
    assert found is None or found.wants < 0.5


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
@pytest.mark.parametrize(("call", "found"), [("select.poll()", True), ("select.epoll()", False)])
def test_a_dns_server_that_is_waited_for(address: str, call: str, found: bool) -> None:
    """In poll(), as getaddrinfo() does; who waits for many, as a proxy, is not asked."""
    family = "AF_INET6" if ":" in address else "AF_INET"
    code = f"""
import select, socket
asks = socket.socket(socket.{family}, socket.SOCK_DGRAM)
asks.connect(({address!r}, 53))
bound = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
bound.bind(("127.0.0.1", 0))
waits = {call}
waits.register(asks, select.POLLIN)
{READY}
waits.poll()
"""
    with program(code) as pid:
        time.sleep(0.2)
        assert facts(pid, 0).dns_servers == ((address,) if found else ())


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_a_process_s_parent_and_directory(tmp_path: Path) -> None:
    with program(f"import os; os.chdir({str(tmp_path)!r});{READY}input()") as pid:
        found = facts(pid, 0)
    own = Path("/proc/self/comm").read_text().removesuffix("\n")
    assert (found.parent, found.parent_name) == (os.getpid(), own)
    assert found.directory == str(tmp_path)
    assert found.replaced is False


@pytest.mark.parametrize(
    ("name", "after", "gone"),
    [
        ("server", lambda file: None, False),
        ("server", Path.unlink, True),
        ("server", lambda file: new_one(file), True),  # as packages are upgraded
        ("server (deleted)", lambda file: None, False),
        ("server (deleted)", Path.unlink, True),
    ],
)
def test_a_program_whose_file_is_gone(
    tmp_path: Path, name: str, after: Callable[[Path], None], gone: bool
) -> None:
    file = tmp_path / name
    file.write_bytes(Path("/bin/sleep").read_bytes())
    file.chmod(0o755)
    with subprocess.Popen([file, "60"]) as child:
        try:
            after(file)
            assert facts(child.pid, 0).replaced is gone
        finally:
            child.kill()


def new_one(file: Path) -> None:
    other = file.with_suffix(".new")
    other.write_bytes(b"#!/bin/sh\n")
    other.rename(file)


def test_a_program_in_memory_has_no_file() -> None:
    number = os.memfd_create("program", 0)
    try:
        os.write(number, Path("/bin/sleep").read_bytes())
        with subprocess.Popen([f"/proc/self/fd/{number}", "60"], pass_fds=[number]) as child:
            try:
                assert facts(child.pid, 0).replaced is False
            finally:
                child.kill()
    finally:
        os.close(number)


def test_a_stopped_process_says_so_and_since_when() -> None:
    with program(READY + "input()") as pid:
        os.kill(pid, signal.SIGSTOP)
        os.waitid(os.P_PID, pid, os.WSTOPPED | os.WNOWAIT)
        found = facts(pid, 0.4)
    assert found.state == "stopped"
    assert found.state_s >= 0.4
    assert found.parent == os.getpid()
    assert found.threads == 1


def test_a_thread_in_uninterruptible_sleep_is_told_and_since_when(tmp_path: Path) -> None:
    """One of four waits for a program that it starts, whose input is a pipe that nobody opens."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    code = f"""
import ctypes, os, threading
def stuck():
    libc, actions = ctypes.CDLL(None), ctypes.create_string_buffer(1024)
    libc.posix_spawn_file_actions_init(actions)
    libc.posix_spawn_file_actions_addopen(actions, 0, {os.fsencode(fifo)!r}, os.O_RDONLY, 0)
    argv = (ctypes.c_char_p * 2)(b"/bin/true", None)
    libc.posix_spawn(ctypes.byref(ctypes.c_int()), b"/bin/true", actions, None, argv, None)
for job in (stuck, threading.Event().wait, threading.Event().wait):
    threading.Thread(target=job, daemon=True).start()
"""
    with program(f"{code}\n{READY}input()") as pid:
        try:
            found = facts(pid, 0.4)
        finally:
            os.close(os.open(fifo, os.O_WRONLY))  # a writer: the program starts
    assert found.stuck is not None
    assert found.stuck.number == 1
    assert 0.4 <= found.stuck.for_s < 10
    assert (found.state, found.threads) == ("sleeping", 4)


PTRACE_ATTACH, PTRACE_DETACH = 16, 17  # linux/ptrace.h


def test_a_process_that_a_debugger_holds_says_by_whom() -> None:
    """SIGCONT does not resume it, as it would one that was stopped."""
    ptrace = ctypes.CDLL(None, use_errno=True).ptrace
    ptrace.argtypes = (ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p)
    with program(READY + "input()") as pid:
        assert ptrace(PTRACE_ATTACH, pid, None, None) == 0
        try:
            os.waitid(os.P_PID, pid, os.WSTOPPED | os.WNOWAIT)
            os.kill(pid, signal.SIGCONT)
            found = facts(pid, 0.4)
        finally:
            ptrace(PTRACE_DETACH, pid, None, None)
    assert found.state == "tracing-stop"
    assert found.tracer is not None
    assert found.tracer.pid == os.getpid()
    assert found.tracer.name == Path("/proc/self/comm").read_text().strip()


def full() -> None:
    listener = sockets.listening(sockets.LOOPBACK, backlog=1)
    for dial in (sockets.connected, sockets.connected, sockets.dialing):
        dial(sockets.LOOPBACK, listener.local[1])


def test_one_look_says_what_the_culprit_is_doing() -> None:
    """Without a second look at the sockets."""
    with DemoNamespace() as namespace:
        namespace.run(full)
        os.kill(namespace.pid, signal.SIGSTOP)
        try:
            (title,) = until_told(namespace.pid, "accept-queue-overflow")
        finally:
            os.kill(namespace.pid, signal.SIGCONT)
    assert "is stopped" in title


def until_told(pid: int, rule: str) -> list[str]:
    """The titles of its findings, as soon as one look has some."""
    command = [sys.executable, "-m", "tcptop", "snapshot", "--netns", str(pid), "--only=findings"]
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        told = json.loads(warm.run(command, capture_output=True, check=True).stdout)
        titles = [each["title"] for each in told["findings"] if each["id"] == rule]
        if titles:
            return titles
        time.sleep(0.5)
    raise AssertionError(f"no {rule}")


def test_an_epoll_descriptor_tells_whom_it_waits_for() -> None:
    code = (
        "import select, socket\n"
        "watched, other = socket.create_server(('127.0.0.1', 0)), socket.create_server(('', 0))\n"
        "poll = select.epoll(); poll.register(watched)\n"
        f"{READY} input(watched.fileno() + other.fileno())"
    )
    with program(code) as pid:
        found = facts(pid)
        inodes = [os.stat(f"/proc/{pid}/fd/{number}").st_ino for number in (3, 4)]
    assert found.waits_for == frozenset({inodes[0]})


def _waits_for(reader: FactsReader, change: Callable[..., object], *what: object) -> frozenset[int]:
    """Of this process, after a change of its own."""
    change(*what)
    return reader.read()[os.getpid()].waits_for or frozenset()


def test_of_many_descriptors_what_the_epolls_watch_and_their_end_are_seen_at_once() -> None:
    many = [os.dup(0) for _ in range(3000)]  # for which all are looked at now and then
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("", 0)) as other:
        inodes = [os.fstat(each.fileno()).st_ino for each in (one, other)]
        reader, poll = FactsReader(), select.epoll()
        reader.request([os.getpid()])
        seen = [_waits_for(reader, poll.register, one), _waits_for(reader, poll.register, other)]
        seen.append(_waits_for(reader, poll.close))
    for descriptor in many:
        os.close(descriptor)
    assert inodes[0] in seen[0]
    assert seen[1] == seen[0] | {inodes[1]}
    assert not seen[2] & set(inodes)


def test_one_without_epoll_waits_for_nothing_known() -> None:
    with program(READY + "input()") as pid:
        assert facts(pid).waits_for is None


def test_one_that_has_ended_is_left_out() -> None:
    reader = FactsReader()
    with program(READY + "input()") as pid:
        reader.request([pid])
        assert pid in reader.read()
    assert not reader.read()


def test_descriptors_of_refused_connects_are_counted(namespace: DemoNamespace) -> None:
    code = f"""
import socket, time
kept = [socket.socket() for _ in range(30)]
for each in kept:
    try: each.connect(("127.0.0.1", 9))
    except OSError: pass
pairs = [socket.socketpair() for _ in range(40)]
udp = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(25)]
six = [socket.socket(socket.AF_INET6) for _ in range(5)]
server = socket.create_server(("127.0.0.1", 0))
{READY} input()
"""
    with namespace.entered(), program(code) as pid:
        source = LiveSource()
        found = [source.sample().owners.unlisted.get(pid) for _ in range(3)]
        owners = source.sample().owners
        source.close()
    assert [each and each.sockets for each in found] == [None, 35, 35]
    assert owners.processes[pid].open_fds is not None


LOST = """
import errno, os, socket, struct, time
host, port = {where!r}
kept = []
def refused(timeout=None):
    kept.append(socket.socket(FAMILY))
    kept[-1].settimeout(timeout)
    try: kept[-1].connect((host, port + 1))
    except OSError: pass
FAMILY = socket.AF_INET6 if ":" in host else socket.AF_INET
server = socket.create_server((host, port), family=FAMILY)
for _ in range(8): refused()
for _ in range(7): refused(5)
kept += [socket.socket(FAMILY) for _ in range(6)]
for _ in range(5):
    kept.append(socket.create_connection((host, port)))
    taken = server.accept()[0]
    taken.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    taken.close()
print("ready", flush=True)
input()
"""


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_what_they_were_and_where_they_led_is_asked_of_themselves(
    namespace: DemoNamespace, host: str
) -> None:
    with namespace.entered(), program(LOST.format(where=(host, 7000))) as pid:
        source = LiveSource()
        source.sample()
        found = source.sample().owners.unlisted[pid]
        source.close()
    assert found.sockets == 26
    hi, lo = halves(host)
    were = Counter((e.was, (e.remote_hi, e.remote_lo, e.remote_port)) for e in found.known)
    assert were == {
        ("failed", (0, 0, 0)): 8,  # a blocking connect() forgets
        ("failed", (hi, lo, 7001)): 7,
        ("unused", (0, 0, 0)): 6,
        ("connected", (hi, lo, 7000)): 5,
    }


def test_the_dump_before_is_remembered(namespace: DemoNamespace) -> None:
    """Where a socket itself may not be asked: its descriptor is not that number's."""
    made = namespace.run(states.established)
    with namespace.entered():
        source = LiveSource()
        sockets = source.sample().sockets
        source.close()
    row = np.flatnonzero(sockets.inode == made.client.inode)
    (was,) = lost.dumped(sockets, sockets.inode[row]).values()
    assert was == LostSocket(
        "connected", made.client.local[1], *halves("127.0.0.1"), made.server.local[1]
    )
    assert lost.asked(os.getpid(), 0, 1) == LostSocket()


def test_sockets_that_live_in_another_namespace_are_no_leak(namespace: DemoNamespace) -> None:
    """A program that serves other namespaces (a mesh's proxy, slirp4netns) is in one itself."""
    code = f"""
import os, socket
from tcptop.demo import linux
here = os.open("/proc/self/ns/net", os.O_RDONLY)
linux.unshare(linux.CLONE_NEWNET)
servers = [socket.create_server(("0.0.0.0", 0)) for _ in range(60)]
linux.setns(here, linux.CLONE_NEWNET)
kept = [socket.socket() for _ in range(25)]
{READY} input()
"""
    with namespace.entered(), program(code) as pid:
        source = LiveSource()
        found = [_unlisted(source, pid)]
        while found[-1] < 25 and len(found) < 30:  # a sample asks as many as it has time for
            found.append(_unlisted(source, pid))
        found.append(_unlisted(source, pid))
        source.close()
    assert found == sorted(found)
    assert (found[0], *found[-2:]) == (0, 25, 25)


def _unlisted(source: LiveSource, pid: int) -> int:
    """How many unlisted sockets a sample tells of."""
    told = source.sample().owners.unlisted.get(pid)
    return told.sockets if told else 0


def test_those_of_another_namespace_are_not(namespace: DemoNamespace) -> None:
    code = f"""
import socket
import struct
servers = [socket.create_server(("127.0.0.1", 0)) for _ in range(30)]
{READY} input()
"""
    with program(code) as pid, namespace.entered():
        source = LiveSource()
        found = [source.sample().owners.unlisted.get(pid) for _ in range(2)]
        source.close()
    assert found == [None, None]


def test_unix_listeners_that_cannot_be_asked_for_are_unknown() -> None:
    """Here for want of a descriptor, as elsewhere for want of the module or of the right."""
    said = (
        "import os, resource\n"
        "from tcptop.sources import unix_listeners\n"
        "last = os.open('/dev/null', os.O_RDONLY)\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (last + 1, last + 1))\n"
        "print(unix_listeners.read())"
    )
    command = [sys.executable, "-c", said]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "None\n"


def test_a_kernel_without_unix_diag_answers_with_an_error() -> None:
    ours, kernel = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with ours, kernel:
        kernel.send(struct.pack("=IHHIIi", 20, wire.NLMSG_ERROR, 0, 1, 0, -errno.ENOENT))
        with pytest.raises(OSError, match="unix_diag"):
            list(unix_listeners._received(ours))


def test_unix_listeners_have_the_queues_of_ss(tmp_path: Path) -> None:
    path = str(tmp_path / "app.sock")
    with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as abstract:
        server.bind(path)
        server.listen(5)
        abstract.bind("\0tcptop-test-abstract")
        abstract.listen(3)
        clients = [socket.socket(socket.AF_UNIX) for _ in range(4)]
        for client in clients:
            client.connect(path)
        inode = os.fstat(server.fileno()).st_ino
        found = {each.path: each for each in unix_listeners.read() or ()}
        shown = subprocess.run(["ss", "-xlH"], capture_output=True, text=True, check=True).stdout
        waiting = tuple(os.fstat(client.fileno()).st_ino for client in clients)
        clients.pop(1).close()
        one_less = {each.path: each for each in unix_listeners.read() or ()}
        for client in clients:
            client.close()
    line = next(line.split() for line in shown.splitlines() if path in line)
    assert (found[path].queued, found[path].backlog) == (int(line[2]), int(line[3])) == (4, 5)
    assert found[path].inode == inode
    assert found[path].clients == waiting
    assert one_less[path].clients == (waiting[0], 0, *waiting[2:])
    assert found["@tcptop-test-abstract"].backlog == 3
    assert {each for each in found if "@" not in each} <= set(shown.split())


def test_a_requested_process_comes_with_the_sample() -> None:
    source = LiveSource()
    source.request(Requests(processes=frozenset({os.getpid()})))
    sample = source.sample()
    source.close()
    assert sample.facts[os.getpid()].parent == os.getppid()
