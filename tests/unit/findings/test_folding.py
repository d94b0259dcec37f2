"""Chains of effects: a proxy passes on the trouble of the one behind it."""

from dataclasses import replace
from typing import Any

import pytest

from tcptop.analysis.findings import folding
from tcptop.analysis.findings.folds import closing, destinations, listeners, readers
from tcptop.analysis.findings.observations import Observations
from tcptop.model.finding import Finding, Subject
from tcptop.model.sample import Process, ProcessFacts
from tests.unit.findings.test_zero_window_peer import shut
from tests.unit.findings.watched import of, watch
from tests.unit.prepared import (
    CURL,
    NETNS,
    NGINX,
    OTHER_NETNS,
    WORKER,
    Row,
    derived,
    owners,
    sample,
    socket,
)

MTU = "mtu-black-hole"
UNREAD, SHUT, QUEUE = "recv-queue-unread", "zero-window-peer", "accept-queue-overflow"


def unread(remote: str, local: str = "10.0.0.1:8080", **columns: Any) -> Row:
    row = socket("ESTABLISHED", local, remote, recv_q=9000, **columns)
    return row | {"info": {"bytes_received": 12_000}}


def proxy(clients: int, backends: int) -> list[Row]:
    """NGINX serves clients and writes to back ends that do not read."""
    listener = socket("LISTEN", "0.0.0.0:8080", inode=100)
    front = [unread(f"10.0.0.7:{5000 + n}", inode=n + 1) for n in range(clients)]
    back = [shut(6, 1, local=f"10.0.0.1:{4000 + n}", inode=50 + n) for n in range(backends)]
    rows = [listener, *front, *back]
    return [row | {"cookie": n + 1} for n, row in enumerate(rows)]


def of_proxy(clients: int, backends: int) -> tuple[Finding, Finding]:
    held = owners(*((n, NGINX, n) for n in range(1, 101)))
    last = watch(6, lambda _: proxy(clients, backends), owners=held)[-1]
    (effect,), (cause,) = of(last, UNREAD), of(last, SHUT)
    return effect, cause


def test_a_proxy_does_not_read_what_it_cannot_pass_on() -> None:
    effect, cause = of_proxy(4, 3)
    assert (effect.because, cause.because) == (cause.key, None)


def test_a_stuck_process_is_not_excused_by_one_slow_reader() -> None:
    effect, cause = of_proxy(12, 1)
    assert (effect.because, cause.because) == (None, None)


@pytest.mark.parametrize(
    ("threads", "watched", "taken"),
    [
        (6, (), True),
        (1, (), False),  # an event loop: it would read from others
        (6, (2, 3), False),  # the same with helpers: it waits for room by epoll
        (60, (), False),  # a thread for each client: those that do not read wait for something else
        (6, None, True),  # it has no epoll descriptor
    ],
)
def test_threads_that_wait_to_send_are_why_nobody_reads(
    threads: int, watched: tuple[int, ...] | None, taken: bool
) -> None:
    """A pool of five; two are held up, and twelve others come."""
    memory = {"sndbuf": 87_040, "wmem_queued": 87_000, "drops": 0}
    front = [unread(f"10.0.0.7:{5000 + n}", inode=n + 10) for n in range(12)]
    full = [
        shut(6, 1, local="10.0.0.1:8080", remote=f"10.0.0.9:{6000 + n}", inode=n + 2, memory=memory)
        for n in range(2)
    ]
    rows = [socket("LISTEN", "0.0.0.0:8080", inode=1), *full, *front]
    rows = [row | {"cookie": n + 1} for n, row in enumerate(rows)]
    waits_for = None if watched is None else frozenset(watched)
    facts = ProcessFacts(NGINX.pid, "sleeping", 0.0, 0.0, threads, 1, 0.0, 1, None, waits_for)
    held = owners(*((n, NGINX, n) for n in range(1, 101)))
    last = watch(7, lambda _: rows, owners=held, facts={NGINX.pid: facts})[-1]
    (effect,), (cause,) = of(last, UNREAD), of(last, SHUT)
    assert (effect.because == cause.key) is taken


def test_on_the_same_connection_it_may_be_either_end() -> None:
    both = shut(6, 1, local="10.0.0.1:8080", recv_q=9000)
    both["info"] |= {"bytes_received": 12_000}
    last = watch(6, lambda _: [both], owners=owners((1, CURL, 1)))[-1]
    assert [finding.because for finding in last] == [None, None]


