"""What is remembered of a finding between samples."""

from __future__ import annotations

from typing import NamedTuple

from tcptop.model.finding import Finding


class Active(NamedTuple):
    """`found` is the clock of the last sample that showed it; `began` the Unix time it began."""

    finding: Finding
    began: float
    found: float
