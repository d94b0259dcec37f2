"""A server whose connections to a back end are all answered waits for something else."""

from __future__ import annotations

import pytest

from tcptop.analysis.findings.idle_pools import idle_pool
from tcptop.analysis.findings.observations import Observations
from tests.unit.prepared import CURL, Row, derived, owners, sample, socket


def pooled(number: int, sent_s: float = 20.0, came_s: float = 19.9, into: int = 4) -> Row:
    info = {"last_data_sent": int(sent_s * 1000), "last_data_recv": int(came_s * 1000)}
    info |= {"data_segs_out": 4, "data_segs_in": into}
    ends = f"10.0.0.1:{40_000 + number}", "10.0.0.9:5432"
    return socket("ESTABLISHED", *ends, inode=number, cookie=number, info=info)


def seen(*rows: Row) -> Observations:
    held = owners(*((row["inode"], CURL, 5) for row in rows))
    return Observations(derived(sample([*rows], owners=held)), ())


def test_a_pool_at_rest_is_told_by_its_place() -> None:
    found = idle_pool(seen(*map(pooled, range(1, 11))), [CURL])
    assert found is not None
    assert "curl waits for none of its connections to 10.0.0.9:5432" in found.told()
    assert "QueuePool" in found.advice()


@pytest.mark.parametrize(
    "rows",
    [
        [pooled(1), pooled(2)],
        [pooled(1), pooled(2), pooled(3, sent_s=8, came_s=9)],  # a request is under way
        [pooled(1), pooled(2), pooled(3, came_s=1)],  # in use
        [pooled(1), pooled(2), pooled(3, into=0)],  # never answered
        [pooled(1), pooled(2), pooled(3) | {"send_q": 9}],
    ],
)
def test_not(rows: list[Row]) -> None:
    assert idle_pool(seen(*rows), [CURL]) is None
    assert idle_pool(seen(*rows), []) is None
