"""Stalls: the kernel's clocks in columns agree with the same arithmetic for one socket."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tcptop.analysis import stalls, timeouts
from tcptop.analysis.peers import peer_rows
from tests.unit.prepared import derived, everything, sample, socket

ENDS = ("10.0.0.1:40001", "10.0.0.9:443")


@given(st.floats(0.2, 3.0), st.integers(3, 14), st.floats(0.0, 1.0))
def test_retransmitted_for_as_long_as_computed(first_s: float, backoff: int, left: float) -> None:
    rto_us = int(min(first_s * 2**backoff, timeouts.RTO_MAX_S) * 1e6)
    expires = int(left * rto_us / 1000)
    info = {"rto": rto_us, "backoff": backoff, "last_ack_recv": 2**32 - 1}
    row = socket("ESTABLISHED", *ENDS, timer=1, send_q=9, expires=expires, info=info)
    (for_s,) = stalls.unanswered_s(derived(sample([row])), np.array([0]))
    assert for_s == pytest.approx(timeouts.retransmitting_for_s(rto_us, backoff, expires))


def test_other_ends_are_found_in_any_order() -> None:
    pairs = [(f"127.0.0.1:{n}", f"[::ffff:127.0.0.1]:{n + 1}") for n in (5000, 6000)]
    rows = [
        socket("LISTEN", "127.0.0.1:5001"),
        *(socket("ESTABLISHED", a, b) for a, b in pairs),
        *(socket("ESTABLISHED", b, a) for a, b in reversed(pairs)),
        socket("ESTABLISHED", "127.0.0.1:5000", "127.0.0.1:6001"),
        socket("ESTABLISHED", "127.0.0.1:5001", "127.0.0.1:5000", netns=7),
    ]
    table = sample(rows).sockets
    assert peer_rows(table, np.arange(len(rows))).tolist() == [-1, 4, 3, 2, 1, -1, -1]


def test_no_rows() -> None:
    snapshot, none = derived(everything()), np.zeros(0, np.int64)
    for measure in (stalls.shut_s, stalls.unanswered_s, stalls.unread_s, stalls.drain_s):
        assert len(measure(snapshot, none)) == 0
