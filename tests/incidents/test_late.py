"""Connects that succeed, and late: a first SYN that nobody answers costs a second each."""

from __future__ import annotations

from tests.incidents.incident import Says, incident
from tests.incidents.lab import Lab
from tests.incidents.proving import Proving

DELAYED = "connects-delayed"


@incident(
    client=[
        Says(
            DELAYED,
            "warning",
            who="browsers",
            title=[r"^All \d+ connects of browsers\.py to 10\.77\.0\.1:80 took a second longer"],
            told=[r"net\.ipv4\.tcp_ecn = 1", r"So did 0 of \d+ connections to other", "tcp_ecn=2"],
            never=["accept queue"],
            destination="10.77.0.1:80",
        )
    ],
    server=[],
)
def syns_that_ask_for_ecn_are_dropped(lab: Lab) -> None:
    """By an old firewall: the second SYN does not ask, and is answered."""
    _calls(lab)
    lab.server.ingress("tcp dport 80 tcp flags & (syn | ack | ecn) == syn | ecn drop")
    lab.client.until(lambda: lab.client.counter("TcpExtTCPSynRetrans") >= 6, "late ones")


@syns_that_ask_for_ecn_are_dropped.healthy()
def syns_may_ask_for_ecn(lab: Lab) -> None:
    _calls(lab)
    lab.wait(2)


def _calls(lab: Lab) -> None:
    server = lab.server
    lab.client.sysctl("net.ipv4.tcp_ecn", 1)
    server.nginx("nginx", f'server {{ listen {server.address}:80; return 200 "ok"; }}', 80)
    server.python("orders", server.address, 9100, port=9100)
    lab.client.python("dialer", server.address, 9100, 2, 2, 0.3)
    lab.client.python("browsers", server.address, 80, 6, 10)


@incident(
    client=[
        Says(
            DELAYED,
            "warning",
            who="browsers",
            title=[r"^\d+ of \d+ connects of browsers\.py to 10\.77\.0\.1:80 took a second longer"],
            told=["accept queue that is full at times", "one of several servers or links"],
            never=["tcp_ecn"],
            destination="10.77.0.1:80",
        )
    ],
    server=[],
)
def one_syn_of_four_is_dropped(lab: Lab) -> None:
    """By a limit of new connections a second, or one of several links; nothing else is lost."""
    server = lab.server
    server.nginx("nginx", f'server {{ listen {server.address}:80; return 200 "ok"; }}', 80)
    server.ingress("tcp dport 80 tcp flags & (syn | ack) == syn numgen random mod 4 == 0 drop")
    lab.client.python("browsers", server.address, 80, 12, 10)
    lab.client.until(lambda: lab.client.counter("TcpExtTCPSynRetrans") >= 6, "late ones")


class TestLate(Proving):
    incidents = (syns_that_ask_for_ecn_are_dropped, one_syn_of_four_is_dropped)
