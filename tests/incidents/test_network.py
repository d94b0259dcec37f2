"""Networks that lose what goes one way, what is large, what is broken, or some of the hosts."""

from __future__ import annotations

from tests.incidents.incident import Says, incident
from tests.incidents.lab import DEVICE, Lab
from tests.incidents.proving import Proving

UNFINISHED, DROPS, REJECTED = "handshake-unfinished", "listener-drops", "packets-rejected"
MTU, NAT, HOLE, UNANSWERED = (
    "mtu-black-hole",
    "nat-ports-exhausted",
    "black-hole",
    "connect-unanswered",
)
_OK = 'location / { return 200 "ok"; }'


@incident(
    server=[
        Says(
            UNFINISHED,
            "warning critical",
            title=[r":80\b"],
            told=[r"SYN-ACK", r"10\.77\.0\.2\b"],
            never=[r"(?i)flood"],
        )
    ],
    client=[
        Says(
            UNFINISHED,
            "warning critical",
            title=[r"10\.77\.0\.1:80\b"],
            told=[r"SYN-ACK"],
            never=[r"not even an acknowledgement"],
        )
    ],
    noisy=f"{HOLE}: the other end does send, {UNFINISHED} is the cause",
)
def the_way_to_the_server_loses_acks(lab: Lab) -> None:
    """The SYN gets there and its answer comes back; all that follows is lost."""
    lab.server.filter("tcp dport 80 tcp flags & (syn | ack) == ack drop")
    _web(lab)
    lab.client.python("browsers", lab.server.address, 80, 1.5, 30)
    lab.server.until(lambda: lab.server.again(local=80, times=3) >= 3, "SYN-ACKs sent again", 30)
    lab.wait(4)


@the_way_to_the_server_loses_acks.healthy()
def the_way_to_the_server_loses_nothing(lab: Lab) -> None:
    _web(lab)
    lab.client.python("browsers", lab.server.address, 80, 1.5, 30)
    lab.wait(2)


def _web(lab: Lab) -> None:
    address = lab.server.address
    lab.server.nginx("nginx", f"server {{ listen {address}:80; {_OK} }}", 80)


@incident(
    server=[Says(DROPS, "warning", title=[r":80\b"], told=[r"(?i)no (way|route) back|route"])],
    client=[Says(UNANSWERED, "warning critical", destination="10.77.0.1:80")],
)
def there_is_no_way_back_to_the_clients(lab: Lab) -> None:
    """They come from a subnet of which the server knows nothing."""
    _elsewhere(lab, rp_filter=0)
    lab.server.until(lambda: lab.server.counter("TcpExtListenDrops") >= 10, "drops")


@there_is_no_way_back_to_the_clients.healthy()
def there_is_a_way_back_to_the_clients(lab: Lab) -> None:
    lab.server.ip(f"route add 192.168.55.0/24 dev {DEVICE}")
    _elsewhere(lab, rp_filter=0)
    lab.wait(2)


@incident(
    server=[
        Says(
            f"{DROPS} {REJECTED}",
            "warning critical",
            told=[r"(?i)rp_filter|reverse.path", r"IPReversePathFilter"],
        )
    ],
    client=[Says(UNANSWERED, "warning critical", destination="10.77.0.1:80")],
)
def the_reverse_path_filter_drops_the_clients(lab: Lab) -> None:
    """The way back to them leads over another link."""
    lab.server.ip("link add d0 type veth peer name d1", "link set d0 up", "link set d1 up")
    lab.server.ip("route add 192.168.55.0/24 dev d0")
    _elsewhere(lab, rp_filter=1)
    lab.server.until(lambda: lab.server.counter("TcpExtIPReversePathFilter") >= 20, "drops")


@the_reverse_path_filter_drops_the_clients.healthy()
def the_reverse_path_filter_is_content(lab: Lab) -> None:
    lab.server.ip(f"route add 192.168.55.0/24 dev {DEVICE}")
    _elsewhere(lab, rp_filter=1)
    lab.wait(2)


def _elsewhere(lab: Lab, rp_filter: int) -> None:
    server, client = lab.server, lab.client
    for where in ("all", DEVICE):
        server.sysctl(f"net.ipv4.conf.{where}.rp_filter", rp_filter)
    _web(lab)
    client.addresses("192.168.55.2")
    client.knows(server)  # who asks for a neighbour is filtered too
    client.ip(f"route add {server.address}/32 dev {DEVICE} src 192.168.55.2")
    client.python("browsers", server.address, 80, 10, 20)


@incident(
    server=[
        Says(REJECTED, "warning critical", title=[r"(?i)checksum"], told=[r"InCsumErrors"]),
    ],
)
def checksums_are_broken_on_the_way(lab: Lab) -> None:
    """A switch or a driver breaks one segment of eight."""
    _offloads_off(lab)
    lab.server.ingress(
        "tcp dport 8080 tcp flags & syn == 0 numgen random mod 8 == 0 @th,128,16 set 0xdead"
    )
    _talk(lab)
    lab.server.until(lambda: lab.server.counter("TcpInCsumErrors") >= 20, "broken segments")


