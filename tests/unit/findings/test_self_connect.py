"""self-connect: a client that talks to itself has the port that a service wants."""

import shlex

import pytest

from tests.unit.findings.watched import of, once
from tests.unit.prepared import CURL, Row, kernel, mini, owners, socket

ID = "self-connect"
AT = "127.0.0.1:40050"  # in the prepared range
HELD = owners((1, CURL, 3))


def itself(at: str = AT, state: str = "ESTABLISHED", **columns: int) -> Row:
    return socket(state, at, at, inode=1, **columns)


def test_it_is_named_with_the_port_to_reserve() -> None:
    reserved = {"net.ipv4.ip_local_reserved_ports": "8080,30000-32767"}
    (finding,) = of(once([itself()], owners=HELD, kernel=(kernel(sysctls=reserved),)), ID)
    assert finding.severity == "warning"
    assert finding.title == (
        "curl has connected to itself at 127.0.0.1:40050: no service can bind that port"
    )
    assert finding.subject.pids == (CURL.pid,)
    assert "ip_local_port_range = 40000 40099; port 40050 is in it" in finding.evidence[-1]
    assert "ip_local_reserved_ports=8080,30000-32767,40050 (now 8080,30000-32767)" in finding.advice
    assert f"src {AT} and dst {AT};" in shlex.split(finding.confirm)


def test_without_a_process_or_a_known_range() -> None:
    (finding,) = of(once([itself("[::1]:80")], kernel=()), ID)
    assert finding.title.startswith("An unknown process has connected to itself")
    assert len(finding.evidence) == 2
    assert "ip_local_reserved_ports=80 (now none)" in finding.advice


@pytest.mark.parametrize(
    "row",
    [
        socket("ESTABLISHED", AT, "127.0.0.1:40051"),
        socket("ESTABLISHED", AT, "127.0.0.2:40050"),
        socket("ESTABLISHED", "[::1]:40050", "[::2]:40050"),
        mini("TIME_WAIT", AT, AT),
        socket("LISTEN", "0.0.0.0:0"),
    ],
)
def test_not(row: Row) -> None:
    assert not of(once([row]), ID)


@pytest.mark.parametrize(
    ("listener", "free"),
    [
        ("0.0.0.0:40050", False),
        ("[::]:40050", False),
        (AT, False),
        ("10.0.0.1:40050", True),
        ("[::1]:40050", True),
    ],
)
def test_who_could_bind_all_the_same_is_not_denied(listener: str, free: bool) -> None:
    (finding,) = of(once([itself(), socket("LISTEN", listener)]), ID)
    assert ("no service can bind" in finding.title) is free
    assert ("EADDRINUSE" in "".join(finding.evidence)) is free
