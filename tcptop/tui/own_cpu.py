"""What tcptop itself costs."""

from __future__ import annotations

import resource
import time

LEAST_S = 0.9  # shorter stretches say little


class OwnCpu:
    """The share of one processor that this process has used lately."""

    def __init__(self) -> None:
        self._share: float | None = None
        self._then, self._before = time.monotonic(), _used_s()

    def share(self) -> float | None:
        """Over the last second or more; None until it is known."""
        now, used = time.monotonic(), _used_s()
        if now - self._then >= LEAST_S:
            self._share = (used - self._before) / (now - self._then)
            self._then, self._before = now, used
        return self._share


def _used_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
