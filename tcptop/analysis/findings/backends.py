"""The back end that a server waits for: its own requests and connects without an answer."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tcptop.analysis import dialing
from tcptop.analysis.findings import listening, parties, words
from tcptop.analysis.findings.awaiting import calls_awaiting
from tcptop.analysis.findings.doing import POLLING, sleeps_in
from tcptop.analysis.findings.groups import ConnectionGroup, by_place
from tcptop.analysis.findings.observations import Observations
from tcptop.analysis.peers import peer_rows
from tcptop.model import tcp
from tcptop.model.named_tuple import NamedTuple
from tcptop.model.sample import Process
from tcptop.model.table import F64, Index

MOST = 0.5  # of the processes
LEAST_S = 2.0  # on one of them; of one thread that sleeps in such a call any that is told of
SLEEPS = ("wait_woken", "sk_wait_data", "inet_stream_connect", "__inet_stream_connect")
# How to see what a back end does, by how its name begins.
LOOK = {
    "postgres": "long queries, and locks that an idle transaction holds (pg_stat_activity, "
    "pg_blocking_pids)",
    "pgbouncer": "clients that wait for a server connection (SHOW POOLS)",
    "mysqld": "long queries and locks (SHOW PROCESSLIST, SHOW ENGINE INNODB STATUS)",
    "mariadbd": "long queries and locks (SHOW PROCESSLIST, SHOW ENGINE INNODB STATUS)",
    "redis-server": "a long command (SLOWLOG GET)",
    "valkey-server": "a long command (SLOWLOG GET)",
}


class Waits(NamedTuple):
    """Connections of a server to one place, on which `workers` of its `processes` wait, those of
    `dialing` for connect()."""

    processes: Sequence[Process]
    workers: int
    group: ConnectionGroup
    dialing: int
    longest_s: float
    there: str  # whom it waits for, where that is on this host
    itself: bool = False  # whether they are the ones who listen there

    @property
    def where(self) -> str:
        return f"{self.group.destination}{f' ({self.there})' if self.there else ''}"

    def sure(self, seen: Observations) -> bool:
        """Whether that is what they do: of several threads, or an event loop, one may wait while
        others should accept. Of several workers that each wait, and poll, none is such a loop."""
        calls = SLEEPS + (POLLING if self.every and self.workers > 1 else ())
        return all(sleeps_in(seen, each, calls) for each in self.processes)

    @property
    def every(self) -> bool:
        return self.workers == len(self.processes)

    def told(self, seen: Observations) -> str:
        asked = len(self.group.rows) - self.dialing
        of = [words.count(asked, "request") if asked else ""]
        of.append(words.count(self.dialing, "connect") if self.dialing else "")
        oldest = words.duration(self.longest_s)
        who = f"{words.number(self.workers)} of its {words.number(len(self.processes))} processes"
        if len(self.processes) == 1:
            who = words.called(self.processes[0])
        wait = "waits" if self.workers == 1 else "wait"
        where = self.where
        if self.itself:
            where = (
                f"{self.group.destination}, where {words.called(self.processes[0])} itself listens"
            )
        return (
            f"{who} {wait} for {where}: {words.joined([each for each in of if each])} without "
            f"an answer, the oldest for {oldest}."
        )

    def advice(self, seen: Observations) -> str:
        who = words.called(self.processes[0])
        if self.itself:
            return (
                f"{who} calls itself: each request that a worker makes to {self.group.destination} "
                "needs another worker, and when all make one, none is left to answer. Let it call "
                "the function instead of its own address, or have another service, with workers "
                "of its own, answer such calls; give them a deadline. More workers and more "
                "backlog only let more calls begin before all wait again."
            )
        if len(self.processes) == 1:
            return (
                f"{self._first()} {who} waits in the one thread that also accepts, so that nobody "
                "else is served meanwhile: let it make such calls in other threads, or without "
                "blocking (an asynchronous client), and give them a deadline. More backlog would "
                "only hide it."
            )
        return (
            f"{self._first()} Give the calls of {who} to it a deadline, so that it goes on to "
            "serve others. More workers soon wait for it too, and more backlog would only hide it."
        )

    def suspicion(self, seen: Observations, stacks: str) -> str:
        """Where others of its threads may have to act: what to look at first."""
        who = words.called(self.processes[0])
        if self.itself:
            return self.advice(seen)
        return (
            f"{self._first()} If all threads of {who} are in such calls, that is the cause: give "
            f"them a deadline. If not, find where {who} hangs ({stacks}). More backlog would only "
            "hide it."
        )

    def _first(self) -> str:
        who = words.called(self.processes[0])
        look = next((said for name, said in LOOK.items() if self.there.startswith(name)), "")
        look = f": {look}" if look else ""
        if self.longest_s < LEAST_S:
            return f"Find out why {self.where} takes so long to answer {who}{look}."
        return f"Find out why {self.where} does not answer {who}{look}."


def waited_for(seen: Observations, processes: Sequence[Process]) -> Waits | None:
    """None where most of its processes do not wait for one and the same."""
    if not processes:
        return None
    rows, waited_s = _waiting(seen, processes)
    for group in by_place(seen, rows):
        place = np.searchsorted(rows, group.rows)
        workers = len(np.unique(seen.snapshot.holders.first(group.rows)))
        longest = float(waited_s[place].max())
        if workers <= MOST * len(processes):
            continue
        dials = int((seen.table.state[group.rows] == tcp.SYN_SENT).sum())
        there, own = _name(seen, group.rows), _own(seen, group.rows, processes)
        found = Waits(processes, workers, group, dials, longest, there, own)
        if longest >= LEAST_S or (len(processes) == 1 and found.sure(seen)):
            return found
    return None


def _waiting(seen: Observations, processes: Sequence[Process]) -> tuple[Index, F64]:
    """Their requests and connects without an answer, in the order of rows, and for how long."""
    table = seen.table
    mine = np.unique(np.concatenate([parties.held(seen, each) for each in processes]))
    asked, asked_s = calls_awaiting(seen)
    ours = np.isin(asked, mine)
    dialed = mine[table.state[mine] == tcp.SYN_SENT]
    rows = np.concatenate([asked[ours], dialed])
    waited = np.concatenate([asked_s[ours], dialing.waiting_s(seen.snapshot, dialed)])
    order = np.argsort(rows)
    return rows[order], waited[order]


def _own(seen: Observations, rows: Index, processes: Sequence[Process]) -> bool:
    """Whether these processes are those that listen where their connections lead."""
    table, row = seen.table, int(rows[0])
    if not seen.remote_here[row]:
        return False
    holders = {each.pid for each in processes}
    takes = listening.taking(table, dialing.callee(table, row))
    return any(each.pid in holders for each in seen.holders(takes))


def _name(seen: Observations, rows: Index) -> str:
    """The program at the other ends, where these are here."""
    peers = peer_rows(seen.table, rows)
    return parties.first_name(parties.parties(seen, peers[peers >= 0]))
