"""The grammar: what is accepted, and how it groups."""

import subprocess
import sys

import pytest

from tcptop.analysis.filter import EVERYTHING, parse
from tcptop.analysis.filter.nodes import (
    Address,
    AllOf,
    AnyOf,
    Autobound,
    Cgroup,
    Choice,
    Device,
    Expression,
    Family,
    HostMatch,
    HostName,
    Mark,
    Not,
    Number,
    Port,
    Service,
    Span,
    State,
    Text,
    Word,
)
from tcptop.analysis.filter.states import ALL, NAMES, SS_DEFAULT
from tcptop.model import tcp


def port(number: int, field: str = "sport") -> Port:
    return Port(field, "=", (Span(number, number),))


def states(*names: str) -> State:
    return State(sum(1 << NAMES[name] for name in names))


A, B, C = port(1), port(2), port(3)


@pytest.mark.parametrize(
    ("text", "expression"),
    [
        ("sport 1 sport 2", AllOf((A, B))),
        ("sport 1 and sport 2 && sport 3", AllOf((A, B, C))),
        ("sport 1 | sport 2 or sport 3 || sport 1", AnyOf((A, B, C, A))),
        # ssfilter.y: `and` and `or` bind alike, from the left.
        ("sport 1 or sport 2 and sport 3", AllOf((AnyOf((A, B)), C))),
        ("sport 1 and sport 2 or sport 3", AnyOf((AllOf((A, B)), C))),
        ("sport 1 or sport 2 sport 3", AllOf((AnyOf((A, B)), C))),
        ("sport 1 or (sport 2 and sport 3)", AnyOf((A, AllOf((B, C))))),
        ("not sport 1 sport 2", AllOf((Not(A), B))),
        ("! ! sport 1", Not(Not(A))),
        ("not (sport 1 or sport 2)", Not(AnyOf((A, B)))),
        ("SPORT 1 AND NOT sport 2 OR sport 3", AnyOf((AllOf((A, Not(B))), C))),
        ("(sport=1)|(sport=2)&!sport=3", AllOf((AnyOf((A, B)), Not(C)))),
        ("not(sport 1)and(sport 2)", AllOf((Not(A), B))),
        ("\tsport\n1  ", A),
        ("", EVERYTHING),
        ("   ", EVERYTHING),
    ],
)
def test_terms_group_as_in_ss(text: str, expression: Expression) -> None:
    assert parse(text) == expression


@pytest.mark.parametrize(
    ("text", "expression"),
    [
        ("state established", states("established")),
        ("state established state time-wait", states("established", "time-wait")),
        ("exclude all state closing", State(1 << tcp.CLOSING)),
        ("state all exclude listening", State(ALL & ~(1 << tcp.LISTEN))),
        ("excl listening", State(ALL & ~(1 << tcp.LISTEN))),
        # ss: no state left means those that it shows without options.
        ("state listening exclude listening", State(SS_DEFAULT)),
        (
            "state listening state closing sport 1 or sport 2",
            AllOf((states("listening", "closing"), AnyOf((A, B)))),
        ),
        ("state listening or state closing", AnyOf((states("listening"), states("closing")))),
        ("state listening and state closing", AllOf((states("listening"), states("closing")))),
        ("sport 1 state listening", AllOf((A, states("listening")))),
        ("state = listening,closing", states("listening", "closing")),
        ("(state listening state closing)", AllOf((states("listening"), states("closing")))),
    ],
)
def test_leading_state_clauses_accumulate(text: str, expression: Expression) -> None:
    assert parse(text) == expression


@pytest.mark.parametrize("name", NAMES)
def test_states_in_every_spelling(name: str) -> None:
    kernel = tcp.STATES[NAMES[name]]
    words = {name, name.upper(), name.replace("-", "_"), name.replace("-", "")}
    for word in words | {kernel, kernel.lower(), kernel.replace("_", "-")}:
        assert parse(f"state {word}") == states(name), word


@pytest.mark.parametrize(
    "word", ["listen", "estab", "syn-rcv", "unconnected", "close", "fin-wait1"]
)
def test_other_spellings_of_states(word: str) -> None:
    assert isinstance(parse(f"state {word}"), State)


