"""Finding: what is wrong, with whom, how that is known and what to do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field

import numpy as np
from numpy.typing import NDArray

from tcptop.model.dataclass import dataclass
from tcptop.model.named_tuple import NamedTuple
from tcptop.model.socket_id import socket_keys

SEVERITIES = ("info", "warning", "critical")  # from least to worst


@dataclass(frozen=True, slots=True)
class Subject:
    """Who is concerned. Addresses are text as ss prints them; `cookies` name sockets, not all.

    `over`: it is about connections that have ended, and not about those there that are open.
    """

    netns: int
    pids: tuple[int, ...] = ()
    listener: str | None = None  # address:port
    destination: str | None = None  # address:port, or a network
    cookies: tuple[int, ...] = ()
    over: bool = False

    @property
    def keys(self) -> NDArray[np.uint64]:
        """What `SocketTable.key` says of these sockets."""
        cookies = np.array(self.cookies, np.uint64)
        return socket_keys(np.full(len(cookies), self.netns, np.uint32), cookies)


@dataclass(frozen=True, slots=True)
class Finding:
    """One trouble at one moment.

    `key` is the same for the same subject from look to look. `since` is Unix time, as far back as
    tcptop or the kernel's clocks know. `because` is the key of the finding that explains this one:
    then its title is `effect`, if there is one, its `guesses` are not among the evidence, and the
    advice is that of its cause alone.
    """

    id: str
    key: str
    severity: str  # one of SEVERITIES
    title: str
    subject: Subject
    values: Mapping[str, float] = field(default_factory=dict)
    evidence: tuple[str, ...] = ()
    advice: str = ""
    confirm: str = ""
    since: float | None = None
    because: str | None = None
    effect: str = ""
    guesses: tuple[str, ...] = ()


class Silence(NamedTuple):
    """Rules that could not look, by id, and a sentence that names them and says why; `fault` where
    it lies in tcptop."""

    rules: tuple[str, ...]
    note: str
    fault: bool = False


def worst_first(finding: Finding) -> tuple[bool, int, float, str]:
    """Sort key: causes before what they explain, then by severity, then the oldest."""
    severity = SEVERITIES.index(finding.severity)
    return finding.because is not None, -severity, finding.since or 0.0, finding.key


def causes(findings: Sequence[Finding]) -> list[Finding]:
    """Those that no other one of these explains."""
    keys = {finding.key for finding in findings}
    return [finding for finding in findings if finding.because not in keys]


def tree(findings: Sequence[Finding]) -> Iterator[tuple[int, int]]:
    """(place, depth) of each, a cause before what it explains; depth 0 is what none explains."""
    there = {finding.key for finding in findings}
    beneath: dict[str | None, list[int]] = {}
    for place, finding in enumerate(findings):
        cause = finding.because if finding.because in there else None
        beneath.setdefault(cause, []).append(place)
    waiting = [(place, 0) for place in reversed(beneath.pop(None, []))]
    while waiting:
        place, depth = waiting.pop()
        yield place, depth
        explained = beneath.pop(findings[place].key, [])
        waiting += [(each, depth + 1) for each in reversed(explained)]
    yield from ((place, 0) for places in beneath.values() for place in places)  # a circle
