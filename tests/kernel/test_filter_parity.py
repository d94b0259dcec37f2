"""For every expression that ss accepts, tcptop selects the same sockets."""

import os
import re
import secrets
import socket
import subprocess
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tcptop.analysis.filter import Facts, bind, parse, select
from tcptop.demo import held, sockets
from tcptop.model.table import SocketTable
from tcptop.sources.cgroups import Cgroups, mount_point
from tcptop.sources.names import SystemNames
from tcptop.sources.sock_diag import ALL_STATES, Request, SockDiag
from tests.kernel.owners import enter_cgroup, remove_cgroup
from tests.kernel.zoo import Zoo

EXAMPLES = int(os.environ.get("TCPTOP_EXAMPLES", "60"))


class Wild:
    """The zoo with a few more sockets, asked by tcptop and by ss."""

    def __init__(self, zoo: Zoo, cgroup: str) -> None:
        self.namespace = zoo.namespace
        self.ranges = zoo.namespace.command(["cat", "/proc/sys/net/ipv4/ip_local_port_range"])
        self.names = SystemNames()
        self.cgroups = Cgroups()
        self.interfaces: dict[int, str] = zoo.namespace.run(interfaces)
        helper = zoo.namespace.helper()
        helper.run(enter_cgroup, cgroup)
        helper.run(neighbours, "0.0.0.0", 2100, "127.0.0.1", "127.0.0.2", 0x11)
        helper.run(neighbours, "::", 2101, "::1", "::1", 0x12)
        helper.run(neighbours, "::", 2200, "127.0.0.1", "127.0.0.3", 0x21)
        self.asked_for = zoo.sockets["reuse-port 0"].local[1]  # by the later ones of the group
        self.cgroup = f"{mount_point()}/{cgroup}"

    def sockets(self) -> SocketTable:
        with self.namespace.entered(), SockDiag(self.namespace.inode) as diag:
            return diag.dump(Request(ALL_STATES))

    def tcptop(self, text: str, table: SocketTable) -> set[int]:
        netns = self.namespace.inode
        low, high = map(int, self.ranges.split())
        facts = Facts(
            table,
            cgroups=self.cgroups.paths(table.cgroup_id),
            interfaces={netns: self.interfaces},
            port_ranges={netns: (low, high)},
        )
        return set(table.cookie[select(bind(parse(text), self.names), facts)].tolist())

    def ss(self, text: str) -> set[int] | None:
        """The cookies that ss prints; None if it refuses the filter."""
        with self.namespace.entered():
            done = subprocess.run(
                ["ss", "-Htane", *text.split()], capture_output=True, text=True, check=False
            )
        if done.returncode or "Cannot parse" in done.stderr:
            return None
        return {int(cookie, 16) for cookie in re.findall(r" sk:([0-9a-f]+)", done.stdout)}

    def both(self, text: str) -> tuple[set[int], set[int] | None]:
        """What tcptop and ss select of the same sockets."""
        for _ in range(20):
            before = self.sockets()
            theirs = self.ss(text)
            if identities(before) == identities(self.sockets()):
                return self.tcptop(text, before), theirs
        raise TimeoutError("the sockets do not hold still")


def identities(table: SocketTable) -> set[tuple[int, int]]:
    return set(zip(table.cookie.tolist(), table.state.tolist(), strict=True))


def interfaces() -> dict[int, str]:
    return dict(socket.if_nameindex())


def neighbours(host: str, port: int, to: str, source: str, mark: int) -> None:
    """A listener on a low port and a marked connection to it."""
    listener = sockets.listening(host, port)
    client = sockets.connected(to, port, source)
    held.option(client.fd, socket.SOL_SOCKET, socket.SO_MARK, mark)
    sockets.accepted(listener.fd)


@pytest.fixture(scope="module")
def wild(zoo: Zoo) -> Iterator[Wild]:
    name = f"tcptop-filter-{secrets.token_hex(4)}"
    try:
        yield Wild(zoo, name)
    finally:
        zoo.namespace.close()
        held.until(lambda: removed(name), "an empty cgroup")


def removed(name: str) -> bool:
    try:
        remove_cgroup(name)
    except OSError:
        return False
    return True


