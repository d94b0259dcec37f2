"""socket-leak: descriptors of TCP sockets that are over, and in no list any more.

A reset, a refusal or a timeout takes a socket out of all of the kernel's tables at once (tcp_done);
its descriptor stays until close(), and counts against the limit.
"""

from __future__ import annotations

from collections.abc import Iterator

from tcptop.analysis.findings import doing, fds, parties, unlisted, words
from tcptop.analysis.findings.observations import Observations
from tcptop.analysis.findings.rule import Limits, Need, Rule, Threshold
from tcptop.analysis.findings.subjects import named
from tcptop.analysis.findings.unlisted import Remembered
from tcptop.model import tcp
from tcptop.model.finding import Finding
from tcptop.model.sample import Process, Unlisted
from tcptop.model.table import Index

ID = "socket-leak"
SHUT_MANY = 10  # that were shut down in order, and the program does so


def find(seen: Observations, limits: Limits) -> Iterator[Finding]:
    owners = seen.sample.owners
    for pid, found in owners.unlisted.items():
        process = owners.processes.get(pid)
        if process is None or found.sockets < limits["sockets"]:
            continue
        growth = unlisted.growth_per_s(seen, process)
        if growth > 0 or found.sockets >= limits["many"]:
            yield _finding(seen, limits, process, found, growth)


def _finding(
    seen: Observations, limits: Limits, process: Process, found: Unlisted, growth: float
) -> Finding:
    full, listed = fds.filling(seen, process), parties.held(seen, process)
    led, shut = unlisted.remembered(seen, process, found), unlisted.shut(seen, process, found)
    name, pid = words.called(process), process.pid
    values = {"sockets": found.sockets, "fd_share": full.share}
    return Finding(
        ID,
        words.key(ID, pid, process.start_time),
        "critical" if fds.runs_out(full, limits) else "warning",
        f"{name} leaks sockets: {words.number(found.sockets)} {_what(found, led)} never closed",
        named(seen, listed[:0], [process], led.listener, led.destination),
        values | ({"growth_per_s": growth} if growth else {}),
        (
            f"{words.who(process)} holds {words.count(found.sockets, 'descriptor')} of TCP sockets "
            "that neither ss nor /proc/net/tcp shows; "
            f"{words.count(len(listed), 'other TCP socket is', 'other TCP sockets are')} shown.",
            *_were(found, led, shut),
            *_will_be(seen, listed),
            *_grows(growth),
            *full.evidence,
            *doing.evidence(seen, [process]),
        ),
        _advice(name, found, led, shut),
        f"ls -l /proc/{pid}/fd | grep -c socket:; ss -tanp | grep -c pid={pid},",
        effect=f"{name} keeps {words.count(found.sockets, 'descriptor')} of sockets that are over",
    )


def _what(found: Unlisted, led: Remembered) -> str:
    """failed connects to 10.0.0.9:5672 were"""
    to = f" to {led.destination}" if led.destination else ""
    if _mostly(found, "failed"):
        return f"failed connects{to} were"
    if _mostly(found, "connected"):
        return f"connections{to} are over and were"
    return "that ss does not show were"


def _mostly(found: Unlisted, was: str) -> bool:
    return 2 * sum(each.was == was for each in found.known) > found.sockets


def _were(found: Unlisted, led: Remembered, shut: int) -> Iterator[str]:
    kinds = unlisted.kinds(found, shut)
    if kinds:
        yield f"{'; '.join(kinds)}."
    if shut:
        yield (
            f"{words.count(shut, 'of them is', 'of them are')} in TIME-WAIT: shut down in order, "
            "and not by an error."
        )
    if led.called:
        yield f"Connected to, where known: {unlisted.places(led.called)}."
    if led.clients:
        yield (
            f"Accepted on {unlisted.places(led.listeners)}, where known, from "
            f"{unlisted.places(led.clients)}."
        )


def _will_be(seen: Observations, listed: Index) -> list[str]:
    """A reset or keepalive's end takes CLOSE_WAIT out of the lists too."""
    rows = listed[seen.table.state[listed] == tcp.CLOSE_WAIT]
    if not len(rows):
        return []
    many = words.count(len(rows), "socket that it holds is", "sockets that it holds are")
    return [f"{many} in CLOSE-WAIT: unless it closes them, they go the same way."]


def _grows(growth: float) -> list[str]:
    return [f"They grow by {words.number(growth)}/s."] if growth else []


def _advice(name: str, found: Unlisted, led: Remembered, shut: int) -> str:
    if shut >= SHUT_MANY:
        return (
            f"Call close() in {name} too: shutdown() ends a connection and keeps its descriptor "
            "(try/finally, with, defer; an object that is still referenced keeps it too). Until "
            "then a restart frees them; a higher limit only delays the failure."
        )
    whom = led.destination or "the other end"
    other = (
        f"Find out why {whom} refuses or does not answer, and let {name} wait between attempts."
        if _mostly(found, "failed")
        else f"What ended them is a different problem (explain resets): the leak is in {name}."
    )
    return (
        f"Close the socket in {name} after every error too, when connect(), read() or write() "
        "fails (try/finally, with, defer); a pool must drop failed connections. Until then a "
        f"restart frees them; a higher limit only delays the failure. {other}"
    )


RULE = Rule(
    ID,
    5,
    (
        Threshold("sockets", 20, "descriptors of TCP sockets not shown by ss, growing"),
        Threshold("many", 50, "such descriptors, growing or not"),
        *fds.THRESHOLDS,
    ),
    find,
    frozenset({Need.OWNERS}),
)
