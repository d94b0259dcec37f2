"""black-hole: sent again and again, and nobody answers."""

from dataclasses import replace
from typing import Any

import pytest

from tcptop.analysis.findings.settings import FindingSettings
from tcptop.model.route import Link, Route, RouteKey
from tcptop.model.socket_id import SocketId
from tcptop.model.sockopt import SocketOptions
from tests.unit.findings.counting import counters
from tests.unit.findings.watched import Findings, of, once, watch
from tests.unit.prepared import CURL, NETNS, NGINX, TAKEN_AT, Row, kernel, mini, owners, socket

ID = "black-hole"
HELD = owners(*((n, CURL, n) for n in range(1, 9)), (20, NGINX, 20))
KERNEL = (kernel(sysctls={"net.ipv4.tcp_retries2": "15"}),)


def lost(
    remote: str = "10.0.0.9:5432", backoff: int = 4, heard: float = 3600, **columns: Any
) -> Row:
    """Retransmitted since 0.204 x (2^backoff - 1) seconds and one more; heard of before that."""
    rto = 0.204 * 2**backoff
    info = {"rto": int(rto * 1e6), "backoff": backoff, "last_ack_recv": int(heard * 1000)}
    local = "[2001:db8::1]:40001" if "[" in remote else "10.0.0.1:40001"
    row = socket("ESTABLISHED", local, remote, timer=1, retrans=backoff, inode=1, send_q=700)
    return row | {"expires": max(int(rto * 1000) - 1000, 0), "info": info} | columns


def unprobed(probes: int, heard: float = 60) -> Row:
    """A window that was shut, and its last probes are not answered."""
    info = {"rto": 200_000, "backoff": 6, "probes": probes, "last_ack_recv": int(heard * 1000)}
    return lost() | {"timer": 4, "retrans": probes, "expires": 11_800, "info": info}


def found(*rows: Row, **fields: Any) -> Findings:
    given: dict[str, Any] = {"owners": HELD, "kernel": KERNEL} | fields
    return of(once(rows, **given), ID)


def test_from_one_look() -> None:
    (finding,) = found(lost())
    assert finding.severity == "critical"
    assert (
        finding.title == "Nothing comes back from 10.0.0.9:5432: 1 connection of curl retransmits"
    )
    assert finding.subject.destination == "10.0.0.9:5432"
    assert finding.values["longest_s"] == pytest.approx(4.06)
    assert finding.since == pytest.approx(TAKEN_AT - 4.06)
    assert finding.values["give_up_in_s"] == pytest.approx(924.6, abs=5)
    assert "tcp_retries2 = 15" in finding.evidence[3]
    assert "now 15" in finding.advice


@pytest.mark.parametrize(
    ("up", "says", "advice"),
    [
        (True, "eth0 has no carrier", "Check the other end of eth0"),
        (False, "eth0 is down", "ip link set eth0 up"),
    ],
)
def test_the_device_that_they_leave_by_is_told(up: bool, says: str, advice: str) -> None:
    row = lost()
    key = RouteKey(NETNS, "10.0.0.1", "10.0.0.9")
    dead = Route(0.0, link=Link("eth0", 2, 1500, up, False, None))
    (finding,) = found(row, routes={key: dead})
    assert finding.title == (
        f"Nothing comes back from 10.0.0.9:5432: 1 connection of curl retransmits ({says})"
    )
    assert advice in finding.advice
    well = replace(dead, link=Link("eth0", 2, 1500, True, True, None))
    (finding,) = found(row, routes={key: well})
    assert "eth0" not in finding.title + finding.advice + "".join(finding.evidence)


def test_what_the_device_drops_is_timed_by_the_watch() -> None:
    """The kernel tries again each half second at most, and less often where it may not."""
    row = lost(backoff=0, heard=40) | {"retrans": 8}
    waits = watch(12, lambda n: [row | {"info": row["info"]}], owners=HELD, kernel=KERNEL)
    assert of(waits[0], ID)[0].values["longest_s"] == 4
    assert of(waits[-1], ID)[0].values["longest_s"] == 12


