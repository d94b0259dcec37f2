"""fd-limit: a share of what a living process may open."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tcptop.analysis.findings.settings import FindingSettings
from tcptop.model.sample import Owners, Process
from tests.unit.findings.watched import Findings, ids, of, once, watch
from tests.unit.prepared import CURL, Row, owners, socket

ID, LEAK = "fd-limit", "close-wait-leak"


def connections(count: int, state: str = "ESTABLISHED", heard_s: int = 1) -> list[Row]:
    info = {"last_ack_recv": heard_s * 1000, "last_data_sent": 900_000}
    return [
        socket(state, f"10.0.0.1:{n}", "10.0.0.9:80", inode=n, info=info)
        for n in range(1000, 1000 + count)
    ]


def held(process: Process, count: int) -> Owners:
    return owners(*((n, process, n) for n in range(1000, 1000 + count)))


def findings_of(
    open_fds: int | None, limit: int | None, settings: FindingSettings | None = None
) -> Findings:
    process = replace(CURL, open_fds=open_fds, fd_limit=limit)
    return once(connections(3), settings or FindingSettings(), owners=held(process, 3))


def test_a_share_of_the_soft_limit() -> None:
    assert of(findings_of(799, 1000), ID) == ()
    (finding,) = of(findings_of(800, 1000), ID)
    assert finding.severity == "warning"
    assert finding.title == "curl runs out of file descriptors: 800 of 1,000 in use"
    assert finding.subject.pids == (CURL.pid,)
    assert len(finding.subject.cookies) == 3
    assert finding.evidence[1] == (
        "3 of them are TCP sockets that ss shows: 3 ESTAB. Sockets that are over and were never "
        "closed are in no list; one sample does not count them."
    )
    assert "/proc/200/fd" in finding.confirm
    (finding,) = of(findings_of(1000, 1000), ID)
    assert finding.severity == "critical"
    assert finding.title == "curl has no file descriptors left: 1,000 of 1,000 in use"
    assert of(findings_of(100, 1000, FindingSettings({ID: {"share": 0.1}})), ID)


@pytest.mark.parametrize("limit", [0, 1])
def test_a_limit_that_forbids_new_files_is_no_shortage(limit: int) -> None:
    """sshd's child before its client has logged in: 7 open, its limit is 1, on purpose."""
    assert of(findings_of(7, limit), ID) == ()
    assert of(findings_of(7, 2), ID)


def filled(rows: list[Row], seconds: int = 2) -> Findings:
    process = replace(CURL, open_fds=len(rows) + 5, fd_limit=len(rows) + 5)
    held_ = owners(*((row["inode"], process, row["inode"]) for row in rows))
    return of(watch(seconds, lambda _: rows, owners=held_)[-1], ID)


def test_what_is_in_no_list_is_counted_from_the_second_look_on() -> None:
    process = replace(CURL, open_fds=900, fd_limit=1000)
    watched = watch(1, lambda _: connections(3), owners=held(process, 3))[-1]
    assert "3 of them are TCP sockets: 3 ESTAB." in of(watched, ID)[0].evidence


def test_a_client_that_keeps_all_its_connections_is_told_by_where_they_lead() -> None:
    """When people look the limit is reached, and nothing grows any more."""
    rested = {"last_data_sent": 60_000, "last_data_recv": 60_000, "data_segs_out": 1}
    rows = [row | {"info": rested} for row in connections(246)]
    (finding,) = filled(rows)
    assert finding.title == (
        "curl has no file descriptors left: 251 of 251 in use, 246 connections to 10.0.0.9:80"
    )
    assert finding.evidence[2] == (
        "246 of them are open connections to 10.0.0.9:80, of which 246 have been idle for 10 s or "
        "longer."
    )
    assert finding.evidence[3] == (
        "With none left, accept(), connect() and open() fail with EMFILE."
    )
    assert "share it" in finding.advice
    assert "prlimit" not in finding.advice


