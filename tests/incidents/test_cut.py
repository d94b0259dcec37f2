"""Connections that the path ends in the middle, that the own host keeps back, or that a server
turns away now and then."""

from __future__ import annotations

from tests.incidents.incident import Says, incident
from tests.incidents.lab import Lab
from tests.incidents.proving import Proving


@incident(
    server=[
        Says(
            "clients-reset",
            "warning",
            title=[r"nginx on 10\.77\.0\.1:80\b", r"reset"],
            told=[r"after about as many bytes", r"firewall, proxy or quota on the path"],
            listener="10.77.0.1:80",
        )
    ],
    over_s=12,
)
def a_firewall_cuts_long_answers(lab: Lab) -> None:
    """Whatever is longer than some 600 KB is reset towards the server."""
    lab.client.filter("ct state new accept")  # for conntrack to be there
    lab.client.sysctl("net.netfilter.nf_conntrack_acct", 1)
    lab.client.filter("tcp sport 80 ct bytes > 600000 reject with tcp reset")
    _downloads(lab)


@a_firewall_cuts_long_answers.healthy()
def long_answers_arrive(lab: Lab) -> None:
    _downloads(lab)


def _downloads(lab: Lab) -> None:
    """Of some 3 s each."""
    server = lab.server
    (lab.home / "large").write_bytes(bytes(900_000))
    http = (
        f"server {{ listen {server.address}:80; "
        f"location /large {{ root {lab.home}; limit_rate 300k; }} }}"
    )
    server.nginx("nginx", http, 80)
    lab.client.python("browsers", server.address, 80, 3, 6, "/large")
    lab.wait(2)


@incident(
    client=[
        Says(
            "packets-rejected",
            "warning critical",
            title=[r"^This host rejects its own packets to 10\.77\.0\.1\b"],
            told=[r"nft list ruleset"],
            never=["is down"],
        )
    ],
)
def a_filter_rejects_on_the_way_out(lab: Lab) -> None:
    """Of haproxy's own host: none of its checks and requests reaches the back end."""
    lab.client.filter("tcp dport 8001 reject", hook="output")
    _balanced(lab)
    lab.wait(2)


@a_filter_rejects_on_the_way_out.healthy()
def a_filter_lets_out(lab: Lab) -> None:
    lab.client.filter("tcp dport 8001 accept", hook="output")
    _balanced(lab)
    lab.wait(2)


def _balanced(lab: Lab) -> None:
    lab.server.python("hello", lab.server.address, 8001, port=8001)
    lab.client.haproxy(
        "haproxy",
        "listen web\n bind 127.0.0.1:5000\n retries 0\n default-server inter 300ms\n"
        f" server a {lab.server.address}:8001 check",
        5000,
    )
    lab.client.python("caller", "127.0.0.1", 5000, 5, "http")


@incident(
    server=[
        Says(
            "turned-away",
            "warning",
            who="redis",
            title=[r"redis-server on 10\.77\.0\.1:6379\b has turned away all \d+ connections"],
            told=[r"maxclients"],
            listener="10.77.0.1:6379",
        )
    ],
    over_s=12,
)
def redis_is_full_and_few_clients_come(lab: Lab) -> None:
    """One in the second: none of them gets in."""
    _redis(lab, 40)


@redis_is_full_and_few_clients_come.healthy()
def redis_has_room_and_few_clients_come(lab: Lab) -> None:
    _redis(lab, 4000)


def _redis(lab: Lab, most: int) -> None:
    server = lab.server
    server.redis("redis", 6379, "--maxclients", most)
    lab.client.python("pool", server.address, 6379, 40, 0.5)
    server.until(lambda: server.count("ESTABLISHED", local=6379) == 40, "40 clients")
    lab.client.python("listeners", server.address, 6379, 1)
    lab.wait(2)


class TestCut(Proving):
    incidents = (
        a_firewall_cuts_long_answers,
        a_filter_rejects_on_the_way_out,
        redis_is_full_and_few_clients_come,
    )
