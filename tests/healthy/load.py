"""A load that a healthy host carries, where it runs, and what proves that it runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass

from tcptop.demo import veth
from tcptop.demo.namespace import DemoNamespace
from tcptop.demo.sockets import LOOPBACK

# A namespace with a small socket table scales these down with it (net/ipv4/tcp_ipv4.c,
# tcp_set_hashinfo); a host of 4 GiB has:
_USUAL = {"net.ipv4.tcp_max_tw_buckets": 131072, "net.ipv4.tcp_max_syn_backlog": 2048}


@dataclass(frozen=True)
class Place:
    """Where a load runs: one namespace with itself, or two joined by a veth pair."""

    client: DemoNamespace
    server: DemoNamespace
    address: str  # of the server

    @property
    def sides(self) -> dict[str, DemoNamespace]:
        if self.client is self.server:
            return {"host": self.server}
        return {"client": self.client, "server": self.server}


@dataclass(frozen=True)
class Proof:
    """The least that the server's kernel must have counted, or the load did not run."""

    segments: int = 0  # InSegs and OutSegs each second
    opens: int = 0  # PassiveOpens each second
    established: int = 0  # most sockets at one look
    time_wait: int = 0


@dataclass(frozen=True)
class Load:
    """`run` is entered when all is ready and raises on exit if a program had ended early."""

    name: str
    run: Callable[[Place], AbstractContextManager[object]]
    proof: Proof
    link: bool = False  # over a veth pair, not on loopback
    server_only: bool = False  # the client's side is truly in trouble: do not look there


@contextmanager
def place(link: bool) -> Iterator[Place]:
    with ExitStack() as stack:
        client = stack.enter_context(DemoNamespace())
        if link:
            server = stack.enter_context(DemoNamespace(beside=client))
            veth.connect(client, server)
            made = Place(client, server, veth.SERVER.v4)
        else:
            made = Place(client, client, LOOPBACK)
        for namespace in made.sides.values():
            for name, value in _USUAL.items():
                namespace.sysctl(name, value)
        yield made