@checksums_are_broken_on_the_way.healthy()
def checksums_are_right(lab: Lab) -> None:
    _offloads_off(lab)
    _talk(lab)
    lab.wait(2)


def _offloads_off(lab: Lab) -> None:
    """Else nobody computes checksums on a veth pair, and nobody looks at them."""
    lab.client.namespace.command(["ethtool", "-K", DEVICE, "tx", "off"])
    lab.server.namespace.command(["ethtool", "-K", DEVICE, "rx", "off"])


def _talk(lab: Lab) -> None:
    lab.server.python("orders", lab.server.address, 8080, port=8080)
    lab.client.python("pool", lab.server.address, 8080, 40, 0.2)


@incident(
    server=[
        Says(
            MTU,
            "critical",
            title=[r"(?i)large|MTU"],
            told=[r"tcp_mtu_probing", r"ping -M do -s", r"\b1500\b"],
            never=[r"not even an acknowledgement", r"Nothing comes back"],
        )
    ],
    gateway=[
        Says(
            REJECTED,
            "warning",
            title=["too large for the next link, and drops what would tell their senders"],
            told=["IpFragFails", "fragmentation needed"],
        )
    ],
)
def large_packets_are_lost(lab: Lab) -> None:
    """A tunnel with a smaller MTU, and a firewall that drops the ICMP that would tell so."""
    lab.gateway.filter("icmp type destination-unreachable drop", hook="output")
    _tunnel(lab)
    lab.server.until(lambda: lab.server.again(local=80, times=4) >= 5, "retransmissions")


@large_packets_are_lost.healthy()
def large_packets_are_cut(lab: Lab) -> None:
    _tunnel(lab)
    lab.wait(2)


def _tunnel(lab: Lab) -> None:
    server = lab.server
    lab.gateway.ip(f"link set {DEVICE} mtu 1300")
    (lab.home / "large").write_bytes(bytes(100_000))
    large = f"location /large {{ root {lab.home}; }}"
    server.nginx("nginx", f"server {{ listen {server.address}:80; {_OK} {large} }}", 80)
    lab.client.python("browsers", server.address, 80, 4, 5)
    lab.client.python("browsers", server.address, 80, 1, 60, "/large", name="readers")


@incident(
    server=[
        Says(
            MTU,
            "critical",
            who="reports",
            title=[r"Large packets to 10\.77\.0\.2 are lost: 4 connections of reports"],
            told=[r"other connections? with the same address", r"tcp_mtu_probing"],
            never=[r"Nothing comes back", r"phone in a tunnel"],
        )
    ],
    gateway=[],
)
def large_answers_are_lost(lab: Lab) -> None:
    """As of a database: the login and small answers come, and no other connection stays open."""
    lab.gateway.filter("icmp type destination-unreachable drop", hook="output")
    lab.gateway.ip(f"link set {DEVICE} mtu 1300")
    _reports(lab)
    lab.server.until(lambda: lab.server.again(local=5432, times=4) == 4, "retransmissions")


@large_answers_are_lost.healthy()
def large_answers_are_cut(lab: Lab) -> None:
    lab.gateway.ip(f"link set {DEVICE} mtu 1300")
    _reports(lab)
    lab.wait(2)


def _reports(lab: Lab) -> None:
    lab.server.python("reports", lab.server.address, 5432, port=5432)
    lab.client.python("clerks", lab.server.address, 5432, 4, 0.7)


@incident(
    gateway=[Says(NAT, "warning critical", told=[r"insert_failed|drop", r"(?i)port"])],
    client=[Says(UNANSWERED, "warning critical", destination="10.76.0.1:80")],
)
def the_gateway_has_no_port_left(lab: Lab) -> None:
    """All clients are translated to 20 ports of one address, and these are taken."""
    _translated(lab, "masquerade to :40000-40019")
    lab.client.until(lambda: lab.client.count("SYN_SENT", remote=80) >= 5, "some that wait")
    lab.wait(4)


@the_gateway_has_no_port_left.healthy()
def the_gateway_has_ports(lab: Lab) -> None:
    _translated(lab, "masquerade")
    lab.wait(2)


def _translated(lab: Lab, rule: str) -> None:
    lab.gateway.nft(
        "table ip n {\nchain p {\ntype nat hook postrouting priority 100\n"
        f"ip protocol tcp {rule}\n}}\n}}"
    )
    lab.server.python("orders", lab.server.address, 80, port=80)
    lab.client.python("steady", lab.server.address, 80, 20, 40)
    lab.server.until(lambda: lab.server.count("ESTABLISHED", local=80) == 20, "20 that stay")
    lab.client.python("browsers", lab.server.address, 80, 5, 5)


