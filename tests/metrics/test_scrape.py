"""What is served of real sockets: equal to what the kernel says, bounded, and only ever rising."""

from __future__ import annotations

import socket
import subprocess
import time
from collections import Counter
from contextlib import ExitStack, suppress

import pytest

from tcptop.analysis.findings.rules import RULES
from tcptop.analysis.tallies import Highest, Tallies
from tcptop.views.metrics.families import OTHER
from tcptop.views.metrics.listeners import LISTENERS
from tests.metrics.conftest import Taken, values

PATIENCE_S = 30


def overflowing(stack: ExitStack, clients: int = 6, backlog: int = 0) -> socket.socket:
    """A listener that has dropped some."""
    listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=backlog))
    for _ in range(clients):
        client = stack.enter_context(socket.socket())
        client.setblocking(False)
        with suppress(BlockingIOError):
            client.connect(listener.getsockname())
    return listener


def address(listener: socket.socket) -> str:
    host, port = listener.getsockname()
    return f"{host}:{port}"


def test_states_are_those_of_ss(taken: Taken) -> None:
    with ExitStack() as stack:
        overflowing(stack)
        found = taken()
        done = subprocess.run(["ss", "-tanH"], capture_output=True, text=True, check=True)
    told = Counter(line.split()[0] for line in done.stdout.splitlines())
    for name, state in (("ESTAB", "established"), ("LISTEN", "listen"), ("SYN-SENT", "syn_sent")):
        assert values(found, "tcptop_sockets", state=state) == [told[name]]
    assert told["ESTAB"] > 0
    assert sum(values(found, "tcptop_sockets")) == sum(told.values())
    assert sum(values(found, "tcptop_process_sockets")) >= sum(told.values())  # some are shared


def test_counters_are_those_of_nstat(taken: Taken) -> None:
    with ExitStack() as stack:
        overflowing(stack)
        found = taken()
        done = subprocess.run(["nstat", "-asz"], capture_output=True, text=True, check=True)
    told = {line.split()[0]: float(line.split()[1]) for line in done.stdout.splitlines()[1:]}
    for name, counter in (
        ("tcptop_listen_overflows_total", "TcpExtListenOverflows"),
        ("tcptop_connects_failed_total", "TcpAttemptFails"),
        ("tcptop_resets_sent_total", "TcpOutRsts"),
    ):
        assert values(found, name) == [told[counter]]
    assert values(found, "tcptop_connections_opened_total", direction="out") == [
        told["TcpActiveOpens"]
    ]
    assert told["TcpExtListenOverflows"] > 0


def test_a_listener_is_told_by_its_address(taken: Taken) -> None:
    with ExitStack() as stack:
        listener = overflowing(stack)
        found = taken()
        where = {"listen": address(listener)}
        assert values(found, "tcptop_listener_accept_queue", **where) == [1.0]
        assert values(found, "tcptop_listener_accept_queue_capacity", **where) == [1.0]
        assert values(found, "tcptop_listener_fill_ratio", **where) == [1.0]
        assert values(found, "tcptop_listener_drops_total", **where)[0] > 0


def test_drops_stay_when_their_socket_is_closed(taken: Taken) -> None:
    with ExitStack() as stack:
        listener = overflowing(stack)
        where = {"listen": address(listener)}
        before = values(taken(), "tcptop_listener_drops_total", **where)
        listener.close()
        assert values(taken(), "tcptop_listener_drops_total", **where) == before
        assert values(taken(), "tcptop_listener_accept_queue", **where) == []
        with socket.create_server(("127.0.0.1", int(where["listen"].split(":")[1])), backlog=5):
            assert values(taken(), "tcptop_listener_drops_total", **where) == before


def test_listeners_beyond_their_seats_are_counted_together(taken: Taken) -> None:
    with ExitStack() as stack:
        for _ in range(LISTENERS + 20):
            stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=3))
        found = taken()
    own = values(found, "tcptop_listener_accept_queue_capacity")
    assert len(own) == LISTENERS + 1
    rest = values(found, "tcptop_listener_accept_queue_capacity", listen=OTHER)
    assert rest == [20 * 4.0]


def test_every_rule_has_a_value_or_says_that_it_has_none(taken: Taken) -> None:
    found = taken()
    judged = {dict(labels)["finding"] for name, labels in found if name == "tcptop_finding"}
    silent = {
        dict(labels)["finding"]
        for (name, labels), value in found.items()
        if name == "tcptop_rule_silent" and value
    }
    assert judged | silent == {rule.id for rule in RULES}
    assert not judged & silent


def test_a_finding_is_1_and_then_0(taken: Taken) -> None:
    full = {"finding": "accept-queue-overflow"}
    with ExitStack() as stack:
        full["subject"] = address(overflowing(stack, clients=12, backlog=4))
        assert until(taken, full, [1.0])
    assert until(taken, full, [0.0])


def until(taken: Taken, labels: dict[str, str], wanted: list[float]) -> bool:
    """Whether a sample of the next ones says so."""
    end = time.monotonic() + PATIENCE_S
    while values(taken(), "tcptop_finding", **labels) != wanted:
        if time.monotonic() > end:
            return False
        time.sleep(0.5)
    return True


class TestTallies:
    def test_what_a_closed_one_counted_stays(self) -> None:
        tallies: Tallies[str] = Tallies(9, "rest")
        tallies.add([1, 2], ["a", "a"], [5, 2])
        tallies.add([2, 3], ["a", "b"], [3, 1])
        assert tallies.totals == {"a": 8, "b": 1}

    def test_an_unknown_count_is_no_zero(self) -> None:
        tallies: Tallies[str] = Tallies(9, "rest")
        tallies.add([1], ["a"], [float("nan")])
        assert tallies.totals == {}

    def test_those_without_a_seat_are_counted_together(self) -> None:
        tallies: Tallies[str] = Tallies(1, "rest")
        tallies.add([1, 2, 3], ["a", "b", "c"], [1, 2, 3])
        tallies.add([1, 3], ["a", "c"], [2, 4])
        assert tallies.totals == {"a": 2, "rest": 6}


@pytest.mark.parametrize(("counts", "highest"), [((5, 4), 5), ((5, 6), 6)])
def test_the_highest_never_falls(counts: tuple[float, float], highest: float) -> None:
    told: Highest[str] = Highest()
    assert [told.of("a", count) for count in counts][-1] == highest
