"""iperf3: as many bytes as the host can move, or half a gigabit a second and connection."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tests.healthy.load import Place
from tests.healthy.programs import LONGEST_S, running

PORT = 5201
PACED = ("-b", "500M")


@contextmanager
def forward(place: Place, *words: object) -> Iterator[None]:
    server = ["iperf3", "-s", "-B", place.address, "-p", PORT]
    client = ["iperf3", "-c", place.address, "-p", PORT, "-t", LONGEST_S, *words]
    with running(place.server, server, port=PORT), running(place.client, client, never="error"):
        yield


@contextmanager
def reverse(place: Place) -> Iterator[None]:
    """The server sends."""
    with forward(place, "-R", *PACED):
        yield


@contextmanager
def parallel(place: Place) -> Iterator[None]:
    """Four connections side by side."""
    with forward(place, "-P", 4, *PACED):
        yield
