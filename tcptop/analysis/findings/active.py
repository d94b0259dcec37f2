"""What is remembered of a finding between looks."""

from __future__ import annotations

from typing import NamedTuple

from tcptop.model.finding import Finding


class Active(NamedTuple):
    """`found` is the clock of the last look that showed it; `began` Unix time of its beginning."""

    finding: Finding
    began: float
    found: float
