"""What one sample means after others: ages, rates, memory of sockets that were missed."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tcptop.analysis.derive import derive
from tcptop.analysis.history import History
from tcptop.model import owner
from tcptop.model.sample import Process, Sample
from tcptop.model.snapshot import Snapshot
from tests.unit.prepared import (
    CURL,
    NETNS,
    NGINX,
    TAKEN_AT,
    Row,
    derived,
    everything,
    kernel,
    later,
    mini,
    owners,
    sample,
    socket,
    socket_key,
)

ENDS = ("10.0.0.1:40001", "10.0.0.9:8080")
BYTES = {"bytes_sent": 1000, "bytes_received": 500, "total_retrans": 4}
RATES = ("bytes_sent_per_s", "bytes_received_per_s", "retransmits_per_s")


def at(clock: float, *rows: Row, **fields: object) -> Sample:
    return sample(rows, **{"clock": clock, "taken_at": TAKEN_AT + clock, **fields})


def talking(cookie: int = 5, **info: int) -> Row:
    return socket("ESTABLISHED", *ENDS, cookie=cookie, inode=4, info=BYTES | info)


def rates(snapshot: Snapshot, row: int = 0) -> list[float]:
    return [float(getattr(snapshot, name)[row]) for name in RATES]


def test_of_a_single_look_nothing_moves() -> None:
    snapshot = derived(everything())
    assert snapshot.over_s is None
    for name in RATES:
        assert np.isnan(getattr(snapshot, name)).all()
    for gathered in (snapshot.processes, snapshot.remotes):
        assert np.isnan(gathered.retransmits_per_s).all()
    assert np.isnan(snapshot.listeners.drops_per_s).all()
    assert np.isnan(snapshot.ports.opens_per_s).all()
    assert np.isnan(snapshot.age_s).all()
    assert snapshot.kernel_rates == {}
    assert snapshot.totals.opens_seen_ratio is None


@pytest.mark.parametrize("seconds", [0.0, 1.0])
def test_the_same_sample_again_has_rates_of_zero(seconds: float) -> None:
    first = everything()
    snapshot = derived(first, later(first, seconds))
    known = ~snapshot.sample.sockets.mini() & (snapshot.sample.sockets.info_size >= 224)
    for name in RATES:
        assert (getattr(snapshot, name)[known] == 0).all()
        assert np.isnan(getattr(snapshot, name)[snapshot.sample.sockets.mini()]).all()
    assert snapshot.listeners.drops_per_s.tolist()[:2] == [0, 0]
    assert np.isnan(snapshot.ports.exhausted_in_s).all()
    (sections,) = snapshot.kernel_rates.values()
    assert sections["Tcp"] == {"ActiveOpens": 0, "PassiveOpens": 0}
    assert np.nanmax(snapshot.seen_s) == seconds


def test_rates_are_per_second() -> None:
    more = talking(bytes_sent=1600, bytes_received=500, total_retrans=5)
    snapshot = derived(at(0, talking()), at(2, more))
    assert rates(snapshot) == [300, 0, 0.5]
    assert snapshot.processes.bytes_sent_per_s.tolist() == [300]


def test_a_counter_that_ran_backwards_has_no_rate() -> None:
    snapshot = derived(at(0, talking()), at(1, talking(bytes_sent=900)))
    assert np.isnan(rates(snapshot)[0])
    assert rates(snapshot)[1:] == [0, 0]
    before, after = (replace(kernel(), counters={"Tcp": {"InSegs": n}}) for n in (9, 8))
    snapshot = derived(at(0, kernel=(before,)), at(1, kernel=(after,)))
    assert snapshot.kernel_rates == {NETNS: {"Tcp": {}}}


def test_all_bytes_of_a_new_socket_count() -> None:
    assert rates(derived(at(0), at(2, talking()))) == [500, 250, 2]


def test_all_bytes_of_a_socket_that_was_half_open_count() -> None:
    half_open = mini("SYN_RECV", *ENDS, cookie=5)
    assert rates(derived(at(0, half_open), at(2, talking()))) == [500, 250, 2]


def test_bytes_over_a_miss_are_spread_over_the_time() -> None:
    snapshot = derived(at(0, talking()), at(1), at(4, talking(bytes_sent=1400)))
    assert rates(snapshot)[0] == 100


def test_before_4_19_acknowledged_bytes_stand_for_sent_ones() -> None:
    old = [talking(bytes_acked=n) | {"info_size": 200} for n in (100, 400)]
    assert rates(derived(at(0, old[0]), at(1, old[1])))[:2] == [300, 0]
    older = [talking() | {"info_size": 104}] * 2
    snapshot = derived(at(0, older[0]), at(1, older[1]))
    assert np.isnan(rates(snapshot)[:2]).all()
    assert rates(snapshot)[2] == 0


def test_an_age_is_known_only_of_what_was_seen_to_open() -> None:
    old, new = talking(), socket("ESTABLISHED", "10.0.0.1:40002", ENDS[1], cookie=6)
    first = derived(at(0, old))
    assert (np.isnan(first.age_s[0]), first.seen_s[0]) == (True, 0)
    second = derived(at(0, old), at(1, old, new))
    assert np.isnan(second.age_s[0])
    assert (second.age_s[1], second.seen_s.tolist()) == (0, [1, 0])
    third = derived(at(0, old), at(1, old, new), at(4, new, old))
    assert (third.age_s[0], third.seen_s.tolist()) == (3, [3, 4])
    assert np.isnan(third.age_s[1])


HELD = {"owners": owners((4, CURL, 3))}
CLOSED = mini("TIME_WAIT", *ENDS, cookie=5)


def kinds(snapshot: Snapshot) -> list[tuple[str, list[int]]]:
    return [
        (owner.OWNER_KINDS[kind], [process.pid for process, _ in snapshot.holders.of(row)])
        for row, kind in enumerate(snapshot.owner.tolist())
    ]


def test_a_socket_missed_once_is_the_same_socket() -> None:
    """A crowded hash skips live sockets under churn."""
    snapshot = derived(at(0, talking(), **HELD), at(1), at(2, CLOSED), at(3), at(4, CLOSED))
    assert kinds(snapshot) == [("remembered", [CURL.pid])]
    assert snapshot.seen_s.tolist() == [4]


def test_a_socket_missed_twice_is_gone() -> None:
    snapshot = derived(at(0, talking(), **HELD), at(1), at(2), at(3, CLOSED))
    assert kinds(snapshot) == [("unknown", [])]
    assert snapshot.seen_s.tolist() == [0]
    assert snapshot.note.tolist() == [owner.KERNEL_KEEPS]


def test_a_process_is_not_forgotten_while_nobody_has_the_socket() -> None:
    """A look that falls between the closing of a descriptor and the search for it."""
    snapshot = derived(at(0, talking(), **HELD), at(1, talking()))
    assert kinds(snapshot) == [("unknown", [])]
    snapshot = derived(at(0, talking(), **HELD), at(1, talking()), at(2, CLOSED))
    assert kinds(snapshot) == [("remembered", [CURL.pid])]


def test_a_pid_used_again_is_another_process() -> None:
    other = replace(CURL, name="sh", start_time=CURL.start_time + 1)
    new = socket("ESTABLISHED", "10.0.0.1:40002", ENDS[1], cookie=6, inode=9)
    snapshot = derived(at(0, talking(), **HELD), at(1, CLOSED, new, owners=owners((9, other, 3))))
    assert [holders(snapshot, row) for row in (0, 1)] == [[CURL], [other]]
    assert len(snapshot.processes) == 2


def holders(snapshot: Snapshot, row: int) -> list[Process]:
    return [process for process, _ in snapshot.holders.of(row)]


def test_nobody_closed_what_waits_to_be_accepted() -> None:
    """Without cookies the same four ends are the same socket (tcptop.sources.proc_net_tcp)."""
    queued = socket("ESTABLISHED", *ENDS, cookie=5)
    snapshot = derived(at(0, talking(), **HELD), at(1, CLOSED), at(2, queued))
    assert kinds(snapshot) == [("accept-queue", [])]


def test_the_last_holder_is_remembered() -> None:
    snapshot = derived(
        at(0, talking(), **HELD), at(1, talking(), owners=owners((4, NGINX, 8))), at(2, CLOSED)
    )
    assert holders(snapshot, 0) == [NGINX]
    assert snapshot.processes.owner.tolist() == [owner.REMEMBERED]


def test_openings_are_counted_against_the_kernel_s() -> None:
    listener = socket("LISTEN", "0.0.0.0:80", cookie=1)
    opened = [socket("ESTABLISHED", f"10.0.0.1:4100{n}", ENDS[1]) for n in range(3)]
    half_open = mini("SYN_RECV", *ENDS, cookie=5)
    samples = [at(0, talking(9), kernel=(kernel(opens=10),))]
    ratios = []
    for rows, count in (
        ((talking(9), listener, half_open), 10),
        ((talking(9), listener, talking(5)), 11),
        ((talking(9), listener, talking(5), *opened), 18),
        ((talking(9), listener, talking(5), *opened), 12),
    ):
        samples.append(at(len(samples), *rows, kernel=(kernel(opens=count),)))
        ratios.append(derived(*samples).totals.opens_seen_ratio)
    assert ratios == [None, 1.0, 0.5, 1.0]


def test_a_peak_outlives_its_queue() -> None:
    full, empty = (socket("LISTEN", "0.0.0.0:80", cookie=1, recv_q=n, send_q=9) for n in (7, 0))
    assert derived(at(0, full), at(1, empty), at(2, empty)).listeners.peak.tolist() == [7]


_cookies = st.sets(st.integers(1, 6), max_size=6)


@given(st.lists(_cookies, min_size=1, max_size=12))
def test_seen_is_the_time_since_the_first_of_an_unbroken_row(present: list[set[int]]) -> None:
    """Against a plain account: a socket is gone after two misses in a row."""
    history, first, missed = History(), dict[int, int](), dict[int, int]()
    for clock, cookies in enumerate(present):
        for cookie in list(first):
            missed[cookie] = 0 if cookie in cookies else missed[cookie] + 1
            if missed[cookie] == 2:
                del first[cookie]
        for cookie in cookies - first.keys():
            first[cookie], missed[cookie] = clock, 0
        sample = at(clock, *(talking(cookie) for cookie in sorted(cookies, reverse=True)))
        snapshot, after = derive(sample, history)
        again, _ = derive(sample, history)  # deriving changes nothing of what was known
        assert snapshot.seen_s.tolist() == again.seen_s.tolist()
        seen = dict(zip(sample.sockets.cookie.tolist(), snapshot.seen_s.tolist(), strict=True))
        assert seen == {cookie: clock - first[cookie] for cookie in cookies}
        assert sorted(after.known.key.tolist()) == sorted(map(socket_key, first))
        history = after