def test_two_that_wait_for_each_other_are_not_both_effects() -> None:
    """Two relays that pass on to each other, each over a connection of its own."""
    here, there = "127.0.0.1:", "127.0.0.1:"
    rows = [
        shut(6, 1, local=f"{here}4001", remote=f"{there}9001", inode=1, cookie=1),
        unread(f"{there}4002", local=f"{here}9002", inode=2, cookie=2),
        shut(6, 1, local=f"{there}4002", remote=f"{here}9002", inode=3, cookie=3),
        unread(f"{here}4001", local=f"{there}9001", inode=4, cookie=4),
    ]
    held = owners((1, CURL, 1), (2, CURL, 2), (3, NGINX, 3), (4, NGINX, 4))
    last = watch(6, lambda _: rows, owners=held)[-1]
    assert len(last) == 4
    assert len([finding for finding in last if finding.because is None]) == 1


def hung(waiting: int) -> list[Row]:
    """A server that does nothing more: ten clients are not read, others wait to be accepted."""
    listener = socket("LISTEN", "0.0.0.0:8080", inode=99, recv_q=waiting, send_q=1023)
    info = {"last_data_sent": 30_000}
    held = [unread(f"10.0.0.7:{5000 + n}", inode=n + 1) for n in range(10)]
    queued = [
        socket("ESTABLISHED", "10.0.0.1:8080", f"10.0.0.8:{5000 + n}", recv_q=6, info=info)
        for n in range(waiting)
    ]
    return [row | {"cookie": n + 1} for n, row in enumerate([listener, *held, *queued])]


def of_hung(waiting: int, *more: Process) -> tuple[Finding, Finding]:
    """`more` have the listener too."""
    held = owners(*((n, NGINX, n) for n in range(1, 100)), *((99, each, 3) for each in more))
    last = watch(7, lambda _: hung(waiting), owners=held)[-1]
    (queue,), (reader,) = of(last, QUEUE), of(last, UNREAD)
    return queue, reader


def test_a_server_that_does_not_read_takes_no_more_clients() -> None:
    queue, reader = of_hung(16)
    assert (queue.because, reader.because) == (reader.key, None)


def test_a_cause_is_as_bad_as_the_worst_that_follows_from_it() -> None:
    queue, reader = of_hung(16)
    assert (queue.severity, reader.severity) == ("critical", "critical")


def test_a_few_that_are_unread_are_a_detail_of_a_listener_that_stands_still() -> None:
    queue, reader = of_hung(160)
    assert (queue.because, reader.because) == (None, queue.key)
    assert (queue.severity, reader.severity) == ("critical", "warning")


@pytest.mark.parametrize(("waiting", "same"), [(16, True), (160, False)])
def test_a_server_that_takes_one_now_and_then_is_stuck_where_it_leaves_as_many_unread(
    waiting: int, same: bool
) -> None:
    """As in the pauses of one that collects garbage nearly all the time."""
    queue, reader = of_hung(waiting)
    slow = replace(queue, because=None, values={**queue.values, "stalled_s": 0.0})
    seen = Observations(derived(sample([])), ())
    assert readers.accepts_nobody_either(slow, reader, seen) is same
    assert not readers.reads_nothing_either(reader, slow, seen)


def test_one_of_several_that_should_accept_is_not_why_none_does() -> None:
    queue, reader = of_hung(16, WORKER)
    assert (queue.because, reader.because) == (None, None)
    assert reader.severity == "warning"


def handshakes() -> list[Row]:
    """Clients of this host at a full accept queue: the listener drops their last ACK."""
    listener = socket("LISTEN", "127.0.0.1:9000", recv_q=9, send_q=8, inode=9)
    waiting = [
        socket("ESTABLISHED", "127.0.0.1:9000", f"127.0.0.1:500{n}", inode=0) for n in range(9)
    ]
    half = [
        socket("SYN_RECV", "127.0.0.1:9000", f"127.0.0.1:600{n}", timer=1, retrans=4, expires=9000)
        for n in range(3)
    ]
    rows = [listener, *waiting, *half]
    return [row | {"cookie": n + 1} for n, row in enumerate(rows)]


def test_an_effect_has_no_guesses_and_no_advice_of_its_own() -> None:
    last = watch(12, lambda _: handshakes(), owners=owners((9, NGINX, 3)))[-1]
    (cause,), (effect,) = of(last, QUEUE), of(last, "handshake-unfinished")
    assert effect.because == cause.key
    assert (bool(cause.advice), effect.advice) == (True, "")
    assert len(effect.evidence) == 2
    assert not any("lost on the way" in said for said in effect.evidence)


