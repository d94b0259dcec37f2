"""The options group of a socket's details: the kernel's names, and what they mean."""

from __future__ import annotations

from typing import Any

import pytest

from tcptop.columns.detail import facts
from tcptop.columns.detail_options import lines
from tcptop.model.socket_id import SocketId
from tcptop.model.sockopt import SocketOptions
from tests.unit.prepared import FIRST_COOKIE, NETNS, sample, selected, socket


def shown(listens: bool = False, **options: Any) -> dict[str, tuple[str, str]]:
    """Name -> (value, meaning) of options that were read 4 seconds before the look."""
    found = lines(SocketOptions(1000.0, **options), listens, clock=1004.0)
    return {name: (value, meaning) for name, value, meaning in found}


def test_the_unknown_is_left_out() -> None:
    assert shown() == {"read": ("4 s ago", "with getsockopt, from a copy of the descriptor")}


@pytest.mark.parametrize("listens", [False, True])
def test_every_option_says_what_it_means(listens: bool) -> None:
    found = shown(
        listens,
        nodelay=True,
        cork=False,
        quickack=True,
        keepalive=True,
        keepidle_s=60,
        keepintvl_s=10,
        keepcnt=3,
        user_timeout_ms=0,
        linger=True,
        linger_s=5,
        linger2_s=60,
        defer_accept_s=0,
        rcvbuf=1,
        sndbuf=2,
        notsent_lowat=9,
        reuseaddr=True,
        reuseport=False,
        congestion="cubic",
    )
    assert all(value and meaning for value, meaning in found.values())
    only_of_listeners = {"TCP_DEFER_ACCEPT", "SO_REUSEADDR", "SO_REUSEPORT"}
    assert only_of_listeners & found.keys() == (only_of_listeners if listens else set())
    assert len(found) == 15 + 3 * listens


@pytest.mark.parametrize(
    ("name", "kernels", "off", "on"),
    [
        ("nodelay", "TCP_NODELAY", "Nagle", "at once"),
        ("cork", "TCP_CORK", "written data is sent", "200 ms"),
        ("quickack", "TCP_QUICKACK", "wait for data", "at once"),
    ],
)
def test_switches(name: str, kernels: str, off: str, on: str) -> None:
    for value, text, meaning in ((False, "off", off), (True, "on", on)):
        assert shown(**{name: value})[kernels][0] == text
        assert meaning in shown(**{name: value})[kernels][1]


def test_without_keepalive_its_times_do_not_matter() -> None:
    found = shown(keepalive=False, keepidle_s=60, keepintvl_s=10, keepcnt=3)
    assert found["SO_KEEPALIVE"] == (
        "off",
        "a dead peer is never noticed while nothing is sent",
    )
    assert not {"TCP_KEEPIDLE", "TCP_KEEPINTVL", "TCP_KEEPCNT"} & found.keys()


@pytest.mark.parametrize(
    ("idle", "interval", "count", "user_timeout_ms", "after"),
    [
        (7200, 75, 9, 0, "2 h 11 min"),  # the defaults
        (60, 10, 3, 0, "1 min 30 s"),
        (60, 10, 3, None, "1 min 30 s"),
        (60, 10, 3, 30_000, "1 min 10 s"),  # one probe has to be unanswered
        (60, 10, 3, 60_000, "1 min 10 s"),
        (60, 10, 3, 100_000, "1 min 40 s"),
        (60, 10, 3, 100_001, "1 min 50 s"),
    ],
)
def test_when_a_dead_peer_is_noticed(
    idle: int, interval: int, count: int, user_timeout_ms: int | None, after: str
) -> None:
    found = shown(
        keepalive=True,
        keepidle_s=idle,
        keepintvl_s=interval,
        keepcnt=count,
        user_timeout_ms=user_timeout_ms,
    )
    assert found["SO_KEEPALIVE"] == ("on", f"a dead peer is noticed after {after} idle")
    assert found["TCP_KEEPIDLE"][0] == f"{idle} s"
    assert found["TCP_KEEPINTVL"][0] == f"{interval} s"
    decides = "TCP_USER_TIMEOUT decides" in found["TCP_KEEPCNT"][1]
    assert decides is bool(user_timeout_ms)


def test_keepalive_of_unknown_times() -> None:
    assert shown(keepalive=True)["SO_KEEPALIVE"] == ("on", "")


@pytest.mark.parametrize(
    ("options", "name", "value", "meaning"),
    [
        ({"user_timeout_ms": 0}, "TCP_USER_TIMEOUT", "none", "tcp_retries2"),
        ({"user_timeout_ms": 30_000}, "TCP_USER_TIMEOUT", "30000 ms", "unacknowledged"),
        ({"linger": False, "linger_s": None}, "SO_LINGER", "off", "returns at once"),
        ({"linger": True, "linger_s": 0}, "SO_LINGER", "0 s", "resets"),
        ({"linger": True, "linger_s": 7}, "SO_LINGER", "7 s", "waits"),
        ({"linger2_s": -1}, "TCP_LINGER2", "none", "does not wait"),
        ({"linger2_s": 60}, "TCP_LINGER2", "60 s", "FIN"),
        ({"notsent_lowat": 0}, "TCP_NOTSENT_LOWAT", "default", "net.ipv4.tcp_notsent_lowat"),
        ({"notsent_lowat": 16_384}, "TCP_NOTSENT_LOWAT", "16,384 B", "writable"),
        ({"congestion": "b\x1bbr"}, "TCP_CONGESTION", "b\\x1bbr", "congestion"),
    ],
)
def test_values(options: dict[str, Any], name: str, value: str, meaning: str) -> None:
    found = shown(**options)
    assert found[name][0] == value
    assert meaning in found[name][1]


@pytest.mark.parametrize(
    ("locked", "meaning"), [(None, ""), (False, "; the kernel tunes it"), (True, "; fixed by")]
)
def test_buffers_say_who_sets_them(locked: bool | None, meaning: str) -> None:
    found = shown(rcvbuf=131_072, sndbuf=16_384, rcvbuf_locked=locked, sndbuf_locked=locked)
    assert found["SO_RCVBUF"][0] == "131,072 B"
    assert found["SO_SNDBUF"][0] == "16,384 B"
    for name, side in (("SO_RCVBUF", "receive"), ("SO_SNDBUF", "send")):
        rest = found[name][1].removeprefix(f"{side} buffer limit, overhead included")
        assert rest.startswith(meaning)
        assert bool(rest) is bool(meaning)


def test_a_group_of_the_details() -> None:
    rows = [socket("LISTEN", "0.0.0.0:80"), socket("ESTABLISHED", "10.0.0.1:80", "10.0.0.7:51000")]
    options = {
        SocketId(NETNS, FIRST_COOKIE): SocketOptions(996.0, reuseport=True),
        SocketId(NETNS, FIRST_COOKIE + 1): SocketOptions(996.0, "the process has ended"),
    }
    selection = selected(sample(rows, options=options))
    listener, other = (
        [fact[1:] for fact in facts(selection, row) if fact.group == "options"] for row in (0, 1)
    )
    assert [name for name, _, _ in listener] == ["SO_REUSEPORT", "read"]
    assert listener[1][1] == "4 s ago"
    assert other == [("options", "–", "not known: the process has ended")]
    assert not [f for f in facts(selected(sample(rows)), 0) if f.group == "options"]
