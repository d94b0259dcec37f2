"""Accept queues of UNIX sockets: the back end of a proxy often listens on a path.

No counter tells what a full one costs: connect() fails at once with EAGAIN, or blocks
(unix_stream_connect, net/unix/af_unix.c). Who waits is known by the inodes of the clients' sockets.
"""

from __future__ import annotations

from collections.abc import Iterator
from shlex import quote

import numpy as np

from tcptop.analysis.findings import accept_queues, doing, holdups, parties, servers, words
from tcptop.analysis.findings.observations import PATIENCE, Observations
from tcptop.analysis.findings.rule import Limits
from tcptop.model.cells import safe
from tcptop.model.finding import Finding, Subject
from tcptop.model.named_tuple import NamedTuple
from tcptop.model.sample import Process, UnixListener
from tcptop.model.table import I64

ID = "accept-queue-overflow"
PROXIES = ("nginx", "haproxy", "apache2", "httpd", "caddy", "lighttpd", "envoy", "traefik", "h2o")


class Queue(NamedTuple):
    """A listener in whose queue somebody waits, and for how many seconds that has been seen.

    `full_s`: no room; `stalled_s`: nothing accepted; `oldest_s`: the oldest that waits still.
    """

    listener: UnixListener
    full_s: float
    stalled_s: float
    oldest_s: float

    @property
    def capacity(self) -> int:
        return self.listener.backlog + 1

    @property
    def full(self) -> bool:
        return self.listener.queued >= self.capacity

    @property
    def waiting(self) -> list[int]:
        """Sockets of those that wait still."""
        return [inode for inode in self.listener.clients if inode]

    @property
    def given_up(self) -> int:
        return len(self.listener.clients) - len(self.waiting)


def find(seen: Observations, limits: Limits) -> Iterator[Finding]:
    for listener in seen.summaries[-1].unix.values() if seen.summaries else ():
        queue = _queue(seen, listener)
        severity = _severity(seen, queue, limits)
        if severity is not None:
            yield _finding(seen, queue, severity)


def _queue(seen: Observations, now: UnixListener) -> Queue:
    """As far back as each has been so in every sample."""
    full_s = stalled_s = oldest_s = 0.0
    full = stands = True
    for summary in reversed(seen.summaries):
        then, ago = summary.unix.get(now.inode), seen.sample.clock - summary.clock
        if then is None:
            break
        full = full and then.queued > then.backlog
        stands = stands and _is_beginning(then, now)
        full_s, stalled_s = (ago if full else full_s), (ago if stands else stalled_s)
        if {*then.clients} & {*now.clients} - {0}:
            oldest_s = ago
    return Queue(now, full_s, stalled_s, oldest_s)


def _is_beginning(then: UnixListener, now: UnixListener) -> bool:
    """Whether nobody was accepted since: a queue begins with who came first."""
    pairs = zip(then.clients, now.clients, strict=False)
    return then.queued <= now.queued and all(after in (before, 0) for before, after in pairs)


def _severity(seen: Observations, queue: Queue, limits: Limits) -> str | None:
    """By harm, as far as it is known. Where nobody waits any more it may be long over, but for a
    proxy that may try each time anew."""
    stands = queue.stalled_s >= limits["stalled_s"] * PATIENCE
    tiny = queue.capacity < limits["least_capacity"]
    full = queue.full_s >= limits["full_s"] * PATIENCE and not tiny
    many = queue.listener.queued >= limits["given_up"]
    old = queue.oldest_s >= limits["waited_s"]
    if full or (stands and (queue.full or (many and old))):
        wanted = queue.waiting or not queue.listener.clients or _proxies(seen)
        return "critical" if wanted else "warning"
    if stands and many:
        return "warning"
    return "info" if stands and old else None


