"""Clients whose connects do not succeed: unanswered, given up, rejected."""

from __future__ import annotations

import sys

from tests.incidents.incident import Says, healthy, incident
from tests.incidents.lab import PROGRAMS, Lab
from tests.incidents.proving import Proving

UNANSWERED, RESETS = "connect-unanswered", "resets"
_OK = 'location / { return 200 "ok"; }'


def _serving(lab: Lab, port: int) -> None:
    lab.server.python("orders", lab.server.address, port, name=f"data{port}", port=port)


@incident(
    client=[
        Says(
            UNANSWERED,
            "critical",
            who="dialer",
            title=[r"dialer\.py", r"10\.77\.0\.1:5432\b", "none answered"],
            told=["program itself gives up", "firewall"],
            never=["ETIMEDOUT", "connect timeout", "router", "refused"],
            destination="10.77.0.1:5432",
        )
    ],
    over_s=5,
)
def a_firewall_drops_behind_short_timeouts(lab: Lab) -> None:
    """Twenty callers that give up after 0.3 s each: every SYN_SENT row is young."""
    lab.server.ingress("tcp dport 5432 drop")
    lab.client.python("dialer", lab.server.address, 5432, 20, 0.3)
    lab.client.until(lambda: lab.client.counter("TcpActiveOpens") >= 40, "two rounds")


@a_firewall_drops_behind_short_timeouts.healthy()
def short_timeouts_are_met(lab: Lab) -> None:
    _serving(lab, 5432)
    lab.client.python("dialer", lab.server.address, 5432, 4, 0.3, 0.5)
    lab.client.until(lambda: lab.client.counter("TcpActiveOpens") >= 8, "two rounds")


@incident(
    client=[
        Says(
            UNANSWERED,
            "warning",
            who="dialer",
            title=[r"dialer\.py", r"10\.77\.0\.1:6379\b", "none answered"],
            never=["refused"],
            destination="10.77.0.1:6379",
        )
    ],
)
def one_caller_tries_again_and_again(lab: Lab) -> None:
    lab.server.ingress("tcp dport 6379 drop")
    lab.client.python("dialer", lab.server.address, 6379, 1, 0.9)
    lab.client.until(lambda: lab.client.counter("TcpActiveOpens") >= 2, "a second try")


@one_caller_tries_again_and_again.healthy()
def callers_stop_trying(lab: Lab) -> None:
    """They are ended with their connects under way."""
    lab.server.ingress("tcp dport 6379 drop")
    dial = f"{sys.executable} {PROGRAMS / 'dialer.py'} {lab.server.address} 6379 20 30"
    lab.client.start("dials", "bash", "-c", f"timeout 2 {dial}; exec sleep infinity")
    lab.client.until(lambda: lab.client.count("SYN_SENT", remote=6379) >= 20, "SYNs")


@incident(
    client=[
        Says(
            UNANSWERED,
            "warning critical",
            who="dialer",
            title=[r"10\.77\.0\.99:8000\b"],
            told=[r"10\.77\.0\.99 does not answer ARP", "EHOSTUNREACH"],
            never=["2 min 11 s", "firewall", "retransmission", "router", "accept queue"],
            destination="10.77.0.99:8000",
        ),
        Says(
            UNANSWERED,
            "warning critical",
            who="caller",
            title=[r"10\.77\.0\.1:9300\b"],
            never=["does not answer ARP", "EHOSTUNREACH"],
            destination="10.77.0.1:9300",
        ),
    ],
)
def a_neighbour_is_gone_and_a_filter_drops(lab: Lab) -> None:
    """The SYNs to the one never leave; those to the other are sent again meanwhile."""
    lab.server.ingress("tcp dport 9300 drop")
    lab.client.python("dialer", "10.77.0.99", 8000, 3, 10)
    lab.client.python("caller", lab.server.address, 9300, 5)
    lab.client.until(lambda: lab.client.counter("TcpAttemptFails") >= 3, "No route to host")
    lab.client.until(lambda: lab.client.again(remote=9300, times=2) == 1, "retransmissions")


@a_neighbour_is_gone_and_a_filter_drops.healthy()
def neighbours_answer(lab: Lab) -> None:
    _serving(lab, 8000)
    lab.client.python("dialer", lab.server.address, 8000, 3, 10, 0.3)
    lab.wait(2)