@incident(
    server=[
        Says(
            HOLE,
            "warning",
            title=[r"\b20 (of|connections)"],
            told=[r"\b40\b"],
            never=[r"10\.77\.0\.0/24"],
            values={"connections": 20},
        )
    ],
)
def a_third_of_the_phones_vanish(lab: Lab) -> None:
    """A cell of the network is down: 20 of 60 clients."""
    _phones(lab)
    lab.client.ingress("ip daddr 10.77.0.100-10.77.0.119 drop")
    lab.server.until(lambda: lab.server.again(local=8080, times=4) >= 20, "retransmissions")


@a_third_of_the_phones_vanish.healthy()
def one_of_the_phones_vanishes(lab: Lab) -> None:
    """One has driven into a tunnel."""
    _phones(lab)
    lab.client.ingress("ip daddr 10.77.0.100 drop")
    lab.server.until(lambda: lab.server.again(local=8080, times=4) == 1, "retransmissions")


def _phones(lab: Lab) -> None:
    server = lab.server
    lab.client.addresses(*(f"10.77.0.{100 + number}" for number in range(60)))
    server.python("ticker", server.address, 8080, port=8080)
    lab.client.python("phones", server.address, 8080, "10.77.0.100", 60)
    server.until(lambda: server.count("ESTABLISHED", local=8080) == 60, "60 phones")


@incident(
    client=[
        Says(
            HOLE,
            "warning",
            title=[r"\b6\b"],
            told=[r"were in use", r"lost its state of them", r"10\.77\.0\.1:5432\b"],
            never=[r"Nothing comes back from 10\.77\.0\.1:5432", r"keepalive"],
            values={"connections": 6},
        )
    ],
)
def a_firewall_has_lost_its_state(lab: Lab) -> None:
    """Those of a pool in use, all at once; whoever dials anew is answered."""
    _pool_and_calls(lab)
    forgotten = {row.local for row in lab.client.rows() if row.remote == 5432 and row.inode}
    lab.server.ingress(f"tcp sport {{ {', '.join(map(str, forgotten))} }} drop")
    lab.client.python("caller", lab.server.address, 5432, 5)
    lab.client.until(lambda: lab.client.again(remote=5432, times=4) >= 6, "retransmissions")


@a_firewall_has_lost_its_state.healthy()
def a_firewall_keeps_its_state(lab: Lab) -> None:
    _pool_and_calls(lab)
    lab.client.python("caller", lab.server.address, 5432, 5)
    lab.wait(2)


def _pool_and_calls(lab: Lab) -> None:
    lab.server.python("orders", lab.server.address, 5432, port=5432)
    lab.client.python("pool", lab.server.address, 5432, 6, 1)
    lab.client.until(lambda: lab.client.count("ESTABLISHED", remote=5432) == 6, "a pool")


@incident(
    client=[
        Says(
            "retransmission-rate",
            "warning critical",
            told=[r"10\.77\.0\.1\b"],
            destination="10.77.0.1",
        )
    ],
    over_s=13,
)
def the_way_loses_some_of_everything(lab: Lab) -> None:
    """One segment of 16."""
    lab.server.ingress("tcp dport 8080 numgen random mod 16 == 0 drop")
    _talk(lab)
    lab.client.until(lambda: lab.client.counter("TcpRetransSegs") >= 20, "retransmissions")


@incident(
    client=[
        Says(
            HOLE,
            "critical",
            title=[r"Nothing comes back from", r"\(v0 has no carrier\)$"],
            told=[r"the peer of a veth"],
        )
    ],
)
def a_cable_is_pulled(lab: Lab) -> None:
    """The host behind it is called by its addresses of both families: that is one trouble."""
    _two_families(lab)
    lab.server.ip(f"link set {DEVICE} down")
    lab.client.until(lambda: lab.client.again(remote=5432, times=4) >= 12, "retransmissions", 40)


@a_cable_is_pulled.healthy()
def a_cable_is_plugged_in(lab: Lab) -> None:
    _two_families(lab)


def _two_families(lab: Lab) -> None:
    lab.server.ip(f"addr add fd77::1/64 dev {DEVICE} nodad")
    lab.client.ip(f"addr add fd77::2/64 dev {DEVICE} nodad")
    for name, address in (("four", lab.server.address), ("six", "fd77::1")):
        lab.server.python("orders", address, 5432, name=name)
    lab.server.until(lambda: lab.server.count("LISTEN", local=5432) == 2, "both listen")
    for name, address in (("pool four", lab.server.address), ("pool six", "fd77::1")):
        lab.client.python("pool", address, 5432, 6, 0.3, name=name)
    lab.client.until(lambda: lab.client.count("ESTABLISHED", remote=5432) == 12, "two pools")


class TestNetwork(Proving):
    incidents = (
        the_way_to_the_server_loses_acks,
        there_is_no_way_back_to_the_clients,
        the_reverse_path_filter_drops_the_clients,
        checksums_are_broken_on_the_way,
        large_packets_are_lost,
        large_answers_are_lost,
        the_gateway_has_no_port_left,
        a_third_of_the_phones_vanish,
        a_firewall_has_lost_its_state,
        the_way_loses_some_of_everything,
        a_cable_is_pulled,
    )
