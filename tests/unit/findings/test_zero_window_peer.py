"""zero-window-peer: the peer's kernel answers, its program does not read."""

from dataclasses import replace
from typing import Any

import pytest

from tcptop.analysis.findings.settings import FindingSettings
from tests.unit.findings.watched import Findings, ids, of, once, watch
from tests.unit.prepared import CURL, NGINX, OTHER_NETNS, TAKEN_AT, Row, owners, socket

ID = "zero-window-peer"
HELD = owners(*((n, CURL, n) for n in range(1, 9)), (20, NGINX, 20))
RTO_S = 0.2


def shut(probes: int = 5, since_probe: float = 0.5, **columns: Any) -> Row:
    """A window that has been shut for `probes` answered probes, the last some seconds ago."""
    waits = [RTO_S * 2**n for n in range(probes)]
    info: Row = {
        "rto": 200_000,
        "backoff": probes,
        "probes": 0,
        "snd_wnd": 0,
        "snd_mss": 1448,
        "last_ack_recv": int(since_probe * 1000),
        "last_data_sent": int((sum(waits) + since_probe) * 1000),
        "bytes_acked": 20_000,
        "rwnd_limited": int((sum(waits) + since_probe) * 1e6),
    }
    info |= columns.pop("info", {})
    row = socket("ESTABLISHED", "10.0.0.1:40001", "10.0.0.9:9092", inode=1, send_q=50_000)
    expires = int((RTO_S * 2**probes - since_probe) * 1000)
    return row | {"timer": 4, "expires": expires, "info": info} | columns


def found(*rows: Row, **fields: Any) -> Findings:
    return of(once(rows, **{"owners": HELD} | fields), ID)


def test_from_one_look_by_the_kernels_clocks() -> None:
    (finding,) = found(shut())
    assert finding.severity == "warning"
    assert finding.title == "10.0.0.9:9092 does not read what curl sends: 49 KiB wait in Send-Q"
    assert finding.subject.destination == "10.0.0.9:9092"
    assert finding.subject.pids == (CURL.pid,)
    assert finding.values["longest_s"] == pytest.approx(6.7)
    assert finding.since == pytest.approx(TAKEN_AT - 6.7)
    assert "heard from 0.5 s ago" in finding.evidence[1]
    assert "proxy" in finding.evidence[2]
    assert finding.confirm == "ss -tinpo 'dst 10.0.0.9:9092'"


@pytest.mark.parametrize(
    "row",
    [
        shut(4, 0.5),  # for 3.5 s
        shut(timer=1),  # retransmits
        shut(timer=2),
        shut(send_q=0),
        shut(info={"snd_wnd": 3000}),  # open: something here holds the data back
        shut(info={"last_data_sent": 900}),  # it was open a second ago
        shut(info={"probes": 2}),  # not answered
        shut(info={"last_ack_recv": 12_000}),
        shut(info_size=0),
        shut(state="FIN_WAIT1", inode=0),  # no program sends any more
    ],
)
def test_guards(row: Row) -> None:
    assert found(row) == ()


def test_the_worst_of_several_is_named() -> None:
    (one,) = found(shut())
    assert one.evidence[0].endswith("was acknowledged for 6.7 s; 49 KiB wait.")
    (two,) = found(shut(), shut(local="10.0.0.1:40002", inode=2))
    assert "2 connections" in two.evidence[0]
    assert two.evidence[0].endswith(
        "no byte was acknowledged for seconds, on one of them for at least 6.7 s; 49 KiB wait on "
        "the one from 10.0.0.1:40001."
    )


def test_processes_of_one_name_are_one_trouble() -> None:
    """Six clients, each of its own process."""
    rows = [shut(local=f"10.0.0.1:{41_000 + n}", inode=n, cookie=n) for n in range(1, 7)]
    held = owners(*((n, replace(CURL, pid=500 + n), 3) for n in range(1, 7)))
    (finding,) = found(*rows, owners=held)
    assert finding.values["connections"] == 6


def test_clients_are_told_by_their_address_where_it_is_one() -> None:
    listener = socket("LISTEN", "0.0.0.0:80", inode=9)

    def told(*hosts: str) -> Findings:
        rows = [
            shut(local="10.0.0.1:80", remote=f"{host}:{51_000 + n}", inode=n, cookie=n)
            for n, host in enumerate(hosts, 1)
        ]
        held = owners(*((n, NGINX, n) for n in range(1, 9)))
        return found(listener, *rows, owners=held)

    (one,) = told("10.0.0.7", "10.0.0.7", "10.0.0.7")
    assert one.title.startswith("10.0.0.7 does not read what nginx sends on 3 connections")
    (two,) = told("10.0.0.7", "10.0.0.7", "10.0.0.8")
    assert two.title.startswith("clients of :80 do not read what nginx sends on 3 connections")
    assert any(each.startswith("They are from 10.0.0.7") for each in two.evidence)


def test_a_download_at_a_limited_rate_may_pause_after_the_burst_in_which_it_began() -> None:
    """8 MB at once, at 200 kB/s for 40 s; what is small is not read at all."""
    listener = socket("LISTEN", "0.0.0.0:80", inode=9)

    def told(acked: int, probes: int = 5) -> Findings:
        client = {"local": "10.0.0.1:80", "remote": "10.0.0.7:51000"}
        return found(listener, shut(probes, 0.5, info={"bytes_acked": acked}, **client))

    assert told(8_000_000) == ()
    assert len(told(8_000_000, probes=8)) == len(told(20_000)) == 1


def test_half_closed_by_its_program_it_still_waits() -> None:
    assert len(found(shut(state="FIN_WAIT1"))) == 1


