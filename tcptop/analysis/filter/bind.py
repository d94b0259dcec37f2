"""Names in a filter become addresses and ports, once, when the filter is submitted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from ipaddress import IPv4Address, ip_address
from typing import Protocol

from tcptop.analysis.filter.nodes import (
    Address,
    AllOf,
    AnyOf,
    Expression,
    HostMatch,
    HostName,
    Not,
    Port,
    Service,
    Span,
)
from tcptop.analysis.filter.words import wrong


class NameResolver(Protocol):
    """Who resolves names."""

    def host(self, name: str) -> Sequence[str]:
        """Every address of a host, as text; none for one that nobody knows. Raises OSError where
        it could not be looked up."""

    def service(self, name: str) -> int:
        """The TCP port of a service. Raises OSError for one that nobody knows."""


def bind(expression: Expression, names: NameResolver) -> Expression:
    """The expression without names. It may wait for DNS. Raises FilterError at an unknown name."""
    match expression:
        case AllOf(terms):
            return AllOf(tuple(bind(term, names) for term in terms))
        case AnyOf(terms):
            return AnyOf(tuple(bind(term, names) for term in terms))
        case Not(term):
            return Not(bind(term, names))
        case Port(_, _, items):
            return replace(expression, items=tuple(_port(item, names) for item in items))
        case HostMatch(_, addresses, port):
            known = tuple(_addresses(addresses, names))
            return replace(expression, addresses=known, port=port and _port(port, names))
    return expression


def _port(item: Span | Service, names: NameResolver) -> Span:
    if isinstance(item, Span):
        return item
    word = item.word
    try:
        number = names.service(word.text)
    except OSError:
        message = f'unknown service "{word.text}"'
        raise wrong(word, message, "a port number", "a name from /etc/services") from None
    return Span(number, number)


def _addresses(items: Iterable[Address | HostName], names: NameResolver) -> Iterator[Address]:
    for item in items:
        if isinstance(item, Address):
            yield item
        else:
            yield from _resolved(item, names)


def _resolved(name: HostName, names: NameResolver) -> list[Address]:
    word = name.word
    try:
        found = [_address(text) for text in names.host(word.text)]
    except OSError as error:
        message = f'"{word.text}" cannot be looked up: {error.strerror or error}'
        raise wrong(word, message, "an address") from None
    wanted = [address for address in found if name.version in (None, address.version)]
    if not wanted:
        raise wrong(word, f'"{word.text}" has no address', "an address", "a known host name")
    return wanted


def _address(text: str) -> Address:
    number = ip_address(text.partition("%")[0])
    if isinstance(number, IPv4Address):
        return Address(4, int(number), 32)
    return Address(6, int(number), 128)
