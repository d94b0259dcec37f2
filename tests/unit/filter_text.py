"""An expression as text that parses to the same."""

from __future__ import annotations

import re
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address

from tcptop.analysis.filter import states
from tcptop.analysis.filter.fields import FIELDS
from tcptop.analysis.filter.hosts import ANY_PORT
from tcptop.analysis.filter.nodes import (
    EVERYTHING,
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
    Predicate,
    Service,
    Span,
    State,
    Text,
)

_PLAIN = re.compile(r"(?!(?:and|or|not)$)[\w.*?/:@%+-]+")


def to_text(expression: Expression) -> str:
    """The filter in words, "" for the one that is always true."""
    match expression:
        case AllOf(terms):
            return _joined(" and ", [term for term in terms if term != EVERYTHING])
        case AnyOf(terms):
            return _joined(" or ", terms) if terms else "state != all"
        case Not(term):
            return f"not {_enclosed(term)}"
    return _predicate(expression)


def _joined(link: str, terms: Iterable[Expression]) -> str:
    return link.join(_enclosed(term) for term in terms)


def _enclosed(term: Expression) -> str:
    text = to_text(term) or "state = all"
    return f"({text})" if isinstance(term, AllOf | AnyOf) else text


def _predicate(predicate: Predicate) -> str:
    match predicate:
        case State(mask):
            return _state(mask)
        case Family(versions):
            return "src " + {4: "inet:*", 6: "inet6:*"}.get(min(versions, default=0), "unix:*")
        case HostMatch():
            return f"{predicate.side} {_hosts(predicate)}"
        case Port(field, operator, items):
            return f"{field} {operator} {','.join(map(_port, items))}"
        case Autobound():
            return "autobound"
        case Device(name):
            return f"dev {_word(name)}"
        case Mark(value, mask):
            return f"fwmark {value:#x}/{mask:#x}"
        case Cgroup(pattern):
            return f"cgroup {_word('/' + pattern)}"
        case Number(field, operator, ranges):
            return f"{field} {operator} {','.join(_range(field, *pair) for pair in ranges)}"
        case Text("word", _, (part,)):
            return _word(part)
        case Text(field, operator, words) | Choice(field, operator, words):
            return f"{field} {operator} {','.join(map(_word, words))}"


def _state(mask: int) -> str:
    named, others = _words(mask), _words(states.ALL & ~mask)
    if not named or (len(others) < len(named) and mask <= states.ALL):
        return f"state != {','.join(others)}"
    return f"state = {','.join(named)}"


def _words(mask: int) -> tuple[str, ...]:
    """The shortest way to write a mask: a group, or names."""
    for name, group in states.GROUPS.items():
        if mask == group:
            return (name,)
    names = (states.NAMES | {"bound-inactive": 13}).items()
    return tuple(name for name, state in names if mask >> state & 1)


def _hosts(host: HostMatch) -> str:
    port = "" if host.port is None else f":{_port(host.port)}"
    return ",".join(_address(address) + port for address in host.addresses) or f"*{port}"


def _address(address: Address | HostName) -> str:
    if isinstance(address, HostName):
        return address.word.text
    number, bits = address.number, address.bits
    if address.version == 4:
        return str(IPv4Address(number)) + ("" if bits == 32 else f"/{bits}")
    return f"[{IPv6Address(number)}{'' if bits == 128 else f'/{bits}'}]"


def _port(item: Span | Service) -> str:
    if isinstance(item, Service):
        return item.word.text
    if item == ANY_PORT:
        return "*"
    return str(item.low) if item.low == item.high else f"{item.low}-{item.high}"


def _range(field: str, low: float, high: float) -> str:
    return (
        _quantity(field, low)
        if low == high
        else f"{_quantity(field, low)}-{_quantity(field, high)}"
    )


def _quantity(field: str, value: float) -> str:
    """In the largest of the field's units that leaves a whole number."""
    units = FIELDS[field].units or {}
    fits = [unit for unit, factor in units.items() if value % factor == 0 and unit.isascii()]
    unit = max(fits, key=lambda unit: (units[unit], -len(unit)), default="us") if value else ""
    return f"{value / units.get(unit, 1):.9f}".rstrip("0").rstrip(".") + unit


def _word(text: str) -> str:
    if _PLAIN.fullmatch(text):
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
