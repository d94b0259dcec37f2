"""nagle-delayed-ack: suspected from what lies unsent, confirmed by TCP_NODELAY."""

import pytest

from tcptop.model.socket_id import SocketId
from tcptop.model.sockopt import SocketOptions
from tests.unit.findings.watched import once, watch
from tests.unit.prepared import CURL, FIRST_COOKIE, NETNS, Row, owners, socket

HELD = owners((1, CURL, 3))
WAITS = {"notsent_bytes": 100, "unacked": 1, "snd_mss": 1448, "snd_wnd": 60_000, "min_rtt": 90}


def talking(**info: int) -> list[Row]:
    given = {"inode": 1, "send_q": 300, "info": WAITS | info}
    return [socket("ESTABLISHED", "10.0.0.1:40001", "10.0.0.9:6379", **given)]


def test_suspected_after_three_looks() -> None:
    found = watch(4, lambda _: talking(), owners=HELD)
    assert [len(each) for each in found] == [0, 0, 1, 1, 1]
    (finding,) = found[-1]
    assert (finding.id, finding.severity) == ("nagle-delayed-ack", "info")
    assert "curl" in finding.title
    assert "(suspected)" in finding.title


def test_three_of_five_are_enough() -> None:
    found = watch(4, lambda n: talking(notsent_bytes=100 * (n % 2 == 0)), owners=HELD)
    assert [len(each) for each in found] == [0, 0, 0, 0, 1]


@pytest.mark.parametrize(
    "info",
    [
        {"notsent_bytes": 0},
        {"notsent_bytes": 1448},
        {"unacked": 12},  # a bulk transfer
        {"snd_wnd": 300},  # the window is full
        {"min_rtt": 10_000},  # the network takes as long
        {"backoff": 2},  # the other end is gone
    ],
)
def test_guards(info: dict[str, int]) -> None:
    assert watch(5, lambda _: talking(**info), owners=HELD)[-1] == ()


def test_one_look_says_nothing() -> None:
    assert once(talking(), owners=HELD) == ()


def test_the_option_confirms_or_clears() -> None:
    def after(nodelay: bool) -> tuple[str, ...]:
        options = {SocketId(NETNS, FIRST_COOKIE): SocketOptions(0.0, nodelay=nodelay)}
        found = watch(4, lambda _: talking(), owners=HELD, options=options)[-1]
        return tuple(finding.severity for finding in found)

    assert after(False) == ("warning",)
    assert after(True) == ()


def test_a_stream_that_nobody_answers_is_late_and_no_more() -> None:
    rows = talking(last_data_recv=3000)
    options = {SocketId(NETNS, FIRST_COOKIE): SocketOptions(0.0, nodelay=False)}
    (finding,) = watch(4, lambda _: rows, owners=HELD, options=options)[-1]
    assert finding.severity == "info"
    assert "No data comes back" in finding.evidence[-1]
