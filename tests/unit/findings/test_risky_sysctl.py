"""risky-sysctl: what is set so that trouble is near."""

import pytest

from tests.unit.findings.watched import of, once
from tests.unit.prepared import NGINX, kernel, owners, socket

ID = "risky-sysctl"
TIMESTAMPS = {"net.ipv4.tcp_timestamps": "0"}


def titles(sysctls: dict[str, str], *rows: dict[str, object]) -> list[str]:
    found = of(once(rows, kernel=(kernel(sysctls=sysctls),), owners=owners((1, NGINX, 6))), ID)
    assert {finding.severity for finding in found} <= {"info"}
    return [finding.title for finding in found]


@pytest.mark.parametrize(
    ("name", "risky", "safe"),
    [("tcp_syncookies", 0, 1), ("tcp_tw_recycle", 1, 0), ("tcp_abort_on_overflow", 1, 0)],
)
def test_settings(name: str, risky: int, safe: int) -> None:
    assert titles({f"net.ipv4.{name}": str(risky)}) == [f"{name} = {risky} is risky"]
    assert titles({f"net.ipv4.{name}": str(safe)}) == []


def test_reuse_needs_timestamps() -> None:
    assert titles(TIMESTAMPS | {"net.ipv4.tcp_tw_reuse": "1"}) == ["tcp_timestamps = 0 is risky"]
    assert titles(TIMESTAMPS | {"net.ipv4.tcp_tw_reuse": "0"}) == []
    assert titles({"net.ipv4.tcp_timestamps": "1", "net.ipv4.tcp_tw_reuse": "1"}) == []


def test_what_is_not_known_is_not_risky() -> None:
    assert titles({}) == []
    assert titles({"net.ipv4.tcp_syncookies": "?"}) == []


@pytest.mark.parametrize(
    ("queued", "somaxconn", "fires"),
    [(65, 128, True), (64, 128, False), (65, 4096, False)],
)
def test_a_backlog_that_is_clamped_while_its_queue_fills(
    queued: int, somaxconn: int, fires: bool
) -> None:
    row = socket("LISTEN", "0.0.0.0:80", recv_q=queued, send_q=128, inode=1)
    found = titles({"net.core.somaxconn": str(somaxconn)}, row)
    assert bool(found) == fires
    assert all("nginx on :80 is limited to a backlog of somaxconn = 128" in each for each in found)
