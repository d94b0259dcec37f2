"""send-queue-growing: more is written than goes out."""

from typing import Any

import pytest

from tcptop.analysis.findings.settings import FindingSettings
from tests.unit.findings.watched import Findings, ids, of, watch
from tests.unit.prepared import CURL, Row, owners, socket

ID = "send-queue-growing"
HELD = owners((1, CURL, 1))
KIB = 1024


def sender(queue: int, sent: int, **columns: Any) -> Row:
    info = {"bytes_sent": sent, "bytes_acked": sent, "snd_wnd": 60_000, "rto": 201_000}
    info |= columns.pop("info", {})
    row = socket("ESTABLISHED", "10.0.0.1:40001", "10.0.0.9:9092", inode=1, send_q=queue)
    return row | {"timer": 1, "info": info} | columns


def growing(number: int, **columns: Any) -> list[Row]:
    """20 KiB/s go out, 70 are written."""
    return [sender(600 * KIB + number * 50 * KIB, number * 20 * KIB, **columns)]


def found(seconds: int = 6, settings: FindingSettings | None = None, **columns: Any) -> Findings:
    snapshots = watch(
        seconds, lambda n: growing(n, **columns), settings or FindingSettings(), owners=HELD
    )
    return of(snapshots[-1], ID)


def test_after_five_rises() -> None:
    assert found(4) == ()
    (finding,) = found(5)
    assert finding.severity == "warning"
    assert finding.title == (
        "curl writes faster than it can send to 10.0.0.9:9092: 850 KiB wait in Send-Q"
    )
    assert finding.values["drain_s"] == pytest.approx(42.5)
    assert "rose through 5 samples, to 850 KiB, while 20 KiB/s left" in (finding.evidence[0])


@pytest.mark.parametrize(
    "columns",
    [
        {"send_q": 0},
        {"info": {"backoff": 1}},  # black-hole's
        {"timer": 4, "info": {"bytes_acked": 7, "snd_wnd": 0}},  # zero-window-peer's
        {"info_size": 0},
        {"state": "FIN_WAIT1"},
    ],
)
def test_guards(columns: Row) -> None:
    assert found(8, **columns) == ()


def test_a_bulk_sender_that_gets_faster() -> None:
    rows = [[sender(n * 500 * KIB, n * n * 9000 * KIB)] for n in range(12)]
    assert ids(watch(11, lambda n: rows[n], owners=HELD)[-1]) == []


def test_small_queues() -> None:
    snapshots = watch(9, lambda n: [sender(n * KIB, n * 10)], owners=HELD)
    assert ids(snapshots[-1]) == []


def test_rises_within_a_second() -> None:
    """At ten looks a second five are no trend."""
    snapshots = watch(40, growing, step=0.1, owners=HELD)
    assert ids(snapshots[-1]) == []


def test_nothing_goes_out() -> None:
    snapshots = watch(8, lambda n: [sender((1 + n) * 100 * KIB, 0)], owners=HELD)
    (finding,) = of(snapshots[-1], ID)
    assert "drain_s" not in finding.values


def test_it_ends_when_the_queue_does_not_rise() -> None:
    snapshots = watch(12, lambda n: growing(min(n, 7)), owners=HELD)
    assert ids(snapshots[7]) == [ID]
    assert ids(snapshots[-1]) == []


def test_thresholds() -> None:
    assert found(6, FindingSettings({ID: {"bytes": 2_000_000}})) == ()
    assert found(6, FindingSettings({ID: {"drain_s": 60}})) == ()
    assert found(6, FindingSettings({ID: {"samples": 7}})) == ()
