"""Processes that their control groups freeze, or refuse CPU time: what is said of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from shlex import quote as quoted

from tcptop.analysis.findings import words
from tcptop.analysis.findings.observations import Observations
from tcptop.model.cells import safe
from tcptop.model.sample import Process, Throttled

SOME, MUCH = 0.1, 0.5  # of the periods: to be told, and to be the cause
LEAST = 5  # periods, of usually 0.1 s each
PAUSES = {"docker": "docker unpause {id}", "podman": "podman unpause {id}", "lxc": "lxc-unfreeze"}


def frozen(seen: Observations, process: Process) -> bool:
    """Whether it is known to be; asks for the facts."""
    facts = seen.facts(process)
    return facts is not None and facts.frozen is not None


def quota(seen: Observations, processes: Sequence[Process]) -> Throttled | None:
    """The quota that was used up in most periods by each of them, of the first one."""
    found = [_throttled(seen, each) for each in processes]
    much = [each for each in found if each and each.share >= MUCH]
    return much[0] if much and len(much) == len(found) else None


def quotas(seen: Observations, processes: Sequence[Process]) -> Iterator[str]:
    """A sentence for each group that refuses them CPU time: several are often in one."""
    told = set()
    for process in processes:
        found = _throttled(seen, process)
        if found and found.file not in told:
            told.add(found.file)
            yield (
                f"{words.name(process)} was throttled in {words.number(found.throttled)} of "
                f"{words.count(found.periods, 'period')} ({words.percent(found.share)}): the CPU "
                f"quota of its control group{_cores(found)} was used up ({safe(found.file)})."
            )


def thaw(seen: Observations, processes: Sequence[Process]) -> str:
    """How those that are frozen go on."""
    known = [facts.frozen for facts in map(seen.facts, processes) if facts and facts.frozen]
    files = sorted({each.file for each in known if each.file})
    writes = [f"echo {_thawed(each)} > {quoted(safe(each))}" for each in files]
    ways = "; or ".join([_unpause(processes[0]), *writes[:1]])
    return (
        "Find out who froze it (docker pause, systemctl freeze, a checkpoint, a batch system), "
        f"then thaw it: {ways}."
    )


def raise_quota(seen: Observations, processes: Sequence[Process]) -> str:
    found = quota(seen, processes)
    if found is None:
        return ""
    return (
        f"Raise the CPU quota of its control group{_cores(found, 'now ')}: "
        f"{_setting(processes[0])}. Else give it less to do. More workers, threads or backlog do "
        "not help: they share that quota."
    )


def _throttled(seen: Observations, process: Process) -> Throttled | None:
    facts = seen.facts(process)
    found = facts.throttled if facts else None
    told = found is not None and found.periods >= LEAST and found.share >= SOME
    return found if told else None


def _cores(found: Throttled, now: str = "") -> str:
    return "" if found.cores is None else f" ({now}{words.percent(found.cores)} of a core)"


def _thawed(file: str) -> str:
    return "0" if file.endswith("cgroup.freeze") else "THAWED"


def _unpause(process: Process) -> str:
    box = process.container
    if box is not None and box.runtime in PAUSES:
        return PAUSES[box.runtime].format(id=safe((box.id or "")[:12]))
    unit = process.unit or ""
    if box is None and unit and not unit.endswith((".slice", ".scope")):
        return f"systemctl thaw {quoted(safe(unit))}"
    return "docker unpause, podman unpause or systemctl thaw, as it was frozen"


def _setting(process: Process) -> str:
    box, unit = process.container, process.unit or ""
    if box is not None and box.pod:
        return "resources.limits.cpu of its container"
    if box is not None and box.runtime in ("docker", "podman"):
        return f"{box.runtime} update --cpus=N {safe((box.id or '')[:12])}"
    if box is None and unit and not unit.endswith(".scope"):
        return f"systemctl set-property {quoted(safe(unit))} CPUQuota=N%"
    return "docker update --cpus, CPUQuota= of a unit, resources.limits.cpu of a pod"