@incident(
    client=[
        Says(
            UNANSWERED,
            "warning critical",
            who="dialer",
            title=[r"10\.77\.0\.1:5432\b", "ICMP unreachables come in"],
            told=["rejects"],
            never=["refused", "Start the service", "drops", "not answer ARP", "itself gives up"],
            destination="10.77.0.1:5432",
        )
    ],
)
def a_firewall_rejects(lab: Lab) -> None:
    """By ICMP, which the kernel believes once the SYN has been sent again."""
    lab.server.filter("tcp dport 5432 reject with icmpx admin-prohibited")
    lab.client.python("dialer", lab.server.address, 5432, 4, 5, 0.1)
    lab.client.until(lambda: lab.client.counter("TcpAttemptFails") >= 4, "No route to host")


@a_firewall_rejects.healthy()
def a_firewall_rejects_another_port(lab: Lab) -> None:
    lab.server.filter("tcp dport 5432 reject with icmpx admin-prohibited")
    _serving(lab, 5433)
    lab.client.python("dialer", lab.server.address, 5433, 4, 5, 0.5)
    lab.wait(1)


@incident(
    client=[
        Says(
            "packets-rejected",
            "warning",
            title=[r"no route for calls or packets of its own by IPv4: \S+/s"],
            told=["IpOutNoRoutes rises by", "ENETUNREACH", "ip route get"],
            never=["On the host of", "firewall"],
        )
    ],
)
def the_route_of_a_vpn_is_gone(lab: Lab) -> None:
    """There is no default route, and every call fails before a packet leaves."""
    lab.client.python("dialer", "10.79.0.1", 8443, 2, 5, 0.15)
    lab.client.until(lambda: lab.client.counter("IpOutNoRoutes") >= 5, "Network is unreachable")


@the_route_of_a_vpn_is_gone.healthy()
def the_route_of_a_vpn_is_there(lab: Lab) -> None:
    lab.server.ip("addr add 10.79.0.1/32 dev lo")
    lab.client.ip(f"route add 10.79.0.0/24 via {lab.server.address}")
    lab.server.python("orders", "10.79.0.1", 8443, port=8443)
    lab.client.python("dialer", "10.79.0.1", 8443, 2, 5, 0.15)
    lab.wait(1)


@incident(
    server=[
        Says("packets-rejected", "info", title=[r"^This host rejects \S+ packets/s with ICMP"])
    ],
    client=[
        Says(
            "resets",
            "warning",
            title=[r"connects/s fail with ICMP unreachable: to 10\.77\.0\.1:5432$"],
            told=[r"0/s failed \(AttemptFails\)", "closed them"],
            never=["refuses"],
            destination="10.77.0.1:5432",
        )
    ],
)
def a_host_rejects_its_own_clients(lab: Lab) -> None:
    """Which port it is, and whether they are clients, no counter tells: it is no alarm there. The
    clients have their error at once, and the kernel does not count that as a failure."""
    lab.server.filter("tcp dport 5432 reject with icmpx admin-prohibited")
    lab.server.sysctl("net.ipv4.icmp_ratelimit", 0)
    _serving(lab, 5432)
    lab.client.python("dialer", lab.server.address, 5432, 10, 5, 0.1)
    lab.server.until(lambda: lab.server.counter("IcmpOutDestUnreachs") >= 20, "rejected")


@incident(
    server=[
        Says(
            UNANSWERED,
            "critical",
            who="haproxy",
            title=[r"haproxy gets no answer from 3 destinations"],
            told=[r"10\.77\.0\.66:8000", r"10\.77\.0\.67:8000", r"10\.77\.0\.68:8000"],
            never=["refused"],
        )
    ],
)
def all_back_ends_are_gone(lab: Lab) -> None:
    """haproxy gives each of them a second."""
    hosts = [f"10.77.0.{n}" for n in (66, 67, 68)]
    for host in hosts:
        lab.server.lose(host)
    back = "\n ".join(f"server s{n} {host}:8000" for n, host in enumerate(hosts))
    bind = f"bind {lab.server.address}:80\n default_backend b"
    again = "timeout connect 1s\n retries 0"
    lab.server.haproxy("haproxy", f"frontend f\n {bind}\nbackend b\n {again}\n {back}", 80)
    lab.client.python("browsers", lab.server.address, 80, 8, 10)
    lab.server.until(lambda: lab.server.counter("TcpActiveOpens") >= 12, "a second round")


@healthy()
def one_of_three_back_ends_is_out(lab: Lab) -> None:
    """haproxy asks it every two seconds, and waits for one."""
    server, client = lab.server, lab.client
    client.nginx("nginx", f"server {{ listen 8000; {_OK} }}", 8000)
    server.lose("10.77.0.66")
    client.addresses("10.77.0.3")
    checks = "check inter 2s fall 1\n "
    back = f" server one 10.77.0.66:8000 {checks}server two {client.address}:8000 {checks}"
    server.haproxy(
        "haproxy",
        f"frontend f\n bind {server.address}:80\n default_backend b\nbackend b\n timeout check 1s\n"
        f" http-reuse always\n{back}server three 10.77.0.3:8000 check inter 2s",
        80,
    )
    lab.wait(4)  # until it has noticed
    client.python("browsers", server.address, 80, 8, 10)