def check(wild: Wild, text: str) -> set[int]:
    mine, theirs = wild.both(text)
    assert mine == theirs, text
    return mine


def test_the_sockets_are_varied(wild: Wild) -> None:
    table = wild.sockets()
    assert set(range(1, 12)) - {7} == set(np.unique(table.state).tolist())
    assert {0, 0x11, 0x12, 0x21} == set(table.mark.tolist())
    assert {0, *wild.interfaces} == set(table.interface.tolist())
    assert wild.ss("") == set(table.cookie.tolist())


STATES = [
    *("established", "syn-sent", "syn-recv", "fin-wait-1", "fin-wait-2", "time-wait", "close"),
    *("close-wait", "last-ack", "listening", "closing", "unconnected", "closed", "syn-rcv"),
    *("all", "connected", "synchronized", "bucket", "big", "CLOSE-WAIT", "Established"),
]


@pytest.mark.parametrize("state", STATES)
def test_states(wild: Wild, state: str) -> None:
    check(wild, f"state {state}")
    check(wild, f"exclude {state}")
    check(wild, f"state established excl {state} sport gt 2000")


ADDRESSES = [
    *("127.0.0.1", "127.0.0.2", "0.0.0.0", "127.0.0.0/8", "127/8", "0x7f.1", "10.78.0.0/24"),
    *("0.0.0.0/0", "128.0.0.0/1", "127.0.0.1/255.255.0.0", "[::]", "[::1]", "[::1/127]", "::1/128"),
    *("[::/0]", "[fd78::]", "[fd78::/16]", "[fe80::/10]", "[::ffff:127.0.0.1]", "[7f00::/8]"),
    *(
        "[::ffff:0:0/96]",
        "*",
        "any",
        "all",
        "default",
        "localhost",
        "inet:127.0.0.1",
        "inet6:[::1]",
    ),
    *("inet:*", "inet6:*", "unix:*", "[127.0.0.1]", "1.2.3.4"),
]


@pytest.mark.parametrize("address", ADDRESSES)
def test_hosts(wild: Wild, address: str) -> None:
    for side in ("src", "dst"):
        check(wild, f"{side} {address}")
        check(wild, f"not {side} = {address}")
        if not address.endswith(("/128", "::*")) and "::1/" not in address:
            check(wild, f"{side} {address}:2100")
            check(wild, f"{side} {address}:*")
        check(wild, f"{side} {address} dev 0")
        check(wild, f"{side} {address} dev != lo")


@pytest.mark.parametrize(
    "text",
    [
        *(f"{side} {op} 2101" for side in ("sport", "dport") for op in ("=", "==", "eq", "!=")),
        *(f"sport {op} :2101" for op in ("ne", "neq", ">", "gt", "<", "lt", ">=", "ge", "geq")),
        *(f"dport {op} :2101" for op in ("<=", "le", "leq", ">", "lt", ">=")),
        *("sport :2100", "dport 0x834", "sport 04064", "sport = :*", "dport = *", "sport :"),
        *("dport = 0", "dport != 0", "sport = :https", "src *:2100", "src :2100", "dst *2100"),
        *("src ::1:2101", "src [::1]2101", "sport inet6:2101", "sport = inet:2101"),
        *("dev lo", "dev = v0", "dev != lo", "dev 1", "dev = 0", "dev != if1", "not dev v0"),
        *("dev lo or sport 2100", "not ( dev lo and src [::] )"),
        *("fwmark 0x11", "fwmark != 17", "fwmark = 0x10/0xf0", "fwmark 1/0", "fwmark 0"),
        "not fwmark 0/1",
        *("sport 2100 or sport 2101 and src 127.0.0.2", "not sport 2100 dport != 2101"),
        *("( sport 2100 or dport 2100 ) & ! src 127.0.0.2 || dport 2200", "! ! sport = 2100"),
        *("state listening state established sport 2100 or dport 2100", "exclude all"),
        *("state all exclude connected", "state listening exclude listening"),
        *(
            "src inet:* or dst inet6:*",
            "dst inet6:* or src inet:*",
            "src inet:127.0.0.2 dst inet6:*",
        ),
    ],
)
def test_predicates_and_groups(wild: Wild, text: str) -> None:
    check(wild, text)


