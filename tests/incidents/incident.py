"""Incident: how a trouble is made for real, what must be said of it, and its healthy twin.

    @incident(server=[Says("recv-queue-unread", "warning", who="app", title=["does not read"])])
    def app_is_stopped(lab: Lab) -> None:
        lab.server.python("app", lab.server.address, 8080, port=8080)
        ...

    @app_is_stopped.healthy()
    def app_is_busy(lab: Lab) -> None:
        ...

The function returns when the trouble is there to be seen; then tcptop looks for `over_s` seconds,
as `tcptop check --over` does, at each host of which something is written. An empty list is
silence: nothing above info.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from tcptop.analysis.findings.settings import FindingSettings
from tcptop.model.finding import Finding
from tests.incidents.lab import Lab

Make = Callable[[Lab], object]
Limits = Mapping[str, float]  # "ID.NAME" -> value, as --set has it
OVER_S = 8.0


@dataclass(frozen=True)
class Says:
    """A finding that must be there. Texts are regular expressions, in which {NAME} is the pid of a
    program of the lab.

    `id` and `severity` may be several words, of which one is right. `who` names the programs whose
    pids are the culprits, and no others. `told` is anywhere in title, evidence and advice; `never`
    is nowhere in them.
    """

    id: str
    severity: str = "info warning critical"
    who: str = ""
    title: Sequence[str] = ()
    told: Sequence[str] = ()
    never: Sequence[str] = ()
    values: Limits = field(default_factory=dict)
    destination: str = ""
    listener: str = ""

    def wrong(self, finding: Finding, pids: Mapping[str, int]) -> Iterator[str]:
        """What is not as it must be."""
        subject = finding.subject
        if finding.severity not in self.severity.split():
            yield f"is {finding.severity}, not {self.severity}"
        culprits = {pids[name] for name in self.who.split()}
        if culprits and set(subject.pids) != culprits:
            yield f"blames pids {subject.pids}, not {self.who} {sorted(culprits)}"
        if self.destination and subject.destination != self.destination:
            yield f"is about {subject.destination}, not {self.destination}"
        if self.listener and subject.listener != self.listener:
            yield f"is about listener {subject.listener}, not {self.listener}"
        for name, value in self.values.items():
            if finding.values.get(name) != value:
                yield f"{name} is {finding.values.get(name)}, not {value}"
        yield from self._texts(finding, pids)

    def _texts(self, finding: Finding, pids: Mapping[str, int]) -> Iterator[str]:
        every = text(finding)
        for where, patterns, wanted in (
            (finding.title, self.title, True),
            (every, self.told, True),
            (every, self.never, False),
        ):
            for pattern in (_filled(each, pids) for each in patterns):
                if (re.search(pattern, where) is not None) is not wanted:
                    yield f"{'lacks' if wanted else 'has'} {pattern!r}"


def text(finding: Finding) -> str:
    """All that a person reads of it."""
    return "\n".join([finding.title, *finding.evidence, finding.advice, finding.confirm])


def _filled(pattern: str, pids: Mapping[str, int]) -> str:
    for name, pid in pids.items():
        pattern = pattern.replace(f"{{{name}}}", rf"\b{pid}\b")
    return pattern


@dataclass
class Play:
    """One construction and how it is looked at: `hosts` are the names of those."""

    make: Make
    hosts: tuple[str, ...]
    over_s: float = OVER_S
    limits: Limits = field(default_factory=dict)
    routed: bool = False
    alarm: str = ""  # why it raises a false alarm for now

    @property
    def name(self) -> str:
        return getattr(self.make, "__name__", "?")

    @property
    def settings(self) -> FindingSettings:
        by_finding: dict[str, dict[str, float]] = {}
        for name, value in self.limits.items():
            finding, _, threshold = name.partition(".")
            by_finding.setdefault(finding, {})[threshold] = value
        return FindingSettings(by_finding)


@dataclass
class Incident:
    """`missing` is why it is not said yet as it must be, `noisy` why more is said than that, and
    `miscounted` why numbers of its evidence are not those of the kernel."""

    play: Play
    says: Mapping[str, Sequence[Says]]
    missing: str = ""
    noisy: str = ""
    miscounted: str = ""
    twin: Play | None = None

    def healthy(self, *, alarm: str = "", over_s: float = 0.0) -> Callable[[Make], Play]:
        """The same without the trouble, of which nothing above info may be said at any look."""

        def made(make: Make) -> Play:
            p = self.play
            hosts = ("server", "client", *(("gateway",) if "gateway" in p.hosts else ()))
            self.twin = Play(make, hosts, over_s or p.over_s, p.limits, p.routed, alarm)
            return self.twin

        return made


def incident(
    *,
    server: Sequence[Says] | None = None,
    client: Sequence[Says] | None = None,
    gateway: Sequence[Says] | None = None,
    over_s: float = OVER_S,
    limits: Limits | None = None,
    routed: bool = False,
    missing: str = "",
    noisy: str = "",
    miscounted: str = "",
) -> Callable[[Make], Incident]:
    """What must be said at each host that is looked at; with a gateway there are three, of which
    that one is left out where it is only `routed`."""
    every = {"server": server, "client": client, "gateway": gateway}
    says = {name: each for name, each in every.items() if each is not None}

    def made(make: Make) -> Incident:
        play = Play(make, tuple(says), over_s, limits or {}, routed or gateway is not None)
        return Incident(play, says, missing, noisy, miscounted)

    return made


def healthy(
    *, hosts: str = "server client", over_s: float = OVER_S, routed: bool = False, alarm: str = ""
) -> Callable[[Make], Play]:
    """A host that is well, of which nothing above info may be said."""
    return lambda make: Play(make, tuple(hosts.split()), over_s, {}, routed, alarm)
