"""keepalive-missing and keepalive-too-slow: idle connections that nobody probes in time."""

from dataclasses import replace

import pytest

from tcptop.analysis.findings.settings import FindingSettings
from tests.unit.findings.watched import ids, of, once, watch
from tests.unit.prepared import CURL, NGINX, Row, owners, socket

MISSING, SLOW = "keepalive-missing", "keepalive-too-slow"
HELD = owners(*((n, CURL, n) for n in range(1, 9)))


def idle(seconds: float = 400, remote: str = "10.0.0.9:5432", **columns: int) -> list[Row]:
    last = dict.fromkeys(("last_data_sent", "last_data_recv", "last_ack_recv"), int(seconds * 1000))
    given: Row = {"inode": 1, "info": last | {"segs_in": 7}} | columns
    return [socket("ESTABLISHED", "10.0.0.1:40001", remote, **given)]


def test_suspected_from_one_look() -> None:
    (finding,) = once(idle(), owners=HELD)
    assert (finding.id, finding.severity) == (MISSING, "info")
    assert finding.title == "curl: 1 idle connection to 10.0.0.9:5432 without keepalive (suspected)"
    assert finding.subject.destination == "10.0.0.9:5432"
    assert finding.values == {"connections": 1, "idle_s": 400, "idle_timeout_s": 350}


@pytest.mark.parametrize(
    "rows",
    [
        idle(349),
        idle(timer=1, send_q=5),  # hides the keepalive's
        idle(timer=4, send_q=5),
        idle(remote="127.0.0.1:5432"),
        idle(remote="[::1]:5432"),
        idle(inode=0),  # nobody has accepted it
        idle(info_size=0),
        [*idle(), socket("LISTEN", "10.0.0.9:5432", inode=2)],
    ],
)
def test_missing_guards(rows: list[Row]) -> None:
    assert of(once(rows, owners=HELD), MISSING) == ()


def test_a_peer_that_probes_keeps_it_alive() -> None:
    def probed(number: int) -> list[Row]:
        rows = idle(400 + number)
        rows[0]["info"] = rows[0]["info"] | {"segs_in": 7 + number // 5}
        return rows

    found = watch(12, probed, owners=HELD)
    assert ids(found[0]) == [MISSING]
    assert ids(found[-1]) == []


def test_after_the_timeout_it_is_no_longer_suspected() -> None:
    found = watch(4, lambda n: idle(10 + n), FindingSettings(idle_timeout_s=3), owners=HELD)
    assert "(suspected)" in found[2][0].title
    assert "(suspected)" not in found[-1][0].title
    assert found[-1][0].severity == "warning"  # the user gave a timeout


def test_a_server_is_one_subject_whoever_its_clients_are() -> None:
    rows = [socket("LISTEN", "0.0.0.0:40001", inode=2)]
    for number in range(3):
        rows += idle(remote=f"10.0.0.{number + 20}:5432")
    (finding,) = once(rows, owners=HELD)
    assert "3 idle connections from clients of :40001" in finding.title


def armed(expires: int, seconds: float = 5, send_q: int = 0) -> list[Row]:
    return idle(seconds, timer=2, expires=expires, send_q=send_q)


def test_too_slow() -> None:
    (finding,) = once(armed(7_195_000), owners=HELD)
    assert (finding.id, finding.severity) == (SLOW, "info")
    assert "2 h 11 min 15 s (7200 s + 9 x 75 s)" in finding.evidence[1]
    assert finding.values["first_probe_s"] == 7200


@pytest.mark.parametrize("rows", [armed(345_000), armed(1000), armed(344_000, send_q=3)])
def test_soon_enough(rows: list[Row]) -> None:
    assert once(rows, owners=HELD) == ()


def test_too_slow_for_the_timeout_given() -> None:
    assert ids(once(armed(60_000), FindingSettings(idle_timeout_s=50), owners=HELD)) == [SLOW]
    assert once(armed(60_000), FindingSettings(idle_timeout_s=70), owners=HELD) == ()


def test_clients_of_one_name_are_told_together() -> None:
    """As psql for each user."""
    rows = [*idle(inode=1, cookie=1), *idle(inode=2, cookie=2), *idle(inode=3, cookie=3)]
    held = owners((1, CURL, 3), (2, replace(CURL, pid=201), 3), (3, NGINX, 3))
    found = of(once(rows, owners=held), MISSING)
    assert [each.title.partition(" to ")[0] for each in found] == [
        "curl: 2 idle connections",
        "nginx: 1 idle connection",
    ]
    assert found[0].subject.pids == (CURL.pid, 201)