@pytest.mark.parametrize(
    "row",
    [
        lost(backoff=3),  # for 2.4 s
        lost(heard=2.9),  # the peer does answer
        lost(backoff=0),
        lost(timer=4),  # a shut window whose probes are answered
        lost(timer=2),
        lost(send_q=0),
        lost(state="SYN_SENT"),
        lost(state="FIN_WAIT1"),
        lost(state="LAST_ACK"),
        lost(info_size=0),
        unprobed(1),
        unprobed(3, heard=2),
    ],
)
def test_guards(row: Row) -> None:
    assert found(row) == ()


def test_close_wait_too() -> None:
    assert len(found(lost(state="CLOSE_WAIT"))) == 1


def test_the_limit_is_not_known_without_the_sysctl() -> None:
    (finding,) = found(lost(), kernel=(kernel(),))
    assert "give_up_in_s" not in finding.values
    assert "gives up" not in " ".join(finding.evidence)


def test_probes_of_a_shut_window_that_nobody_answers() -> None:
    """Of 13.6 s between probes the present one has run 1 s; two before it were not answered."""
    (finding,) = found(unprobed(2))
    assert finding.title.endswith(": 1 connection of curl probes a closed window")
    assert "probed a closed window up to" in finding.evidence[0]
    (both,) = found(unprobed(2), lost(cookie=2, inode=2))
    assert both.title.endswith(": 2 connections of curl retransmit")
    assert finding.values["longest_s"] == pytest.approx(1.0 + 6.4, abs=0.1)
    assert finding.values["give_up_in_s"] == pytest.approx(11.8 + 25.6 + 51.2 + 102.4 + 10 * 120)


def test_thresholds() -> None:
    assert found(lost(), settings=FindingSettings({ID: {"backoff": 5}})) == ()
    assert found(lost(), settings=FindingSettings({ID: {"unanswered_s": 4.5}})) == ()
    assert len(found(lost(backoff=3), settings=FindingSettings({ID: {"unanswered_s": 2}}))) == 1


def test_one_for_each_network() -> None:
    rows = [
        *(lost(f"10.0.0.{n}:5432", cookie=n) for n in (7, 8, 9)),
        *(lost(f"10.0.1.9:{n}", cookie=n) for n in (80, 81)),
        *(lost(f"[2001:db8::{n}]:443", cookie=100 + n) for n in (2, 3)),
        lost("[2001:db8:0:1::2]:443", cookie=200),
    ]
    assert {f.subject.destination: f.values["connections"] for f in found(*rows)} == {
        "10.0.0.0/24": 3,
        "10.0.1.9": 2,
        "2001:db8::/64": 2,
        "[2001:db8:0:1::2]:443": 1,
    }


@pytest.mark.parametrize(
    ("other", "folded"),
    [
        ({"remote": "[2001:db8::9]:5432"}, True),
        ({"remote": "[2001:db8::9]:6379"}, False),
        ({"remote": "10.0.5.9:5432"}, False),
        ({"remote": "[2001:db8::9]:5432", "inode": 20}, False),  # of another process
        ({"remote": "[2001:db8::9]:5432", "backoff": 7}, False),  # since long before
    ],
)
def test_a_host_of_two_families_is_told_once(other: dict[str, Any], folded: bool) -> None:
    """The cause is the one of most connections."""
    rows = [lost(), lost(cookie=2, inode=2), lost(**other) | {"cookie": 3}]
    first, second = found(*rows)
    assert [first.because is None, second.because == first.key] == [True, folded]
    assert first.subject.destination == "10.0.0.9:5432" or not folded


def test_what_leaves_by_one_broken_link_is_told_once() -> None:
    link = Link("eth0", 2, 1500, True, False, None)
    places = ("10.0.0.9:5432", "10.0.5.9:6379")
    keys = [RouteKey(NETNS, "10.0.0.1", place.partition(":")[0]) for place in places]
    routes = {key: Route(0.0, link=link) for key in keys}
    rows = [lost(place, cookie=n, inode=n + 1) for n, place in enumerate(places)]
    first, second = found(*rows, routes=routes)
    assert [first.because, second.because] == [None, first.key]


