"""clients-reset: connections that were accepted end in resets while data is under way."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from tcptop.model.finding import Finding
from tcptop.model.sample import Deaths
from tests.unit.findings.hosts import steadily
from tests.unit.findings.watched import of, watch
from tests.unit.prepared import NETNS, NGINX, TAKEN_AT, Row, owners, socket, table

ID = "clients-reset"
HERE = "10.0.0.1:8443"
LISTENER = socket("LISTEN", HERE, inode=900, cookie=900)
NONE = {"EstabResets": 0, "TCPAbortOnClose": 0, "TCPAbortOnData": 0}
FIRST = 2  # the sample before which the first is reset


def client(number: int, state: str = "ESTABLISHED", **info: int) -> Row:
    """One of those that are sent something every few seconds."""
    told = {"rtt": 40, "min_rtt": 40, "segs_in": 9, "segs_out": 9, "data_segs_out": 3}
    told |= {"data_segs_in": 1, "bytes_received": 10, "bytes_sent": 4000, "bytes_acked": 4000}
    row = socket(state, HERE, f"10.0.0.2:{20_000 + number}", info={**told, **info})
    return row | {"cookie": number, "inode": number}


def struck(number: int, **info: int) -> Row:
    return client(number, "CLOSE", **{"bytes_acked": 3920, **info})


def found(
    dead: Callable[[int], Sequence[Row]], open_: Callable[[int], Sequence[Row]], **counters: int
) -> tuple[Finding, ...]:
    def deaths(number: int) -> tuple[Deaths]:
        rows = dead(number) if number else ()
        return (Deaths(NETNS, table(rows), np.full(len(rows), TAKEN_AT + number - 0.5)),)

    every = watch(
        8,
        lambda number: [LISTENER, *open_(number)],
        kernel=steadily(**{**NONE, **counters}),
        owners=owners((900, NGINX, 3), *((n, NGINX, n) for n in range(1, 41))),
        deaths=deaths,
    )
    return of(every[-1], ID)


def lost(per_s: int, stay: int = 1, state: str = "ESTABLISHED", **info: int) -> tuple[Finding, ...]:
    """Twelve of those that were open, so many a second."""
    seconds = 12 // per_s

    def dead(number: int) -> list[Row]:
        at = number - FIRST
        mine = range(1 + at * per_s, 1 + (at + 1) * per_s) if 0 <= at < seconds else ()
        return [struck(n, **info) for n in mine]

    def open_(number: int) -> list[Row]:
        gone = min(max(number - FIRST + 1, 0) * per_s, 12)
        return [client(n, state) for n in range(1 + gone, 13 + stay)]

    return found(dead, open_)


def test_clients_that_had_given_up_were_not_lost() -> None:
    """Their FIN came first; the answer, an error say, came too late for them."""
    assert lost(4, state="CLOSE_WAIT") == ()


def test_clients_that_are_lost_together() -> None:
    """In the incident a NAT gateway restarts, and resets what it does not know."""
    (finding,) = lost(4)
    assert finding.severity == "warning"
    assert finding.title == (
        "12 of 13 connections of nginx on 10.0.0.1:8443 were reset within 2 s while data for them "
        "was under way"
    )
    assert "not acknowledged, 80 bytes at most" in finding.evidence[0]
    assert finding.evidence[1].endswith("They were connected from 10.0.0.2.")
    assert finding.evidence[2] == "1 other connection was open then and still is."
    assert finding.subject.pids == (NGINX.pid,)
    assert finding.subject.listener == HERE
    assert dict(finding.values) == {"reset": 12, "of": 13, "open": 1}
    assert "NAT gateway" in finding.advice


def test_one_client_that_ends_takes_its_own_along() -> None:
    (finding,) = lost(12)
    assert finding.severity == "info"


def test_healthy_ends() -> None:
    assert lost(4, bytes_acked=4000) == ()  # a health check has its answer
    assert lost(4, stay=28) == ()  # telephones: most stay


def answers(*, sent: Callable[[int], int], life_ms: int = 2000, well: int = 0) -> list[Finding]:
    """One a second is cut off, beside so many that end well."""

    def dead(number: int) -> list[Row]:
        size = sent(number)
        cut = {"bytes_sent": size, "bytes_acked": size - 1448, "data_segs_in": 0}
        cut |= {"last_data_recv": life_ms, "bytes_received": 0}
        good = {"bytes_acked": 4001, "data_segs_in": 0}
        return [
            struck(1000 + number, **cut),
            *(client(2000 + number * 9 + n, "CLOSE", **good) for n in range(well)),
        ]

    return list(found(dead, lambda number: [client(1001 + number)]))


def test_answers_that_are_cut_off_at_the_same_size() -> None:
    (finding,) = answers(sent=lambda number: 200_000 + number)
    assert finding.severity == "warning"
    assert finding.title == (
        "All 8 connections of nginx on 10.0.0.1:8443 that ended were reset in the middle of an "
        "answer"
    )
    assert "of that size" in finding.advice


def test_who_hangs_up_where_he_likes_is_worth_knowing() -> None:
    (finding,) = answers(sent=lambda number: 100_000 * number)
    assert finding.severity == "info"
    assert "Clients that hang up" in finding.advice
    assert answers(sent=lambda number: 100_000 * number, well=2) == []  # so few among others
    assert answers(sent=lambda _: 200_000, life_ms=20) == []  # a health check of a large page
    assert answers(sent=lambda _: 200_000, well=2) == []


@pytest.mark.parametrize("name", ["TCPAbortOnClose", "TCPAbortOnData"])
def test_what_this_host_resets_itself_is_another_matter(name: str) -> None:
    dead = lambda number: [struck(n) for n in range(1, 13)] if number == FIRST else []  # noqa: E731
    open_ = lambda n: [client(k) for k in range(1, 13)] if n < FIRST else []  # noqa: E731
    assert found(dead, open_)
    assert not found(dead, open_, **{name: 6})


def test_some_that_are_cut_anywhere_are_worth_knowing() -> None:
    """As of a NAT that leaves some segments untranslated: two in a second, among six."""

    def dead(number: int) -> list[Row]:
        cut = [client(10 * number + n, "CLOSE", bytes_sent=k, bytes_acked=k - 80)
               for n, k in enumerate((3000 * number, 9000 * number))]  # fmt: skip
        return [*cut, *(client(10 * number + n, "CLOSE", bytes_acked=4001) for n in range(2, 6))]

    (finding,) = found(dead, lambda number: [])
    assert finding.severity == "info"
    assert finding.title == (
        "16 of 48 connections of nginx on 10.0.0.1:8443 that ended were reset in the middle of an "
        "answer"
    )