TEN = Address(4, 10 << 24, 8)


@pytest.mark.parametrize(
    ("word", "addresses", "port_item"),
    [
        ("10.0.0.0/8", (TEN,), None),
        ("10/8", (TEN,), None),
        ("0xa/255.0.0.0", (TEN,), None),
        ("10.0.0.0/8:443", (TEN,), Span(443, 443)),
        ("127.0.0.1", (Address(4, 0x7F000001, 32),), None),
        ("127.1", (Address(4, 0x7F010000, 32),), None),  # as in iproute2, not as in inet_aton
        ("[::1]:22", (Address(6, 1, 128),), Span(22, 22)),
        ("[::1/64]:22", (Address(6, 1, 64),), Span(22, 22)),
        ("[::1]/64:22", (Address(6, 1, 64),), Span(22, 22)),
        ("::1", (Address(6, 1, 128),), None),
        ("::1:443", (Address(6, 1, 128),), Span(443, 443)),
        ("::1/128", (Address(6, 1, 128),), None),
        ("::ffff:10.0.0.0", (Address(6, 0xFFFF << 32 | 10 << 24, 128),), None),
        ("*", (), None),
        ("*:*", (), None),
        ("*:80", (), Span(80, 80)),
        (":80", (), Span(80, 80)),
        (":0x50", (), Span(80, 80)),
        ("any:80", (), Span(80, 80)),
        (":https", (), Service(Word("https"))),
        ("example.org:ssh", (HostName(Word("example.org")),), Service(Word("ssh"))),
    ],
)
def test_hosts_are_read_as_ss_reads_them(
    word: str, addresses: tuple[Address | HostName, ...], port_item: Span | Service | None
) -> None:
    assert parse(f"dst {word}") == HostMatch("dst", addresses, port_item)
    assert parse(f"src={word}") == HostMatch("src", addresses, port_item)


@pytest.mark.parametrize(
    ("word", "addresses", "port_item"),
    [
        ("[fe80::2]%eth0:9000", (Address(6, 0xFE80 << 112 | 2, 128),), Span(9000, 9000)),
        ("[fe80::2]%eth0", (Address(6, 0xFE80 << 112 | 2, 128),), None),
        ("fe80::2%eth0:9000", (Address(6, 0xFE80 << 112 | 2, 128),), Span(9000, 9000)),
        ("fe80::2:22%eth0", (Address(6, 0xFE80 << 112 | 2 << 16 | 0x22, 128),), None),
        ("[fe80::2%eth0]:9000", (Address(6, 0xFE80 << 112 | 2, 128),), Span(9000, 9000)),
        ("[fe80::2%eth0]", (Address(6, 0xFE80 << 112 | 2, 128),), None),
        ("[fe80::%eth0]/64:22", (Address(6, 0xFE80 << 112, 64),), Span(22, 22)),
        ("[fe80::]%eth0/64:22", (Address(6, 0xFE80 << 112, 64),), Span(22, 22)),
        ("127.0.0.1%eth0:80", (Address(4, 0x7F000001, 32),), Span(80, 80)),
        ("*%eth0:80", (), Span(80, 80)),
    ],
)
def test_an_address_may_name_its_device(
    word: str, addresses: tuple[Address, ...], port_item: Span | None
) -> None:
    both = AllOf((HostMatch("src", addresses, port_item), Device("eth0")))
    assert parse(f"src {word}") == both
    assert parse(f"src != {word}") == Not(both)
    assert parse(f"src {word},:1") == AnyOf((both, HostMatch("src", (), Span(1, 1))))


def test_the_last_family_prefix_counts_for_the_whole_filter() -> None:
    everything = HostMatch("src", (), None)
    assert parse("src inet6:*") == AllOf((Family(frozenset({6})), everything))
    assert parse("src inet6:* or src inet:*") == AllOf(
        (Family(frozenset({4})), AnyOf((everything, everything)))
    )
    assert parse("sport inet6:1") == AllOf((Family(frozenset({6})), A))
    assert parse("dst unix:/x") == AllOf((Family(frozenset()), HostMatch("dst", (), None)))


