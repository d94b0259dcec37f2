"""What costs much is tried in part in each run, and the rest in others."""

import os
import random
from collections.abc import Iterable
from typing import TypeVar

T = TypeVar("T")
_RUN = os.environ.get("PYTEST_XDIST_TESTRUNUID")  # the same for all workers


def drawn(of: Iterable[T], number: int) -> list[T]:
    """So many of them; TCPTOP_WALK=all has all."""
    every = list(of)
    if os.environ.get("TCPTOP_WALK") == "all":
        return every
    return random.Random(_RUN).sample(every, number)
