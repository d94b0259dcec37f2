"""Port headroom where a kernel would need minutes, or another kernel: sysctls, age, forecasts."""

from dataclasses import fields
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tcptop.analysis import ports
from tcptop.analysis.derive import derive
from tcptop.analysis.history import History
from tcptop.analysis.join import join
from tcptop.analysis.port_range import candidates
from tcptop.model.sample import Sample
from tcptop.model.snapshot import Ports, Snapshot
from tcptop.model.table import EMPTY, SocketTable
from tests.unit.prepared import (
    NETNS,
    OTHER_NETNS,
    Row,
    derived,
    kernel,
    mini,
    sample,
    socket,
    table,
)

SERVER = "10.0.0.9:80"
RANGE, RESERVED = "net.ipv4.ip_local_port_range", "net.ipv4.ip_local_reserved_ports"


def at(clock: float, *rows: Row, sysctls: dict[str, str] | None = None, **fields: Any) -> Sample:
    return sample(rows, clock=clock, kernel=(kernel(sysctls=sysctls),), **fields)


def client(port: int, remote: str = SERVER, **columns: Any) -> Row:
    return socket("ESTABLISHED", f"10.0.0.1:{port}", remote, **columns)


def headroom(snapshot: Snapshot) -> list[tuple[int, int, int]]:
    """(used, headroom, headroom_bind) of each destination."""
    ports = snapshot.ports
    columns = (ports.used, ports.headroom, ports.headroom_bind)
    return list(zip(*(column.tolist() for column in columns), strict=True))


@given(
    lo=st.integers(1, 65535),
    size=st.integers(1, 300),
    reserved=st.lists(st.tuples(st.integers(1, 65535), st.integers(0, 50)), max_size=4),
)
def test_candidates(lo: int, size: int, reserved: list[tuple[int, int]]) -> None:
    hi = min(lo + size - 1, 65535)
    ends = [(first, min(first + more, 65535)) for first, more in reserved]
    text = ",".join(f"{a}-{b}" if a < b else f"{a}" for a, b in ends)
    picked = candidates({RANGE: f"{lo}\t{hi}", RESERVED: text})
    assert picked is not None
    mask, missed = picked
    expected = {p for p in range(lo, hi + 1) if not any(a <= p <= b for a, b in ends)}
    assert set(np.flatnonzero(mask).tolist()) == expected
    assert missed == ((hi - lo + 1) % 2 if hi > lo else 0)


@pytest.mark.parametrize("text", ["", "40000", "40099 40000", "a b", "1 2 3"])
def test_a_range_that_is_not_known_has_no_rows(text: str) -> None:
    assert candidates({RANGE: text}) is None
    assert len(derived(at(0, client(40001), sysctls={RANGE: text})).ports) == 0


def test_ports_are_counted_by_destination() -> None:
    rows = [client(40000 + n) for n in range(10)]
    rows += [client(40000 + n, "10.0.0.9:81") for n in range(3)]
    rows += [client(39999), client(40100)]  # chosen by their owners
    assert sorted(headroom(derived(at(0, *rows)))) == [(3, 97, 90), (10, 90, 90)]


def test_a_namespace_counts_for_itself() -> None:
    rows = [client(40001), client(40001, netns=OTHER_NETNS), client(40002, netns=OTHER_NETNS)]
    both = (kernel(), kernel(OTHER_NETNS))
    snapshot = derived(sample(rows, kernel=both))
    assert dict(zip(snapshot.ports.netns.tolist(), headroom(snapshot), strict=True)) == {
        NETNS: (1, 99, 99),
        OTHER_NETNS: (2, 98, 98),
    }


def test_bound_ports_are_lost_to_all() -> None:
    bound = table([socket("CLOSE", "10.0.0.2:40050"), socket("CLOSE", "0.0.0.0:40051")])
    snapshot = derived(at(0, client(40001), bound=bound))
    assert snapshot.ports.blocked.tolist() == [2]
    assert headroom(snapshot) == [(1, 97, 98)]  # bind() on another address may take 40050


def waiting(port: int, expires: int, ends: tuple[str, str] = ("127.0.0.1", "127.0.0.1:80")) -> Row:
    return mini("TIME_WAIT", f"{ends[0]}:{port}", ends[1], expires=expires)


@pytest.mark.parametrize(
    ("sysctls", "used"),
    [
        ({}, 2),  # tcp_tw_reuse is 2 in the prepared namespace
        ({"net.ipv4.tcp_tw_reuse": "1"}, 2),
        ({"net.ipv4.tcp_tw_reuse": "0"}, 4),
        ({"net.ipv4.tcp_timestamps": "0"}, 4),
        ({"net.ipv4.tcp_tw_reuse_delay": "20000"}, 3),
        ({"net.ipv4.tcp_tw_reuse_delay": "60000"}, 4),
    ],
)
def test_time_wait_by_age(sysctls: dict[str, str], used: int) -> None:
    rows = [waiting(40000 + n, expires) for n, expires in enumerate((60_000, 59_001, 58_900, 100))]
    snapshot = derived(at(0, *rows, sysctls=sysctls))
    assert headroom(snapshot) == [(used, 100 - used, 96)]
    assert snapshot.ports.time_wait.tolist() == [4]


