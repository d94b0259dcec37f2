"""Addresses as two 64-bit halves, and as canonical text."""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from tcptop.model.table import U64

MAPPED_PREFIX = 0xFFFF  # the upper 32 of the lower 64 bits of ::ffff:a.b.c.d


class HasLocal(Protocol):
    @property
    def local_hi(self) -> U64: ...
    @property
    def local_lo(self) -> U64: ...


class HasRemote(Protocol):
    @property
    def remote_hi(self) -> U64: ...
    @property
    def remote_lo(self) -> U64: ...


@lru_cache(maxsize=65536)
def text(hi: int, lo: int) -> str:
    """Canonical text (RFC 5952); an IPv4-mapped address is shown as IPv4."""
    if hi == 0 and lo >> 32 == MAPPED_PREFIX:
        return "%d.%d.%d.%d" % (lo >> 24 & 255, lo >> 16 & 255, lo >> 8 & 255, lo & 255)
    return str(IPv6Address(hi << 64 | lo))


def local_text(of: HasLocal, row: int) -> str:
    """The near address of a row."""
    return text(int(of.local_hi[row]), int(of.local_lo[row]))


def remote_text(of: HasRemote, row: int) -> str:
    """The far address of a row."""
    return text(int(of.remote_hi[row]), int(of.remote_lo[row]))


def halves(address: str) -> tuple[int, int]:
    """The halves of an address in text, IPv4 as mapped; raises ValueError."""
    if ":" in address:
        number = int(IPv6Address(address))
    else:
        number = MAPPED_PREFIX << 32 | int(IPv4Address(address))
    return number >> 64, number & 0xFFFF_FFFF_FFFF_FFFF


def endpoint(address: str, port: int | str, zone: str = "") -> str:
    """`address%eth0:port` as ss prints it, IPv6 in brackets; `zone` is `%eth0`, or empty."""
    return f"{bracketed(address)}{zone}:{port}"


def split_zone(text: str) -> tuple[str, str]:
    """An address, endpoint or network without its zone, and that: `%eth0`, or empty.

    The zone may be within the brackets, as RFC 4007 has it, or after them, as ss has it.
    """
    before, percent, rest = text.partition("%")
    name = re.split("[:/]", rest, maxsplit=1)[0]  # neither may be in a device's name
    if before.startswith("[") and "]" not in before and "]" in name:
        name = name[: name.rindex("]")]
    return before + rest[len(name) :], percent + name


def on_device(zone: str) -> str:
    """The end of a filter for the sockets that are bound to the device of a zone."""
    return f" and dev = {zone[1:]}" if zone else ""


def bracketed(address: str) -> str:
    """An address without a port, as ss reads it: else the end of an IPv6 one would be the port."""
    return f"[{address}]" if ":" in address else address