def test_its_key_stays_while_more_of_the_network_is_lost() -> None:
    ((one,), (more,)) = found(lost()), found(lost(), lost("10.0.0.7:80", cookie=5))
    assert one.key == more.key


def answering(remote: str, cookie: int = 900) -> Row:
    """Something came 0.1 s ago."""
    row = socket("ESTABLISHED", "10.0.0.1:40009", remote, inode=3, cookie=cookie)
    return row | {"info": {"last_ack_recv": 100, "last_data_recv": 100}}


def test_a_network_of_which_one_answers_is_not_lost() -> None:
    rows = [lost(f"10.0.0.{n}:5432", cookie=n) for n in (7, 8)]
    findings = found(*rows, answering("10.0.0.9:5432"))
    assert {f.subject.destination for f in findings} == {"10.0.0.7:5432", "10.0.0.8:5432"}
    assert {f.severity for f in findings} == {"critical"}


def test_an_address_and_port_of_which_some_answer_is_a_warning() -> None:
    (finding,) = found(lost(), answering("10.0.0.9:5432"))
    assert finding.severity == "warning"
    assert finding.title == (
        "1 connection of curl to 10.0.0.9:5432 gets no answer, while 1 other there does"
    )
    assert finding.values["answering"] == 1


def test_who_is_silent_for_long_is_no_witness() -> None:
    quiet = answering("10.0.0.9:5432") | {"info": {"last_ack_recv": 9000, "last_data_recv": 9000}}
    (finding,) = found(lost(), quiet)
    assert finding.severity == "critical"


@pytest.mark.parametrize(("closed_s", "severity"), [(1, "warning"), (10, "critical")])
def test_what_was_closed_since_has_been_answered(closed_s: float, severity: str) -> None:
    """A firewall has forgotten the idle connections of a pool; whoever connects anew is well."""
    left = int((60 - closed_s) * 1000)
    closed = [mini("TIME_WAIT", f"10.0.0.1:4100{n}", "10.0.0.9:5432") for n in range(3)]
    (finding,) = found(lost(), *(row | {"expires": left, "cookie": 0} for row in closed))
    assert finding.severity == severity
    if severity == "warning":
        assert "while 3 others there do" in finding.title
        assert "keepalive below its idle timeout" in finding.advice


@pytest.mark.parametrize(("gone", "severity"), [(1, "info"), (2, "warning"), (3, "critical")])
def test_clients_that_vanish(gone: int, severity: str) -> None:
    listener = socket("LISTEN", "10.0.0.1:8080", inode=20, cookie=800)
    clients = [
        answering(f"10.1.{n}.7:55{n:03d}", 100 + n) | {"local_port": 8080, "inode": 20}
        for n in range(12)
    ]
    vanished = [lost(f"10.2.0.{n}:5555", cookie=n, local_port=8080) for n in range(gone)]
    (finding,) = found(listener, *clients, *vanished)
    assert finding.severity == severity
    if severity == "info":
        assert finding.title == "1 of 13 clients of curl on 10.0.0.1:8080 does not answer"


def test_drops_of_this_host_itself_come_without_backoff() -> None:
    row = lost(backoff=0) | {"retrans": 8, "expires": 300}
    (finding,) = found(row)
    assert finding.values["longest_s"] == pytest.approx(4.0)
    assert found(row | {"retrans": 5}) == ()


