"""This package's own servers with the clients that suit them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from tests.healthy.load import Place
from tests.healthy.programs import python, running

PORT = 7000


def talk(server: str, client: str) -> Callable[[Place], AbstractContextManager[None]]:
    """The load of one of `servers` under one of `clients`."""

    @contextmanager
    def run(place: Place) -> Iterator[None]:
        serve = python("servers", server, place.address, PORT)
        ask = python("clients", client, place.address, PORT)
        with running(place.server, serve, port=PORT), running(place.client, ask):
            yield

    return run
