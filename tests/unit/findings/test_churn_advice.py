"""connection-churn: advice by who calls whom, and by what came back on those that are over."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from tcptop.analysis.findings.settings import FindingSettings
from tcptop.model.sample import Deaths, Process
from tests.unit.findings.test_connection_churn import ID, THERE, counted, opened
from tests.unit.findings.watched import of, watch
from tests.unit.prepared import CURL, NETNS, NGINX, TAKEN_AT, Row, owners, socket, table

REDIS = "10.0.0.9:6379"
SOON = FindingSettings({ID: {"per_s": 5, "window_s": 3}})


def _eight(_: int) -> int:
    return 8


def over(to: str, requests: int = 1, answer: int = 1000) -> Row:
    """One that is over: each request and each answer is a segment."""
    info = {"segs_out": 4 + requests, "segs_in": 4, "rtt": 200, "min_rtt": 200}
    info |= {"data_segs_out": requests, "data_segs_in": requests, "bytes_sent": 90 * requests}
    return socket("CLOSE", "10.0.0.1:40000", to, info=info | {"bytes_received": answer * requests})


def advised(to: str, each: Callable[[int], Row]) -> str:
    def deaths(number: int) -> tuple[Deaths, ...]:
        rows = [{**each(n), "cookie": 10_000 * number + n} for n in range(40)]
        return (Deaths(NETNS, table(rows), np.full(40, TAKEN_AT + number)),)

    found = watch(
        5,
        lambda n: opened(_eight, n, lambda _: to),
        SOON,
        kernel=counted(_eight),
        deaths=lambda number: deaths(number) if number > 3 else (),
    )
    return of(found[-1], ID)[0].advice


@pytest.mark.parametrize(
    ("each", "begins"),
    [
        (lambda n: over(THERE, 4 if n % 10 == 0 else 1), "Some of these connections seem to carry"),
        (lambda _: over(THERE), "Reuse connections"),  # none is kept
        (lambda _: over(THERE, 3), "Reuse connections"),  # a login and its answers, each time
    ],
)
def test_a_pool_that_is_too_small_is_no_missing_pool(
    each: Callable[[int], Row], begins: str
) -> None:
    assert advised(THERE, each).startswith(begins)


@pytest.mark.parametrize(
    ("to", "answer", "begins"),
    [
        (REDIS, 130, "See first what these clients are told"),
        (REDIS, 2000, "Reuse connections"),
        (THERE, 130, "Reuse connections"),  # a small page
    ],
)
def test_who_gets_little_of_a_database_is_refused_maybe(to: str, answer: int, begins: str) -> None:
    assert advised(to, lambda _: over(to, answer=answer)).startswith(begins)


@pytest.mark.parametrize(
    ("server", "caller", "begins"),
    [
        (NGINX, NGINX, "nginx calls itself"),
        (NGINX, None, "Both ends are on this host, where nginx listens. See whether it calls"),
        (CURL, NGINX, "nginx opens a connection for each request to its upstream"),
    ],
)
def test_both_ends_are_here(server: Process, caller: Process | None, begins: str) -> None:
    """A proxy whose upstream leads back to it makes many calls of each request."""
    mine = socket("ESTABLISHED", "127.0.0.1:33000", "127.0.0.1:8080", inode=9, cookie=9)
    held = owners((5, server, 3), *([(9, caller, 4)] if caller else []))
    listener = socket("LISTEN", "0.0.0.0:8080", inode=5, cookie=5)

    def rows(number: int) -> list[Row]:
        ends = {"local": "127.0.0.1:8080"}
        made = (
            row | ends | {"remote": f"127.0.0.1:{20_000 + n}"}
            for n, row in enumerate(opened(_eight, number))
        )
        return [listener, *made, *([mine] if caller else [])]

    found = watch(5, rows, SOON, owners=held, kernel=counted(_eight))
    assert of(found[-1], ID)[0].advice.startswith(begins)