def clients(count: int, host: str, out: int) -> list[Row]:
    info = {"data_segs_out": out, "data_segs_in": 1, "last_data_recv": 900, "last_data_sent": 9000}
    return [
        socket("ESTABLISHED", "10.0.0.1:8080", f"{host}:{n}", inode=n, info=info)
        for n in range(1000, 1000 + count)
    ]


def test_clients_that_never_finish_a_request_hold_a_server() -> None:
    listener = socket("LISTEN", "10.0.0.1:8080", inode=1)
    (finding,) = filled([listener, *clients(247, "10.0.0.7", 0)])
    assert finding.title.endswith("253 of 253 in use, 247 connections from clients of :8080")
    assert finding.evidence[2] == (
        "247 of them are open connections that clients made to :8080, 247 from 10.0.0.7; to 247 "
        "of these clients nothing has ever been sent."
    )
    assert "slowloris" in finding.advice
    (served,) = filled([listener, *clients(247, "10.0.0.7", 3)])
    assert "prlimit" in served.advice


@pytest.mark.parametrize(
    ("name", "setting"),
    [("nginx", "worker_rlimit_nofile"), ("haproxy", "maxconn"), ("redis-server", "maxclients")],
)
def test_the_setting_of_the_program_is_named(name: str, setting: str) -> None:
    process = replace(CURL, name=name, open_fds=900, fd_limit=1000)
    (finding,) = of(once(connections(3), owners=held(process, 3)), ID)
    assert setting in finding.advice
    assert "fs.nr_open (1048576 by default)" in finding.advice
    assert "setting of its own" not in of(findings_of(900, 1000), ID)[0].advice


@pytest.mark.parametrize(
    ("limit", "advised"),
    [
        (1000, "prlimit --pid 200 --nofile=4000:4000"),
        (1000, "LimitNOFILE=4000 "),
        (524_288, "LimitNOFILE=1048576 "),  # fs.nr_open: more is refused
        (1_048_576, "already the default of fs.nr_open"),
    ],
)
def test_no_more_is_advised_than_can_be_set(limit: int, advised: str) -> None:
    (finding,) = of(findings_of(limit, limit), ID)
    assert advised in finding.advice


@pytest.mark.parametrize("known", [(None, 100), (100, None), (100, 0)])
def test_unknown_is_no_trouble(known: tuple[int | None, int | None]) -> None:
    assert of(findings_of(*known), ID) == ()


def test_a_process_that_is_gone_does_not_count() -> None:
    full = replace(CURL, open_fds=100, fd_limit=100)
    orphans = [row | {"state": "FIN_WAIT1", "inode": 0} for row in connections(3)]
    found = watch(
        5,
        lambda n: connections(3) if n == 0 else orphans,
        owners=lambda n: held(full, 3) if n == 0 else owners(),
    )
    assert ids(found[0]) == [ID]
    assert ID not in ids(found[-1])


def test_a_leak_explains_it() -> None:
    full = replace(CURL, open_fds=40, fd_limit=50)
    rows = connections(30, "CLOSE_WAIT", heard_s=90)
    (leak, effect) = once(rows, owners=held(full, 30))
    assert (leak.id, effect.id) == (LEAK, ID)
    assert effect.because == leak.key
    busy = replace(CURL, open_fds=90, fd_limit=100)
    found = once(rows, owners=held(busy, 30))
    assert [each.because for each in found] == [None, None]


def test_it_explains_what_cannot_be_accepted() -> None:
    listener = socket("LISTEN", "0.0.0.0:80", inode=1, recv_q=129, send_q=128, memory={"drops": 9})
    full = replace(CURL, open_fds=100, fd_limit=100)
    found = once([listener], owners=owners((1, full, 3)))
    ((cause,), (effect,)) = of(found, ID), of(found, "accept-queue-overflow")
    assert (cause.because, effect.because) == (None, cause.key)


def test_who_sets_the_limit_itself_is_given_no_other() -> None:
    process = replace(CURL, name="memcached", open_fds=20, fd_limit=20)
    (finding,) = of(once(connections(3), owners=held(process, 3)), ID)
    assert "start memcached with a larger -c (connections)" in finding.advice
    assert "--nofile" not in finding.advice
