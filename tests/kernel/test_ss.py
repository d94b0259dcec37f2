"""The reader of ss's output, on lines as ss 6.1 prints them."""

import pytest

from tests.kernel.ss import SsTimer, milliseconds, parse

LISTENER = (
    "LISTEN 1 5 127.0.0.1%lo:7002 0.0.0.0:* "
    'users:(("web \x1b[1m\n"),x",pid=12,fd=5),("web",pid=13,fd=6)) uid:1000 ino:6248 sk:1a '
    "cgroup:/a.slice v6only:1 <-> cgroup:/a.slice skmem:(r0,rb131072,t0,tb16384,f0,w0,o0,bl0,d7) "
    "bbr cwnd:10 unacked:1   \n"
)
SENDER = (
    "ESTAB 0 8192 [fe80::1]%v0:34664 [::ffff:10.0.0.2]:7000 timer:(persist,1.020ms,2) ino:0 sk:2 "
    "<-> skmem:(r0,rb1) ts sack rto:204 rtt:0.039/0.021 send 73938051282bps app_limited "
    "backoff:3 notsent:8192\n"
)


def test_a_listener_with_hostile_owners() -> None:
    (row,) = parse(LISTENER)
    assert (row.state, row.recv_q, row.send_q, row.timer) == ("LISTEN", 1, 5, None)
    assert (row.local_address, row.local_port, row.interface) == ("127.0.0.1", 7002, "lo")
    assert (row.remote_address, row.remote_port) == ("0.0.0.0", 0)
    assert row.users == (('web \x1b[1m\n"),x', 12, 5), ("web", 13, 6))
    assert (row.uid, row.inode, row.cookie, row.v6only) == (1000, 6248, 0x1A, True)
    assert row.cgroup == "/a.slice"
    assert (row.skmem["rb"], row.skmem["d"], row.number("unacked")) == (131072, 7, 1)


def test_a_connection_with_a_scope_and_a_timer() -> None:
    _, row = parse(LISTENER + SENDER)
    assert (row.local_address, row.interface) == ("fe80::1", "v0")
    assert (row.remote_address, row.remote_port) == ("::ffff:10.0.0.2", 7000)
    assert row.timer == SsTimer("persist", 1020, 2)
    assert (row.users, row.uid, row.inode, row.v6only) == ((), None, 0, None)
    assert row.info["rtt"] == "0.039/0.021"
    assert (row.number("send"), row.number("retrans")) == (73938051282, None)
    assert "app_limited" in row.flags


def test_without_the_column_of_states() -> None:
    """ss leaves it out when the filter lets one state through."""
    (row,) = parse(SENDER.removeprefix("ESTAB "))
    assert (row.state, row.recv_q, row.send_q, row.local_port) == ("-", 0, 8192, 34664)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", 0),
        ("200ms", 200),
        ("1.020ms", 1020),
        ("59sec", 59_000),
        ("1min59sec", 119_000),
        ("2min5.007ms", 125_007),
        ("119min", 7_140_000),
    ],
)
def test_times(text: str, expected: int) -> None:
    assert milliseconds(text) == expected