@incident(
    client=[
        Says(
            RESETS,
            "warning",
            title=[r"10\.77\.0\.1:8082 and 10\.77\.0\.1:8083 refuse|:8083 and 10\S+:8082 refuse"],
            told=["only on 127\\.0\\.0\\.1 or another port"],
            never=["Start the service", r"8081 (is|are) open"],
        )
    ],
    server=[],
)
def two_of_three_upstreams_are_down(lab: Lab) -> None:
    """nginx tries one after the other."""
    lab.server.nginx("back", f"server {{ listen {lab.server.address}:8081; {_OK} }}", 8081)
    ups = " ".join(
        f"server {lab.server.address}:{port} max_fails=0;" for port in (8081, 8082, 8083)
    )
    place = "server { listen 127.0.0.1:80; location / { proxy_pass http://u; } }"
    lab.client.nginx("front", f"upstream u {{ {ups} }} {place}", 80)
    lab.client.python("shop", "127.0.0.1", 80, 2, 20)
    lab.client.until(lambda: lab.client.counter("TcpAttemptFails") >= 10, "refused ones")


@two_of_three_upstreams_are_down.healthy()
def three_upstreams_are_up(lab: Lab) -> None:
    ports = (8081, 8082, 8083)
    listens = " ".join(f"listen {lab.server.address}:{port};" for port in ports)
    lab.server.nginx("back", f"server {{ {listens} {_OK} }}", 8083)
    ups = " ".join(f"server {lab.server.address}:{port};" for port in ports)
    kept = 'proxy_http_version 1.1; proxy_set_header Connection "";'
    place = f"server {{ listen 127.0.0.1:80; location / {{ proxy_pass http://u; {kept} }} }}"
    front = f"upstream u {{ {ups} keepalive 8; }} {place}"
    lab.client.nginx("front", front, 80)
    lab.client.python("shop", "127.0.0.1", 80, 2, 20)
    lab.wait(1)


@incident(
    client=[
        Says(
            RESETS,
            "warning",
            title=[r"10\.77\.0\.1:6379 refuses them( \(by dialer\.py\))?( |$)"],
            told=["limit that is reached", "open and got an answer meanwhile"],
            never=["Start the service", "may be down", r"by failover\.py"],
            destination="10.77.0.1:6379",
        )
    ],
    server=[],
)
def a_limit_on_connections_is_reached(lab: Lab) -> None:
    """The filter resets all beyond ten of one address; those go on."""
    lab.server.nft(_LIMIT)
    lab.server.python("orders", lab.server.address, 6379, port=6379)
    lab.client.python("failover", lab.server.address, 6379, 10, 0)
    lab.client.until(lambda: lab.client.count("ESTABLISHED", remote=6379) == 10, "ten")
    lab.client.python("dialer", lab.server.address, 6379, 3, 2)
    lab.client.until(lambda: lab.client.counter("TcpAttemptFails") >= 10, "refused ones")


_LIMIT = """table inet f {
set c { type ipv4_addr; size 65535; flags dynamic; }
chain i {
type filter hook input priority 0
tcp dport 6379 ct state new add @c { ip saddr ct count over 10 } reject with tcp reset
}
}"""


@incident(
    server=[
        Says(
            RESETS,
            "warning",
            who="orders",
            title=[r"refuses", r"listens only on 127\.0\.0\.1:6379 \(orders\.py\)"],
        )
    ],
    client=[
        Says(
            RESETS,
            "warning",
            title=[r"10\.77\.0\.1:6379 refuses them"],
            never=["Start the service"],
            destination="10.77.0.1:6379",
        )
    ],
)
def a_service_listens_on_localhost_alone(lab: Lab) -> None:
    lab.server.python("orders", "127.0.0.1", 6379, port=6379)
    lab.client.python("dialer", lab.server.address, 6379, 2, 2)
    lab.client.until(lambda: lab.client.counter("TcpAttemptFails") >= 10, "refused ones")


@a_service_listens_on_localhost_alone.healthy()
def ports_are_scanned(lab: Lab) -> None:
    """Worth knowing at either end, and no more."""
    lab.server.python("orders", lab.server.address, 6379, port=6379)
    lab.client.python("dialer", lab.server.address, "10000-20000", 2, 2)
    lab.client.until(lambda: lab.client.counter("TcpAttemptFails") >= 10, "refused ones")


