"""The container and the network namespace that a finding is about, in its title: one host runs many
of the same program."""

from __future__ import annotations

import re
from dataclasses import replace

from tcptop.analysis import subject
from tcptop.analysis.findings import words
from tcptop.analysis.findings.observations import Observations
from tcptop.analysis.workloads import workloads
from tcptop.model.arrays import sorted_unique
from tcptop.model.cells import safe
from tcptop.model.container import Container
from tcptop.model.finding import Finding
from tcptop.model.sample import Namespace, Process

_HERE = re.compile(r"(?<!\b[Oo]n )\b[Tt]his host\b")


def located(seen: Observations, finding: Finding) -> Finding:
    """With its container, and its network namespace where that is another than the shell's: in
    each of them the same addresses and ports may be in use."""
    found = _located(seen, finding)
    if not finding.effect:
        return found
    return replace(found, effect=_located(seen, replace(finding, title=finding.effect)).title)


def _located(seen: Observations, finding: Finding) -> Finding:
    home, netns = seen.settings.home, finding.subject.netns
    if home in (None, netns):
        return _in_container(seen, finding)
    called, box = _called(seen, netns)
    found = _in_container(seen, _about(finding, called))
    space = safe(seen.sample.space(netns))
    named = box is not None and box.name == seen.sample.space(netns)
    if called in found.title or (named and space in found.title):
        return found
    return replace(found, title=f"{found.title} (netns {space})")


def _called(seen: Observations, netns: int) -> tuple[str, Container | None]:
    """`container payments-7d4f`, `namespace blue`, and the container that is its own."""
    known = (each for each in seen.sample.namespaces if each.inode == netns)
    space = next(known, Namespace(netns, None))
    box = None if space.name is not None or space.first else space.container
    kind = "host namespace" if space.first and space.name is None else "namespace"
    name = "" if space.first and space.name is None else f" {safe(seen.sample.space(netns))}"
    return f"{'container' if box else kind}{name}", box


def _about(finding: Finding, called: str) -> Finding:
    """With what is said of `this host` as a part of the network said of the namespace; what is
    `on this host` is said of the machine."""

    def told(text: str) -> str:
        return _HERE.sub(lambda found: _like(found[0], called), text)

    return replace(
        finding,
        title=told(finding.title),
        evidence=tuple(map(told, finding.evidence)),
        guesses=tuple(map(told, finding.guesses)),
        advice=told(finding.advice),
    )


def _like(said: str, called: str) -> str:
    return called[0].upper() + called[1:] if said[0].isupper() else called


def _in_container(seen: Observations, finding: Finding) -> Finding:
    """With the container in its title where all processes of the finding are in one, or all sockets
    where no process is known: "leaky.py in payments-7d4f leaks sockets"."""
    people = [_process(seen, pid) for pid in finding.subject.pids]
    boxes = {each.container if each else None for each in people}
    first = people[0] if people else None
    if first is None and not any(people):
        return _of_sockets(seen, finding)
    if first is None or len(boxes) > 1 or first.container is None:
        return finding
    name = safe(words.brief(first.container))
    return finding if name in finding.title else replace(finding, title=_told(finding, first, name))


def _of_sockets(seen: Observations, finding: Finding) -> Finding:
    told = workloads(seen.snapshot)
    places = sorted_unique(told.of[subject.rows(finding.subject, seen.snapshot)]).tolist()
    boxes = {told.found[place].container for place in places}
    box = boxes.pop() if len(boxes) == 1 else None
    if box is None or (name := safe(words.brief(box))) in finding.title:
        return finding
    return replace(finding, title=f"{finding.title} ({name})")


def _process(seen: Observations, pid: int) -> Process | None:
    known = seen.sample.owners.processes.get(pid)
    past = (each for each in seen.snapshot.holders.processes if each.pid == pid)
    return known if known is not None else next(past, None)


def _told(finding: Finding, process: Process, name: str) -> str:
    called = re.compile(rf"(?<![\w.-]){re.escape(words.called(process))}(?![\w-]|\.\w|'s)")
    said, found = called.subn(lambda same: f"{same[0]} in {name}", finding.title, count=1)
    return said if found else f"{finding.title} ({name})"
