"""Routes, next hops and links, against what `ip` says in the same namespace."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from tcptop.demo import veth
from tcptop.demo.held import until
from tcptop.demo.namespace import DemoNamespace
from tcptop.demo.sockets import connected, listening
from tcptop.model.route import Link, Neighbour, Route, RouteKey, route_key
from tcptop.model.source import Requests
from tcptop.model.table import blank
from tcptop.sources import routes
from tcptop.sources.live import LiveSource
from tcptop.sources.routes import RouteReader
from tests.kernel.nobody import as_nobody

OWN, OWN6 = veth.CLIENT.v4, veth.CLIENT.v6
LOCAL, LOCAL_PEER = (end.local.partition("%")[0] for end in (veth.CLIENT, veth.SERVER))
ROUTES = """
    route add 10.90.0.0/16 via 10.78.0.2 mtu 1400
    route add 10.90.9.0/24 via 10.78.0.9 table 77
    rule add from 10.78.0.5 table 77
    route add blackhole 10.91.0.0/16
    route add unreachable 10.92.0.0/16
    route add prohibit 10.93.0.0/16
    route add 10.94.0.0/16 nexthop via 10.78.0.2 nexthop via 10.78.0.9
    route add 10.95.0.0/16 via inet6 fd78::2 dev v0
    route add 10.96.0.0/16 dev lo
    -6 route add fd90::/32 via fd78::2 mtu 1400
    -6 route add blackhole fd91::/32
    -6 route add unreachable fd92::/32
    -6 route add prohibit fd93::/32
    -6 route add fd94::/32 nexthop via fd78::2 nexthop via fd78::9
    addr add 10.78.0.5/24 dev v0
    neigh add 10.78.0.66 dev v0 nud failed
    neigh add 10.78.0.67 dev v0 lladdr 02:00:00:00:00:67 nud stale
    -6 neigh add fd78::66 dev v0 nud failed
