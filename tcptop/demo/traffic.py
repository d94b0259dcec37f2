"""Traffic that goes on by itself: threads of a process that holds sockets, at a bounded rate.

Every function but `stop` starts a thread and returns; the thread ends with its process.
"""

import itertools
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

from tcptop.demo import held, sockets, syn, veth

_over = threading.Event()
_BEHIND = 1.0  # seconds that a late thread catches up on; it never becomes a burst
_ROUNDS = 20  # after which a client has hung up
_HALF = 100  # bytes: half of a request of `talk`


def stop() -> None:
    """End all traffic of this process."""
    _over.set()


def knock(host: str, port: int, waiting: int, per_s: float) -> None:
    """Clients that give up: each step one more dials, and the oldest of `waiting` leaves."""
    dialed: deque[int] = deque(sockets.dialing(host, port).fd for _ in range(waiting))

    def step() -> None:
        dialed.append(sockets.dialing(host, port).fd)
        held.close(dialed.popleft())

    _repeat(step, per_s)


def dial(host: str, port: int, count: int) -> None:
    """`count` clients, each of which dials again when the kernel has given up for it."""
    dialed = [sockets.dialing(host, port).fd for _ in range(count)]

    def step() -> None:
        for place, fd in enumerate(dialed):
            if held.get(fd).getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                held.close(fd)
                dialed[place] = sockets.dialing(host, port).fd

    _repeat(step, 2)


def dial_together(host: str, port: int, count: int, per_s: float) -> None:
    """A client that opens so many connections at a time, and closes those of the time before."""
    dialed: list[int] = []

    def step() -> None:
        held.close(*dialed)
        dialed[:] = [sockets.dialing(host, port).fd for _ in range(count)]

    _repeat(step, per_s)


def take_in_rounds(listener_fd: int, per_s: float) -> None:
    """A server that looks up from its work at times, takes all who wait, and leaves it to them to
    hang up."""
    listener, taken = held.get(listener_fd), deque[list[socket.socket]]()

    def step() -> None:
        came: list[socket.socket] = []
        listener.settimeout(0)
        with suppress(BlockingIOError):
            while True:
                came.append(listener.accept()[0])
        taken.append(came)
        for each in taken.popleft() if len(taken) > _ROUNDS else ():
            each.close()

    _repeat(step, per_s)


def take(listener_fd: int) -> None:
    """A server that hangs up at once, for whoever waits and whoever comes."""
    listener = held.get(listener_fd)

    def step() -> None:
        listener.settimeout(1)
        with suppress(TimeoutError):
            listener.accept()[0].close()

    _repeat(step, 100)


def serve(listener_fd: int, size: int) -> None:
    """A server that answers each request of `size` bytes with one, on every connection."""
    listener = held.get(listener_fd)

    def work() -> None:
        listener.settimeout(None)
        while True:
            made = listener.accept()[0]
            threading.Thread(target=_answer, args=(made, size), daemon=True).start()

    threading.Thread(target=work, daemon=True).start()


def drain(fds: list[int]) -> None:
    """A server that has begun to read again."""

    def step() -> None:
        for fd in fds:
            while held.unread(fd):
                held.get(fd).recv(65536)

    _repeat(step, 20)


def churn(host: str, port: int, size: int, per_s: float) -> None:
    """A client with a new connection for each request."""
    _repeat(lambda: _request_once(host, port, size), per_s)


def keep_time_waits(host: str, port: int, size: int, count: int) -> None:
    """A client that opens and closes connections until this namespace has `count` TIME_WAITs.

    Then as many as expire: the kernel forgets each after a minute.
    """

    def step() -> None:
        while _time_waits() < count and not _over.is_set():
            _request_once(host, port, size)

    _repeat(step, 5)


def talk(fds: list[int], per_s: float) -> None:
    """A client on each connection that writes a request in two pieces and waits for the answer."""
    for fd in fds:
        _repeat(partial(_two_writes, held.get(fd)), per_s)


def call(host: str, port: int, waiting: int, per_s: float) -> None:
    """A client of `slam`: it has forgotten all but the last `waiting` connections."""
    dialed: deque[int] = deque()

    def step() -> None:
        dialed.append(sockets.connected(host, port).fd)
        held.send(dialed[-1], _HALF)
        if len(dialed) > waiting:
            held.close(dialed.popleft())

    _repeat(step, per_s)


def forget(host: str, port: int, per_s: float) -> None:
    """A client that keeps each connection, whatever becomes of it, and looks at it no more."""
    _repeat(lambda: _forget_one(host, port), per_s)


def ask_anew(host: str, port: int, size: int, per_s: float) -> None:
    """A client of `serve` with a new connection for each request, all of which it keeps."""

    def step() -> None:
        fd = sockets.connected(host, port).fd
        held.send(fd, size)
        held.receive(fd, 1)

    _repeat(step, per_s)


def slam(listener_fd: int, waiting: int) -> None:
    """A server that resets all but the last `waiting` connections, their requests unread."""
    taken: deque[int] = deque()

    def step() -> None:
        with suppress(TimeoutError):
            taken.append(sockets.accepted(listener_fd).fd)
        if len(taken) > waiting:
            held.reset(taken.popleft())

    _repeat(step, 100)


def decline(listener_fd: int) -> None:
    """A server that is full: it tells so whoever comes, and hangs up."""

    def step() -> None:
        with suppress(TimeoutError):
            made = sockets.accepted(listener_fd).fd
            held.send(made, _HALF)
            held.close(made)

    _repeat(step, 200)


def listen_once(host: str, port: int, per_s: float) -> None:
    """Clients that wait for what the server says, and leave when it hangs up."""
    _repeat(lambda: _hear_once(host, port), per_s)


def forge(
    host: str,
    port: int,
    senders: int,
    per_s: float,
    network: str = veth.SPOOFED,
    broken: bool = False,
) -> None:
    """SYNs from that many addresses that do not exist, in turn."""
    numbers = itertools.count()
    _repeat(lambda: syn.send_one(host, port, next(numbers), senders, network, broken), per_s)


def _repeat(step: Callable[[], None], per_s: float) -> None:
    """Call at an even rate, until `stop`; an error of the network skips one turn."""

    def work() -> None:
        due = time.monotonic()
        while not _over.wait(max(0.0, due - time.monotonic())):
            with suppress(OSError):
                step()
            due = max(due + 1 / per_s, time.monotonic() - _BEHIND)

    threading.Thread(target=work, daemon=True).start()


def _request_once(host: str, port: int, size: int) -> None:
    with socket.create_connection((host, port), timeout=5) as made:
        made.sendall(bytes(size))
        made.recv(1)


def _hear_once(host: str, port: int) -> None:
    with socket.create_connection((host, port), timeout=5) as made:
        while made.recv(_HALF):
            pass


def _forget_one(host: str, port: int) -> None:
    held.send(sockets.connected(host, port).fd, _HALF)


def _two_writes(made: socket.socket) -> None:
    made.sendall(bytes(_HALF))
    made.sendall(bytes(_HALF))
    made.recv(1)


def _answer(made: socket.socket, size: int) -> None:
    with made, suppress(OSError):
        while made.recv(size, socket.MSG_WAITALL):
            made.sendall(b".")


def _time_waits() -> int:
    lines = Path("/proc/thread-self/net/sockstat").read_text().splitlines()
    words = next(line.split() for line in lines if line.startswith("TCP:"))
    return int(words[words.index("tw") + 1])
