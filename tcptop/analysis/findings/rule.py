"""The interface of a rule: a pure function from observations to findings, and its thresholds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from enum import Enum, auto
from functools import cache

from tcptop.analysis.findings.observations import Observations
from tcptop.model.finding import Finding
from tcptop.model.named_tuple import NamedTuple

Limits = Mapping[str, float]  # threshold name -> value


class Threshold(NamedTuple):
    """A number that `--set ID.NAME=VALUE` changes; `meaning` is shown to people."""

    name: str
    default: float
    meaning: str


class Need(Enum):
    """What may not be readable, and without which a rule says nothing."""

    OWNERS = auto()  # the process that a finding of processes is about
    BACKLOG = auto()  # of listeners
    UNIX_QUEUES = auto()  # accept queues of UNIX listeners
    TCP_INFO = auto()
    WINDOWS = auto()  # of both ends, in tcp_info: since 5.4
    CLOCKS = auto()  # since when a socket is as it is: tcp_info, or a watch as long
    COUNTERS = auto()  # /proc/net/snmp, netstat, sockstat
    SYSCTLS = auto()


class Rule(NamedTuple):
    """`look_s`: how long must be watched before it can fire; 0 where one sample may be enough."""

    id: str
    look_s: float
    thresholds: tuple[Threshold, ...]
    find: Callable[[Observations, Limits], Iterable[Finding]]
    needs: frozenset[Need] = frozenset()

    def limits(self, chosen: Limits) -> Limits:
        return {**_defaults(self.thresholds), **chosen}


@cache
def _defaults(thresholds: tuple[Threshold, ...]) -> Limits:
    return {each.name: each.default for each in thresholds}
