"""Clients whose calls are refused, unanswered, or opened anew each time."""

from __future__ import annotations

from tests.incidents.incident import Says, incident
from tests.incidents.lab import Lab
from tests.incidents.proving import Proving

RESETS, CHURN, UNANSWERED, HOLE = "resets", "connection-churn", "connect-unanswered", "black-hole"
_OK = 'location / { return 200 "ok"; }'


@incident(
    server=[
        Says(
            RESETS,
            "info warning",
            title=[r"(?i)this host (itself )?refuses|refused by this host"],
            told=[r"\b3000\b", r"(?i)127\.0\.0\.1(:3000)? (only|alone)|only .*127\.0\.0\.1|IPv4"],
            never=[r"to 127\.0\.0\.1:3000", r"Start the service"],
        )
    ],
)
def localhost_is_tried_over_ipv6_first(lab: Lab) -> None:
    """18 times a second [::1]:3000 refuses, and 127.0.0.1:3000 answers."""
    _localhost(lab, "127.0.0.1")


@localhost_is_tried_over_ipv6_first.healthy()
def localhost_answers_over_ipv6(lab: Lab) -> None:
    _localhost(lab, "::1")


def _localhost(lab: Lab, address: str) -> None:
    lab.server.python("orders", address, 3000, port=3000)
    lab.server.python("happy_eyeballs", 3000, 18)
    lab.server.until(lambda: lab.server.count("TIME_WAIT") >= 20, "20 that were answered")


@incident(
    client=[
        Says(
            RESETS,
            "warning",
            title=[r"refuse"],
            never=[r"idle timeout"],
        )
    ],
)
def a_service_is_down(lab: Lab) -> None:
    """40 times a second its host refuses."""
    lab.client.python("caller", lab.server.address, 9300, 40)
    lab.client.until(lambda: lab.client.counter("TcpAttemptFails") >= 40, "40 refused")


@a_service_is_down.healthy()
def a_service_is_up(lab: Lab) -> None:
    lab.server.python("orders", lab.server.address, 9300, port=9300)
    lab.client.python("caller", lab.server.address, 9300, 20)
    lab.wait(1)


@incident(
    server=[
        Says(
            CHURN,
            "warning",
            who="front",
            title=[r"\b127\.0\.0\.1:8080\b", r"nginx"],
            told=[r"(?i)keep-?alive"],
            never=[r"other end closes first"],
            destination="127.0.0.1:8080",
        )
    ],
    over_s=13,
)
def a_proxy_keeps_no_connection_to_its_upstream(lab: Lab) -> None:
    """nginx without `keepalive` in its upstream: a connection for each of 130 requests a second."""
    _proxied(lab, "")


@a_proxy_keeps_no_connection_to_its_upstream.healthy()
def a_proxy_keeps_connections_to_its_upstream(lab: Lab) -> None:
    _proxied(lab, 'proxy_http_version 1.1; proxy_set_header Connection "";')


def _proxied(lab: Lab, headers: str) -> None:
    server = lab.server
    server.sysctl("net.ipv4.ip_local_port_range", "32768 34767")
    server.nginx("back", f"server {{ listen 127.0.0.1:8080; {_OK} }}", 8080)
    upstream = f"upstream u {{ server 127.0.0.1:8080; {'keepalive 16; ' if headers else ''}}}"
    place = f"location / {{ proxy_pass http://u; {headers} }}"
    server.nginx("nginx", f"{upstream} server {{ listen {server.address}:80; {place} }}", 80)
    (lab.pids["front"],) = server.workers("nginx")
    lab.client.python("shop", server.address, 80, 4, 40)
    server.until(lambda: server.counter("TcpPassiveOpens") >= 2, "the first requests")


@incident(
    server=[
        Says(
            UNANSWERED,
            "critical",
            who="haproxy",
            title=[r"haproxy", r"10\.77\.0\.66:8000\b"],
            destination="10.77.0.66:8000",
        )
    ],
)
def a_proxy_has_a_dead_back_end(lab: Lab) -> None:
    """haproxy without health checks: each request waits for a host that is gone."""
    lab.server.lose("10.77.0.66")
    _haproxy(lab, "server one 10.77.0.66:8000")
    lab.server.until(lambda: lab.server.count("SYN_SENT", remote=8000) >= 12, "12 that wait")


@a_proxy_has_a_dead_back_end.healthy()
def a_proxy_has_two_back_ends(lab: Lab) -> None:
    _two_back_ends(lab, lab.client.address)