def _finding(seen: Observations, queue: Queue, severity: str) -> Finding:
    path, netns = safe(queue.listener.path), queue.listener.netns
    held = _holders(seen, [queue.listener.inode])
    processes = accept_queues.accepting(seen, held, frozenset({queue.listener.inode}))
    values = {
        "queued": queue.listener.queued,
        "capacity": queue.capacity,
        "oldest_s": queue.oldest_s,
        "given_up": queue.given_up,
        "stalled_s": queue.stalled_s,
    }
    who = words.called(processes[0]) if processes else "the server"
    return Finding(
        ID,
        words.key(ID, netns, path),
        severity,
        f"{who} on {path} {_symptom(seen, queue, processes)}",
        Subject(netns, tuple(sorted(each.pid for each in processes)), path),
        values,
        tuple(_evidence(seen, queue, path, processes)),
        _advice(seen, queue, who, processes),
        f"ss -xlp | grep -F {quote(path)}",
        since=seen.sample.taken_at - max(queue.stalled_s, queue.full_s),
    )


def _symptom(seen: Observations, queue: Queue, processes: list[Process]) -> str:
    condition = doing.condition(seen, processes)
    now = f"is {condition} and" if condition else "is"
    stands = queue.stalled_s >= queue.full_s
    symptom = f"{now} not accepting" if stands else f"{now} too slow to accept"
    many = words.count(queue.listener.queued, "connection waits", "connections wait")
    room = f"its queue is full ({queue.listener.queued} of {queue.capacity})"
    return f"{symptom}: {room if queue.full else many}"


def _evidence(
    seen: Observations, queue: Queue, path: str, processes: list[Process]
) -> Iterator[str]:
    many = words.count(queue.listener.queued, "connection waits", "connections wait")
    yield (
        f"{many} for accept() on the UNIX socket {path}, where {queue.capacity} fit. "
        f"{servers.should_accept(processes)}"
    )
    waiting = _parties(seen, queue.waiting)
    if waiting:
        yield f"Waiting: {parties.listed(waiting)}."
    elif _proxies(seen):
        yield f"The client may be {servers.named(_proxies(seen))}."
    if queue.oldest_s:
        yield f"The oldest of them has waited for at least {words.duration(queue.oldest_s)}."
    if queue.given_up:
        many = words.count(queue.given_up, "client has", "clients have")
        yield f"{many} given up: they closed before accept()."
    if queue.stalled_s:
        yield f"None of them has been accepted for at least {words.duration(queue.stalled_s)}."
    if queue.full:
        yield (
            "A connect() now fails at once (EAGAIN; a proxy answers Bad Gateway) or blocks; no "
            "kernel counter says how many."
        )
    yield from doing.evidence(seen, processes)
    yield from holdups.of_processes(seen, processes).evidence
    yield f"Its backlog is {queue.listener.backlog}, as given to listen()."


def _advice(seen: Observations, queue: Queue, who: str, processes: list[Process]) -> str:
    remedy = doing.remedy(seen, processes)
    if remedy:
        return remedy
    known = holdups.of_processes(seen, processes).first or servers.with_workers(processes)
    if known:
        return known
    stacks = f" (stacks: {servers.stacks(processes)})" if processes else ""
    return (
        f"Find what keeps {who} from calling accept(): workers or threads that are busy, blocked"
        f"{stacks}, waiting for a back end without a timeout, or too few. A "
        f"larger backlog (now {queue.listener.backlog}) only helps against bursts."
    )


def _proxies(seen: Observations) -> list[Process]:
    """Processes with sockets here that pass requests on."""
    return [each for each in seen.sample.owners.processes.values() if each.name in PROXIES]


def _holders(seen: Observations, inodes: list[int]) -> list[Process]:
    """The processes that hold these sockets, once each."""
    return [each.process for each in _parties(seen, inodes)]


def _parties(seen: Observations, inodes: list[int]) -> list[parties.Party]:
    """The holders of these sockets, with how many of them each has, the one of most first."""
    owners = seen.sample.owners
    pids: I64 = owners.pids[np.isin(owners.inodes, inodes)]
    found, number = np.unique(pids, return_counts=True)
    order = np.argsort(-number, kind="stable").tolist()
    return [parties.Party(owners.processes[int(found[n])], int(number[n])) for n in order]
