"""Where connects go that fail at once: by the kernel's notices of sockets that are destroyed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np

from tcptop.analysis.dialing import WHERE, Callee
from tcptop.analysis.findings import ended, parties, unanswered, words
from tcptop.analysis.findings.ended import Whose
from tcptop.analysis.findings.how_ended import accepted
from tcptop.analysis.findings.observations import Observations
from tcptop.model import address, tcp
from tcptop.model.arrays import row_hash, rows_by_key, sorted_unique
from tcptop.model.closed import YES, Closed
from tcptop.model.named_tuple import NamedTuple
from tcptop.model.table import Index

WINDOW_S = 10.0
LEAST = 5  # failed connects, before anything is said of where they go
MOSTLY = 0.8  # share of them, of which names are given
NAMED = 4
PORTS = 20  # of one address: who calls so many looks for what is open


class FailedPlaces(NamedTuple):
    """Failed connects of one namespace in the last `seconds`, as far as they were noticed.

    `places` are those of most, with their number; port 0 where it is not known. `answered` is the
    share that a reset ended, of those of which it is known; NaN where it is of none. `whose` they
    are.
    """

    seconds: float
    number: int
    places: tuple[tuple[Callee, int], ...]
    answered: float
    whose: Whose

    @property
    def named(self) -> tuple[tuple[Callee, int], ...]:
        """A few places, where these make up most."""
        few = self.places[:NAMED]
        return few if sum(many for _, many in few) >= MOSTLY * self.number > 0 else ()

    @property
    def scanned(self) -> int:
        """How many ports of one address, where most go to as many; else 0."""
        ports = Counter[tuple[int, int]]()
        calls = Counter[tuple[int, int]]()
        for to, many in self.places:
            if to.remote_port:
                ports[to.remote_hi, to.remote_lo] += 1
                calls[to.remote_hi, to.remote_lo] += many
        if not ports:
            return 0
        host, number = ports.most_common(1)[0]
        return number if number >= PORTS and calls[host] >= MOSTLY * self.number else 0


def lately(seen: Observations, netns: int) -> FailedPlaces:
    """Empty where nothing was noticed, or too little."""
    closed = ended.lately(seen, WINDOW_S)
    rows = np.flatnonzero(~closed.opened & (closed.netns == netns) & ~accepted(seen, closed))
    if len(rows) < LEAST:
        return FailedPlaces(0.0, 0, (), np.nan, Whose())
    groups = rows_by_key(rows, row_hash(*(getattr(closed, name)[rows] for name in WHERE)))
    places = tuple((_callee(closed, int(mine[0])), len(mine)) for mine in groups)
    known = rows[closed.remote_port[rows] > 0]
    answered = float((closed.reset[known] == YES).mean()) if len(known) else np.nan
    seconds = min(WINDOW_S, seen.watched_s)
    return FailedPlaces(seconds, len(rows), places, answered, ended.whose(closed, rows))


def _callee(closed: Closed, row: int) -> Callee:
    return Callee(*(int(getattr(closed, name)[row]) for name in WHERE))


def said(seen: Observations, to: Callee) -> str:
    """10.0.0.9:8080, or the address where the port is not known."""
    if to.remote_port:
        return unanswered.called(seen, to)
    return address.text(to.remote_hi, to.remote_lo) + seen.sample.zone(to.netns, to.interface)


def callers(found: FailedPlaces) -> list[parties.Party]:
    """Who was seen to call. Others have connections there that do not fail."""
    return list(found.whose.parties) if found.whose.held else []


def others(seen: Observations, places: Sequence[Callee]) -> list[parties.Party]:
    """Who has connections to the same addresses, or has had: they may be others than those that
    fail, which leave no row."""
    there = [unanswered.there(seen, to, with_port=False) for to in places]
    rows = sorted_unique(np.concatenate(there))
    return parties.parties(seen, rows[~seen.accepted[rows]])


def answering(seen: Observations, to: Callee) -> Index:
    """Connections to that address and port that are open, and of which something came."""
    table = seen.table
    rows = unanswered.there(seen, to)
    rows = rows[table.state[rows] == tcp.ESTABLISHED]
    heard = np.fmin(*(table.since_s(f"last_{what}_recv", rows) for what in ("ack", "data")))
    answering: Index = rows[heard < WINDOW_S]
    return answering


def listed(seen: Observations, found: FailedPlaces) -> str:
    """120 to 10.0.0.9:8080 and 110 to 10.0.0.9:8081"""
    return words.joined([f"{words.number(n)} to {said(seen, to)}" for to, n in found.named])


def noticed(seen: Observations, found: FailedPlaces) -> Iterator[str]:
    yield (
        f"The kernel reported {words.count(found.number, 'socket')} that ended before they were "
        f"open in the last {words.duration(found.seconds)}: {listed(seen, found)}."
    )
    if any(to.remote_port == 0 for to, _ in found.named):
        yield "If connect() itself waits for the answer, the port is no longer known then."


def only(seen: Observations, places: list[Callee]) -> str | None:
    one = len(places) == 1 and places[0].remote_port
    return unanswered.called(seen, places[0]) if one else None


def whose(seen: Observations, found: FailedPlaces) -> Iterator[str]:
    """A failed connect leaves no row, so that its process is hardly ever seen."""
    who = callers(found) or others(seen, [to for to, _ in found.named])
    if found.whose.held:
        names = ", ".join(words.who(each.process) for each in who[:NAMED])
        yield f"Those seen before they ended belonged to {names}."
    elif who:
        yield f"Other connections to the same addresses belong to {parties.listed(who)}."
    else:
        yield (
            "The process is unknown, as a connect that fails at once leaves no row; tcpconnect "
            "(bcc) or strace -f -e trace=connect -p PID shows it."
        )


def pids(found: list[parties.Party]) -> tuple[int, ...]:
    return tuple(sorted({each.process.pid for each in found}))
