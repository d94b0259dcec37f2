"""Predicates about who holds a socket, and other names."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from fnmatch import translate
from typing import Any

import numpy as np

from tcptop.analysis.filter.facts import Facts
from tcptop.analysis.filter.nodes import Number, Text
from tcptop.analysis.filter.quantities import compare
from tcptop.model.container import Workload
from tcptop.model.sample import Process
from tcptop.model.table import U32, Bools


def pids(wanted: Number, facts: Facts) -> Bools:
    """Sockets with a holder whose number compares so; for != no holder is one of them."""
    unequal = wanted.operator == "!="
    hit = compare("=" if unequal else wanted.operator, wanted.ranges, facts.holder_pids)
    return _held(hit, unequal, facts)


def process(wanted: Text, facts: Facts) -> Bools:
    """Sockets with a holder of one of the names, or whose workload has it where there is no holder;
    for != none has one, of those known."""
    matches, texts = matcher(wanted.globs), TEXTS[wanted.field]
    of_workload = WORKLOADS.get(wanted.field, _nothing)
    hit = _held(_holders(facts, lambda each: any(map(matches, texts(each)))), False, facts)
    hit |= _workloads(facts, lambda each: any(map(matches, of_workload(each))))
    if wanted.operator != "!=":
        return hit
    named = _held(_holders(facts, lambda each: any(texts(each))), False, facts)
    return ~hit & (named | _workloads(facts, lambda each: any(of_workload(each))))


def word(wanted: Text, facts: Facts) -> Bools:
    """Sockets with a holder in whose name, label, command line, unit or container the word is, or
    without one but of such a unit or container."""
    part = wanted.globs[0]
    held = _held(_holders(facts, lambda each: mentions(each, part)), False, facts)
    return held | _workloads(facts, lambda each: belongs(each, part))


def mentions(process: Process, part: str) -> bool:
    """Whether a part, in any case, is in what a process is called."""
    return any(part.lower() in text.lower() for texts in TEXTS.values() for text in texts(process))


def belongs(workload: Workload, part: str) -> bool:
    """Whether a part, in any case, is in what a workload is called."""
    return any(
        part.lower() in text.lower() for texts in WORKLOADS.values() for text in texts(workload)
    )


def _holders(facts: Facts, wanted: Callable[[Process], bool]) -> Bools:
    """The entries of `holder_pids` whose process is wanted."""
    pids = [pid for pid, each in facts.processes.items() if wanted(each)]
    return np.isin(facts.holder_pids, np.array(pids, np.int64))


def _workloads(facts: Facts, wanted: Callable[[Workload], bool]) -> Bools:
    """The rows whose workload is wanted."""
    if facts.workload is None:
        return np.zeros(len(facts.table), np.bool_)
    found = np.array([wanted(each) for each in facts.workloads], np.bool_)
    rows: Bools = found[facts.workload]
    return rows


def _nothing(each: Workload) -> list[str]:
    return []


def _unit(each: Process | Workload) -> list[str]:
    return [each.unit] if each.unit else []


def _container(each: Process | Workload) -> list[str]:
    box = each.container
    return [text for text in (box.id, box.runtime, box.pod, box.name) if text] if box else []


# What is known of a process, by the field that asks for it.
TEXTS: Mapping[str, Callable[[Process], list[str]]] = {
    "process": lambda each: [text for text in (each.name, each.label) if text],
    "command": lambda each: [each.cmdline] if each.cmdline else [],
    "unit": _unit,
    "container": _container,
}
# And of a workload.
WORKLOADS: Mapping[str, Callable[[Workload], list[str]]] = {"unit": _unit, "container": _container}


def user(wanted: Text, facts: Facts) -> Bools:
    """Sockets of one of the users, by name or number; unknown where the kernel fills in 0."""
    table = facts.table
    if facts.ended is not None:
        return np.zeros(len(table), np.bool_)
    rows: Bools = ~table.mini() & _numbered(wanted, facts.users, table.uid)
    return rows


def netns(wanted: Text, facts: Facts) -> Bools:
    """Sockets of one of the network namespaces: by name, by inode, or by both, as lists have them
    where several are called the same."""
    both = {inode: f"{name}/{inode}" for inode, name in facts.namespaces.items()}
    globs = [*wanted.globs, *map(str, _keys(wanted.globs, both))]
    return _numbered(replace(wanted, globs=tuple(globs)), facts.namespaces, facts.table.netns)


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
