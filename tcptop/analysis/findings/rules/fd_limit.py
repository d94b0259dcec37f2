"""fd-limit: a process with connections comes near the number of files that it may open."""

from __future__ import annotations

from collections.abc import Iterator

from tcptop.analysis.findings import doing, fd_takers, fds, parties, servers, unlisted, words
from tcptop.analysis.findings.fd_takers import Takers
from tcptop.analysis.findings.observations import Observations
from tcptop.analysis.findings.rule import Limits, Need, Rule, Threshold
from tcptop.analysis.findings.subjects import named
from tcptop.model import tcp
from tcptop.model.finding import Finding
from tcptop.model.sample import Process
from tcptop.model.table import Index

ID = "fd-limit"
NR_OPEN = 1048576  # fs.nr_open by default (fs/file.c)


def find(seen: Observations, limits: Limits) -> Iterator[Finding]:
    alive = seen.sample.owners.processes
    for process in alive.values():
        if (process.fd_share or 0.0) >= limits["share"]:
            rows, lost = parties.held(seen, process), unlisted.of(seen, process.pid).sockets
            if len(rows) or lost:
                yield _finding(seen, limits, process, rows, lost)


def _finding(
    seen: Observations, limits: Limits, process: Process, rows: Index, lost: int
) -> Finding:
    name, used, limit = words.called(process), process.open_fds or 0, process.fd_limit or 0
    full, sockets = fds.filling(seen, process), len(rows) + lost
    found = fd_takers.takers(seen, rows, used)
    return Finding(
        ID,
        words.key(ID, process.pid, process.start_time),
        "critical" if full.share >= limits["critical_share"] else "warning",
        f"{name} {'has no file' if used >= limit else 'runs out of file'} descriptors"
        f"{' left' if used >= limit else ''}: {words.number(used)} of {words.number(limit)} in use"
        f"{_by(found)}",
        named(seen, rows, [process]),
        {"open_fds": used, "fd_limit": limit, "share": full.share, "sockets": sockets},
        (
            f"{words.who(process)}: {full.evidence[0]}",
            *_sockets(seen, rows, lost, used),
            *fd_takers.told(found),
            f"With none left, accept(), connect() and open() fail with EMFILE{_queue(seen, rows)}.",
            *doing.evidence(seen, [process]),
        ),
        fd_takers.advice(process, found)
        or f"Close what {name} no longer needs: a number that only grows is a leak. "
        + _more(process, limit),
        f"ls /proc/{process.pid}/fd | wc -l; grep 'open files' /proc/{process.pid}/limits",
    )


def _by(found: Takers | None) -> str:
    if found is None:
        return ""
    many = words.count(len(found.rows), "connection")
    return f", {many} to {found.to}" if found.to else f", {many} from clients of {found.by}"


def _sockets(seen: Observations, rows: Index, lost: int, used: int) -> Iterator[str]:
    """What is in no list is counted where two looks miss it: where few are, one look says so."""
    number, composed = len(rows) + lost, _composed(seen, rows, lost)
    kind = words.count(number, "of them is a TCP socket", "of them are TCP sockets")
    if seen.watched_s or lost or 2 * number >= used:
        yield f"{kind}: {composed}."
        return
    yield (
        f"{kind} that ss shows: {composed}. Sockets that are over and were never closed are in no "
        "list; one sample does not count them."
    )


def _queue(seen: Observations, rows: Index) -> str:
    listeners = rows[seen.table.state[rows] == tcp.LISTEN]
    if not len(listeners):
        return ""
    if (seen.table.recv_q[listeners] > 0).any():
        return ", and new connections wait in the accept queue until it is full"
    # libuv keeps a descriptor to accept with and close at once: uv__emfile_trick, src/unix/stream.c
    return (
        ", and new connections wait in the accept queue, or are closed at once where the program "
        "keeps a descriptor for that (Node.js and others on libuv)"
    )


def _composed(seen: Observations, rows: Index, lost: int) -> str:
    """61 ESTAB, 20 CLOSE-WAIT, 40 not shown by ss"""
    listed = [parties.states(seen, rows)] if len(rows) else []
    return ", ".join([*listed, *([f"{words.number(lost)} not shown by ss"] if lost else [])])


def _more(process: Process, limit: int) -> str:
    """setrlimit() refuses more than fs.nr_open."""
    alone = servers.own_files(process)
    if alone:
        return (
            f"If it is load: start {words.called(process)} with a larger {alone} (its limit is "
            f"{limit} now); prlimit and LimitNOFILE alone do not help."
        )
    own = servers.files(process)
    setting = f" {words.called(process)} has a setting of its own: {own}." if own else ""
    if limit >= NR_OPEN:
        told = f"Its limit ({limit}) is already the default of fs.nr_open: spread the load."
        return told + setting
    more = min(4 * limit, NR_OPEN)
    return (
        f"If it is load: prlimit --pid {process.pid} --nofile={more}:{more} raises its limit at "
        f"once (now {limit}); for good: LimitNOFILE={more} in its systemd unit, or ulimit -n."
        f"{setting} More than fs.nr_open ({NR_OPEN} by default) is refused."
    )


RULE = Rule(
    ID,
    0,
    (
        Threshold("share", 0.8, "share of a process's soft limit of open files"),
        Threshold("critical_share", 0.95, "share at which it is critical"),
    ),
    find,
    frozenset({Need.OWNERS}),
)