"""


@pytest.fixture(scope="module")
def routed() -> Iterator[DemoNamespace]:
    """A namespace with routes of every kind, on a link to another."""
    with DemoNamespace() as client, DemoNamespace(beside=client) as server:
        veth.connect(client, server)
        for line in ROUTES.strip().splitlines():
            ip(client, line)
        yield client


def ip(namespace: DemoNamespace, words: str) -> str:
    return namespace.command(["ip", *words.split()])


def told(namespace: DemoNamespace, words: str) -> dict[str, Any]:
    """The one object that `ip -j` prints."""
    (found,) = json.loads(namespace.command(["ip", "-j", "-d", *words.split()]))
    return dict(found)


def read(namespace: DemoNamespace, *route_keys: RouteKey) -> dict[RouteKey, Route]:
    def read() -> dict[RouteKey, Route]:
        reader = RouteReader(namespace.inode)
        reader.request(route_keys)
        return reader.read()

    return namespace.in_thread(read)


def route(namespace: DemoNamespace, local: str, remote: str, interface: int = 0) -> Route:
    one = RouteKey(namespace.inode, local, remote, interface)
    return read(namespace, one)[one]


@pytest.mark.parametrize(
    ("local", "remote"),
    [
        *((OWN, remote) for remote in ("10.78.0.2", "10.90.1.1", "10.94.1.1", "10.95.1.1")),
        *((OWN, remote) for remote in ("10.96.0.1", "10.77.3.4", OWN, "127.0.0.1", "10.90.9.1")),
        ("10.78.0.5", "10.90.9.1"),
        ("127.0.0.1", "127.0.0.1"),
        *((OWN6, remote) for remote in ("fd78::2", "fd90::1", "fd94::1", OWN6)),
        ("::1", "::1"),
    ],
)
def test_a_route_is_the_one_that_ip_gets(routed: DemoNamespace, local: str, remote: str) -> None:
    found = route(routed, local, remote)
    flow = told(routed, f"route get {remote} from {local}")
    matched = told(routed, f"route get fibmatch {remote} from {local}")
    hop = flow.get("gateway") or flow.get("via", {}).get("host")
    assert found.why_not == ""
    assert found.kind == flow.get("type", "unicast")
    assert found.gateway == hop
    assert found.source == flow.get("prefsrc", local)
    assert found.prefix == matched["dst"]
    assert found.hops == len(matched.get("nexthops", [None]))
    assert found.mtu == next((each["mtu"] for each in flow.get("metrics", [])), None)
    assert found.link is not None
    assert found.link.name == flow["dev"]
    assert found.table == matched.get("table", "local" if found.this_host else "main")


def test_what_the_routes_were_made_to_be(routed: DemoNamespace) -> None:
    far = route(routed, OWN, "10.90.1.1")
    assert (far.prefix, far.gateway, far.mtu, far.effective_mtu, far.table) == (
        *("10.90.0.0/16", "10.78.0.2", 1400, 1400, "main"),
    )
    assert (far.mtu_learned_s, far.local_link, far.this_host) == (None, "v0", False)
    assert far.neighbour == Neighbour("10.78.0.2", "PERMANENT", veth.SERVER.mac)
    assert far.link == Link("v0", 2, 1500, up=True, carrier=True, kind="veth")
    assert far.link.state == "up"
    near = route(routed, OWN6, "fd78::2")
    assert (near.prefix, near.gateway, near.effective_mtu) == ("fd78::/64", None, 1500)
    assert near.neighbour == Neighbour("fd78::2", "PERMANENT", veth.SERVER.mac)
    assert route(routed, OWN, "10.94.1.1").hops == route(routed, OWN6, "fd94::1").hops == 2
    other = route(routed, OWN, "10.95.1.1").neighbour
    assert other == Neighbour("fd78::2", "PERMANENT", veth.SERVER.mac)


def test_rules_look_at_the_source(routed: DemoNamespace) -> None:
    assert route(routed, OWN, "10.90.9.1").gateway == "10.78.0.2"
    other = route(routed, "10.78.0.5", "10.90.9.1")
    assert (other.gateway, other.table, other.prefix) == ("10.78.0.9", "77", "10.90.9.0/24")


def test_rules_look_at_the_mark(linked: tuple[DemoNamespace, DemoNamespace]) -> None:
    client, _ = linked
    ip(client, "route add 10.90.0.0/16 via 10.78.0.2")
    ip(client, "route add 10.90.0.0/16 via 10.78.0.9 table 78")
    ip(client, "rule add fwmark 5 table 78")
    plain = RouteKey(client.inode, OWN, "10.90.1.1")
    marked = plain._replace(mark=5)
    found = read(client, plain, marked)
    assert [found[each].gateway for each in (plain, marked)] == ["10.78.0.2", "10.78.0.9"]


@pytest.mark.parametrize(("local", "end"), [(OWN, "10.9{}.1.1"), (OWN6, "fd9{}::1")])
def test_routes_that_lead_nowhere(routed: DemoNamespace, local: str, end: str) -> None:
    for number, kind in enumerate(("blackhole", "unreachable", "prohibit"), 1):
        found = route(routed, local, end.format(number))
        assert found.kind == kind
        assert found.why_not.partition(" route: ")[0] in (f"a {kind}", f"an {kind}")
        assert (found.link, found.neighbour, found.local_link) == (None, None, "v0")
    gone = route(routed, local, "8.8.8.8" if local == OWN else "2001:db8::1")
    assert (gone.kind, gone.why_not) == ("", "no route to it")


def test_this_host(routed: DemoNamespace) -> None:
    for own, device in (("127.0.0.1", "lo"), ("::1", "lo"), (OWN, "v0"), (OWN6, "v0")):
        found = route(routed, own, own)
        assert (found.this_host, found.neighbour, found.local_link) == (True, None, device)
        assert found.link is not None
        assert (found.link.name, found.link.kind) == ("lo", None)


def test_an_address_that_no_device_has_any_more(routed: DemoNamespace) -> None:
    for local, remote in (("10.1.1.1", "10.90.1.1"), ("fd01::1", "fd90::1")):
        found = route(routed, local, remote)
        assert (found.local_link, found.why_not) == ("", "")
        assert found.source in (OWN, OWN6)
        assert found.gateway in ("10.78.0.2", "fd78::2")


@pytest.mark.parametrize(
    ("remote", "state", "mac"),
    [
        ("10.78.0.66", "FAILED", None),
        ("10.78.0.67", "STALE", "02:00:00:00:00:67"),
        ("10.78.0.68", "REACHABLE", "02:00:00:00:00:68"),
        ("10.78.0.77", "NONE", None),
        ("fd78::66", "FAILED", None),
        ("fd78::77", "NONE", None),
    ],
)
def test_neighbours(routed: DemoNamespace, remote: str, state: str, mac: str | None) -> None:
    if state == "REACHABLE":  # for 15 s at least
        ip(routed, f"neigh replace {remote} lladdr {mac} dev v0 nud reachable")
    found = route(routed, OWN6 if ":" in remote else OWN, remote)
    assert found.neighbour == Neighbour(remote, state, mac)
    shown = json.loads(ip(routed, f"-j neigh show {remote} nud all"))
    assert [each["state"] for each in shown] == ([] if state == "NONE" else [[state]])
    assert [each.get("lladdr") for each in shown] == ([] if state == "NONE" else [mac])


def test_link_local_addresses_need_their_interface(
    linked: tuple[DemoNamespace, DemoNamespace],
) -> None:
    client, _ = linked
    ip(client, "link add other type veth peer name far")
    for name in ("other", "far"):
        ip(client, f"link set {name} up")
    for name in ("v0", "other"):
        index = told(client, f"link show {name}")["ifindex"]
        found = route(client, LOCAL, LOCAL_PEER, index)
        assert found.link is not None
        assert (found.link.name, found.prefix) == (name, "fe80::/64")
        held_here = name == "v0"
        assert found.local_link == (name if held_here else "")
        mac = veth.SERVER.mac if held_here else None
        expected = Neighbour(LOCAL_PEER, "PERMANENT" if held_here else "NONE", mac)
        assert found.neighbour == expected


def test_a_link_that_has_lost_its_peer_or_is_down(
    linked: tuple[DemoNamespace, DemoNamespace],
) -> None:
    client, server = linked
    ip(server, f"link set {veth.DEVICE} down")
    until(lambda: "NO-CARRIER" in ip(client, "link show v0"), "no carrier")
    found = route(client, OWN, "10.78.0.2")
    assert found.link is not None
    assert (found.link.up, found.link.carrier, found.link.state) == (True, False, "no carrier")
    ip(client, f"link set {veth.DEVICE} down")
    found = route(client, OWN, "10.78.0.2")
    assert found.why_not == "no route to it"


def send_big(to: str) -> None:
    """A datagram that may not be fragmented (IP_MTU_DISCOVER 10: IP_PMTUDISC_DO 2, linux/in.h)."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.setsockopt(socket.IPPROTO_IP, 10, 2)
        sender.sendto(b"x" * 1400, (to, 9))