@pytest.mark.parametrize(
    ("text", "expression"),
    [
        (":443", port(443, "port")),
        (":80,443", Port("port", "=", (Span(80, 80), Span(443, 443)))),
        ("dport = :443", port(443, "dport")),
        ("dport eq 443", port(443, "dport")),
        ("dport=443", port(443, "dport")),
        ("dport!=443", Port("dport", "!=", (Span(443, 443),))),
        ("dport neq :443", Port("dport", "!=", (Span(443, 443),))),
        ("sport geq 1024", Port("sport", ">=", (Span(1024, 1024),))),
        ("sport <= 1024", Port("sport", "<=", (Span(1024, 1024),))),
        ("sport > :1024", Port("sport", ">", (Span(1024, 1024),))),
        ("sport lt 1024", Port("sport", "<", (Span(1024, 1024),))),
        (
            "dport = 80, 443,8000-8100",
            Port("dport", "=", (Span(80, 80), Span(443, 443), Span(8000, 8100))),
        ),
        ("sport = *", Port("sport", "=", (Span(0, 65535),))),
        ("dport = ftp-data", Port("dport", "=", (Service(Word("ftp-data")),))),
        ("dev = eth0", Device("eth0")),
        ("dev != eth0", Not(Device("eth0"))),
        ("dev and-then", Device("and-then")),
        ("fwmark = 0x10/0xf0", Mark(16, 240)),
        ("fwmark 7", Mark(7, 0xFFFFFFFF)),
        ("autobound", Autobound()),
        ("cgroup = /sys/fs/cgroup/a.slice/b", Cgroup("a.slice/b")),
        ("cgroup /sys/fs/cgroup/unified/a.slice", Cgroup("a.slice")),
        ("cgroup a\\ b(c)", Cgroup("a b(c)")),
        ("cgroup != /a,b", Not(Cgroup("a,b"))),
        ("pid 5,7-9", Number("pid", "=", ((5, 5), (7, 9)))),
        ('process = "two words",ngin*', Text("process", "=", ("two words", "ngin*"))),
        ('process "a \\"b\\""', Text("process", "=", ('a "b"',))),
        ("process = 'two words',ngin*", Text("process", "=", ("two words", "ngin*"))),
        ("process = ngin* , 'two words'", Text("process", "=", ("ngin*", "two words"))),
        ("process='and'", Text("process", "=", ("and",))),
        (r"command '*\'a, \"b\"*'", Text("command", "=", ('*\'a, "b"*',))),
        ("process = \"a 'b'\"", Text("process", "=", ("a 'b'",))),
        ("process = o'brien,d'arcy", Text("process", "=", ("o'brien", "d'arcy"))),
        ("'two words'", Text("word", "=", ("two words",))),
        ("process = (sd-pam)", Text("process", "=", ("(sd-pam)",))),
        ("user != root", Text("user", "!=", ("root",))),
        ("timer = none,persist", Choice("timer", "=", ("none", "persist"))),
        ("keepalive = OFF", Choice("keepalive", "=", ("off",))),
        ("owner = accept-queue", Choice("owner", "=", ("accept-queue",))),
    ],
)
def test_predicates(text: str, expression: Expression) -> None:
    assert parse(text) == expression


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("idle > 350", 350e6),
        ("idle > 350s", 350e6),
        ("idle > 1.5m", 90e6),
        ("age > 1h30m", 5400e6),
        ("age > 9m05s", 545e6),
        ("age > 3h07m", 11220e6),
        ("age > 12d", 12 * 86_400e6),
        ("age > 2h", 7200e6),
        ("rtt > 100ms", 100e3),
        ("rtt > 100", 100e3),
        ("rtt > 250us", 250.0),
        ("sendq > 64k", 65536.0),
        ("sendq > 1M", 1048576.0),
        ("recvq > 1GiB", 1073741824.0),
        ("fill > 80%", 80.0),
        ("drops > 0", 0.0),
    ],
)
def test_units(text: str, value: float) -> None:
    found = parse(text)
    assert isinstance(found, Number)
    assert found.ranges == ((value, value),)


def test_lark_is_loaded_only_for_a_filter() -> None:
    code = "import sys, tcptop.analysis.filter; sys.exit('lark' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
