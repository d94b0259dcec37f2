"""Hosts and ports against the address columns."""

from __future__ import annotations

import numpy as np

from tcptop.analysis.filter.nodes import Address, HostMatch, HostName, Port, Service, Span
from tcptop.analysis.filter.quantities import compare
from tcptop.model import tcp
from tcptop.model.table import MAPPED, U16, U64, Bools, SocketTable

_ONES = 0xFFFF_FFFF_FFFF_FFFF


def host(wanted: HostMatch, table: SocketTable, exact: bool) -> Bools:
    """Rows of one of the addresses and of the port; `exact` as the kernel compares addresses."""
    local = wanted.side == "src"
    hi, lo = (table.local_hi, table.local_lo) if local else (table.remote_hi, table.remote_lo)
    ports = table.local_port if local else table.remote_port
    rows = np.full(len(table), not wanted.addresses)
    for address in wanted.addresses:
        if isinstance(address, HostName):
            raise _unbound(address.word.text)
        rows |= (_exact if exact else _loose)(address, table, hi, lo)
    return rows if wanted.port is None else rows & _within(wanted.port, ports)


def port(wanted: Port, table: SocketTable) -> Bools:
    """Rows whose local or remote port (either, for `port`) compares so."""
    if wanted.operator == "!=":
        return ~port(Port(wanted.field, "=", wanted.items), table)
    if wanted.field == "sport":
        return _compare(wanted, table.local_port)
    if wanted.field == "dport":
        return _compare(wanted, table.remote_port)
    return _compare(wanted, table.local_port) | _compare(wanted, table.remote_port)


def _compare(wanted: Port, ports: U16) -> Bools:
    if wanted.operator == "=":
        rows = np.zeros(len(ports), np.bool_)
        for item in wanted.items:
            rows |= _within(item, ports)
        return rows
    bound = _span(wanted.items[0]).low
    return compare(wanted.operator, ((bound, bound),), ports)


def _within(item: Span | Service, ports: U16) -> Bools:
    span = _span(item)
    if span.low == span.high:
        rows: Bools = ports == span.low
    else:
        rows = (ports >= span.low) & (ports <= span.high)
    return rows


def _span(item: Span | Service) -> Span:
    if isinstance(item, Service):
        raise _unbound(item.word.text)
    return item


def _unbound(name: str) -> ValueError:
    return ValueError(f"the name {name!r} was not resolved")


def _exact(address: Address, table: SocketTable, hi: U64, lo: U64) -> Bools:
    """As inet_diag_bc_run: within the family, and IPv4 also against mapped addresses."""
    if address.version == 4:
        mask = np.uint64(_ONES << 32 - address.bits & _ONES)
        wanted = np.uint64(address.number | int(MAPPED))
        rows: Bools = (hi == 0) & ((lo ^ wanted) & mask == 0)
    else:
        rows = (table.family == tcp.AF_INET6) & _begins(hi, lo, address.number, address.bits)
    return rows


def _loose(address: Address, table: SocketTable, hi: U64, lo: U64) -> Bools:
    """As inet2_addr_match of ss: the first bits of either family, IPv4 lying in the first four
    bytes; no bits at all match everything."""
    four = table.family == tcp.AF_INET
    first = np.where(four, lo << np.uint64(32), hi)
    second = np.where(four, np.uint64(0), lo)
    number = address.number << 96 if address.version == 4 else address.number
    rows = _begins(first, second, number, address.bits)
    return rows | _exact(address, table, hi, lo) if address.version == 4 else rows


def _begins(hi: U64, lo: U64, number: int, bits: int) -> Bools:
    mask = ((1 << bits) - 1) << 128 - bits
    different_hi = (hi ^ np.uint64(number >> 64)) & np.uint64(mask >> 64)
    different_lo = (lo ^ np.uint64(number & _ONES)) & np.uint64(mask & _ONES)
    rows: Bools = (different_hi | different_lo) == 0
    return rows