@incident(
    server=[
        Says(
            UNANSWERED,
            "info warning",
            who="haproxy",
            title=[r"haproxy", r"10\.77\.0\.66:8000\b"],
            destination="10.77.0.66:8000",
        )
    ],
)
def one_of_two_back_ends_is_dead(lab: Lab) -> None:
    """It gets no requests any more: a health check now and then is all."""
    lab.server.lose("10.77.0.66")
    _two_back_ends(lab, "10.77.0.66")
    lab.wait(6)


def _two_back_ends(lab: Lab, other: str) -> None:
    client = lab.client
    client.nginx("nginx", f"server {{ listen 8000; {_OK} }}", 8000)
    two = f"server one {other}:8000 check inter 1s\n server two {client.address}:8000 check"
    _haproxy(lab, f"timeout check 1s\n http-reuse always\n {two}")


def _haproxy(lab: Lab, back: str) -> None:
    server = lab.server
    config = f"frontend f\n bind {server.address}:80\n default_backend b\nbackend b\n {back}"
    server.haproxy("haproxy", config, 80)
    lab.client.python("browsers", server.address, 80, 8, 10)


@incident(
    client=[
        Says(
            HOLE,
            "critical",
            who="failover",
            title=[r"10\.77\.0\.1:5432\b", r"\b5 connections"],
            destination="10.77.0.1:5432",
            values={"connections": 5},
        )
    ],
)
def a_database_host_dies(lab: Lab) -> None:
    """Five connections with a question under way, and twelve more that nobody answers."""
    _database(lab)
    lab.server.ingress("drop")
    lab.client.until(lambda: lab.client.again(remote=5432, times=4) >= 5, "retransmissions")


@a_database_host_dies.healthy()
def a_database_host_is_well(lab: Lab) -> None:
    _database(lab)


def _database(lab: Lab) -> None:
    lab.server.python("orders", lab.server.address, 5432, port=5432)
    lab.client.python("failover", lab.server.address, 5432, 5, 12)
    lab.client.until(lambda: lab.client.counter("TcpActiveOpens") >= 17, "a few rounds")


@incident(
    client=[
        Says(
            UNANSWERED,
            "info warning",
            who="caller",
            title=[r"caller\.py", r"10\.77\.0\.99:8000\b"],
            told=[r"EHOSTUNREACH", r"ARP"],
            never=[r"2 min 11 s", r"firewall", r"retransmission"],
            destination="10.77.0.99:8000",
        )
    ],
)
def a_neighbour_is_gone(lab: Lab) -> None:
    """Nobody on the own subnet has the address: not one SYN leaves."""
    lab.client.python("caller", "10.77.0.99", 8000, 5)
    lab.client.until(lambda: lab.client.counter("TcpAttemptFails") >= 1, "No route to host")


@a_neighbour_is_gone.healthy()
def a_neighbour_is_there(lab: Lab) -> None:
    lab.server.python("orders", lab.server.address, 8000, port=8000)
    lab.client.python("caller", lab.server.address, 8000, 5)
    lab.wait(3)


@incident(
    server=[
        Says(
            UNANSWERED,
            "info warning",
            who="caller",
            told=[r"orders\.py .*listens", r"0 wait in its accept queue", r"local firewall"],
            never=[r"is down", r"full accept queue", r"router"],
            destination="127.0.0.1:8000",
        )
    ],
)
def a_filter_drops_on_the_own_host(lab: Lab) -> None:
    lab.server.filter("tcp dport 8000 drop")
    lab.server.python("orders", "127.0.0.1", 8000, port=8000)
    lab.server.python("caller", "127.0.0.1", 8000, 5)
    lab.server.until(lambda: lab.server.again(remote=8000, times=2) == 1, "retransmissions")


@a_filter_drops_on_the_own_host.healthy()
def a_filter_lets_the_own_host_in(lab: Lab) -> None:
    lab.server.filter("iif lo accept", "tcp dport 8000 drop")
    lab.server.python("orders", "127.0.0.1", 8000, port=8000)
    lab.server.python("caller", "127.0.0.1", 8000, 5)
    lab.wait(3)


class TestCalling(Proving):
    incidents = (
        localhost_is_tried_over_ipv6_first,
        a_service_is_down,
        a_proxy_keeps_no_connection_to_its_upstream,
        a_proxy_has_a_dead_back_end,
        one_of_two_back_ends_is_dead,
        a_database_host_dies,
        a_neighbour_is_gone,
        a_filter_drops_on_the_own_host,
    )
