"""What holds a server up, as far as its connections and its processes tell."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tcptop.analysis.findings import (
    accept_queues,
    backends,
    blocked,
    busy,
    dns_waits,
    doing,
    ends,
    holding,
    parties,
    servers,
    words,
)
from tcptop.analysis.findings.observations import Observations
from tcptop.model import tcp
from tcptop.model.named_tuple import NamedTuple
from tcptop.model.sample import Process
from tcptop.model.table import Index

BEFORE_S = 1.0  # so much older is who waits: a worker that is replaced accepts at once
PLACES = 3
POLLS = (
    "Each of its processes has taken a connection and waits in poll(), and none of them has called "
    "anybody by TCP: for an answer by UDP (DNS), a UNIX socket or a pipe, or for its own client."
)
INIT = 1  # whose children orphans become, but for those of a subreaper


class Holdup(NamedTuple):
    """What is known of it, and what to do. Without `advice` it is a guess, for which `suspect` says
    what to look at first. `serves`: it is for the processes to accept. `whom` they all wait for,
    where that is one and sure."""

    evidence: tuple[str, ...]
    advice: str = ""
    serves: bool = True
    whom: str = ""
    suspect: str = ""

    @property
    def first(self) -> str:
        """What to do or to look at first; empty where nothing is known of it."""
        return self.advice or self.suspect


def of_listener(
    seen: Observations, rows: Index, members: Index, processes: Sequence[Process], stands: bool
) -> Holdup:
    """Of listeners that are in trouble, `rows`, of all `members` that share their address; `stands`
    where nothing is accepted."""
    if not processes:
        return Holdup(())
    left = _left_over(seen, rows, members, processes) if stands else None
    if left:
        return left
    starting = _starting(seen, members, processes) if stands else None
    if starting:
        return starting
    known = servers.one_thread(processes)  # which takes connections by epoll alone
    limit = _at_its_limit(seen, rows, processes) if stands or known else None
    if known and not limit:
        return Holdup((), f"{known} More backlog would only hide it.")
    found = limit or of_processes(seen, processes)
    if stands and not found.advice:
        found = _by_clients(seen, int(rows[0]), processes, found)
        if not found.first and _polls_elsewhere(seen, processes):
            return Holdup((*found.evidence, POLLS), suspect=_what_is_polled(processes))
    return found


def _starting(seen: Observations, members: Index, processes: Sequence[Process]) -> Holdup | None:
    """Workers that are younger than those who wait: their master, or systemd, keeps the socket."""
    rows = accept_queues.waiting(seen, members)
    facts = [seen.facts(each) for each in processes]
    if not len(rows) or not all(facts):
        return None
    since = seen.sample.taken_at - float(accept_queues.waited_s(seen, rows).max())
    if not all(each and each.started_at > since + BEFORE_S for each in facts):
        return None
    who, several = words.called(processes[0]), len(processes) > 1
    they, have = ("they", "have") if several else ("it", "has")
    return Holdup(
        (
            f"{servers.named(processes)} {have} been started since the oldest of these connections "
            f"came, and {have} accepted none of them yet.",
        ),
        f"See in the log of {who} how far {they} come{'' if several else 's'}: a start that takes "
        f"long (imports, a model, migrations), a crash, or a supervisor that ends {who} before it "
        "is ready and starts it again (gunicorn: WORKER TIMEOUT, --timeout). Let that wait longer, "
        "or do less before the first accept(). More backlog would only hide it.",
    )


def of_processes(seen: Observations, processes: Sequence[Process]) -> Holdup:
    """What they compute; whom they wait for: back ends, who does not read what is sent or is
    written to a pipe, a DNS server."""
    computes = busy.advice(seen, processes)
    if computes or not processes:
        return Holdup((), computes)
    waits = backends.waited_for(seen, processes)
    if waits:
        sure = waits.sure(seen)
        whom = waits.where if sure and waits.every and not waits.itself else ""
        said = (waits.told(seen),)
        if sure:
            return Holdup(said, waits.advice(seen), whom=whom)
        return Holdup(said, suspect=waits.suspicion(seen, servers.stacks(processes)))
    sends = blocked.in_send(seen, processes)
    if sends:
        return Holdup((sends.told(),), sends.advice(), whom=sends.whom)
    names = dns_waits.of(seen, processes)
    if names:
        return Holdup((names.told(),), names.advice(), whom=names.where)
    return _by_pipe(seen, processes)


def _polls_elsewhere(seen: Observations, processes: Sequence[Process]) -> bool:
    """Several workers, each with a client, all poll, and none has called anybody by TCP."""
    table = seen.table
    for each in processes:
        mine = parties.held(seen, each)
        mine = mine[table.state[mine] != tcp.LISTEN]
        if not len(mine) or not seen.accepted[mine].all():
            return False
    return len(processes) > 1 and all(
        doing.sleeps_in(seen, each, doing.POLLING) for each in processes
    )


def _what_is_polled(processes: Sequence[Process]) -> str:
    who = words.called(processes[0])
    return (
        f"See what {who} waits for in poll(): ss -uanp has its UDP sockets, port 53 of a DNS "
        "server that does not answer (/etc/resolv.conf: options timeout:1 attempts:1, another "
        "server, a cache on this host), ss -xp those of UNIX; where it waits in the program: "
        f"{servers.stacks(processes)}. More backlog would only hide it."
    )


def _by_pipe(seen: Observations, processes: Sequence[Process]) -> Holdup:
    facts = [seen.facts(each) for each in processes]
    if not all(each and each.threads == 1 and doing.pipe_is_full(each) for each in facts):
        return Holdup(())
    first, who = facts[0], words.called(processes[0])
    pipe, pid = doing.pipe(first.writes_to if first else None), processes[0].pid
    return Holdup(
        (),
        f"Whoever should read {pipe} of {who} (a log driver, a supervisor, the other end of a "
        f"pipeline) does not: find it by the pipe's number (ls -l /proc/{pid}/fd, lsof) and let it "
        f"go on. Let {who} log to a file, or without waiting. More backlog would only hide it.",
    )


def _at_its_limit(seen: Observations, rows: Index, processes: Sequence[Process]) -> Holdup | None:
    """A program that watches its listener no more has stopped accepting by itself."""
    if not accept_queues.unwatched(seen, rows):
        return None
    table, who = seen.table, words.called(processes[0])
    mine = np.unique(np.concatenate([parties.held(seen, each) for each in processes]))
    port = table.local_port[rows[0]]
    clients = mine[(table.local_port[mine] == port) & (table.state[mine] != tcp.LISTEN)]
    if not len(clients):
        return _never_served(seen, mine, processes)
    held = f"the {words.count(len(clients), 'connection')} there"
    said = (
        f"It holds {words.count(len(clients), 'connection')} there, from "
        f"{ends.addresses(seen.sample, clients)}.",
    )
    return Holdup(
        (
            "No epoll descriptor of its processes watches this listener: they have stopped "
            "accepting, as programs do at their own limit of connections or descriptors.",
            *said,
        ),
        f"Check {servers.own_limit(processes)}, and what holds {held} (idle clients, long polls, "
        f"slow back ends): a timeout for each frees {who}. Raise the limit only after that. More "
        "backlog would only hide it.",
    )


def _never_served(seen: Observations, mine: Index, processes: Sequence[Process]) -> Holdup:
    """A program that has nothing of it: the socket was made by another, and is not used."""
    table, who = seen.table, words.called(processes[0])
    watched = [
        row
        for row in mine[table.state[mine] == tcp.LISTEN].tolist()
        if table.recv_q[row] == 0 and not accept_queues.unwatched(seen, np.array([row]))
    ]
    places = words.joined([words.local(seen.sample, row) for row in watched[:PLACES]])
    own = f" It does serve {places}." if watched else ""
    return Holdup(
        (
            "No epoll descriptor of its processes watches this listener, and none of them holds a "
            f"connection there: nothing is accepted from it.{own}",
        ),
        f"{who} seems to have been given this socket, and not to use it: socket activation (a "
        ".socket unit of systemd passes it as descriptor 3, with LISTEN_FDS), or a parent that has "
        f"opened it. Let {who} listen on that descriptor, or leave the socket unit out and let it "
        "listen on this address itself. More backlog would only hide it.",
    )


def _by_clients(
    seen: Observations, listener: int, processes: Sequence[Process], found: Holdup
) -> Holdup:
    held = holding.held(seen, listener, processes)
    if held is not None:
        advice = holding.advice(held, processes)
        return Holdup((*found.evidence, holding.told(seen, held, processes)), advice)
    slow = holding.by_dribblers(seen, listener, processes)
    if slow is not None:
        said, advice = holding.slow_told(seen, slow, processes), holding.slow_advice(processes)
        return Holdup((*found.evidence, said), advice)
    return found


def _left_over(
    seen: Observations, rows: Index, members: Index, processes: Sequence[Process]
) -> Holdup | None:
    """A program that only inherited the socket: beside one that serves the port, or alone."""
    serving = [each for row in members.tolist() for each in seen.processes(row)]
    names = {each.name for each in processes}
    others = list({each.pid: each for each in serving if each.name not in names}.values())
    if len(processes) != 1 or not _no_server(seen, rows, processes[0]):
        return None
    who, pid = words.called(processes[0]), processes[0].pid
    if not others:
        return _orphan(seen, processes[0])
    return Holdup(
        (
            f"{words.name(processes[0])} has no connection on this port and does not wait for any: "
            f"it holds the socket, and does not serve it. {servers.named(others)} serve it.",
        ),
        f"End {who} (kill {pid}) if it only inherited the socket from a server that has ended: the "
        "kernel gives it a share of the new connections. Let servers set close-on-exec "
        "(SOCK_CLOEXEC) on what they listen with, so that their children do not keep it.",
        serves=False,
    )


def _orphan(seen: Observations, process: Process) -> Holdup | None:
    """Whose parent is the first process, as of a child whose server has ended, and of a daemon."""
    facts = seen.facts(process)
    if facts is None or facts.parent != INIT or not doing.waits_elsewhere(facts):
        return None
    who = words.called(process)
    return Holdup(
        (
            f"{words.name(process)} has no connection on this port and does not wait for any. Its "
            "parent is process 1, as of a child that has outlived who started it.",
        ),
        f"If {who} only inherited the socket from a server that has ended, end it (kill "
        f"{process.pid}) and start that server again, which fails with EADDRINUSE until then; let "
        "it set close-on-exec (SOCK_CLOEXEC) on what it listens with. If it is the server itself, "
        f"find where it hangs ({servers.stacks([process])}).",
        serves=False,
    )


def _no_server(seen: Observations, rows: Index, process: Process) -> bool:
    facts, table = seen.facts(process), seen.table
    if facts is None or not (doing.waits_elsewhere(facts) or accept_queues.unwatched(seen, rows)):
        return False
    mine = parties.held(seen, process)
    there = (table.local_port[mine] == table.local_port[rows[0]]) & (
        table.state[mine] != tcp.LISTEN
    )
    return not there.any()
