"""Hosts and ports, read as ss reads them (parse_hostcond in misc/ss.c, lib/utils.c)."""

from __future__ import annotations

import re
from ipaddress import AddressValueError, IPv6Address
from typing import Literal

from tcptop.analysis.filter.nodes import Address, HostName, Service, Span, Word
from tcptop.analysis.filter.words import integer, span, wrong
from tcptop.model.address import split_zone
from tcptop.model.dataclass import dataclass

ANY_PORT = Span(0, 65535)
# The families of ss's prefixes; those that are not IP select no TCP socket.
FAMILIES: dict[str, frozenset[int]] = {
    "inet:": frozenset({4}),
    "inet6:": frozenset({6}),
    "unix:": frozenset(),
    "link:": frozenset(),
    "netlink:": frozenset(),
    "vsock:": frozenset(),
}
_ANY = ("", "*", "any", "all", "default")
_NAME = re.compile(r"(?![0-9.]*$)[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_.])?")
_SERVICE = re.compile(r"[A-Za-z0-9*+._/-]*[A-Za-z][A-Za-z0-9*+._/-]*")
ADDRESS_HINT = ("an address such as 10.0.0.1, 10.0.0.0/8, [::1]:443 or *:80", "a host name")
PORT_HINT = ("a port such as 443, :443, https, 80,443 or 8000-8100",)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """[FAMILY:]ADDRESS[%DEVICE][:PORT]; None is any."""

    address: Address | HostName | None
    port: Span | Service | None
    device: str | None


def family(word: Word) -> frozenset[int] | None:
    """The IP versions of a FAMILY: prefix, None without one."""
    return next((FAMILIES[prefix] for prefix in FAMILIES if word.text.startswith(prefix)), None)


def endpoint(word: Word) -> Endpoint:
    """`10.0.0.0/8:443`, `[::1]:ssh`, `*:80`, `[fe80::1]%eth0:80`, `inet6:*`."""
    if not word.text:
        raise wrong(word, "an address is missing", *ADDRESS_HINT)
    versions = family(word)
    if versions == frozenset():
        return Endpoint(None, None, None)
    host, port, device = _split_device(_without_family(word))
    address = None if host.text in _ANY else _address(host, versions)
    return Endpoint(address, _optional_port(port), device)


def port(word: Word) -> Span | Service:
    """`443`, `:https`, `8000-8100`, `*`."""
    if not word.text:
        raise wrong(word, "a port is missing", *PORT_HINT)
    word = _without_family(word)
    return _optional_port(_rest(word, word.text.startswith(":"))) or ANY_PORT


def _without_family(word: Word) -> Word:
    prefix = next((prefix for prefix in FAMILIES if word.text.startswith(prefix)), "")
    return _rest(word, len(prefix))


def _rest(word: Word, start: int) -> Word:
    return Word(word.text[start:], word.column + start, word.source)


def _split_device(word: Word) -> tuple[Word, Word, str | None]:
    """The address, the port, and the device that is between them, as in ss's output."""
    bare, zone = split_zone(word.text)
    if not zone:
        return *_split(word), None
    if zone == "%":
        raise wrong(word, f"{_quote(word)} names no device", *ADDRESS_HINT)
    at = word.text.index("%")
    host, port = _split(Word(bare, word.column, word.source))
    if _is_ip6(bare) and at == len(bare):
        host, port = _cut(Word(bare, word.column, word.source), 0, at, at)
    return host, Word(port.text, port.column + len(zone), port.source), zone[1:]


def _split(word: Word) -> tuple[Word, Word]:
    """The address without its brackets, and the port without its colon."""
    text = word.text
    if text.startswith("["):
        return _split_brackets(word)
    head, _, tail = text.rpartition(":")
    if text.startswith("*"):
        cut = 1
    elif _is_ip6(text) and ("." in tail or not _is_ip6(head)):
        cut = len(text)  # `::1`, which ss refuses; `fe80::1:22` is port 22 of fe80::1, as in ss
    else:
        cut = text.rfind(":", max(text.find("/"), 0))
    cut = len(text) if cut < 0 else cut
    return _cut(word, 0, cut, cut)


def _split_brackets(word: Word) -> tuple[Word, Word]:
    close = word.text.find("]")
    if close < 0:
        raise wrong(word, '"[" without "]"', *ADDRESS_HINT)
    prefix = word.text[close + 1 :].partition(":")[0]  # `[::1]/64:22`, for which ss wants [::1/64]
    if not prefix.startswith("/"):
        return _cut(word, 1, close, close + 1)
    inside = Word(word.text[1:close] + prefix, word.column + 1, word.source)
    return inside, _cut(word, 0, 0, close + 1 + len(prefix))[1]


def _cut(word: Word, start: int, end: int, rest: int) -> tuple[Word, Word]:
    rest += word.text.startswith(":", rest)
    return Word(word.text[start:end], word.column + start, word.source), _rest(word, rest)


def _optional_port(word: Word) -> Span | Service | None:
    if word.text == "" or word.text.startswith("*"):
        return None
    found = span(word.text)
    if found is None and not _SERVICE.fullmatch(word.text):
        raise wrong(word, f"{_quote(word)} is not a port", *PORT_HINT)
    if found and found.high > 65535:
        raise wrong(word, "a port is 0 to 65535", *PORT_HINT)
    return found or Service(word)


def _address(word: Word, versions: frozenset[int] | None) -> Address | HostName:
    text, slash, prefix = word.text.partition("/")
    wanted = versions or frozenset({4, 6})
    four = _ip4(text)
    six = int(IPv6Address(text)) if _is_ip6(text) else None
    if four is not None and 4 in wanted:
        return Address(4, four, _bits(word, prefix, 32) if slash else 32)
    if six is not None and 6 in wanted:
        return Address(6, six, _bits(word, prefix, 128) if slash else 128)
    if slash or not _NAME.fullmatch(text) or four is not None:
        raise wrong(word, f"{_quote(word)} is not an address", *ADDRESS_HINT)
    return HostName(word, _only(versions))


def _only(versions: frozenset[int] | None) -> Literal[4, 6] | None:
    if versions is None:
        return None
    return 4 if 4 in versions else 6


def _bits(word: Word, prefix: str, most: int) -> int:
    """A prefix length, or a netmask written as an IPv4 address."""
    mask = _ip4(prefix) if "." in prefix else None
    bits = integer(prefix) if mask is None else _mask_length(mask)
    if bits is None or bits > most:
        slash = word.source.find("/", word.column)
        raise wrong(
            Word(prefix, slash + 1, word.source),
            f"a prefix length is 0 to {most}",
            f"/0 to /{most}",
        )
    return bits


def _mask_length(mask: int) -> int | None:
    host = ~mask & 0xFFFF_FFFF
    return None if host & (host + 1) else 32 - host.bit_length()


def _ip4(text: str) -> int | None:
    """`10.8` is 10.8.0.0, as in every tool of iproute2."""
    parts = [integer(part) for part in text.split(".")]
    if len(parts) > 4 or any(part is None or part > 255 for part in parts):
        return None
    return int.from_bytes(bytes(part or 0 for part in parts).ljust(4, b"\0"), "big")


def _is_ip6(text: str) -> bool:
    try:
        IPv6Address(text)
    except AddressValueError:
        return False
    return "%" not in text


def _quote(word: Word) -> str:
    return f'"{word.text}"'
