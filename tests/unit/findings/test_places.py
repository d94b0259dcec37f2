"""A finding is of one namespace, and of one device where sockets are bound to one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tcptop.analysis import filter as language
from tcptop.analysis.findings import folding, words
from tcptop.analysis.findings.observations import Observations
from tcptop.analysis.findings.scope import scope
from tcptop.analysis.selection import facts
from tcptop.model.finding import Finding, Subject
from tcptop.model.sample import Kernel, Namespace
from tests.unit.findings.test_black_hole import lost
from tests.unit.findings.test_close_wait_leak import leaked
from tests.unit.findings.test_connect_unanswered import dialing
from tests.unit.findings.test_fd_limit import ID as FD_LIMIT
from tests.unit.findings.test_half_closed import waiting
from tests.unit.findings.test_zero_window_peer import shut
from tests.unit.findings.watched import Findings, of, once, watch
from tests.unit.prepared import (
    CURL,
    NETNS,
    OTHER_NETNS,
    Row,
    derived,
    kernel,
    owners,
    sample,
    socket,
)

SPACES = (
    Namespace(NETNS, None, {1: "lo", 2: "va", 3: "vb"}),
    Namespace(OTHER_NETNS, "lab", {2: "vx"}),
)
HELD = owners(*((n, CURL, n) for n in (*range(1, 9), *range(1000, 1050))))


def found(rule: str, *rows: Row, **fields: Any) -> Findings:
    given: dict[str, Any] = {"owners": HELD, "namespaces": SPACES} | fields
    return of(once(rows, **given), rule)


@pytest.mark.parametrize(
    ("rule", "rows"),
    [
        ("close-wait-leak", leaked(20)),
        ("close-wait-unread", leaked(20, recv_q=1)),
        ("half-closed", waiting(20)),
        ("zero-window-peer", [shut()]),
        ("black-hole", [lost()]),
        ("connect-unanswered", [dialing()]),
    ],
)
def test_of_one_process_in_two_namespaces_each_has_its_own(rule: str, rows: list[Row]) -> None:
    numbered = [row | {"cookie": n + 1} for n, row in enumerate(rows)]
    both = numbered + [row | {"netns": OTHER_NETNS} for row in numbered]
    findings = found(rule, *both)
    assert {each.subject.netns for each in findings} == {NETNS, OTHER_NETNS}
    assert len({each.key for each in findings}) == 2
    for each in findings:
        assert str(each.subject.netns) in each.key
        assert each.subject.cookies == tuple(range(1, len(rows) + 1))


def test_fewer_than_enough_in_each_namespace_are_none() -> None:
    half = leaked(10)
    assert not found("close-wait-leak", *half, *(row | {"netns": OTHER_NETNS} for row in half))


@pytest.mark.parametrize(("appears", "growing"), [(0, True), (150, False)])
def test_what_is_there_when_a_namespace_appears_has_not_grown(appears: int, growing: bool) -> None:
    """Twenty young ones after 150 seconds, in a namespace that was looked at before, or not."""
    rows = [row | {"netns": OTHER_NETNS} for row in leaked(20, heard_s=1)]

    def spaces(number: int) -> tuple[Namespace, ...]:
        return SPACES if number >= appears else SPACES[:1]

    def kernels(number: int) -> tuple[Kernel, ...]:
        return tuple(kernel(each.inode) for each in spaces(number))

    fields: dict[str, Any] = {"namespaces": spaces, "kernel": kernels, "owners": HELD}
    seen = watch(200, lambda n: rows if n >= 150 else [], **fields)
    assert bool(of(seen[200], "close-wait-leak")) is growing


def test_a_pid_that_is_used_again_is_another_subject() -> None:
    full = replace(CURL, open_fds=256)
    keys = {
        each.key
        for start in (1, 2)
        for each in found(
            FD_LIMIT,
            socket("ESTABLISHED", "10.0.0.1:40001", "10.0.0.9:80", inode=1),
            owners=owners((1, replace(full, start_time=start), 3)),
        )
    }
    assert len(keys) == 2


# -- devices

ENDS = ("[fe80::1]:40001", "[fe80::2]:9000")


def bound(row: Row, device: int, local: str = ENDS[0]) -> Row:
    return row | {"local": local, "remote": ENDS[1], "interface": device, "cookie": 10 + device}


@pytest.mark.parametrize(
    ("rule", "row"),
    [
        ("zero-window-peer", shut()),
        ("black-hole", lost("[fe80::2]:9000")),
        ("connect-unanswered", dialing()),
    ],
)
def test_two_links_are_two_destinations(rule: str, row: Row) -> None:
    findings = found(rule, bound(row, 2), bound(row, 3))
    assert {each.subject.destination for each in findings} == {
        "[fe80::2]%va:9000",
        "[fe80::2]%vb:9000",
    }
    assert len({each.key for each in findings}) == 2
    for each in findings:
        assert str(each.subject.destination) in each.title
        assert len(each.subject.cookies) == 1
        command = each.confirm.partition(";")[0]
        if rule != "connect-unanswered":
            assert f"dst [fe80::2]:9000 and dev = v{'ab'[each.subject.cookies[0] - 12]}" in command


def full(device: int, local: str = "[fe80::2]:9000", **columns: Any) -> list[Row]:
    """A listener whose queue is full, with those who wait."""
    listener = socket("LISTEN", local, recv_q=5, send_q=4, inode=1, memory={"drops": 9})
    info = {"last_data_sent": 60_000}
    host = local if "fe80" in local else "[fe80::2]:9000"
    queued = [
        socket("ESTABLISHED", host, f"[fe80::1]:{5000 + n}", info=info, cookie=100 * device + n)
        for n in range(5)
    ]
    rows = [listener | {"cookie": device}, *queued]
    return [row | {"interface": device} | columns for row in rows]


@pytest.mark.parametrize("local", ["[fe80::2]:9000", "[::]:9000"])
def test_two_listeners_on_one_address_are_told_apart(local: str) -> None:
    findings = found("accept-queue-overflow", *full(2, local), *full(3, local))
    address = local.rpartition(":")[0]
    named = {f"{address}%{name}:9000" for name in ("va", "vb")}
    assert {each.subject.listener for each in findings} == named
    assert len({each.key for each in findings}) == 2
    for each in findings:
        assert str(each.subject.listener) in each.title
        device = str(each.subject.listener).partition("%")[2].partition(":")[0]
        assert f"sport = :9000 and dev = {device}'" in each.confirm


def test_the_filter_of_a_finding_has_its_device() -> None:
    made = sample([*full(2), *full(3)], owners=HELD, namespaces=SPACES)
    snapshot = derived(made)
    for finding in of(snapshot.findings, "accept-queue-overflow"):
        text = scope(finding, snapshot)
        assert text is not None
        chosen = language.select(language.parse(text), facts(snapshot))
        (device,) = set(snapshot.sample.sockets.interface[chosen].tolist())
        assert f"dev = v{' ab'[device - 1]}" in text


def test_a_network_on_a_link_says_which() -> None:
    rows = [
        lost(f"[fe80::{n}]:9000", interface=2, local=f"[fe80::1]:{n + 40000}", cookie=n)
        for n in (5, 6)
    ]
    (finding,) = found("black-hole", *rows)
    assert finding.subject.destination == "fe80::%va/64"
    assert finding.confirm == "ss -tinpo 'dst fe80::/64 and dev = va'"


@pytest.mark.parametrize(("device", "explained"), [(2, True), (3, False)])
def test_a_listener_explains_clients_on_its_own_link(device: int, explained: bool) -> None:
    client = bound(dialing(), device) | {"inode": 0}
    seen = Observations(derived(sample([*full(2), client], namespaces=SPACES)), ())
    cause = Finding(
        "accept-queue-overflow", "a", "critical", "", Subject(NETNS, listener="[fe80::2]%va:9000")
    )
    to = f"[fe80::2]%v{'ab'[device - 2]}:9000"
    effect = Finding("connect-unanswered", "b", "warning", "", Subject(NETNS, destination=to))
    (_, last) = folding.folded([cause, effect], seen)
    assert (last.because == "a") is explained


def test_a_command_names_the_device_of_an_address_by_its_option() -> None:
    assert words.towards("fe80::2%va", "oif") == "fe80::2 oif va"
    assert words.towards("fe80::%va/64", "dev") == "fe80::/64 dev va"
    assert words.towards("10.0.0.9", "-I") == "10.0.0.9"
