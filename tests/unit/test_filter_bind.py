"""Names, options and masks."""

import pytest

from tcptop.analysis.filter import (
    EVERYTHING,
    FilterError,
    all_of,
    any_of,
    bind,
    parse,
    port_option,
    process_option,
    select,
    state_mask,
)
from tcptop.analysis.filter.states import ALL
from tcptop.sources.names import SystemNames
from tests.unit.filter_facts import Prepared, chosen, facts
from tests.unit.test_filter_parse import states


def test_names_are_resolved_by_bind_alone() -> None:
    expression = parse("dst both.test:https or sport = https")
    with pytest.raises(ValueError, match=r"both\.test"):
        select(expression, facts())
    assert chosen(expression) == {3, 4, 5}


@pytest.mark.parametrize(
    "text", ["sport = 80 and dst nobody.test", "dst inet6:x or sport 443,nosuch"]
)
def test_unknown_names_are_pointed_at(text: str) -> None:
    with pytest.raises(FilterError) as raised:
        bind(parse(text), Prepared())
    assert raised.value.text == text
    assert text[raised.value.column :].split()[0] in ("nobody.test", "x")


def test_a_name_that_could_not_be_looked_up_is_not_called_unknown() -> None:
    with pytest.raises(FilterError, match=r'"unasked\.test" cannot be looked up: nobody was asked'):
        bind(parse("dst unasked.test"), Prepared())
    with pytest.raises(FilterError, match=r'"nobody\.test" has no address'):
        bind(parse("dst nobody.test"), Prepared())


@pytest.mark.parametrize("name", ["x" * 64, "a\0b", "..", "256.256.256.256.256 "])
def test_what_is_no_host_name_has_no_address(name: str) -> None:
    assert SystemNames().host(name) == []


def test_names_of_the_system() -> None:
    names = SystemNames()
    assert names.service("http") == 80
    assert "127.0.0.1" in names.host("localhost")
    with pytest.raises(OSError, match="not found"):
        names.service("nosuch")


def test_options_say_the_same_as_filters() -> None:
    assert process_option("10") == parse("pid = 10")
    assert process_option("Worker One") == parse('process = "Worker One"')
    assert port_option("443") == parse(":443")
    assert port_option("8000-8010") == parse("port = 8000-8010")
    either = any_of(port_option("25"), port_option("443"))
    assert chosen(all_of(either, parse("state syn-sent"))) == {6}
    assert chosen(all_of(EVERYTHING, parse("sport 25"))) == set()
    assert chosen(any_of()) == set()


@pytest.mark.parametrize("text", ["", "x", "80-", "90-80", "70000", "80,90", "-1"])
def test_a_wrong_port_option_is_a_filter_error(text: str) -> None:
    with pytest.raises(FilterError):
        port_option(text)


@pytest.mark.parametrize(
    ("text", "mask"),
    [
        ("", None),
        ("sport 80", None),
        ("state listening", states("listening").mask),
        ("state listening sport 80", states("listening").mask),
        ("state listening or sport 80", None),
        ("state listening or state closing", states("listening", "closing").mask),
        ("not (state all and not state closing)", states("closing").mask),
        ("not (sport 80 or state listening)", ALL & ~states("listening").mask),
        ("fill > 80%", states("listening").mask),
        ("not fill > 80%", None),
        ("state listening and state closing", 0),
    ],
)
def test_state_mask(text: str, mask: int | None) -> None:
    assert state_mask(parse(text)) == mask