@incident(
    client=[
        Says(
            UNANSWERED,
            "warning critical",
            who="browsers",
            title=[r"browsers\.py", r"10\.77\.0\.1:80\b"],
            told=[r"\d+ connections there opened, and nothing but ack", "at the program, whether"],
            never=["firewall", "loss on the path"],
            destination="10.77.0.1:80",
        )
    ],
)
def haproxy_has_all_the_clients_it_may(lab: Lab) -> None:
    """They are idle; who comes waits in the queue of the kernel, until that is full too."""
    _kept_clients(lab, 10)
    lab.client.until(lambda: lab.client.again(remote=80, times=2) >= 3, "SYNs without an answer")


@haproxy_has_all_the_clients_it_may.healthy()
def haproxy_has_room_for_all_clients(lab: Lab) -> None:
    _kept_clients(lab, 100)
    lab.wait(3)


def _kept_clients(lab: Lab, most: int) -> None:
    server = lab.server
    front = f" maxconn {most}\n backlog 10\n bind {server.address}:80\n http-request return"
    server.haproxy("haproxy", f"frontend f\n{front} status 200", 80)
    lab.client.python("askers", server.address, 80, 10, 60)
    lab.client.until(lambda: lab.client.count("ESTABLISHED", remote=80) == 10, "idle clients")
    lab.wait(1)
    lab.client.python("browsers", server.address, 80, 5, 9)


_DATA = "40000-40003"


@incident(
    client=[
        Says(
            UNANSWERED,
            "warning critical",
            who="ftp",
            title=[r"10\.77\.0\.1 at [234] ports", r":4000\d"],
            told=["that host is up", r"a firewall that drops these [234] ports"],
            never=["at times", "a host that is down"],
            destination="10.77.0.1",
        )
    ],
    over_s=12,
)
def the_data_ports_of_a_server_are_filtered(lab: Lab) -> None:
    """Logging in works; each port for data is called once, and waits."""
    _serving(lab, 2121)
    lab.server.ingress(f"tcp dport {_DATA} drop")
    _ftp(lab)
    lab.wait(4)


@the_data_ports_of_a_server_are_filtered.healthy()
def the_data_ports_of_a_server_answer(lab: Lab) -> None:
    _serving(lab, 2121)
    for port in range(40_000, 40_004):
        lab.server.python("orders", lab.server.address, port, name=f"data{port}", port=port)
    _ftp(lab)
    lab.wait(2)


def _ftp(lab: Lab) -> None:
    lab.client.python("dialer", lab.server.address, _DATA, 2, 4, 0.5, name="ftp")
    lab.client.python("dialer", lab.server.address, 2121, 1, 2, 0.5, name="login")


@incident(
    server=[
        Says(
            "packets-rejected",
            "warning critical",
            title=["keeps back its own SYN-ACKs", r"orders\.py on 10\.77\.0\.1:8080"],
            told=["output that drops by default", "IpOutTransmits"],
            listener="10.77.0.1:8080",
        )
    ],
)
def a_server_drops_its_own_answers(lab: Lab) -> None:
    """Its chain of output lets its own calls out, and forgot what belongs to connections."""
    _answering(lab, "tcp dport 443 accept")
    lab.server.until(lambda: lab.server.count("SYN_RECV", local=8080) >= 4, "half-open ones")


@a_server_drops_its_own_answers.healthy()
def a_server_lets_its_answers_out(lab: Lab) -> None:
    _answering(lab, "tcp dport 443 accept", "ct state established,related accept")
    lab.wait(2)


def _answering(lab: Lab, *rules: str) -> None:
    lab.server.python("orders", lab.server.address, 8080, port=8080)
    chain = ("type filter hook output priority 0; policy drop;", *rules)
    lines = "\n".join(chain)
    lab.server.nft(f"table ip n {{\nchain o {{\n{lines}\n}}\n}}")
    lab.client.python("dialer", lab.server.address, 8080, 8, 5, 0.3)


class TestUnconnected(Proving):
    incidents = (
        haproxy_has_all_the_clients_it_may,
        a_firewall_drops_behind_short_timeouts,
        one_caller_tries_again_and_again,
        a_neighbour_is_gone_and_a_filter_drops,
        a_firewall_rejects,
        the_route_of_a_vpn_is_gone,
        a_host_rejects_its_own_clients,
        all_back_ends_are_gone,
        the_data_ports_of_a_server_are_filtered,
    )
    loads = (one_of_three_back_ends_is_out,)


class TestRefused(Proving):
    incidents = (
        two_of_three_upstreams_are_down,
        a_limit_on_connections_is_reached,
        a_service_listens_on_localhost_alone,
    )


class TestAnswers(Proving):
    incidents = (a_server_drops_its_own_answers,)