def test_what_this_host_cannot_send_is_no_black_hole_of_the_network() -> None:
    """A filter in OUTPUT, or a route that leads nowhere: the timer is that of window probes."""
    row = lost() | {"timer": 4}
    row["info"] |= {"snd_wnd": 64_000, "snd_mss": 1448, "unacked": 0, "probes": 4}
    key = RouteKey(NETNS, "10.0.0.1", "10.0.0.9")
    (finding,) = found(row)
    assert finding.title == "This host sends nothing to 10.0.0.9:5432: 1 connection of curl waits"
    assert "no segment has left" in finding.evidence[1]
    assert "OUTPUT" in finding.advice
    route = Route(0.0, "an unreachable route: the kernel refuses to send there", "unreachable")
    for said in (row, lost()):
        (finding,) = found(said, routes={key: route})
        assert finding.title.startswith("This host sends nothing to 10.0.0.9:5432")
        assert "this host has an unreachable route" in finding.evidence[1]
        assert "ip route get 10.0.0.9" in finding.advice
        assert "keepalive" not in finding.advice


@pytest.mark.parametrize(
    ("heard", "spread", "others", "says"),
    [
        (4.5, 0.2, 1, "has lost its state of them (a failover, a restart)"),
        (4.5, 0.2, 0, "no idle timeout has ended them. Find the hop that drops: does a new"),
        (4.5, 2.0, 1, "no idle timeout has ended them"),
        (64, 0.2, 1, "They had been idle for 1 min or longer: a firewall or NAT"),
        (15, 0.2, 1, "If they were idle, a firewall or NAT may"),
    ],
)
def test_the_advice_follows_their_own_clocks(
    heard: float, spread: float, others: int, says: str
) -> None:
    rows = [lost(heard=heard + spread * n, cookie=n, inode=n) for n in (0, 1, 2)]
    witness = answering("10.0.0.9:5432") if others else None
    (finding,) = found(*rows, *([witness] if witness else []))
    assert says in finding.advice
    assert ("idle, a" in finding.advice) == (heard == 15)


@pytest.mark.parametrize(
    ("acked", "says"),
    [((1, 1, 1), "On all of them nothing but the"), ((75, 1, 75), "On some of them nothing but")],
)
def test_a_first_request_that_is_not_acknowledged_is_no_use(
    acked: tuple[int, ...], says: str
) -> None:
    """Their last answer was the SYN-ACK: no state was lost of what never had any."""
    rows = [lost(heard=4.5, cookie=n, inode=n) for n in (0, 1, 2)]
    for row, count in zip(rows, acked, strict=True):
        row["info"] |= {"bytes_acked": count, "data_segs_in": int(count > 1), "snd_wnd": 64_000}
    (finding,) = found(*rows, answering("10.0.0.9:5432"))
    assert says in finding.advice
    assert "in use" not in finding.advice


@pytest.mark.parametrize("window", [0, 64_000])
def test_who_answers_the_handshake_with_a_shut_window_is_a_proxy(window: int) -> None:
    row = lost(heard=9)
    row["info"] |= {"bytes_acked": 1, "data_segs_in": 0, "segs_in": 1, "snd_wnd": window}
    (finding,) = found(row)
    assert ("has probably answered for a server" in finding.advice) is (window == 0)
    assert ("accept-queue-overflow" in finding.advice) is (window > 0)
    assert ("does a new connection" in finding.advice) is (window > 0)


def test_what_the_table_shows_is_not_asked() -> None:
    asking = socket("SYN_SENT", "10.0.0.1:41000", "10.0.0.9:5432", timer=1, retrans=1, cookie=77)
    (finding,) = found(lost(heard=5), asking | {"info": {"rto": 2_000_000}, "expires": 500})
    assert "New connections there get no answer either" in finding.advice
    assert "?" not in finding.advice


def test_icmp_that_came_meanwhile_is_told() -> None:
    rising = counters({"InDestUnreachs": 2, "OutDestUnreachs": 0})
    every = watch(6, lambda n: [lost(heard=30 + n)], owners=HELD, kernel=rising)
    (finding,) = of(every[-1], ID)
    assert "12 ICMP unreachables came in meanwhile" in " ".join(finding.evidence)
    assert "a firewall or a route on the way probably rejects them" in finding.advice
    assert "that drops" not in finding.advice


