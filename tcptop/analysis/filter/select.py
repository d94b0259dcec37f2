"""Evaluation: which rows of the table an expression selects."""

from __future__ import annotations

import numpy as np

from tcptop.analysis.filter import addresses, holders, quantities
from tcptop.analysis.filter.facts import Facts
from tcptop.analysis.filter.nodes import (
    AllOf,
    AnyOf,
    Autobound,
    Cgroup,
    Choice,
    Device,
    Expression,
    Family,
    HostMatch,
    Mark,
    Not,
    Number,
    Port,
    State,
    Text,
    predicates,
)
from tcptop.analysis.filter.quantities import in_states
from tcptop.model import tcp
from tcptop.model.table import Bools


def select(expression: Expression, facts: Facts) -> Bools:
    """A mask of the table's rows. Names must have been resolved (`bind`), else ValueError.

    ss filters twice, and so does this where it makes a difference: the kernel compares addresses
    within a family (inet_diag_bc_run), then ss itself compares their bytes whatever the family
    (inet2_addr_match). With `dev`, which ss cannot ask of the kernel, only the second happens.
    """
    found = list(predicates(expression))
    if any(isinstance(predicate, Device) for predicate, _ in found):
        return _rows(expression, facts, exact=False)
    rows = _rows(expression, facts, exact=True)
    if any(negated and isinstance(predicate, HostMatch) for predicate, negated in found):
        rows = rows & _rows(expression, facts, exact=False)
    return rows


def _rows(expression: Expression, facts: Facts, exact: bool) -> Bools:
    match expression:
        case AllOf(terms):
            rows = np.ones(len(facts.table), np.bool_)
            for term in terms:
                rows &= _rows(term, facts, exact)
            return rows
        case AnyOf(terms):
            rows = np.zeros(len(facts.table), np.bool_)
            for term in terms:
                rows |= _rows(term, facts, exact)
            return rows
        case Not(term):
            return ~_rows(term, facts, exact)
        case HostMatch():
            return addresses.host(expression, facts.table, exact)
        case Port():
            return addresses.port(expression, facts.table)
        case Number(field="pid"):
            return holders.pids(expression, facts)
        case Number():
            return quantities.number(expression, facts)
        case Choice():
            return quantities.choice(expression, facts)
        case Text(field):
            return _NAMED[field](expression, facts)
    return _of_kernel(expression, facts)


def _of_kernel(
    predicate: State | Family | Autobound | Device | Mark | Cgroup, facts: Facts
) -> Bools:
    match predicate:
        case State(mask):
            return in_states(mask, facts.table)
        case Family(versions):
            return np.isin(facts.table.family, [_FAMILIES[version] for version in versions])
        case Autobound():
            return _autobound(facts)
        case Device(name):
            return _device(name, facts)
        case Mark(value, mask):
            return _marked(value, mask, facts)
        case Cgroup(pattern):
            return _cgroup(pattern, facts)


_NAMED = {
    **dict.fromkeys(holders.TEXTS, holders.process),
    "word": holders.word,
    "user": holders.user,
    "netns": holders.netns,
}
_FAMILIES = {4: tcp.AF_INET, 6: tcp.AF_INET6}


def _autobound(facts: Facts) -> Bools:
    rows = np.zeros(len(facts.table), np.bool_)
    port = facts.table.local_port
    for netns, (low, high) in facts.port_ranges.items():
        rows |= (facts.table.netns == netns) & (port >= low) & (port <= high)
    return rows


def _device(name: str, facts: Facts) -> Bools:
    """An interface by its name in the socket's own namespace; by index where it has none."""
    table = facts.table
    number = device_index(name)
    rows = np.zeros(len(table), np.bool_) if number is None else table.interface == number
    for netns, names in facts.interfaces.items():
        index = next((index for index, known in names.items() if known == name), None)
        if index is not None:
            here = table.netns == netns
            rows = np.where(here, table.interface == index, rows)
    return rows


def device_index(name: str) -> int | None:
    """`3` or `if3`, which iproute2 takes for an index too (ll_name_to_index)."""
    digits = name.removeprefix("if")
    return int(digits) if digits.isascii() and digits.isdecimal() and len(digits) < 10 else None


def _marked(value: int, mask: int, facts: Facts) -> Bools:
    """Without CAP_NET_ADMIN the kernel sends no mark at all: then nothing is known."""
    table = facts.table
    if not table.came(tcp.MARK).any():
        return np.zeros(len(table), np.bool_)
    rows: Bools = (table.mark & np.uint32(mask)) == np.uint32(value)
    return rows


def _cgroup(pattern: str, facts: Facts) -> Bools:
    matches = holders.matcher([pattern], ignore_case=False)
    ids = [number for number, path in facts.cgroups.items() if matches(path.strip("/"))]
    return np.isin(facts.table.cgroup_id, np.array(ids, np.uint64))
