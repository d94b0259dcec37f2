"""Connections that are there and do nothing: pools, and thousands in TIME_WAIT."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from tcptop.demo import held, sockets
from tests.healthy.load import Place

POOL, TIME_WAIT = 200, 5000
_PORT = 6000
_OTHERS = 50  # addresses: none of them is dialed often, or uses up its ports


def pool(keepalive: bool) -> Callable[[Place], AbstractContextManager[None]]:
    """An application's idle pool, with SO_KEEPALIVE or without."""

    @contextmanager
    def run(place: Place) -> Iterator[None]:
        client = place.client.helper()
        listener = place.server.run(sockets.listening, place.address, _PORT, 128)
        for _ in range(POOL):
            made = client.run(sockets.connected, place.address, _PORT)
            theirs = place.server.run(sockets.accepted, listener.fd)
            if keepalive:
                client.run(held.keep_alive, made.fd, 60, 10)
                place.server.run(held.keep_alive, theirs.fd, 300, 30)
        yield

    return run


@contextmanager
def preconnected(place: Place) -> Iterator[None]:
    """Browsers connect before they ask; until then TCP_DEFER_ACCEPT hides them from the server."""
    client = place.client.helper()
    listener = place.server.run(sockets.listening, place.address, _PORT, 128)
    place.server.run(held.option, listener.fd, socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, 60)
    for number in range(_OTHERS):
        client.run(sockets.connected, place.address, _PORT, f"127.0.1.{1 + number}")
    yield


@contextmanager
def server_time_wait(place: Place) -> Iterator[None]:
    """The server has closed first, connections from many clients."""
    place.server.run(_time_wait, False)
    yield


@contextmanager
def client_time_wait(place: Place) -> Iterator[None]:
    """The client has closed first, connections to many servers."""
    place.server.run(_time_wait, True)
    yield


def _time_wait(client_first: bool) -> None:
    with socket.create_server(("0.0.0.0", _PORT)) as listener:
        for number in range(TIME_WAIT):
            other = f"127.0.1.{1 + number % _OTHERS}"
            to, source = (other, "") if client_first else (sockets.LOOPBACK, other)
            client = socket.create_connection((to, _PORT), source_address=(source, 0))
            server = listener.accept()[0]
            first, second = (client, server) if client_first else (server, client)
            first.close()
            second.recv(1)
            second.close()
