"""Connections that do not come about, or end at once with a reset."""

from __future__ import annotations

from tcptop.demo import held, sockets, traffic, veth
from tcptop.demo.stage import THERE, Recover, Scenario, Stage

_SILENT = "10.78.0.67"


def connect_unanswered(stage: Stage) -> Recover:
    client = stage.process_here("checkout")
    veth.lose(stage.here, _SILENT)
    client.run(traffic.dial, _SILENT, 8443, 12)

    def recover() -> None:
        client.run(traffic.stop)
        client.run(held.close_all)

    return recover


def connects_delayed(stage: Stage) -> Recover:
    """Sixteen come at a time, and nine find room; the others try again after a second."""
    client, server = stage.process_here("page-builder"), stage.process_there("thumbnails")
    listener = server.run(sockets.listening, THERE.v4, 8600, 8)
    server.run(traffic.take_in_rounds, listener.fd, 3)
    client.run(traffic.dial_together, THERE.v4, 8600, 16, 0.4)

    def recover() -> None:
        client.run(traffic.stop)
        client.run(held.close_all)

    return recover


def resets(stage: Stage) -> Recover:
    client, server = stage.process_here("search-client"), stage.process_there("search")
    listener = server.run(sockets.listening, THERE.v4, 9200, 128)
    server.run(traffic.slam, listener.fd, 8)
    client.run(traffic.call, THERE.v4, 9200, 12, 25)
    return lambda: client.run(traffic.stop)


SCENARIOS = (
    Scenario(
        "connect-unanswered",
        "A client connects to a host that does not answer: SYNs are retransmitted.",
        connect_unanswered,
    ),
    Scenario(
        "connects-delayed",
        "A server accepts in rounds: its queue is full at times, and connects take a second more.",
        connects_delayed,
    ),
    Scenario(
        "resets",
        "A server closes connections with requests unread: each ends in a reset.",
        resets,
    ),
)
