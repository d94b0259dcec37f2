"""What a filter that finds nothing may have meant."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from tcptop.analysis.filter.facts import Facts
from tcptop.analysis.filter.fields import FIELDS
from tcptop.analysis.filter.holders import TEXTS, WORKLOADS, belongs, matcher, mentions
from tcptop.analysis.filter.nodes import Device, Expression, Text, predicates
from tcptop.analysis.filter.select import device_index
from tcptop.model.sample import Process

NAMED = 3  # processes, the others are counted


def hint(expression: Expression, facts: Facts) -> str:
    """Why a name in the filter fits no process or device, and what would; empty where each does."""
    people = [*facts.processes.values()]
    for predicate, negated in predicates(expression):
        if isinstance(predicate, Device) and not negated and _is_no_device(predicate.name, facts):
            return _no_device(predicate.name, facts)
        if isinstance(predicate, Text) and not negated and not _fits(predicate, people, facts):
            return _told(predicate, people)
    return ""


def _is_no_device(name: str, facts: Facts) -> bool:
    """Whether no namespace has it: each has its `lo`, or its devices could not be read."""
    known = facts.interfaces.values()
    if device_index(name) is not None or not known or not all(known):
        return False
    return not any(name in names.values() for names in known)


def _no_device(name: str, facts: Facts) -> str:
    names = {known for names in facts.interfaces.values() for known in names.values()}
    near = get_close_matches(name, sorted(names), n=1)
    return f'no device is called "{name}"' + (f"; did you mean {near[0]}?" if near else "")


def _fits(wanted: Text, people: Iterable[Process], facts: Facts) -> bool:
    """Whether it fits one of them or a workload, or asks for nothing that a process is called."""
    if wanted.operator != "=" or wanted.field not in (*TEXTS, "word"):
        return True
    if wanted.field == "word":
        part = wanted.globs[0]
        found = any(belongs(each, part) for each in facts.workloads)
        return found or any(mentions(each, part) for each in people)
    matches, texts = matcher(wanted.globs), TEXTS[wanted.field]
    if any(matches(text) for each in people for text in texts(each)):
        return True
    of_workload = WORKLOADS.get(wanted.field)
    told = (text for each in facts.workloads for text in (of_workload(each) if of_workload else ()))
    return any(map(matches, told))


def _told(wanted: Text, people: list[Process]) -> str:
    name = ",".join(wanted.globs)
    part = wanted.globs[0].strip("*")
    if wanted.field == "word":
        return f'no process has "{name}" in its name, command line, unit or container' + _near(
            part, people, [*FIELDS, "state", "exclude", "and", "or", "not"]
        )
    why = f'no process has the {wanted.field} "{name}"'
    if wanted.field == "process":
        why = f'no process is called "{name}"'
    alike = [each for each in people if _within(part, TEXTS[wanted.field](each))]
    if part and alike:
        return f"{why}; try {wanted.field} = *{part}*, which is {_listed(alike)}"
    alike = [each for each in people if mentions(each, part)]
    if part and alike:
        return f"{why}; try the word {part} alone, which finds {_listed(alike)}"
    return why + _near(part, people, ())


def _within(part: str, texts: Iterable[str]) -> bool:
    return any(part.lower() in text.lower() for text in texts)


def _near(part: str, people: Iterable[Process], words: Iterable[str]) -> str:
    names = {text.lower() for each in people for text in TEXTS["process"](each)}
    near = get_close_matches(part.lower(), [*words, *sorted(names)], n=1)
    return f"; did you mean {near[0]}?" if near else ""


def _listed(people: list[Process]) -> str:
    """`python3 (sh-worker.py), sshd and 2 others`, each name once."""
    names = [*dict.fromkeys(_called(each) for each in people)]
    more = len(names) - NAMED
    others = f" and {more} other{'s' if more > 1 else ''}" if more > 0 else ""
    return ", ".join(names[:NAMED]) + others


def _called(process: Process) -> str:
    return f"{process.name} ({process.label})" if process.label else process.name
