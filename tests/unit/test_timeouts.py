"""When the kernel gives up: against figures added up by hand."""

from __future__ import annotations

import pytest

from tcptop.analysis import levels, timeouts
from tcptop.analysis.findings.words import exactly
from tcptop.model.sample import Kernel

DEFAULTS = {
    "net.ipv4.tcp_keepalive_time": "7200",
    "net.ipv4.tcp_keepalive_intvl": "75",
    "net.ipv4.tcp_keepalive_probes": "9",
    "net.ipv4.tcp_retries2": "15",
    "net.ipv4.tcp_orphan_retries": "0",
    "net.ipv4.tcp_syn_retries": "6",
    "net.ipv4.tcp_syn_linear_timeouts": "4",
    "net.ipv4.tcp_synack_retries": "5",
}


def with_(**values: object) -> dict[str, str]:
    return DEFAULTS | {f"net.ipv4.{name}": str(value) for name, value in values.items()}


def test_the_defaults() -> None:
    assert timeouts.keepalive_detection_s(DEFAULTS) == 7875
    assert timeouts.give_up_s(DEFAULTS) == pytest.approx(924.6)  # as ip-sysctl.rst says
    assert timeouts.orphan_give_up_s(DEFAULTS) == pytest.approx(102.2)
    assert timeouts.syn_give_up_s(DEFAULTS) == 4 + 127
    assert timeouts.synack_give_up_s(DEFAULTS) == 63


def test_what_is_not_known_is_none() -> None:
    functions = (
        timeouts.keepalive_detection_s,
        timeouts.give_up_s,
        timeouts.orphan_give_up_s,
        timeouts.syn_give_up_s,
        timeouts.synack_give_up_s,
    )
    for function in functions:
        assert function({}) is None
        assert function(dict.fromkeys(DEFAULTS, "strange")) is None
    assert timeouts.give_up_in_s({}, 200_000, 1, 0) is None
    assert timeouts.syn_give_up_in_s({}, 0, 1000) is None


@pytest.mark.parametrize(
    ("retries", "longest_ms", "seconds"),
    [
        (0, 120_000, 0.2),
        (1, 120_000, 0.2 + 0.4),
        (3, 120_000, 0.2 + 0.4 + 0.8 + 1.6),
        (9, 120_000, 204.6),
        (10, 120_000, 204.6 + 120),
        # 0.2 doubled twice is below one second, three times is not; then each is one second
        (2, 1000, 1.4),
        (3, 1000, 1.4 + 1),
        (5, 1000, 1.4 + 3),
    ],
)
def test_tcp_retries2(retries: int, longest_ms: int, seconds: float) -> None:
    found = timeouts.give_up_s(with_(tcp_retries2=retries, tcp_rto_max_ms=longest_ms))
    assert found == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("retries", "linear", "seconds"),
    [
        (6, None, 127),
        (6, 0, 127),
        (1, 0, 1 + 2),
        (2, 1, 1 + 1 + 2 + 4),
        (2, 4, 1 + 1 + 1 + 1 + 1 + 2),  # the time of two doublings, 7 s, is over
        (1, 4, 1 + 1 + 1),
        (7, 0, 127 + 120),
    ],
)
def test_syn_retries(retries: int, linear: int | None, seconds: float) -> None:
    values = with_(tcp_syn_retries=retries, tcp_syn_linear_timeouts=linear)
    if linear is None:  # before 6.5
        del values["net.ipv4.tcp_syn_linear_timeouts"]
    assert timeouts.syn_give_up_s(values) == seconds


@pytest.mark.parametrize(
    ("retrans", "expires_ms", "seconds"),
    [(0, 1000, 131), (0, 250, 130.25), (5, 2000, 126 - 5 + 5), (10, 64_000, 64), (10, 0, 0)],
)
def test_what_is_left_of_a_connect(retrans: int, expires_ms: int, seconds: float) -> None:
    # Timers fire after 1, 2, 3, 4, 5, 7, 11, 19, 35, 67 and 131 s.
    assert timeouts.syn_give_up_in_s(DEFAULTS, retrans, expires_ms) == seconds


