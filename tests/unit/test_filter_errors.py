"""What is said of a filter that does not parse, and of one that is being typed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tcptop.analysis.filter import FilterError, completions, parse
from tcptop.analysis.filter.fields import FIELDS
from tcptop.analysis.filter.nodes import AllOf, AnyOf


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
        ("dst [::1]%:80", "[::1]%:80", "a host name"),
        ("dst [::1]%eth0:70000", "70000", "a port such as 443"),
        ("idle > 5q", "5q", "a time such as 30s"),
        ("rtt > 1k", "1k", "a time such as 100ms"),
        ("sendq > 5s", "5s", "a size such as 100"),
        ("pid = 9-5", "9-5", "a pid"),
        ("fwmark = x", "x", "a mark such as 1"),
        ("timer = sometimes", "sometimes", "persist"),
        ('process = "ngin', '"ngin', '"'),
        ("process = 'ngin and x", "'ngin and x", "'"),
        ("'ngin", "'ngin", "'"),
        ("(sport = 80", "", ")"),
        ("sport = 80)", ")", "and"),
        ("sport = ", "", "a port such as 443"),
        ("sport = and dport = 80", "and", "a port such as 443"),
        ("dst >= 10.0.0.1", ">=", "an address such as 10.0.0.1"),
        ("sport = 80 or", "", "state"),
        ("sport = 80 443", "443", "and"),
        ("sport = 80,", "", "a port such as 443"),
        ("process = a,,b", ",b", "a process name such as nginx"),
        ("established", "established", "state established"),
        ("nginx and close-wait", "close-wait", "state close-wait"),
        ("proces nginx = 3", "nginx", "and"),
        ("nginx == 3", "nginx", "process"),
        ("nginx,apache", "nginx,apache", "process"),
        ("sendq > 64 k", "k", "64k"),
        ("recvq > 0 m and state listen", "m", "0m"),
        ("not (sendq > 64 KiB)", "KiB", "64KiB"),
        ("idle > 5 minutes", "minutes", "5m"),
        ("rtt > 10 ms", "ms", "10ms"),
        ("fill >= 50 percent", "percent", "50%"),
        ("process ~ x", "~", "= or != with * and ?"),
        ("process =~ x", "~", "= or != with * and ?"),
        ("127.0.0.1", "127.0.0.1", "dst 127.0.0.1"),
        ("127.0.0.1:9200", "127.0.0.1:9200", "src 127.0.0.1:9200"),
        ("nginx and 10.0.0.0/8", "10.0.0.0/8", "dst 10.0.0.0/8"),
        ("state listen [::1]:80", "[::1]:80", "dst [::1]:80"),
        ("::1", "::1", "dst ::1"),
        ("fe80::1%eth0", "fe80::1%eth0", "dst fe80::1%eth0"),
        ("localhost:5432", "localhost:5432", "dst localhost:5432"),
        ("9200", "9200", ":9200"),
        ("not 9200", "9200", "pid = 9200"),
        ("70000", "70000", "pid = 70000"),
        ("age > 30m1h", "30m1h", "a time such as 30s"),
        ("sendq > 1k2b", "1k2b", "a size such as 100"),
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


@pytest.mark.parametrize(
    "text", ["sendq > 64k k", 'sendq > 64 "k"', "pid = 5 s", "dport = 5 s", "idle > 5 nginx"]
)
def test_a_word_that_is_no_unit_of_a_bare_number_is_a_word(text: str) -> None:
    assert isinstance(parse(text), AllOf)


def test_an_error_is_two_lines_whatever_is_quoted() -> None:
    with pytest.raises(FilterError) as raised:
        parse("process = 名前\n\x1b[31m and bogus")
    quoted, caret = str(raised.value).split("\n")
    assert "\x1b" not in quoted
    assert caret.index("^") == quoted.index("\\x1b") + 2  # two letters are two cells wide


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "and",
            'unexpected "and"; expected state, process, port, dport, sport, dst, src, pid, ...',
        ),
        (
            "(port = 80",
            "unexpected end; expected and, or, ), state, process, port, dport, sport, ...",
        ),
        (
            "port = 80)",
            'unexpected ")"; expected and, or, state, process, port, dport, sport, dst, ...',
        ),
        ("keepalive = maybe", "expected on, off or unknown"),
        (
            "port",
            "unexpected end; expected a port such as 443, :443, https, 80,443 or 8000-8100, "
            "=, !=, >, <, >= or <=",
        ),
        ('process = "ngin', 'unterminated quote; expected "'),
    ],
)
def test_at_most_eight_words_are_expected_the_likeliest_first(text: str, said: str) -> None:
    error = complaint(text)
    assert error
    assert str(error).endswith(said)


def test_deep_nesting_is_an_error_and_not_a_crash() -> None:
    for text in ("(" * 5000 + "sport 1" + ")" * 5000, "not " * 5000 + "sport 1"):
        with pytest.raises(FilterError):
            parse(text)
    assert isinstance(parse(" or ".join(["sport 1"] * 5000)), AnyOf)


WORDS = (
    *FIELDS,
    *("state", "exclude", "and", "or", "not", "(", ")", "=", "!=", ">", "close-wait", "80"),
    *(":443", "10.0.0.0/8", "[::1]:22", "5s", "64k", "80%", '"', "\\", ",", "-", "inet6:*"),
    *("autobound", "!", "&", "|", "*", "[a-", "名", "\x00", "9" * 400, "0x", "1-2", "µs", "٣"),
)
_words = st.sampled_from(WORDS)


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
        (") bogus ", []),
        ("leaky.py ", ["and", "or", "state"]),
    ],
)
def test_completions(text: str, words: list[str]) -> None:
    assert completions(text, len(text))[: max(len(words), 1)] == words