def test_an_effect_is_called_by_what_is_seen_of_it() -> None:
    seen = Finding("a", "a/1", "warning", "Packets are lost", Subject(1), evidence=("3", "Or 4?"))
    effect = replace(seen, advice="Mend it.", effect="3 wait", guesses=("Or 4?",))
    assert folding.told(effect, None) is effect
    told = folding.told(effect, "b/1")
    assert (told.title, told.evidence, told.advice) == ("3 wait", ("3",), "")
    assert (told.because, folding.told(seen, "b/1").title) == ("b/1", "Packets are lost")


@pytest.mark.parametrize(("twins", "told"), [(0, True), (1, False)])
def test_a_full_queue_in_another_namespace_explains_connects_that_came_in_there(
    twins: int, told: bool
) -> None:
    """One of the client's connections waits there; in two networks it could be either."""
    ends, back = ("10.0.0.1:40001", "10.0.0.9:80"), ("10.0.0.9:80", "10.0.0.1:40001")
    rows = [
        socket("ESTABLISHED", *ends, inode=1),
        socket("SYN_SENT", "10.0.0.1:40002", "10.0.0.9:80", inode=2),
        *(socket("ESTABLISHED", *back, netns=n) for n in (OTHER_NETNS, 77)[: 1 + twins]),
    ]
    seen = Observations(derived(sample(rows)), ())
    effect = Finding("x", "x", "warning", "x", Subject(NETNS, destination="10.0.0.9:80"))
    full = Subject(OTHER_NETNS, listener="0.0.0.0:80")
    for severity, sure in (("critical", told), ("warning", False)):
        cause = Finding("y", "y", severity, "y", full)
        assert listeners.unanswered(effect, cause, seen) == sure
    elsewhere = Finding("y", "y", "critical", "y", replace(full, listener="10.0.0.8:80"))
    assert not listeners.unanswered(effect, elsewhere, seen)


@pytest.mark.parametrize(
    ("headroom", "to", "told", "explains"),
    [
        (0, "10.0.0.2", {"failed": 132}, True),
        (0, "10.0.0.2:80", {"failed": 132}, True),
        (3, "10.0.0.2", {"failed": 132}, False),
        (0, "10.0.0.3", {"failed": 132}, False),
        (0, "10.0.0.2", {"failed": 132, "refused": 5}, False),
    ],
)
def test_connects_that_found_no_port_to_call_from(
    headroom: int, to: str, told: dict[str, float], explains: bool
) -> None:
    seen = Observations(derived(sample([])), ())
    effect = Finding("x", "x", "warning", "x", Subject(NETNS, destination=to), values=told)
    full = Subject(NETNS, destination="10.0.0.2:80")
    cause = Finding("y", "y", "critical", "y", full, values={"headroom": headroom})
    assert destinations.no_port_to_call_from(effect, cause, seen) == explains


@pytest.mark.parametrize(
    ("share", "pids", "explains"), [(1, 7, True), (0.9, 7, False), (1, 8, False)]
)
def test_connections_that_are_closed_for_want_of_a_descriptor(
    share: float, pids: int, explains: bool
) -> None:
    seen = Observations(derived(sample([])), ())
    effect = Finding("resets", "x", "warning", "x", Subject(NETNS, (7, 9)))
    cause = Finding(
        "fd-limit", "y", "critical", "y", Subject(NETNS, (pids,)), values={"share": share}
    )
    assert closing.no_descriptor_to_accept_with(effect, cause, seen) == explains


@pytest.mark.parametrize(
    ("to", "share", "same"),
    [("10.0.0.9", 0.9, True), ("10.0.0.9", 0.6, False), ("10.0.0.8", 0.9, False)],
)
def test_what_is_repeated_is_what_is_too_large(to: str, share: float, same: bool) -> None:
    def told(id: str, to: str, **values: float) -> Finding:
        return Finding(id, id, "warning", "", Subject(NETNS, destination=to), values, (), "", "")

    lossy, large = told("retransmission-rate", to, worst_share=share), told(MTU, "10.0.0.9")
    seen = Observations(derived(sample([])), ())
    assert destinations.repeats_to_it(lossy, large, seen) is same


@pytest.mark.parametrize("first_only", [True, False])
def test_a_full_queue_over_there_or_a_way_that_loses(first_only: bool) -> None:
    def told(id: str, to: str, **values: float) -> Finding:
        return Finding(id, id, "warning", "", Subject(NETNS, destination=to), values, (), "", "")

    lossy = told("retransmission-rate", "10.0.0.9")
    late = told("connects-delayed", "10.0.0.9:80", first_data_only=first_only)
    seen = Observations(derived(sample([])), ())
    found = {each.id: each.because for each in folding.folded([lossy, late], seen)}
    effect, cause = (lossy, late) if first_only else (late, lossy)
    assert found == {effect.id: cause.key, cause.id: None}
