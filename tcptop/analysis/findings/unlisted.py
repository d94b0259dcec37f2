"""TCP sockets of a process that are in no list: how many, since when more, and what they were."""

from __future__ import annotations

from collections import Counter

import numpy as np

from tcptop.analysis.findings import words
from tcptop.analysis.findings.observations import Observations
from tcptop.analysis.findings.summary import at, process_key
from tcptop.model import address, tcp
from tcptop.model.named_tuple import NamedTuple
from tcptop.model.sample import LostSocket, Process, Unlisted

WINDOW_S, LEAST_S = 30.0, 3.0  # of growth; in a shorter one a burst looks like it
NAMED = 3  # places in a sentence
KINDS = {  # of LostSocket.was
    "connected": "{} open connections until a reset or a timeout ended them",
    "failed": "{} of a connect() that failed: refused or not answered",
    "unused": "{} never connected",
}
SHUT = "{} open connections until a shutdown() at both ends, a reset or a timeout ended them"


class Remembered(NamedTuple):
    """Where they led, as far as is known: endpoints that this process called, or the listeners
    that they came by and the addresses of the clients."""

    called: Counter[str]
    listeners: Counter[str]
    clients: Counter[str]

    @property
    def destination(self) -> str | None:
        """The endpoint of most of them, if one stands out."""
        return self._mostly(self.called)

    @property
    def listener(self) -> str | None:
        return self._mostly(self.listeners)

    def _mostly(self, number: Counter[str]) -> str | None:
        place, most = next(iter(number.most_common(1)), ("", 0))
        return place if 2 * most > self.called.total() + self.clients.total() else None


def of(seen: Observations, pid: int) -> Unlisted:
    return seen.sample.owners.unlisted.get(pid, Unlisted(0))


def growth_per_s(seen: Observations, process: Process) -> float:
    """Such sockets a second, where they only became more through the last half minute or the watch.

    They are found some at each sample, so it is no more than all descriptors grew by.
    """
    key, end = process_key(process), seen.sample.clock
    counted = [
        (m.clock, lost, at(m.alive, m.open_fds, key) or 0.0)
        for m in seen.summaries
        if end - m.clock <= WINDOW_S and (lost := at(m.alive, m.unlisted, key))
    ]
    if not counted or end - counted[0][0] < LEAST_S:
        return 0.0
    numbers = [lost for _, lost, _ in counted]
    if numbers != sorted(numbers):
        return 0.0
    (began, lost, fds), (_, lost_now, fds_now) = counted[0], counted[-1]
    return max(min(lost_now - lost, fds_now - fds), 0.0) / (end - began)


def kinds(found: Unlisted, shut: int = 0) -> list[str]:
    """What they were, as far as is known, a clause for each kind; of those that were `shut` in
    order it is not said that an error ended them."""
    number = Counter(each.was for each in found.known)
    said = KINDS | ({"connected": SHUT} if shut else {})
    return [
        clause.format(words.count(number[kind], "was", "were"))
        for kind, clause in said.items()
        if number[kind]
    ]


def shut(seen: Observations, process: Process, found: Unlisted) -> int:
    """How many of them are in TIME_WAIT: shutdown() at both ends ended them, and no error."""
    table = seen.table
    rows = np.flatnonzero(table.state == tcp.TIME_WAIT)
    if process.netns is not None:
        rows = rows[table.netns[rows] == process.netns]
    names = ("local_port", "remote_hi", "remote_lo", "remote_port")
    over = {*zip(*(getattr(table, name)[rows].tolist() for name in names), strict=True)}
    return sum(each[1:] in over for each in found.known if each.remote_port)


def remembered(seen: Observations, process: Process, found: Unlisted) -> Remembered:
    table = seen.table
    listening = table.state == tcp.LISTEN
    if process.netns is not None:  # in others the same ports may be in use
        listening &= table.netns == process.netns
    rows = np.flatnonzero(listening).tolist()
    by_port = {int(table.local_port[row]): words.local(seen.sample, row) for row in rows}
    known = [each for each in found.known if each.remote_port]
    theirs = [each for each in known if each.local_port in by_port]
    return Remembered(
        Counter(_endpoint(each) for each in known if each.local_port not in by_port),
        Counter(by_port[each.local_port] for each in theirs),
        Counter(_host(each) for each in theirs),
    )


def places(number: Counter[str]) -> str:
    """10.0.0.9:5432 (60), 10.0.0.9:5433 (4) and 3 more"""
    said = [f"{place} ({words.number(many)})" for place, many in number.most_common(NAMED)]
    more = len(number) - NAMED
    return ", ".join(said) + (f" and {words.number(more)} more" if more > 0 else "")


def _host(each: LostSocket) -> str:
    return address.text(each.remote_hi, each.remote_lo)


def _endpoint(each: LostSocket) -> str:
    return address.endpoint(_host(each), each.remote_port)