def test_old_kernels_do_not_tell_the_window() -> None:
    (finding,) = found(shut(info_size=104))
    assert "persist timer" in finding.evidence[1]


def test_critical_after_a_minute_and_thresholds() -> None:
    assert found(shut(8, 5))[0].severity == "warning"
    assert found(shut(9, 1))[0].severity == "critical"
    assert (
        found(shut(), settings=FindingSettings({ID: {"critical_s": 6}}))[0].severity == "critical"
    )
    assert found(shut(), settings=FindingSettings({ID: {"shut_s": 7}})) == ()


def test_a_peer_that_takes_its_window_back_and_drops() -> None:
    row = shut(timer=1, expires=100, info={"rto": 6_400_000, "backoff": 5, "last_ack_recv": 6300})
    assert len(found(row)) == 1


def test_a_slow_reader_is_known_by_its_past() -> None:
    """20 KB/s for a minute, all that time held back by the window."""
    past = {"bytes_acked": 1_200_000, "rwnd_limited": 60_000_000}
    assert found(shut(info=past)) == ()
    assert len(found(shut(7, 1, info=past | {"rwnd_limited": 85_000_000}))) == 1
    fast = {"bytes_acked": 1_200_000, "rwnd_limited": 7_000_000}
    assert len(found(shut(info=fast))) == 1


def test_a_reader_of_portions_may_pause_as_long_as_it_has_before() -> None:
    """16 MiB so far, for 11 s of which it took nothing."""
    past = {"bytes_acked": 16 << 20, "rwnd_limited": 17_700_000}
    assert found(shut(info=past)) == ()
    assert len(found(shut(info=past | {"rwnd_limited": 12_000_000}))) == 1
    assert len(found(shut(info=past | {"bytes_acked": 100 << 20}))) == 1
    assert len(found(shut(7, 1, info=past | {"rwnd_limited": 900_000_000}))) == 1


def ends(consumed: int) -> list[Row]:
    here = shut(6, 1, local="127.0.0.1:40001", remote="127.0.0.1:9092")
    there = socket("ESTABLISHED", "127.0.0.1:9092", "127.0.0.1:40001", inode=20, recv_q=9000)
    return [here, there | {"info": {"bytes_received": 9000 + consumed}}]


def test_a_reader_on_this_host_is_named_and_explains() -> None:
    snapshots = watch(6, lambda _: ends(0), owners=HELD)
    (alone,) = of(snapshots[0], ID)
    assert alone.title == "nginx (pid 100) does not read what curl sends: 49 KiB wait in Send-Q"
    assert alone.because is None
    (explained,) = of(snapshots[-1], ID)
    (cause,) = of(snapshots[-1], "recv-queue-unread")
    assert (explained.because, cause.because) == (cause.key, None)


def test_a_reader_on_this_host_that_reads() -> None:
    snapshots = watch(8, lambda number: ends(1000 * (number // 2)), owners=HELD)
    assert ids(snapshots[-1]) == []


def test_many_clients_of_one_server_are_one_finding() -> None:
    rows = [socket("LISTEN", "0.0.0.0:8080", inode=20)]
    for number in range(4):
        remote = f"10.0.0.{number + 20}:50000"
        rows.append(shut(local="10.0.0.1:8080", remote=remote, cookie=number + 1, inode=20))
    (finding,) = found(*rows)
    assert finding.title.startswith("clients of :8080 do not read what nginx sends on 4 conn")
    assert finding.subject.listener == ":8080"


def test_it_ends_when_bytes_are_acknowledged() -> None:
    def rows(number: int) -> list[Row]:
        if number < 8:
            return [shut(5, 1)]
        return [shut(0, 0, info={"bytes_acked": 30_000 + number})]

    snapshots = watch(14, rows, owners=HELD)
    assert ids(snapshots[7]) == [ID]
    assert ids(snapshots[-1]) == []


def test_a_reader_on_this_host_that_pauses_as_before() -> None:
    """200 bytes at a time, seven seconds apart."""
    snapshots = watch(34, lambda number: ends(200 * (number // 7)), owners=HELD)
    assert ids(snapshots[6])  # the first pause may be the last
    assert [ids(each) for each in snapshots[14:]] == [[]] * len(snapshots[14:])


def test_a_remote_reader_that_paused_as_long_before_is_slow() -> None:
    """Every eight seconds it takes a gulp; the kernel's clocks begin anew with each."""

    def rows(number: int) -> list[Row]:
        taken, now = divmod(number, 8)
        gulp = {"bytes_acked": 20_000 * (taken + 1), "last_data_sent": now * 1000}
        return [shut(info=gulp | {"rwnd_limited": 0})]

    fired = [ID in ids(each) for each in watch(40, rows, owners=HELD)]
    assert any(fired[:8])
    assert not any(fired[12:])
    stopped = watch(60, lambda n: rows(min(n, 31)), owners=HELD)
    assert ID in ids(stopped[-1])


@pytest.mark.parametrize("others", [0, 1])
def test_a_reader_in_another_namespace_is_named_where_it_is_sure(others: int) -> None:
    """In two namespaces with the same addresses nobody knows which of them it is."""
    spaces = (OTHER_NETNS, 77)[: 1 + others]
    ends = [
        socket("ESTABLISHED", "10.0.0.9:9092", "10.0.0.1:40001", netns=netns, inode=20 - n)
        for n, netns in enumerate(spaces)
    ]
    (finding,) = found(shut(), *ends)
    told = "10.0.0.9:9092" if others else "nginx (pid 100)"
    assert finding.title.startswith(f"{told} does not read what curl sends")
    assert any("on this host: nginx" in each for each in finding.evidence) == (not others)
