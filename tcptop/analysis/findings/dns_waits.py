"""Processes that wait for a name to be looked up: a DNS server that does not answer by UDP."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tcptop.analysis.findings import words
from tcptop.analysis.findings.doing import POLLING, sleeps_in
from tcptop.analysis.findings.observations import Observations
from tcptop.model.named_tuple import NamedTuple
from tcptop.model.route import Route, RouteKey
from tcptop.model.sample import Process

MOST = 0.5  # of the processes: one may be between two questions
UNHEARD = ("FAILED", "INCOMPLETE")


class DnsWaits(NamedTuple):
    """All `processes` poll, and `asking` of them have sockets to these `servers`."""

    processes: Sequence[Process]
    asking: int
    servers: tuple[str, ...]
    routes: tuple[Route | None, ...]

    @property
    def where(self) -> str:
        return words.joined([_place(each) for each in self.servers])

    def told(self) -> str:
        number = len(self.processes)
        who = f"{words.number(self.asking)} of its {words.number(number)} processes"
        if number == 1:
            who = words.called(self.processes[0])
        waits, has = ("waits", "has") if self.asking == 1 else ("wait", "have")
        silent = "".join(f" {each}" for each in self._silent())
        return (
            f"{who} {waits} in poll() and {has} a UDP socket to {self.where}: to look up a name "
            f"(DNS).{silent}"
        )

    def advice(self) -> str:
        who = words.called(self.processes[0])
        gone = "; ".join(self._silent()).rstrip(".")
        why = f" ({gone})" if gone else ""
        return (
            f"Find out why {self.where} does not answer{why}, or is slow: dig @{self.servers[0]} "
            "from here. getaddrinfo() waits 5 s for each server that is silent, and asks twice: "
            "take a dead one out of /etc/resolv.conf, set options timeout:1 attempts:1, or put a "
            f"cache on this host. Let {who} look names up ahead of requests, or keep its "
            "connections. More backlog would only hide it."
        )

    def _silent(self) -> Iterator[str]:
        """What the neighbour table says of servers on the link."""
        for server, route in zip(self.servers, self.routes, strict=True):
            near = route.neighbour if route and route.gateway is None else None
            if near is not None and near.state in UNHEARD:
                asked = "neighbour discovery" if ":" in server else "ARP"
                yield f"{server} does not answer {asked}."


def of(seen: Observations, processes: Sequence[Process]) -> DnsWaits | None:
    """None where not all of them wait, most for that. Asks for facts and routes."""
    if not processes or not all(sleeps_in(seen, each, POLLING) for each in processes):
        return None
    found = [facts.dns_servers for facts in map(seen.facts, processes) if facts]
    asking = sum(map(bool, found))
    if not asking or asking < MOST * len(processes):
        return None
    servers = tuple(sorted({each for some in found for each in some}))
    netns = processes[0].netns
    routes = tuple(_route(seen, netns, each) for each in servers)
    return DnsWaits(processes, asking, servers, routes)


def _route(seen: Observations, netns: int | None, server: str) -> Route | None:
    if netns is None:
        return None
    return seen.route(RouteKey(netns, "::" if ":" in server else "0.0.0.0", server))


def _place(server: str) -> str:
    return f"[{server}]:53" if ":" in server else f"{server}:53"
