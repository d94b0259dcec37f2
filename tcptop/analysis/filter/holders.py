"""Predicates about who holds a socket, and other names."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from fnmatch import translate
from typing import Any

import numpy as np

from tcptop.analysis.filter.facts import Facts
from tcptop.analysis.filter.nodes import Number, Text
from tcptop.analysis.filter.quantities import compare
from tcptop.model.table import U32, Bools


def pids(wanted: Number, facts: Facts) -> Bools:
    """Sockets with a holder whose number compares so; for != no holder is one of them."""
    unequal = wanted.operator == "!="
    hit = compare("=" if unequal else wanted.operator, wanted.ranges, facts.holder_pids)
    return _held(hit, unequal, facts)


def process(wanted: Text, facts: Facts) -> Bools:
    """Sockets with a holder of one of the names; for != no holder has one."""
    keys = _keys(wanted.globs, facts.process_names)
    hit = np.isin(facts.holder_pids, np.array(keys, np.int64))
    return _held(hit, wanted.operator == "!=", facts)


def user(wanted: Text, facts: Facts) -> Bools:
    """Sockets of one of the users, by name or number; unknown where the kernel fills in 0."""
    table = facts.table
    rows: Bools = ~table.mini() & _numbered(wanted, facts.users, table.uid)
    return rows


def netns(wanted: Text, facts: Facts) -> Bools:
    """Sockets of one of the network namespaces, by name or inode."""
    return _numbered(wanted, facts.namespaces, facts.table.netns)


def _numbered(wanted: Text, names: Mapping[int, str | None], column: U32) -> Bools:
    numbers = [int(glob) for glob in wanted.globs if glob.isascii() and glob.isdecimal()]
    keys = _keys(wanted.globs, names) + [number for number in numbers if number < 1 << 32]
    rows = np.isin(column, np.array(keys, np.uint32))
    return ~rows if wanted.operator == "!=" else rows


def _keys(globs: tuple[str, ...], names: Mapping[int, Any]) -> list[int]:
    matches = matcher(globs)
    return [key for key, name in names.items() if name is not None and matches(name)]


def _held(hit: Bools, none: bool, facts: Facts) -> Bools:
    """Rows with a holder that was hit, or (`none`) rows with holders of which none was."""
    rows = np.zeros(len(facts.table), np.bool_)
    rows[facts.holder_rows[hit]] = True
    if not none:
        return rows
    held = np.zeros(len(facts.table), np.bool_)
    held[facts.holder_rows] = True
    return held & ~rows


def matcher(globs: Iterable[str], ignore_case: bool = True) -> Callable[[str], bool]:
    """Whether a name equals one of the globs (*, ?, [a-z]) as a whole."""
    pattern = "|".join(f"(?:{translate(glob)})" for glob in globs)
    match = re.compile(pattern, re.IGNORECASE if ignore_case else 0).match
    return lambda name: match(name) is not None
