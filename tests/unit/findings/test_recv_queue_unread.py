"""recv-queue-unread: data has arrived, and its process does not read."""

from dataclasses import replace
from typing import Any

import pytest

from tcptop.analysis.derive import derive
from tcptop.analysis.findings.settings import FindingSettings
from tcptop.analysis.history import History
from tcptop.model.finding import Finding
from tcptop.model.sample import Process
from tests.unit.findings.test_doing import IDLE
from tests.unit.findings.watched import Findings, at, ids, of, watch
from tests.unit.prepared import NGINX, Row, owners, socket

ID = "recv-queue-unread"
HELD = owners(*((n, NGINX, n) for n in range(1, 9)))
LISTENER = socket("LISTEN", "0.0.0.0:8080", inode=8)


def unread(waiting: int = 300, consumed: int = 5000, **columns: Any) -> Row:
    row = socket("ESTABLISHED", "10.0.0.1:8080", "10.0.0.7:51000", inode=1, recv_q=waiting)
    return row | {"info": {"bytes_received": waiting + consumed}, "cookie": 5} | columns


def after(seconds: int, *rows: Row, settings: FindingSettings | None = None) -> Findings:
    held = [LISTENER, *rows]
    return watch(seconds, lambda _: held, settings or FindingSettings(), owners=HELD)[-1]


def test_after_five_seconds() -> None:
    assert ids(after(4, unread())) == []
    (finding,) = after(5, unread())
    assert (finding.id, finding.severity) == (ID, "warning")
    assert finding.title == (
        "nginx does not read: 300 bytes wait in Recv-Q on 1 connection from clients of :8080"
    )
    assert finding.subject.listener == ":8080"
    assert finding.subject.pids == (NGINX.pid,)
    assert finding.values == {"connections": 1, "recv_q": 300, "longest_s": 5}
    assert finding.confirm == "ss -tinp state connected 'sport = :8080'"


@pytest.mark.parametrize(
    "row",
    [
        unread(0),
        unread(inode=0),  # nobody has accepted it
        unread(ulp=b"mptcp"),
        unread(1, state="CLOSE_WAIT"),  # the end of file
        unread(state="LAST_ACK"),
        unread(info_size=0),
        unread(900, local="10.0.0.1:40001", remote="10.0.0.9:443"),  # left by an idle client
    ],
)
def test_guards(row: Row) -> None:
    assert of(after(9, row), ID) == ()


@pytest.mark.parametrize(
    "row",
    [
        unread(state="CLOSE_WAIT"),
        unread(state="FIN_WAIT2"),
        unread(5000, local="10.0.0.1:40001", remote="10.0.0.9:443"),
        unread(1),
        unread(local="[::ffff:10.0.0.1]:8080"),
    ],
)
def test_others_that_are_unread(row: Row) -> None:
    assert ids(after(9, row)) == [ID]


