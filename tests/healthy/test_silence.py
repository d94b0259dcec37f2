"""Healthy hosts under load: nothing above info is found, at any look.

TCPTOP_SILENCE_S is how long each load is watched, 8 seconds if it is not set.
"""

from __future__ import annotations

import os

import pytest

from tests.healthy.loads import GROUPS
from tests.healthy.told import LOUD, found
from tests.healthy.watching import watch

SECONDS = float(os.environ.get("TCPTOP_SILENCE_S", 8))


@pytest.mark.timeout(SECONDS + 290)
@pytest.mark.parametrize("group", GROUPS)
def test_a_healthy_host_is_left_alone(group: str) -> None:
    alarms = [text for side in watch(GROUPS[group], SECONDS) for text in found(side, LOUD)]
    assert not alarms, "\n\n" + "\n\n".join(alarms)
