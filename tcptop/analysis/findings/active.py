"""What is remembered of a finding between samples."""

from __future__ import annotations

from dataclasses import replace

from tcptop.model.finding import Finding
from tcptop.model.named_tuple import NamedTuple

STEP_S = 2.0  # less is how long the first reply of a sample takes: a beginning would flicker


class Active(NamedTuple):
    """`found` is the clock of the last sample that showed it; `began` the Unix time it began.

    `offset` is what Unix time was ahead of the boot clock when `began` was worked out: that clock
    goes on while the machine is suspended, where the monotonic one and those of the kernel's
    sockets stand still.
    """

    finding: Finding
    began: float
    found: float
    offset: float

    def at_offset(self, offset: float) -> Active:
        """After a step of the host's clock, it began as long ago as before."""
        step = offset - self.offset
        if abs(step) <= STEP_S:
            return self
        began = self.began + step
        return Active(replace(self.finding, since=began), began, self.found, offset)