def test_a_learned_mtu(linked: tuple[DemoNamespace, DemoNamespace]) -> None:
    client, server = linked
    server.sysctl("net.ipv4.ip_forward", 1)
    ip(server, "route add 10.97.0.0/16 via 10.78.0.9 mtu lock 1300")
    ip(client, "route add 10.97.0.0/16 via 10.78.0.2")
    assert route(client, OWN, "10.97.0.1").mtu is None
    client.run(send_big, "10.97.0.1")
    until(lambda: route(client, OWN, "10.97.0.1").mtu is not None, "learned")
    found = route(client, OWN, "10.97.0.1")
    assert (found.mtu, found.effective_mtu) == (1300, 1300)
    assert found.mtu_learned_s is not None
    assert 500 < found.mtu_learned_s <= 600  # net.ipv4.route.mtu_expires
    assert route(client, OWN, "10.97.0.2").mtu is None


def test_a_few_at_once_and_then_the_rest(routed: DemoNamespace) -> None:
    route_keys = [RouteKey(routed.inode, OWN, f"10.90.1.{n}") for n in range(1, 7)]

    def reads() -> list[set[RouteKey]]:
        reader = RouteReader(routed.inode)
        reader.request([*route_keys, *route_keys])
        found = [set(reader.read()) for _ in range(3)]
        reader.request(route_keys[:1])
        return [*found, set(reader.read())]

    first, second, third, last = routed.in_thread(reads)
    assert (len(first), second, third) == (routes.AT_ONCE, set(route_keys), set(route_keys))
    assert last == {route_keys[0]}