@pytest.mark.parametrize(
    ("rto_ms", "backoff", "expires_ms", "seconds"),
    [
        (200, 0, 200, 0),
        (200, 0, 50, 0.15),
        (400, 1, 400, 0.2),
        (400, 1, 100, 0.2 + 0.3),
        (1632, 3, 632, 0.204 + 0.408 + 0.816 + 1.0),
        (1632, 3, 2**32 - 4, 0.204 + 0.408 + 0.816 + 1.632),  # due: its time has wrapped round
        (120_000, 10, 120_000, 204.6),
        (120_000, 12, 20_000, 204.6 + 2 * 120 + 100),
    ],
)
def test_for_how_long_it_has_been_going_on(
    rto_ms: int, backoff: int, expires_ms: int, seconds: float
) -> None:
    found = timeouts.retransmitting_for_s(rto_ms * 1000, backoff, expires_ms)
    assert found == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("rto_ms", "backoff", "expires_ms", "seconds"),
    [
        # First timeout after 204 ms; the model's 3.0 s begin there. The timers of 0.408, 0.816
        # and 1.632 s end 2.856 s later, too early; that of 3.264 s is the last.
        (204, 0, 204, 0.204 + 2.856 + 3.264),
        (408, 1, 408, 2.856 + 3.264),
        (408, 1, 8, 2.856 + 3.264 - 0.4),
        (1632, 3, 1000, 1.0 + 3.264),
        (3264, 4, 264, 0.264),
        (6528, 5, 500, 0.5),  # tcp_retries2 was lowered meanwhile
        # 240 ms: the model's time is over at the end of 0.48 + 0.96 + 1.92 s
        (240, 0, 240, 0.24 + 3.36),
    ],
)
def test_what_is_left_of_a_black_hole(
    rto_ms: int, backoff: int, expires_ms: int, seconds: float
) -> None:
    found = timeouts.give_up_in_s(with_(tcp_retries2=3), rto_ms * 1000, backoff, expires_ms)
    assert found == pytest.approx(seconds)


def test_what_is_left_of_a_black_hole_by_default() -> None:
    # 0.408 doubled to 104.448 s, nine timers: 208.488 s; six of 120 s reach the model's 924.6 s.
    found = timeouts.give_up_in_s(DEFAULTS, 204_000, 0, 204)
    assert found == pytest.approx(0.204 + 208.488 + 6 * 120)


def test_what_the_ports_sustain() -> None:
    assert timeouts.sustained_connections_per_s(28_232) == pytest.approx(470.53, abs=0.01)
    assert timeouts.sustained_connections_per_s(600, 1.0) == 600


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (7875, "2 h 11 min 15 s"),
        (924.6, "15 min 24 s"),
        (120, "2 min"),
        (63, "1 min 3 s"),
        (59.94, "59.9 s"),
        (59.99, "60 s"),
        (3, "3 s"),
        (3600, "1 h"),
        (0.2, "0.2 s"),
    ],
)
def test_times_in_words(seconds: float, words: str) -> None:
    assert exactly(seconds) == words


def test_levels() -> None:
    kernel = Kernel(
        1,
        sockstat={"TCP": {"inuse": 5, "orphan": 3, "tw": 40, "alloc": 9, "mem": 70}},
        sysctls={
            "net.ipv4.tcp_max_orphans": "12",
            "net.ipv4.tcp_mem": "50 100 200",
            "net.ipv4.tcp_max_tw_buckets": "80",
            "net.netfilter.nf_conntrack_count": "0",
            "net.netfilter.nf_conntrack_max": "1000",
        },
    )
    assert levels.orphans(kernel) == (3, 12)
    assert levels.orphans(kernel).share == 0.25
    assert levels.memory_pages(kernel) == (70, 100)
    assert levels.memory_marks(kernel) == (50, 100, 200)
    assert levels.time_waits(kernel).share == 0.5
    assert levels.conntrack(kernel).share == 0


def test_levels_that_are_not_known() -> None:
    for level in (levels.orphans, levels.memory_pages, levels.time_waits, levels.conntrack):
        assert level(Kernel(1)) == (None, None)
        assert level(Kernel(1)).share is None
    assert levels.memory_marks(Kernel(1)) is None
    none_allowed = Kernel(1, sysctls={"net.ipv4.tcp_max_tw_buckets": "0"})
    assert levels.time_waits(none_allowed).share is None


def test_a_closed_connection_whose_peer_answers_probes_ends_too() -> None:
    """Seen at 339 s with timers that fire late (tcp_probe_timer): 204.6 s of waits that double, and
    one of the longest."""
    assert timeouts.orphan_probes_in_s({}, 200_000, 0, 200) == pytest.approx(324.6)
    assert timeouts.orphan_probes_in_s({}, 200_000, 10, 30_000) == 30
    assert timeouts.orphan_probes_in_s({}, 200_000, 9, 30_000) == 150
    assert timeouts.orphan_probes_in_s({}, 0, 0, 0) > 0  # it was not told, and ends all the same


def test_a_closed_connection_that_nobody_answers() -> None:
    sysctls = {"net.ipv4.tcp_orphan_retries": "0"}
    first = timeouts.orphan_give_up_in_s(sysctls, 201_000, 0, 200)
    assert first is not None
    assert 102 < first < 110  # seen at 107 s
    assert timeouts.orphan_give_up_in_s({}, 200_000, 0, 200) is None
