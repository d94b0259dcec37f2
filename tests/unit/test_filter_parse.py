"""The grammar: what is accepted, how it groups, and what is said of the rest."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tcptop.analysis.filter import EVERYTHING, FilterError, parse
from tcptop.analysis.filter.expected import completions
from tcptop.analysis.filter.fields import FIELDS
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
    Host,
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
    assert parse(f"dst {word}") == Host("dst", addresses, port_item)
    assert parse(f"src={word}") == Host("src", addresses, port_item)


def test_the_last_family_prefix_counts_for_the_whole_filter() -> None:
    everything = Host("src", (), None)
    assert parse("src inet6:*") == AllOf((Family(frozenset({6})), everything))
    assert parse("src inet6:* or src inet:*") == AllOf(
        (Family(frozenset({4})), AnyOf((everything, everything)))
    )
    assert parse("sport inet6:1") == AllOf((Family(frozenset({6})), A))
    assert parse("dst unix:/x") == AllOf((Family(frozenset()), Host("dst", (), None)))


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


@pytest.mark.parametrize(
    ("text", "wrong", "expected"),
    [
        ("dprt = 80", "dprt", "dport"),
        ("state bogus", "bogus", "close-wait"),
        ("state established,bogus", "bogus", "close-wait"),
        ("dport = 70000", "70000", "a port such as 443"),
        ("dport = 80,70000", "70000", "a port such as 443"),
        ("dport > 80-90", "80-90", "a port such as 1024"),
        ("dst 10.0.0.0/33", "33", "/0 to /32"),
        ("dst [::]/129", "129", "/0 to /128"),
        ("dst 10.0.0.256", "10.0.0.256", "a host name"),
        ("dst 443", "443", "a host name"),
        ("dst [::1", "[::1", "a host name"),
        ("idle > 5q", "5q", "a time such as 30s"),
        ("rtt > 1k", "1k", "a time such as 100ms"),
        ("sendq > 5s", "5s", "a size such as 100"),
        ("pid = 9-5", "9-5", "a process number"),
        ("fwmark = x", "x", "a mark such as 1"),
        ("timer = sometimes", "sometimes", "persist"),
        ('process = "ngin', '"ngin', '"'),
        ("(sport = 80", "", ")"),
        ("sport = 80)", ")", "and"),
        ("sport = ", "", "a port such as 443"),
        ("sport = and dport = 80", "and", "a port such as 443"),
        ("dst >= 10.0.0.1", ">=", "an address such as 10.0.0.1"),
        ("sport = 80 or", "", "state"),
        ("sport = 80 443", "443", "and"),
        ("sport = 80,", "", "a port such as 443"),
        ("process = a,,b", ",b", "a process name such as nginx"),
    ],
)
def test_errors_point_at_the_first_wrong_character(text: str, wrong: str, expected: str) -> None:
    with pytest.raises(FilterError) as raised:
        parse(text)
    error = raised.value
    assert error.column == (text.rindex(wrong) if wrong else len(text))
    assert any(word.startswith(expected) for word in error.expected)
    quoted, caret = str(error).split("\n")
    assert quoted == text
    assert caret.index("^") == error.column
    assert expected in caret


def test_an_error_is_two_lines_whatever_is_quoted() -> None:
    with pytest.raises(FilterError) as raised:
        parse("process = 名前\n\x1b[31m and bogus")
    quoted, caret = str(raised.value).split("\n")
    assert "\x1b" not in quoted
    assert caret.index("^") == quoted.index("[") - 1 + 2  # two letters are two cells wide


def test_deep_nesting_is_an_error_and_not_a_crash() -> None:
    for text in ("(" * 5000 + "sport 1" + ")" * 5000, "not " * 5000 + "sport 1"):
        with pytest.raises(FilterError):
            parse(text)
    assert isinstance(parse(" or ".join(["sport 1"] * 5000)), AnyOf)


_WORDS = (
    *FIELDS,
    *("state", "exclude", "and", "or", "not", "(", ")", "=", "!=", ">", "close-wait", "80"),
    *(":443", "10.0.0.0/8", "[::1]:22", "5s", "64k", "80%", '"', "\\", ",", "-", "inet6:*"),
    *("autobound", "!", "&", "|", "*", "[a-", "名", "\x00", "9" * 400, "0x", "1-2", "µs", "٣"),
)
_words = st.sampled_from(_WORDS)


@given(st.one_of(st.text(), st.lists(_words).map(" ".join), st.lists(_words).map("".join)))
def test_no_text_does_worse_than_a_filter_error(text: str) -> None:
    error = complaint(text)
    if error:
        assert 0 <= error.column <= len(text)
        assert error.text == text
        assert len(str(error).split("\n")) == 2


def complaint(text: str) -> FilterError | None:
    try:
        parse(text)
    except FilterError as error:
        return error
    return None


@given(st.lists(_words).map(" ".join), st.integers(0, 40))
def test_completions_are_words_for_any_text(text: str, at: int) -> None:
    assert all(completions(text, min(at, len(text))))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("state clo", ["closed", "close-wait", "closing"]),
        ("timer = ", ["retransmit", "keepalive", "timewait", "persist", "delack", "none"]),
        ("keepalive ", ["on", "off", "unknown", "=", "!="]),
        ("sport ", ["=", "!=", ">", "<", ">=", "<="]),
        ("dst ", ["=", "!="]),
        ("(sport 80 ", ["and", "or", ")", "state"]),
        ("sp", ["sport"]),
        ("sport 80 o", ["or", "owner"]),
        ("sport = ", []),
        ("bogus ", []),
    ],
)
def test_completions(text: str, words: list[str]) -> None:
    assert completions(text, len(text))[: max(len(words), 1)] == words


def test_lark_is_loaded_only_for_a_filter() -> None:
    import subprocess
    import sys

    code = "import sys, tcptop.analysis.filter; sys.exit('lark' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