def test_an_answer_is_good_for_a_while(
    linked: tuple[DemoNamespace, DemoNamespace], monkeypatch: pytest.MonkeyPatch
) -> None:
    client, _ = linked
    one = RouteKey(client.inode, OWN, "10.78.0.2")

    def reads() -> list[Route]:
        reader = RouteReader(client.inode)
        reader.request([one])
        first, second = reader.read()[one], reader.read()[one]
        monkeypatch.setattr(routes, "KEPT_S", 0.0)
        return [first, second, reader.read()[one]]

    first, second, third = client.in_thread(reads)
    assert first is second
    assert third.read_at > first.read_at


def test_other_namespaces_are_not_read_here(routed: DemoNamespace) -> None:
    assert read(routed, RouteKey(1, OWN, "10.78.0.2")) == {}


def test_nothing_is_left_open(routed: DemoNamespace) -> None:
    def descriptors() -> tuple[int, int]:
        before = len(os.listdir("/proc/self/fd"))
        reader = RouteReader(routed.inode)
        reader.request([RouteKey(routed.inode, OWN, "10.78.0.2")])
        assert reader.read()
        return before, len(os.listdir("/proc/self/fd"))

    routed.in_thread(descriptors)  # what Python itself keeps
    before, after = routed.in_thread(descriptors)
    assert before == after


def own_route() -> Route:
    """Of this thread's namespace, which has a loopback at least."""
    one = RouteKey(os.stat("/proc/thread-self/ns/net").st_ino, "127.0.0.1", "127.0.0.1")
    reader = RouteReader(one.netns)
    reader.request([one])
    return reader.read()[one]


def test_no_right_is_needed() -> None:
    found = as_nobody(own_route)
    assert (found.why_not, found.this_host, found.local_link) == ("", True, "lo")


def test_the_sample_brings_what_was_wanted(linked: tuple[DemoNamespace, DemoNamespace]) -> None:
    client, server = linked
    listener = server.run(listening, veth.SERVER.v4)
    client.run(connected, *listener.local)

    def read() -> tuple[RouteKey, dict[RouteKey, Route]]:
        source = LiveSource()
        before = source.sample()
        (row,) = np.flatnonzero(before.sockets.remote_port == listener.local[1])
        wanted = route_key(before.sockets, int(row))
        assert wanted is not None
        assert before.routes == {}
        source.request(Requests(routes=frozenset((wanted,))))
        found = source.sample().routes
        source.close()
        return wanted, dict(found)

    wanted, found = client.in_thread(read)
    assert wanted == RouteKey(client.inode, veth.CLIENT.v4, veth.SERVER.v4)
    assert set(found) == {wanted}
    assert found[wanted].neighbour == Neighbour("10.78.0.2", "PERMANENT", veth.SERVER.mac)


def test_a_listener_has_no_way() -> None:
    assert route_key(blank(1), 0) is None


def test_pyroute2_is_loaded_only_when_a_route_is_wanted() -> None:
    code = (
        "import sys\n"
        "from tests.kernel.test_routes import own_route\n"
        "from tcptop.sources.live import LiveSource\n"
        "source = LiveSource()\n"
        "source.sample()\n"
        "print('pyroute2' in sys.modules, 'asyncio' in sys.modules)\n"
        "own_route()\n"
        "print('pyroute2' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout.split() == ["False", "False", "True"], done.stderr
