"""Ways that are broken: a gateway that passes nothing on, answers that go elsewhere or are dropped
where they arrive."""

from __future__ import annotations

from tests.incidents.incident import Says, incident
from tests.incidents.lab import DEVICE, Lab
from tests.incidents.proving import Proving

UNANSWERED, REJECTED = "connect-unanswered", "packets-rejected"
VIRTUAL = "10.77.0.100"
HOSTS = ("10.76.0.1", "10.76.0.2", "10.76.0.3")


@incident(
    client=[
        Says(
            UNANSWERED,
            "critical",
            title=[r"3 destinations, all behind the gateway 10\.77\.0\.254\b"],
            told=[r"10\.77\.0\.254 itself does answer", r"ip_forward"],
            never=[r"a host that is down"],
        )
    ],
    routed=True,
)
def a_gateway_passes_nothing_on(lab: Lab) -> None:
    """The other one has taken over its address, and answers for it; so do its own services."""
    _behind_a_gateway(lab)
    lab.gateway.sysctl("net.ipv4.ip_forward", 0)
    lab.client.until(lambda: lab.client.count("SYN_SENT", remote=8080) >= 9, "SYNs", 30)
    lab.client.until(lambda: lab.client.again(remote=6379, times=5) >= 3, "retransmissions", 30)


@a_gateway_passes_nothing_on.healthy()
def a_gateway_passes_all_on(lab: Lab) -> None:
    _behind_a_gateway(lab)


def _behind_a_gateway(lab: Lab) -> None:
    lab.server.ip(*(f"addr add {each}/24 dev {DEVICE}" for each in (*HOSTS[1:], "10.76.0.4")))
    for host in (*HOSTS, "10.76.0.4"):
        port = 8080 if host in HOSTS else 6379
        lab.server.python("orders", host, port, name=f"orders {host}")
    lab.gateway.python("orders", lab.gateway.address, 9100, port=9100)
    lab.server.until(lambda: lab.server.count("LISTEN") == 4, "all listen")
    lab.client.python("pool", lab.gateway.address, 9100, 2, 0.5, name="metrics")
    lab.client.python("pool", "10.76.0.4", 6379, 3, 0.5)
    for host in HOSTS:
        lab.client.python("dialer", host, 8080, 3, 20, 0.5, name=f"dialer {host}")
    lab.client.until(lambda: lab.client.count("ESTABLISHED", remote=6379) == 3, "a pool")
    lab.wait(2)


@incident(
    client=[
        Says(
            UNANSWERED,
            "warning",
            who="dialer",
            title=[r"no answer from 10\.77\.0\.1:5432 where the call leaves from 10\.77\.0\.100"],
            told=[r"10\.77\.0\.100 \(on lo\); what was answered .* 10\.77\.0\.2 and 10\.77\.0\.3"],
            never=[r"a limit on new connections", r"that is dead"],
            destination="10.77.0.1:5432",
        )
    ],
)
def a_virtual_address_is_the_source(lab: Lab) -> None:
    """Another host has it now: all that is sent there goes to that one."""
    lab.server.lose(VIRTUAL)
    _two_sources(lab)
    lab.client.until(lambda: lab.client.again(remote=5432, times=2) >= 4, "retransmissions", 30)


@a_virtual_address_is_the_source.healthy()
def a_virtual_address_is_here(lab: Lab) -> None:
    _two_sources(lab)
    lab.wait(1)


def _two_sources(lab: Lab) -> None:
    server, client = lab.server, lab.client
    server.python("orders", server.address, 5432, port=5432)
    client.ip(f"addr add {VIRTUAL}/32 dev lo")
    client.addresses("10.77.0.3")
    client.python("pool", server.address, 5432, 2, 0.5, client.address)
    client.until(lambda: client.count("ESTABLISHED", remote=5432) == 2, "a pool")
    client.ip(f"route add {server.address}/32 dev {DEVICE} src {VIRTUAL}")
    client.python("dialer", server.address, 5432, 4, 20, 0.5)


@incident(
    client=[
        Says(
            REJECTED,
            "warning critical",
            title=[r"rp_filter"],
            told=[r"IPReversePathFilter", r"rp_filter=2"],
        )
    ],
)
def answers_come_in_by_another_link(lab: Lab) -> None:
    """As over a VPN that has come up: this host itself drops them, and its connects wait."""
    _two_links(lab, rp_filter=1)
    lab.client.until(lambda: lab.client.counter("TcpExtIPReversePathFilter") >= 20, "drops", 30)


@answers_come_in_by_another_link.healthy()
def answers_may_come_in_by_another_link(lab: Lab) -> None:
    _two_links(lab, rp_filter=2)
    lab.wait(2)


def _two_links(lab: Lab, rp_filter: int) -> None:
    server, client, place = lab.server, lab.client, "10.79.0.1"
    mac = "02:00:0a:4e:00:02"
    peer = f"peer name w0 address {mac} netns {client.namespace.pid}"
    server.ip(f"link add w0 type veth {peer}")
    for host, address in ((server, "10.78.0.1/24"), (client, "10.78.0.2/24")):
        host.ip(f"addr add {address} dev w0", "link set w0 up")
    # Who asks for a neighbour is filtered too.
    server.ip(f"neigh replace 10.78.0.2 lladdr {mac} dev w0 nud permanent")
    for name in ("all", DEVICE, "w0"):
        server.sysctl(f"net.ipv4.conf.{name}.rp_filter", 0)
        client.sysctl(f"net.ipv4.conf.{name}.rp_filter", rp_filter)
    server.ip(f"addr add {place}/32 dev lo", f"route add {client.address}/32 via 10.78.0.2 dev w0")
    client.ip(f"route add {place}/32 via {server.address}")
    client.knows(server)
    server.knows(client)
    server.python("orders", place, 443, port=443)
    client.python("dialer", place, 443, 6, 10, 0.5)


@incident(
    server=[
        Says(
            "black-hole retransmission-rate",
            "warning critical",
            title=[r"[Tt]his host itself drops"],
            told=[r"tc -s qdisc"],
            never=[r"do not answer", r"Large packets", r"mostly to", r"Nothing comes back"],
        )
    ],
    over_s=12,
    noisy="others that wait a moment later are told beside the first, which are still shown",
)
def a_shaper_is_left_over(lab: Lab) -> None:
    """Of a test: its queue is short, and takes few of what ten downloads send."""
    _shaped(lab, 12_000)
    lab.server.until(lambda: lab.server.counter("TcpExtTCPRetransFail") >= 30, "drops")


@a_shaper_is_left_over.healthy()
def a_shaper_has_a_queue(lab: Lab) -> None:
    _shaped(lab, 3_000_000)
    lab.wait(3)


def _shaped(lab: Lab, queue: int) -> None:
    server = lab.server
    server.namespace.command(["ethtool", "-K", DEVICE, "tso", "off", "gso", "off"])
    shaper = ["rate", "8mbit", "burst", "4kb", "limit", str(queue)]
    server.namespace.command(["tc", "qdisc", "add", "dev", DEVICE, "root", "tbf", *shaper])
    (lab.home / "large").write_bytes(bytes(3_000_000))
    http = f"server {{ listen {server.address}:80; location /large {{ root {lab.home}; }} }}"
    server.nginx("nginx", http, 80)
    lab.client.python("browsers", server.address, 80, 2, 60, "/large")


class TestWays(Proving):
    incidents = (
        a_gateway_passes_nothing_on,
        a_virtual_address_is_the_source,
        answers_come_in_by_another_link,
        a_shaper_is_left_over,
    )
