"""connect-unanswered: SYNs that nobody answers, by destination."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tcptop.analysis.dialing import callee
from tcptop.analysis.findings import answers_reset, folding, unanswered
from tcptop.analysis.findings.answers_reset import AnswersReset
from tcptop.analysis.findings.observations import Observations
from tcptop.analysis.findings.settings import FindingSettings
from tcptop.model.finding import Finding, Subject
from tcptop.model.route import Link, Neighbour, Route, RouteKey
from tcptop.model.sample import Deaths, Kernel
from tests.unit.findings.hosts import host
from tests.unit.findings.watched import of, once, watch
from tests.unit.prepared import (
    CURL,
    NETNS,
    TAKEN_AT,
    WORKER,
    Row,
    derived,
    kernel,
    mini,
    owners,
    sample,
    socket,
    table,
)

ID = "connect-unanswered"
HELD = owners(*((n, CURL, n) for n in range(1, 30)))
SYSCTLS = {"net.ipv4.tcp_syn_retries": "6", "net.ipv4.tcp_syn_linear_timeouts": "4"}


def dialing(
    number: int = 1,
    retrans: int = 2,
    doubled: int = 0,
    expires: int = 500,
    to: str = "192.0.2.1:443",
    **columns: Any,
) -> Row:
    info = {"rto": 1_000_000 << doubled, "backoff": doubled, "min_rtt": 0xFFFF_FFFF}
    given: Row = {"inode": number, "timer": 1, "retrans": retrans, "expires": expires, "info": info}
    return socket("SYN_SENT", f"10.0.0.1:{40000 + number}", to, send_q=1, **given | columns)


def test_one_look_knows_for_how_long() -> None:
    """Two linear timeouts of a second ran out, and half of a third."""
    rows = [dialing()]
    (finding,) = of(once(rows, owners=HELD, kernel=(kernel(sysctls=SYSCTLS),)), ID)
    assert finding.severity == "warning"
    assert finding.title == "curl gets no answer from 192.0.2.1:443: 1 connection attempt waiting"
    assert finding.subject.destination == "192.0.2.1:443"
    assert finding.subject.pids == (CURL.pid,)
    assert finding.values == {"sockets": 1, "oldest_s": 2.5, "retransmissions": 2}
    assert finding.since == pytest.approx(TAKEN_AT - 2.5)
    assert "fails with ETIMEDOUT after 2 min 11 s (tcp_syn_retries = 6)" in finding.evidence[1]
    assert "firewall" in finding.advice
    assert "connect timeout" in finding.advice


@pytest.mark.parametrize(
    ("row", "age"),
    [
        (dialing(retrans=2, doubled=2, expires=1000), 1 + 2 + 3),  # before 6.5: 1, 2, 4
        (dialing(retrans=5, doubled=1, expires=2000), 4 + 1),  # four linear ones, then 1, 2
        (dialing(retrans=3, expires=2**31 + 5), 3 + 1),  # due, and wrapped around
        (dialing(retrans=2, info=None, expires=0), 2 + 1),
    ],
)
def test_ages(row: Row, age: float) -> None:
    (finding,) = of(once([row], owners=HELD), ID)
    assert finding.values["oldest_s"] == pytest.approx(age)


def test_young_attempts_are_silent() -> None:
    assert of(once([dialing(retrans=1)] * 20, owners=HELD), ID) == ()
    assert of(once([dialing(retrans=0)] * 20, owners=HELD), ID) == ()


def test_three_seconds_count_whatever_the_timer_says() -> None:
    found = watch(4, lambda _: [dialing(retrans=0, expires=900)], owners=HELD)
    assert [bool(of(each, ID)) for each in found] == [False, False, False, True, True]


def test_ten_to_one_destination_are_critical() -> None:
    def severities(count: int) -> list[str]:
        rows = [dialing(number) for number in range(1, count + 1)]
        rows += [dialing(29, to="192.0.2.2:443")]
        return [finding.severity for finding in of(once(rows, owners=HELD), ID)]

    assert severities(9) == ["warning", "warning"]
    assert severities(10) == ["critical", "warning"]


def crawled(to: int, **info: int) -> Row:
    """Its end, of a connection that was answered; with no `info` of one that was never open."""
    told = info or {"min_rtt": 0xFFFF_FFFF, "segs_out": 2}
    return socket("CLOSE", "10.0.0.1:40000", f"192.0.2.{to}:443", cookie=9000 + to, info=told)


@pytest.mark.parametrize(
    ("answering", "silent", "severity"),
    [(4, 1, "warning"), (8, 5, "warning"), (2, 1, "critical"), (4, 5, "critical")],
)
def test_how_many_calls_a_dead_one_of_many_gets_is_chance(
    answering: int, silent: int, severity: str
) -> None:
    """A crawler: most of those that it calls answer, and their connections are short."""
    well = {"min_rtt": 90, "rtt": 100, "data_segs_in": 3, "data_segs_out": 1, "segs_out": 5}
    over = [crawled(20 + n, **well) for n in range(answering)]
    over += [crawled(100 + n) for n in range(silent - 1)]
    deaths = Deaths(NETNS, table(over), np.full(len(over), TAKEN_AT + 1))
    rows = [dialing(number) for number in range(1, 11)]
    found = watch(2, lambda _: rows, owners=HELD, deaths=lambda n: (deaths,) * (n == 1))
    (finding,) = of(found[-1], ID)
    assert finding.severity == severity


def test_destinations_are_bounded() -> None:
    rows = [dialing(n, to=f"192.0.2.{n % 50}:443") for n in range(1, 120)]
    assert len(of(once(rows), ID)) == 20
    assert "an unknown process gets no answer" in of(once(rows), ID)[0].title


def test_several_programs() -> None:
    held = owners((1, CURL, 3), (2, WORKER, 4))
    (finding,) = of(once([dialing(1), dialing(2)], owners=held), ID)
    assert set(finding.title.split()[:4]) == {"curl", "and", "nginx", "get"}


def test_thresholds() -> None:
    chosen = FindingSettings(limits={ID: {"retransmissions": 1, "critical": 1}})
    (finding,) = of(once([dialing(retrans=1)], chosen, owners=HELD), ID)
    assert finding.severity == "critical"


def overflowing(backlog: int = 1, local: str = "0.0.0.0:8080", **columns: Any) -> list[Row]:
    given: Row = {"send_q": backlog, "recv_q": backlog + 1, "inode": 29, "memory": {"drops": 9}}
    queued = {"info": {"last_data_sent": 9000}}
    return [
        socket("LISTEN", local, **given | columns),
        *(
            socket("ESTABLISHED", "10.0.0.1:8080", f"10.0.0.1:{45000 + n}", **queued)
            for n in range(backlog + 1)
        ),
    ]


@pytest.mark.parametrize(
    ("to", "rows", "folded"),
    [
        ("10.0.0.1:8080", overflowing(), True),
        ("127.0.0.1:8080", overflowing(), True),
        ("10.0.0.1:8080", overflowing(local="10.0.0.1:8080"), True),
        ("10.0.0.1:8080", overflowing(local="[::]:8080"), True),
        ("10.0.0.1:8081", overflowing(), False),
        ("192.0.2.1:8080", overflowing(), False),  # not here, though the port is the same
        ("127.0.0.1:8080", overflowing(local="10.0.0.1:8080"), False),
        ("10.0.0.1:8080", overflowing(recv_q=0), False),
    ],
)
def test_a_full_accept_queue_here_explains_it(to: str, rows: list[Row], folded: bool) -> None:
    found = once([*rows, dialing(to=to)], owners=HELD)
    (finding,) = of(found, ID)
    causes = [each.key for each in of(found, "accept-queue-overflow")]
    assert finding.because == (causes[0] if folded else None)


CLIENT, SERVER = "10.0.0.1:46000", "10.0.0.1:8080"


@pytest.mark.parametrize(
    ("other_end", "folded"),
    [
        ([mini("SYN_RECV", SERVER, CLIENT)], True),  # its last ACK was dropped
        ([], True),
        ([socket("ESTABLISHED", SERVER, CLIENT)], True),  # in the queue
        ([socket("ESTABLISHED", SERVER, CLIENT, inode=28)], False),
    ],
)
def test_a_client_that_thinks_it_is_connected(other_end: list[Row], folded: bool) -> None:
    rows = [*overflowing(), *other_end, socket("ESTABLISHED", CLIENT, SERVER, inode=1, cookie=1)]
    snapshot = derived(sample(rows, owners=HELD))
    (cause,) = of(snapshot.findings, "accept-queue-overflow")
    effect = Finding("black-hole", "it", "critical", "", Subject(NETNS, cookies=(1,)))
    seen = Observations(snapshot, ())
    assert [each.because for each in folding.folded([cause, effect], seen)] == [
        None,
        cause.key if folded else None,
    ]


@pytest.mark.parametrize(("to", "folded"), [(SERVER, True), ("192.0.2.1:8080", False)])
def test_what_is_sent_again_to_that_listener_is_its_effect(to: str, folded: bool) -> None:
    again: Row = {"timer": 1, "retrans": 3, "send_q": 1, "inode": 1}
    rows = [*overflowing(), socket("FIN_WAIT1", CLIENT, to, **again)]
    snapshot = derived(sample(rows, owners=HELD))
    (cause,) = of(snapshot.findings, "accept-queue-overflow")
    effect = Finding("retransmission-rate", "it", "critical", "", Subject(NETNS))
    _, seen = folding.folded([cause, effect], Observations(snapshot, ()))
    assert seen.because == (cause.key if folded else None)


def heard(to: str, ms: int, number: int = 21) -> Row:
    info = {"last_ack_recv": ms, "last_data_recv": ms, "min_rtt": 40}
    return socket("ESTABLISHED", f"10.0.0.1:{45000 + number}", to, inode=number, info=info)


@pytest.mark.parametrize(
    ("others", "told", "cause"),
    [
        ([], "", "a host that is down"),
        ([heard("192.0.2.1:443", 100)], "1 of them at this port", "a full accept queue at the"),
        ([heard("192.0.2.1:22", 100)], "at other ports", "a firewall that drops this port"),
        ([heard("192.0.2.1:443", 60_000)], "", "a host that is down"),  # before the attempts
        ([heard("192.0.2.2:443", 100)], "", "a host that is down"),  # another host
    ],
)
def test_who_answers_others_is_not_said_to_be_down(
    others: list[Row], told: str, cause: str
) -> None:
    (finding,) = of(once([dialing(), *others], owners=HELD), ID)
    assert f"what is silent: {cause}" in finding.advice or (not told and cause in finding.advice)
    assert ("that host is up" in "".join(finding.evidence)) is bool(told)
    assert told in "".join(finding.evidence)


@pytest.mark.parametrize(("port", "host", "up"), [(80, 1, True), (80, 2, False), (80, 0, False)])
def test_what_ended_well_at_other_ports_tells_that_the_host_is_up(
    port: int, host: int, up: bool
) -> None:
    """In the incident a gateway drops what goes to port 443; each call of the other is short."""
    came = {"min_rtt": 90, "rtt": 100, "data_segs_in": 3 * (host > 0), "segs_out": 5}
    over = table([{**crawled(host or 1, **came), "remote": f"192.0.2.{host or 1}:{port}"}] * 4)
    deaths = Deaths(NETNS, over, np.full(4, TAKEN_AT + 2))
    found = watch(4, lambda n: [dialing(retrans=2 + n)], deaths=lambda n: (deaths,) * (n == 3))
    (finding,) = of(found[-1], ID)
    said = "4 connections to :80 of the same address got an answer and ended meanwhile"
    assert any(said in each for each in finding.evidence) is up
    assert ("a host that is down" in finding.advice) is not up


def asked_on(device: str, others: list[Row]) -> Finding:
    link = Link(device, 3, 1500, True, True, "bridge")
    gone = Neighbour("192.0.2.1", "INCOMPLETE", None)
    way = Route(2000.0, kind="unicast", prefix="192.0.2.0/24", link=link, neighbour=gone)
    routes = {RouteKey(NETNS, "10.0.0.1", "192.0.2.1"): way}
    rows = [dialing(n, retrans=6, doubled=2) for n in range(1, 5)]
    (finding,) = of(watch(2, lambda _: [*rows, *others], routes=routes)[-1], ID)
    return finding


def test_a_device_where_nobody_is_heard_may_have_the_subnet_of_another_network() -> None:
    finding = asked_on("br-compose", [])
    assert "asked for on br-compose, where the route 192.0.2.0/24" in " ".join(finding.evidence)
    assert "the subnet of br-compose overlaps" in finding.advice
    assert "ip route get 192.0.2.1" in finding.advice


def test_on_the_only_device_of_a_host_no_subnet_overlaps() -> None:
    assert "overlaps" not in asked_on("eth0", []).advice


def test_a_dead_host_among_others_of_its_device_is_down() -> None:
    finding = asked_on("br-compose", [heard("192.0.2.7:443", 100)])
    assert "overlaps" not in finding.advice
    assert "br-compose" not in " ".join(finding.evidence)


@pytest.mark.parametrize(
    ("listener", "told", "cause"),
    [
        (socket("LISTEN", "0.0.0.0:8080", recv_q=1, send_q=128, inode=29), "curl (pid 200) listens;"
         " 1 wait in its accept queue", "a local firewall"),
        (socket("LISTEN", "0.0.0.0:8080", recv_q=129, send_q=128), "129 wait", "queue is full"),
        (socket("LISTEN", "127.0.0.2:8080"), "nothing listens there", "a local firewall"),
    ],
)  # fmt: skip
def test_of_this_host_its_own_table_is_asked(listener: Row, told: str, cause: str) -> None:
    (finding,) = of(once([dialing(to="127.0.0.1:8080"), listener], owners=HELD), ID)
    assert told in finding.evidence[-1]
    assert cause in finding.advice
    assert "network" not in "".join(finding.evidence)


def counting(total: Callable[[int], int]) -> Callable[[int], tuple[Kernel]]:
    return lambda number: host({"TCPSynRetrans": total(number)}, {}, SYSCTLS)


@pytest.mark.parametrize(
    ("total", "stays"),
    [(lambda _: 0, True), (lambda _: 70, True), (lambda number: 70 + number, False)],
)
def test_a_neighbour_that_is_gone(total: Callable[[int], int], stays: bool) -> None:
    """The timer runs out, but nothing is sent: the SYN still waits for ARP."""
    found = watch(4, lambda n: [dialing(retrans=min(n, 2))], owners=HELD, kernel=counting(total))
    (finding,) = of(found[-1], ID)
    assert ("EHOSTUNREACH after about 3 s" in "".join(finding.evidence)) is stays
    assert ("ETIMEDOUT" in "".join(finding.evidence)) is not stays
    assert ("firewall" in finding.advice) is not stays


@pytest.mark.parametrize("to", ["192.0.2.1:443", "192.0.2.1:444"])
def test_where_others_are_answered_meanwhile_it_is_at_times(to: str) -> None:
    """Those that open and end between two samples count too, if they go to the same port."""

    def over(number: int) -> tuple[Deaths, ...]:
        info = {"rtt": 250, "min_rtt": 250, "segs_in": 3, "segs_out": 3, "data_segs_in": 1}
        row = socket("CLOSE", "10.0.0.1:50000", to, info=info, cookie=900 + number)
        return (Deaths(NETNS, table([row]), np.array([TAKEN_AT + number - 0.1])),)

    def waiting(number: int) -> list[Row]:
        return [dialing(expires=999, retrans=number)]

    found = watch(4, waiting, owners=HELD, kernel=counting(lambda n: n), deaths=over)
    (finding,) = of(found[-1], ID)
    same = to.endswith(":443")
    assert (" at times: 1 connection attempt waiting" in finding.title) is same
    assert ("were answered meanwhile" in "".join(finding.evidence)) is same
    assert ("a limit on new connections" in finding.advice) is same


def test_answers_that_come_after_a_long_round_trip() -> None:
    """A queue on the way is full: 1.5 s to there, of which the connects wait for less than 2 s."""
    late, elsewhere = AnswersReset(3, late=True), AnswersReset(3)
    assert "fits no connection that is still here" in "".join(answers_reset.told(late))
    assert "come after the program has given up" in answers_reset.cause(late)
    assert "another address" in answers_reset.cause(elsewhere)
    assert "old connection" in answers_reset.cause(late._replace(touched=2))


@pytest.mark.parametrize(
    ("resets", "segs_in", "cause"),
    [
        (2, 0, "answers seem to come from another address or port"),
        (2, 3, "still knows an old connection"),
        (0, 3, "still knows an old connection"),  # before the watch
        (9, 0, None),  # for others
        (0, 0, None),
    ],
)
def test_answers_that_this_host_resets(resets: int, segs_in: int, cause: str | None) -> None:
    """Hairpin NAT, or a TIME-WAIT at the other end: as many resets go out as SYNs."""
    counted = {"TCPSynRetrans": 2, "OutRsts": resets, "InSegs": resets, "AttemptFails": 0}
    rising = lambda n: host({name: 9 + n * each for name, each in counted.items()}, {}, SYSCTLS)  # noqa: E731
    asking = [dialing(), dialing(2)]
    for row in asking:
        row["info"] |= {"segs_in": segs_in}
    every = watch(8, lambda _: asking, owners=HELD, kernel=rising)[-1]
    (finding,) = of(every, ID)
    said = "something answers, and fits no connection here"
    assert (said in "".join(finding.evidence)) is (resets == 2)
    assert (cause or "firewall") in finding.advice
    assert ("got a segment that was no SYN-ACK" in "".join(finding.evidence)) is (segs_in > 0)
    if resets == 2:
        (effect,) = of(every, "resets")
        assert effect.because == finding.key
        assert "others connect" not in "".join(effect.evidence)


@pytest.mark.parametrize(
    ("to", "counted", "rejected"),
    [
        ("192.0.2.1:443", {"AttemptFails": 1, "InDestUnreachs": 1}, True),
        ("192.0.2.9:443", {"AttemptFails": 1, "InDestUnreachs": 1}, False),  # another place
        ("192.0.2.1:443", {"AttemptFails": 0, "InDestUnreachs": 1}, False),  # closed by programs
        ("192.0.2.1:443", {"AttemptFails": 4, "InDestUnreachs": 1}, False),  # of others
    ],
)
def test_icmp_that_ends_some_is_why_the_others_wait(
    to: str, counted: dict[str, int], rejected: bool
) -> None:
    """A filter rejects each, and its host sends one ICMP message a second."""

    def over(number: int) -> tuple[Deaths, ...]:
        info = {"min_rtt": 0xFFFF_FFFF, "segs_out": 1, "segs_in": 0}
        row = socket("CLOSE", "10.0.0.1:50000", to, info=info, cookie=900 + number)
        return (Deaths(NETNS, table([row]), np.array([TAKEN_AT + number - 0.1])),)

    def rising(number: int) -> tuple[Kernel]:
        some = {"OutDestUnreachs": 0, "TCPSynRetrans": 40 * number}
        return host({**some, **{k: v * number for k, v in counted.items()}}, {}, SYSCTLS)

    rows = [dialing(n, retrans=6, doubled=2) for n in range(1, 30)]  # older than the watch
    found = watch(8, lambda _: rows, owners=HELD, kernel=rising, deaths=over)
    (finding,) = of(found[-1], ID)
    assert ("Other connects there failed meanwhile" in "".join(finding.evidence)) is rejected
    assert finding.advice.startswith("Find out what rejects: a firewall that") is rejected
    assert ("accept queue" in finding.advice) is not rejected


@pytest.mark.parametrize(("address", "folded"), [("192.0.2.1", True), ("192.0.2.9", False)])
def test_a_black_hole_to_the_same_host_explains_it(address: str, folded: bool) -> None:
    rows = [dialing(), socket("ESTABLISHED", "10.0.0.1:46000", f"{address}:5432", cookie=1)]
    snapshot = derived(sample(rows, owners=HELD))
    (effect,) = of(snapshot.findings, ID)
    cause = Finding("black-hole", "it", "critical", "", Subject(NETNS, cookies=(1,)))
    seen, _ = folding.folded([effect, cause], Observations(snapshot, ()))
    assert seen.because == ("it" if folded else None)


def test_connects_to_a_name_server_are_questions_after_truncated_answers() -> None:
    (finding,) = of(once([dialing(to="192.0.2.1:53")], owners=HELD), ID)
    assert any("truncated" in each for each in finding.evidence)
    (finding,) = of(once([dialing(to="192.0.2.1:443")], owners=HELD), ID)
    assert not any("truncated" in each for each in finding.evidence)


@pytest.mark.parametrize("to", ["192.0.2.1:443", "[2001:db8::9]:443"])
def test_why_a_neighbour_may_not_answer(to: str) -> None:
    row = table([dialing(to=to) if "[" not in to else socket("SYN_SENT", "[2001:db8::1]:9", to)])
    place = callee(row, 0)
    assert ("ICMPv6" in unanswered.why_gone(place)) is to.startswith("[")


def taken(number: int, to: str = "192.0.2.1:443", **info: int) -> Row:
    """Opened, with its request acknowledged; `info` may have more of it."""
    told = {"data_segs_out": 1, "bytes_sent": 80, "bytes_acked": 81, "segs_in": 3, "rtt": 300}
    told |= {"min_rtt": 300, "last_data_sent": 4000, "last_data_recv": 4100, "last_ack_recv": 4000}
    return socket("ESTABLISHED", f"10.0.0.1:{41000 + number}", to, inode=20, info={**told, **info})


@pytest.mark.parametrize(
    ("others", "full"),
    [
        ([taken(n) for n in range(3)], True),
        ([taken(n) for n in range(2)], False),
        ([taken(n, last_data_sent=900) for n in range(3)], False),  # an answer may be under way
        ([taken(n, to="192.0.2.1:80") for n in range(3)], False),
        ([*(taken(n) for n in range(3)), taken(3, bytes_received=9, last_data_recv=500)], False),
        ([*(taken(n) for n in range(3)), taken(3, bytes_received=9, last_data_recv=9000)], True),
        ([taken(n) | {"send_q": 80} for n in range(3)], False),
    ],
)
def test_what_is_taken_and_not_answered_tells_of_a_full_accept_queue(
    others: list[Row], full: bool
) -> None:
    (finding,) = of(once([dialing(), *others], owners=HELD), ID)
    text = " ".join([*finding.evidence, finding.advice])
    assert ("3 connections there opened, and nothing but acknowledgements came" in text) is full
    assert ("at the program, whether it accepts" in finding.advice) is full
    assert ("firewall" in finding.advice) is not full


@pytest.mark.parametrize(
    ("came", "ending"),
    [
        (0, ": 12 connection attempts waiting, and 2 more opened that got not a byte"),
        (90, " at times: 12 connection attempts waiting"),
    ],
)
def test_at_times_is_said_only_where_a_program_answers(came: int, ending: str) -> None:
    """Two of fourteen found a place in the queue, and gave up there."""

    def over(number: int) -> tuple[Deaths, ...]:
        info = {"rtt": 250, "min_rtt": 250, "segs_in": 3, "segs_out": 3, "data_segs_out": 1}
        info |= {"bytes_sent": 80, "bytes_acked": 81, "last_data_sent": 2500, "last_data_recv": 9}
        info |= {"bytes_received": came, "data_segs_in": came and 1}
        row = socket("CLOSE", "10.0.0.1:50000", "192.0.2.1:443", info=info, cookie=900 + number)
        return (Deaths(NETNS, table([row]), np.array([TAKEN_AT + number - 0.1])),) * (number > 2)

    def waiting(number: int) -> list[Row]:
        return [dialing(n, expires=999, retrans=number) for n in range(1, 13)]

    found = watch(4, waiting, owners=HELD, kernel=counting(lambda n: n), deaths=over)
    (finding,) = of(found[-1], ID)
    assert finding.title.endswith(ending)
    assert finding.severity == "critical"
