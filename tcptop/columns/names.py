"""Names in place of addresses and ports, where they are known by now."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from tcptop.model.address import bracketed, split_zone

COLUMNS = ("local", "remote")  # of any list: addresses, or addresses with ports


class AddressNames(Protocol):
    """Answers at once, and asks behind the scenes for what it does not know."""

    def name(self, address: str) -> str | None: ...

    def service(self, port: int) -> str | None: ...

    def close(self) -> None: ...


OpenNames = Callable[
    [Callable[[], object]], AddressNames
]  # calls its argument when it learnt something


def named(texts: Sequence[str], names: AddressNames | None) -> Sequence[str]:
    """Addresses, or addresses with ports, as their names."""
    return texts if names is None else [_named(text, names) for text in texts]


def _named(text: str, names: AddressNames) -> str:
    bare, zone = split_zone(text)
    address, port = _parts(bare)
    host = names.name(address)
    start = (host or (bracketed(address) if port else address)) + zone
    if not port:
        return start
    service = names.service(int(port)) if port.isdecimal() else None
    return f"{start}:{service or port}"


def _parts(text: str) -> tuple[str, str]:
    """Address and port; the port is empty where there is none."""
    if text.startswith("["):
        address, _, port = text[1:].partition("]:")
        return address, port
    address, colon, port = text.rpartition(":")
    return (address, port) if colon and ":" not in address else (text, "")
