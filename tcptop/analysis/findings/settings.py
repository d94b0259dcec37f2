"""What the user decided about findings: thresholds, ignored ids, the idle timeout on the way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from tcptop.model.dataclass import dataclass


@dataclass(frozen=True, slots=True)
class FindingSettings:
    """`limits` holds what differs from the rules' defaults: id -> name -> value.

    `idle_timeout_s` is that of load balancers or NAT on the way, None where the user named none.
    `home` is the namespace of the shell that the commands of findings are for; None: as they are.
    """

    limits: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    ignored: frozenset[str] = frozenset()
    idle_timeout_s: float | None = None
    home: int | None = None


DEFAULTS = FindingSettings()
