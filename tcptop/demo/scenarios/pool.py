"""A pool of connections between two programs, most scenarios' beginning."""

from __future__ import annotations

from typing import NamedTuple

from tcptop.demo import pools, sockets
from tcptop.demo.holder import Holder


class Pool(NamedTuple):
    """Descriptors at both ends, in the same order where both processes did not hurry."""

    client: list[int]
    server: list[int]
    listener: int


def join(
    client: Holder, server: Holder, host: str, port: int, count: int, *, keepalive: bool = True
) -> Pool:
    """`count` connections, accepted; the listener stays."""
    listener = server.run(sockets.listening, host, port, count)
    made = client.run(pools.connect, host, port, count, keepalive=keepalive)
    taken = server.run(pools.accept, listener.fd, count)
    return Pool([each.fd for each in made], [each.fd for each in taken], listener.fd)
