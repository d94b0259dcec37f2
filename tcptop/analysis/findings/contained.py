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
from tcptop.model.finding import Finding
from tcptop.model.sample import Process


def located(seen: Observations, finding: Finding) -> Finding:
    """With its container, and its network namespace where that is another than the shell's: in
    each of them the same addresses and ports may be in use."""
    found, home, netns = _in_container(seen, finding), seen.settings.home, finding.subject.netns
    space = seen.sample.space(netns)
    boxes = (each.container for each in seen.sample.namespaces if each.inode == netns)
    told = any(box and box.name == space and safe(space) in found.title for box in boxes)
    if home in (None, netns) or told:
        return found
    return replace(found, title=f"{found.title} (netns {safe(space)})")


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