def test_cgroups(wild: Wild) -> None:
    for text in ("cgroup {}", "cgroup = {}", "cgroup != {}", "not cgroup {} sport gt 2100"):
        assert check(wild, text.format(wild.cgroup)), text
        check(wild, text.format(mount_point()))


def test_autobound_is_a_matter_of_the_port(wild: Wild) -> None:
    """ss asks the kernel as well, which leaves out ports of the range that were asked for."""
    mine, theirs = wild.both("autobound")
    assert theirs is not None
    assert theirs < mine
    table = wild.sockets()
    ports = table.local_port[np.isin(table.cookie, list(mine - theirs))]
    assert set(ports.tolist()) == {wild.asked_for}


def test_what_ss_refuses_and_tcptop_takes(wild: Wild) -> None:
    """Beyond ss, where the same is said with more spaces or another name."""
    for more, same in (
        ("state listen", "state listening"),
        ("state CLOSE_WAIT", "state close-wait"),
        ("sport=:2100", "sport = :2100"),
        (
            "(sport=2100|dport=2100)&!src=127.0.0.2",
            "( sport 2100 or dport 2100 ) not src 127.0.0.2",
        ),
        (":2101", "sport 2101 or dport 2101"),
        ("sport 2100,2101", "sport 2100 or sport 2101"),
        ("sport 2100-2101", "sport ge 2100 sport le 2101"),
        ("src ::1", "src [::1]"),
        ("src [::1]/127:2101", "src [::1/127]:2101"),
    ):
        mine, refused = wild.both(more)
        assert refused is None, more
        assert mine == wild.both(same)[1], more
        assert mine, more


_ports = st.sampled_from([0, 1, 2099, 2100, 2101, 2102, 2200, 32768, 60999, 65535])
_operators = st.sampled_from(
    ["=", "==", "eq", "!=", "ne", ">", "gt", "<", "lt", ">=", "ge", "<=", "leq", ""]
)
_prefixes = st.sampled_from(["127.0.0.1", "127.0.0.2", "0.0.0.0", "10.78.0.1", "::", "::1"])
_networks = st.tuples(_prefixes, st.integers(0, 128)).map(
    lambda pair: f"[{pair[0]}/{min(pair[1], 128 if ':' in pair[0] else 32)}]"
)
_hosts = st.one_of(_networks, st.sampled_from([a for a in ADDRESSES if not a.endswith("::*")]))
_predicates = st.one_of(
    st.builds("{} {} {}".format, st.sampled_from(["sport", "dport"]), _operators, _ports),
    st.builds(
        "{} {} {}".format, st.sampled_from(["src", "dst"]), st.sampled_from(["=", ""]), _hosts
    ),
    st.builds("src {}:{}".format, _networks, _ports),
    st.builds(
        "dev {} {}".format, st.sampled_from(["=", "!=", ""]), st.sampled_from(["lo", "v0", 0])
    ),
    st.builds(
        "fwmark {} {}".format,
        st.sampled_from(["=", "!=", ""]),
        st.sampled_from(["0", "0x11", "0x10/0xf0", "1/1", "2/3"]),
    ),
)
_links = st.sampled_from([" ", " and ", " & ", " && ", " or ", " | ", " || "])
_expressions = st.recursive(
    _predicates,
    lambda inner: st.one_of(
        st.builds("{}{}{}".format, inner, _links, inner),
        inner.map("( {} )".format),
        inner.map("not ( {} )".format),
        inner.map("! {}".format),
    ),
    max_leaves=6,
)
_clauses = st.lists(
    st.builds(
        "{} {}".format, st.sampled_from(["state", "exclude", "excl"]), st.sampled_from(STATES)
    ),
    max_size=3,
)


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(clauses=_clauses, expression=_expressions)
def test_any_expression_that_ss_takes(wild: Wild, clauses: list[str], expression: str) -> None:
    text = " ".join([*clauses, expression])
    mine, theirs = wild.both(text)
    if theirs is not None:  # ss refuses hosts of another family after a prefix
        assert mine == theirs