@pytest.mark.parametrize(
    ("ends", "reusable"),
    [
        (("127.3.2.1", "127.9.9.9:80"), True),
        (("127.0.0.1", "10.0.0.1:80"), True),
        (("10.0.0.1", "10.0.0.1:80"), False),
        (("[::1]", "[::1]:80"), True),
        (("[::ffff:127.0.0.1]", "[::ffff:10.0.0.1]:80"), True),
        (("[fd00::1]", "[fd00::1]:80"), False),
        (("128.0.0.1", "126.255.255.255:80"), False),
    ],
)
def test_loopback_addresses(ends: tuple[str, str], reusable: bool) -> None:
    snapshot = derived(at(0, waiting(40000, 100, ends)))
    assert snapshot.ports.used.tolist() == [0 if reusable else 1]
    bound = waiting(40000, 100, ends) | {"interface": 1}  # to the device lo
    assert derived(at(0, bound)).ports.used.tolist() == [0]


def many(count: int) -> list[Row]:
    return [client(40000 + n, cookie=n + 1) for n in range(count)]


def test_growth_is_that_of_the_last_half_minute() -> None:
    samples = [at(clock, *many(used)) for clock, used in ((0, 50), (10, 10), (25, 40), (35, 60))]
    snapshot = derived(*samples)
    assert snapshot.ports.exhausted_in_s[0] == pytest.approx(40 / (50 / 25))
    assert np.isnan(derived(*samples[:2]).ports.exhausted_in_s[0])  # it shrinks
    assert np.isnan(derived(*samples, at(60, *many(40))).ports.exhausted_in_s[0])


def test_growth_where_looks_are_far_between() -> None:
    snapshot = derived(at(0, *many(10)), at(100, *many(20)))
    assert snapshot.ports.exhausted_in_s[0] == pytest.approx(80 / (10 / 100))


def test_a_new_destination_grew_from_nothing() -> None:
    snapshot = derived(at(0), at(10, *many(20)))
    assert snapshot.ports.exhausted_in_s[0] == pytest.approx(80 / 2)
    assert snapshot.ports.opens_per_s[0] == pytest.approx(2)


def test_a_full_destination_is_exhausted_now() -> None:
    snapshot = derived(at(0, *many(90)), at(1, *many(100)))
    assert (snapshot.ports.headroom[0], snapshot.ports.exhausted_in_s[0]) == (0, 0)


def test_ports_of_a_listener_that_is_gone_stay_lost_while_used() -> None:
    child = socket("ESTABLISHED", "10.0.0.1:40007", "10.0.0.5:999")
    listener = socket("LISTEN", "0.0.0.0:40007")
    samples = [at(0, listener, child, client(40001)), at(1, child, client(40001))]
    snapshot = derived(*samples)
    assert headroom(snapshot) == [(1, 98, 98)]
    assert derived(*samples, at(2, client(40001))).ports.blocked.tolist() == [0]
    fresh = derived(samples[1])  # who did not see the listener takes it for a client
    assert sorted(headroom(fresh)) == [(1, 99, 98), (1, 99, 98)]


FEW = (
    client(40001, cookie=1),
    client(40002, cookie=2),
    client(40002, "10.0.0.8:80", cookie=3),
    socket("LISTEN", "0.0.0.0:40007", cookie=4),
    socket("ESTABLISHED", "10.0.0.1:40007", "10.0.0.5:999", cookie=5),
)
OTHERS = (
    FEW,
    (*FEW[:1], *FEW[2:]),  # one has ended
    (*FEW[:3], FEW[4]),  # a listener is gone
    (*FEW[:4], socket("ESTABLISHED", "10.0.0.1:40008", "10.0.0.5:999", cookie=6)),
    (client(40001, cookie=7), *FEW[1:]),  # another one between the same ends
    (client(40001, "10.0.0.7:80", cookie=1), *FEW[1:]),  # it was connected anew
    (client(40001, cookie=1, interface=3), *FEW[1:]),
    (socket("CLOSE_WAIT", "10.0.0.1:40001", SERVER, cookie=1), *FEW[1:]),
    (mini("TIME_WAIT", "10.0.0.1:40001", SERVER, cookie=1, expires=59_500), *FEW[1:]),
    (mini("TIME_WAIT", "10.0.0.1:40001", SERVER, cookie=1, expires=40_000), *FEW[1:]),
)
IDLE = table([socket("CLOSE", "127.0.0.1:40050", info=None, memory=None)])
SYSCTLS: tuple[dict[str, str], ...] = (
    {},
    {},
    {RANGE: "40000\t40009"},
    {"net.ipv4.tcp_tw_reuse": "1"},
)


@given(
    st.lists(
        st.tuples(
            st.one_of(st.just(0), st.integers(0, len(OTHERS) - 1)),
            st.sampled_from(SYSCTLS),
            st.sampled_from((EMPTY, EMPTY, EMPTY, IDLE)),
        ),
        min_size=2,
        max_size=6,
    )
)
def test_what_is_not_found_anew_is_as_if_it_were(
    looks: list[tuple[int, dict[str, str], SocketTable]],
) -> None:
    history = History()
    for clock, (rows, sysctls, bound) in enumerate(looks):
        look = at(float(clock), *OTHERS[rows], sysctls=sysctls, bound=bound)
        joined = join(look, history)
        found, anew = (make(look, joined, history) for make in (ports.ports, ports.anew))
        for name in (each.name for each in fields(Ports)):
            np.testing.assert_equal(getattr(found, name), getattr(anew, name), name)
        history = derive(look, history)[1]


def test_ports_are_not_found_anew_where_nothing_changed() -> None:
    first, second = derived(at(0, *FEW)), derived(at(0, *FEW), at(1, *FEW))
    history = derive(at(0, *FEW), History())[1]
    again = derive(at(1, *FEW), history)[0].ports
    assert history.ports is not None
    assert again.group is history.ports.found.group
    assert again.key.tolist() == first.ports.key.tolist() == sorted(second.ports.key.tolist())