def test_a_process_that_reads_now_and_then() -> None:
    snapshots = watch(12, lambda n: [LISTENER, unread(9000, n // 4 * 10)], owners=HELD)
    assert ids(snapshots[-1]) == []


def test_it_ends_when_it_is_read() -> None:
    snapshots = watch(12, lambda n: [LISTENER, unread(9000, 10 * (n > 7))], owners=HELD)
    assert ids(snapshots[7]) == [ID]
    assert ids(snapshots[-1]) == []


def test_threshold() -> None:
    assert ids(after(3, unread(), settings=FindingSettings({ID: {"unread_s": 3}}))) == [ID]


def test_a_process_is_named_once_for_all_clients_of_a_listener() -> None:
    rows = [unread(n, remote=f"10.0.0.{n}:51000", cookie=n) for n in (7, 8, 9)]
    (finding,) = after(5, *rows)
    assert finding.values["connections"] == 3
    assert "The fullest queue is from 10.0.0.9:51000: 9 bytes." in finding.evidence


def test_who_has_paused_as_long_before_and_read_on_is_slow() -> None:
    """A download at a limited rate: 12 seconds of nothing, a gulp, and again."""

    def rows(number: int) -> list[Row]:
        return [LISTENER, unread(9000, consumed=5000 * (1 + number // 12))]

    found = [bool(of(each, ID)) for each in watch(40, rows, owners=HELD)]
    assert any(found[:12])
    assert not any(found[16:])


def jobs(number: int, sent_s: float, came_s: float, out: int = 1) -> list[Row]:
    clocks = {"last_data_sent": int(sent_s * 1000), "last_data_recv": int(came_s * 1000)}
    clocks |= {"bytes_received": 24, "data_segs_out": out, "data_segs_in": 1}
    return [
        unread(24, 0, remote=f"10.0.0.7:{51_000 + n}", inode=n, cookie=n, info=clocks)
        for n in range(1, 1 + number)
    ]


def test_jobs_that_write_need_not_read_their_request() -> None:
    """As a shell script behind inetd or ncat -e: the header was sent, the report follows."""
    workers = [Process(300 + n, "sh", "sh -c report", 0, 1, None, 3, 64, 0) for n in range(1, 6)]
    held = owners(*((n, each, 1) for n, each in enumerate(workers, 1)), (8, NGINX, 3))

    def told(rows: list[Row], sleeps_in: str = "do_wait") -> Findings:
        facts = {w.pid: replace(IDLE, pid=w.pid, sleeps_in=sleeps_in) for w in workers}
        return watch(8, lambda _: [LISTENER, *rows], owners=held, facts=facts)[-1]

    assert told(jobs(5, 20, 21)) == ()
    for sent_s in (21, 21.004):  # in one tick or the one before, and a child goes on
        assert told(jobs(5, sent_s, 21)) == ()
    (finding,) = told(jobs(5, 21, 21), "futex_wait_queue")
    assert finding.title.startswith("sh does not read: 120 bytes wait in Recv-Q on 5 connections")
    assert "from 5 receive queues, for at least 8 s from the one that" in finding.evidence[0]
    assert ids(told(jobs(5, 21, 20))) == [ID]  # what came last is not answered
    assert ids(told(jobs(5, 21, 21, out=0))) == [ID]


def test_clients_that_were_told_to_read_slowly() -> None:
    rows = [
        unread(9000, local=f"10.0.0.1:{40_000 + n}", remote="10.0.0.9:80", inode=n, cookie=n)
        for n in (1, 2)
    ]

    def told(options: str) -> Findings:
        every = [
            Process(300 + n, "curl", f"curl {options} http://a/", 0, 1, None, 3, 64, 0)
            for n in (1, 2)
        ]
        held = owners(*((n, each, 3) for n, each in enumerate(every, 1)))
        return watch(8, lambda _: rows, owners=held)[-1]

    assert told("--limit-rate 200k") == ()
    (finding,) = told("-s")
    assert finding.values["connections"] == 2


def test_threads_that_wait_for_clients_that_send_slowly() -> None:
    """A byte each second of eight uploads, which hold all threads."""

    def rows(number: int, per_s: int, out: int = 0) -> list[Row]:
        info = {"bytes_received": 60 + per_s * number, "data_segs_in": 3 + number}
        slow = [
            unread(0, remote=f"10.0.0.9:{52_000 + n}", inode=n, cookie=n)
            | {"info": info | {"data_segs_out": out}}
            for n in range(2, 8)
        ]
        return [LISTENER, *slow, unread(69, 0, cookie=90)]

    def told(per_s: int, out: int = 0) -> Finding:
        (one,) = of(watch(8, lambda n: rows(n, per_s, out), owners=HELD)[-1], ID)
        return one

    finding = told(1)
    assert any(
        each.startswith("6 other clients have sent a request a few bytes at a time")
        and each.endswith("They are from 10.0.0.9.")
        for each in finding.evidence
    )
    assert "send their requests slowly" in finding.advice
    for other in (told(5000), told(1, out=1)):  # uploads; conversations
        assert "slowly (or" not in other.advice


def test_a_client_that_keeps_answers_unread_is_told_to_close_them() -> None:
    rows = [
        unread(9000, local=f"10.0.0.1:{40_000 + n}", remote="10.0.0.9:80", inode=1, cookie=n)
        for n in range(1, 13)
    ]
    (finding,) = after(8, *rows)
    assert "Body.Close()" in finding.advice
    (few,) = after(8, *rows[:5])
    assert "Body.Close()" not in few.advice


def test_slow_is_not_stuck_for_ever() -> None:
    def rows(number: int) -> list[Row]:
        return [LISTENER, unread(9000, consumed=5000 * (1 + (number > 10)))]

    assert ids(watch(40, rows, owners=HELD)[-1]) == [ID]


def test_a_byte_a_second_is_as_good_as_nothing() -> None:
    def rows(number: int) -> list[Row]:
        return [LISTENER, unread(600_000, 5000 + number)]

    (finding,) = watch(8, rows, owners=HELD)[-1]
    assert finding.title.startswith("nginx hardly reads: 586 KiB wait in Recv-Q")
    assert "read 8 bytes in all from 1 receive queue in up to 8 s" in finding.evidence[0]
    slowly = watch(8, lambda n: [LISTENER, unread(600_000, 5000 + 60 * n)], owners=HELD)
    assert ids(slowly[-1]) == []


def test_a_pause_that_began_before_the_watch_is_known_by_the_kernels_clock() -> None:
    """The buffer was full at the first look, and nothing had come for nine seconds."""

    def rows(number: int) -> list[Row]:
        info = {"rcv_wnd": 0, "bytes_received": 9000 + 5000 * (1 + (number > 2))}
        return [LISTENER, unread(9000) | {"info": info | {"last_data_recv": 9000}}]

    assert [ids(each) for each in watch(15, rows, owners=HELD)] == [[]] * 16
    assert ids(watch(23, rows, owners=HELD)[-1]) == [ID]


def clients(number: int, state: str, **columns: Any) -> list[Row]:
    return [
        unread(69, 0, state=state, remote=f"10.0.0.{n}:51000", cookie=n) | columns
        for n in range(10, 10 + number)
    ]


def test_clients_that_give_up_make_it_critical() -> None:
    """A pool of two threads that never comes back; a dispatcher accepts all that call."""
    (finding,) = after(5, *clients(28, "CLOSE_WAIT"), unread(69, 0, remote="10.0.0.7:51000"))
    assert finding.severity == "critical"
    assert finding.title.startswith("nginx does not read, 28 clients have given up: 2 KiB wait")
    assert finding.values["given_up"] == 28
    assert any(
        each.startswith("28 of these clients have given up: closed with the request unread")
        for each in finding.evidence
    )


def test_of_a_request_that_was_read_but_for_its_end_that_is_told() -> None:
    """PHP-FPM leaves FastCGI's empty STDIN record of 8 bytes, and works on the request."""
    tail = clients(3, "CLOSE_WAIT", recv_q=9, info={"bytes_received": 593})
    (finding,) = after(5, *tail, unread(9, 584, remote="10.0.0.7:51000"))
    told = " ".join(finding.evidence)
    assert "3 of these clients have given up: closed with at most 8 bytes unread, and no" in told


@pytest.mark.parametrize(
    "rows",
    [
        clients(2, "CLOSE_WAIT"),
        [
            *clients(4, "CLOSE_WAIT"),
            *[
                row | {"cookie": n}
                for n, row in enumerate(clients(5, "ESTABLISHED", local="10.0.0.1:8080"), 50)
            ],
        ],
        clients(5, "CLOSE_WAIT", recv_q=90_000, info={"bytes_received": 90_000}),  # loads
        clients(5, "CLOSE_WAIT", info={"bytes_received": 69, "last_data_recv": 900}),  # answered
    ],
)
def test_not_critical(rows: list[Row]) -> None:
    (finding,) = of(after(5, *rows), ID)
    assert finding.severity == "warning"


def of_process(process: Process, **facts: Any) -> Findings:
    known = {process.pid: replace(IDLE, pid=process.pid, **facts)}
    held = owners(*((n, process, n) for n in range(1, 9)))
    return watch(5, lambda _: [LISTENER, unread()], owners=held, facts=known)[-1]


def test_one_that_is_stopped() -> None:
    (finding,) = of_process(NGINX, state="stopped", state_s=6.0)
    assert finding.title.startswith("nginx is stopped and does not read: ")
    assert any("is stopped (state T for at least 6 s)" in said for said in finding.evidence)
    assert f"kill -CONT {NGINX.pid}," in finding.advice


@pytest.mark.parametrize(("name", "said"), [("redis-server", "SLOWLOG GET"), ("node", "perf top")])
def test_advice_for_a_program_of_one_thread(name: str, said: str) -> None:
    (finding,) = of_process(replace(NGINX, name=name), cpu_share=1.0)
    assert said in finding.advice
    assert "threads" not in finding.advice
    assert any("uses 100% of a core" in said for said in finding.evidence)


def test_what_the_process_does_is_asked_before_it_is_told() -> None:
    history = History()
    for number in range(4):
        seen = at(number, [LISTENER, unread()], owners=HELD)
        snapshot, history = derive(seen, history, FindingSettings())
        assert snapshot.findings == ()
    assert snapshot.requests.processes == {NGINX.pid}


@pytest.mark.parametrize(
    ("state", "clients", "severity"),
    [("stopped", 3, "critical"), ("stopped", 2, "warning"), ("sleeping", 3, "warning")],
)
def test_a_server_that_does_nothing_at_all_is_critical_where_it_has_clients(
    state: str, clients: int, severity: str
) -> None:
    rows = [unread(remote=f"10.0.0.7:5100{n}", inode=n, cookie=n) for n in range(1, clients + 1)]
    facts = {NGINX.pid: replace(IDLE, pid=NGINX.pid, state=state)}
    (finding,) = watch(6, lambda _: [LISTENER, *rows], owners=HELD, facts=facts)[-1]
    assert finding.severity == severity