def kept(remote: str = "10.0.0.9:5432", probes: int = 5, left: int = 4000, **columns: Any) -> Row:
    """Idle for a minute, and probed since: each ten seconds."""
    row = socket("ESTABLISHED", "10.0.0.1:40001", remote, timer=2, retrans=probes, inode=1)
    return row | {"expires": left, "info": {"last_ack_recv": 96_000, "probes": probes}} | columns


def asleep(gone: int, of: int, probes: int = 5) -> Findings:
    """Of clients of a listener."""
    listener = socket("LISTEN", "10.0.0.1:8080", inode=20, cookie=800)
    here = {"local_port": 8080, "inode": 20}
    well = [answering(f"10.1.{n}.7:5555", 100 + n) | here for n in range(of - gone)]
    dead = [kept(f"10.2.0.7:{5000 + n}", probes, cookie=n + 1, **here) for n in range(gone)]
    return found(listener, *well, *dead, owners=owners(*((20, NGINX, n) for n in (20,))))


def test_keepalive_probes_that_nobody_answers() -> None:
    (finding,) = asleep(20, 21)
    assert finding.severity == "warning"
    assert finding.title == (
        "20 connections of nginx from 10.2.0.7 on 10.0.0.1:8080 do not answer: up to 5 keepalive "
        "probes sent in vain"
    )
    assert "got no answer to 5 probes in a row" in finding.evidence[0]
    assert finding.values["keepalive_probes"] == 5
    assert "retransmit" not in " ".join((finding.title, *finding.evidence, finding.advice))


@pytest.mark.parametrize(("gone", "of", "severity"), [(1, 60, "info"), (5, 60, "info")])
def test_telephones_that_keepalive_finds_gone(gone: int, of: int, severity: str) -> None:
    assert [each.severity for each in asleep(gone, of)] == [severity]


@pytest.mark.parametrize("row", [kept(probes=0), kept(probes=1), kept(state="FIN_WAIT2")])
def test_a_probe_may_be_under_way(row: Row) -> None:
    assert found(row) == ()


def test_a_pool_whose_back_end_is_gone() -> None:
    (finding,) = found(*(kept(cookie=n, inode=n) for n in range(1, 5)))
    assert finding.severity == "warning"
    assert finding.title.startswith("4 connections of curl to 10.0.0.9:5432 do not answer")
    (one,) = found(kept())
    assert one.severity == "info"


def test_when_keepalive_ends_them_is_read_from_the_socket() -> None:
    options = SocketOptions(0.0, keepintvl_s=10, keepcnt=6, user_timeout_ms=0)
    row = kept(cookie=7)
    (finding,) = found(row, options={SocketId(NETNS, 7): options})
    assert finding.values["give_up_in_s"] == pytest.approx(14.0)
    assert "in about 14 s, after 6 probes" in finding.evidence[-1]
    (unread,) = found(row)
    assert "give_up_in_s" not in unread.values


def begun(acked: int = 1449, send_q: int = 207, came: int = 0) -> Row:
    """A ClientHello of two segments, of which the second never passes."""
    info = {"snd_mss": 1448, "bytes_acked": acked, "data_segs_in": came, "segs_in": 2}
    row = lost(heard=6, inode=1, cookie=1, send_q=send_q)
    return row | {"info": row["info"] | info}


def test_what_drops_by_content_is_no_dead_path() -> None:
    other = socket(
        "ESTABLISHED", "10.0.0.1:40002", "10.0.0.9:5432", cookie=2, info={"last_ack_recv": 50}
    )
    (finding,) = found(begun(), other)
    assert finding.title == (
        "10.0.0.9:5432 has got the first bytes of 1 connection of curl and none after them, while "
        "1 other there is answered"
    )
    assert "by content, not by size" in finding.advice
    for row in (begun(acked=200), begun(send_q=2000), begun(came=1)):
        (finding,) = found(row, other)
        assert "by content" not in finding.advice
        assert finding.title.startswith("1 connection of curl to 10.0.0.9:5432 gets no answer")
