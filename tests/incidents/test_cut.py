"""Connections that the path ends in the middle, that the own host keeps back, or that a server
turns away now and then."""

from __future__ import annotations

from tests.incidents.incident import Says, healthy, incident
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
            title=[r"redis-server on 10\.77\.0\.1:6379\b has turned away all [\d,]+ connections"],
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


_NAT = """table ip n {
chain raw { type filter hook prerouting priority -300
iif v1 ip length > 200 numgen random mod 120 < %d notrack
}
chain nat { type nat hook prerouting priority -100
ip daddr 10.96.0.10 tcp dport 80 dnat to 10.76.0.1:8080
}
}"""


@incident(
    client=[
        Says(
            "destination-failing",
            "warning",
            title=[r"connections to 10\.96\.0\.10:80 .*were reset in the middle of an answer"],
            told=[r"977 KiB each", r"INVALID", r"OutRsts"],
            destination="10.96.0.10:80",
        )
    ],
    server=[
        Says(
            "clients-reset",
            "info",
            title=[r"nginx on 10\.76\.0\.1:8080 that ended were reset in the middle"],
            listener="10.76.0.1:8080",
        )
    ],
    routed=True,
    over_s=10,
)
def a_nat_leaves_some_answers_untranslated(lab: Lab) -> None:
    """The client's kernel knows no such connection, and its resets end those of the server."""
    _translated(lab, 1)


@a_nat_leaves_some_answers_untranslated.healthy()
def a_nat_translates_every_answer(lab: Lab) -> None:
    _translated(lab, 0)


def _translated(lab: Lab, share: int) -> None:
    lab.gateway.nft(_NAT % share)
    (lab.home / "large").write_bytes(bytes(1_000_000))
    http = f"server {{ listen {lab.server.address}:8080; location /large {{ root {lab.home}; }} }}"
    lab.server.nginx("nginx", http, 8080)
    lab.client.python("browsers", "10.96.0.10", 80, 8, 3, "/large")
    lab.wait(3)


@healthy(over_s=10)
def downloads_are_given_up(lab: Lab) -> None:
    """Each second one by its client, half-way, beside three that are not."""
    server = lab.server
    (lab.home / "large").write_bytes(bytes(400_000))
    large = f"location /large {{ root {lab.home}; limit_rate 300k; }}"
    server.nginx("nginx", f"server {{ listen {server.address}:80; {large} }}", 80)
    lab.client.python("browsers", server.address, 80, 3, 6, "/large")
    lab.client.python("browsers", server.address, 80, 1, 0.7, "/large", name="hasty")
    lab.wait(3)


class TestCut(Proving):
    incidents = (
        a_firewall_cuts_long_answers,
        a_filter_rejects_on_the_way_out,
        redis_is_full_and_few_clients_come,
        a_nat_leaves_some_answers_untranslated,
    )
    loads = (downloads_are_given_up,)
