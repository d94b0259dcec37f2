"""Snapshots of real sockets as JSON: valid, and telling what ss tells."""

import json
import sys
from typing import Any

import pytest

from tcptop.analysis.selection import select
from tests.kernel.snapshots import Watch
from tests.kernel.ss import SsRow, ss_rows
from tests.kernel.zoo import Zoo
from tests.unit.written import VALIDATOR, snapshot_json

STATES = {"ESTAB": "ESTABLISHED", "UNCONN": "CLOSE", "FIN-WAIT-1": "FIN_WAIT1"}
STATES["FIN-WAIT-2"] = "FIN_WAIT2"
MINI = ("TIME_WAIT", "SYN_RECV")


@pytest.fixture(scope="module")
def rows(zoo: Zoo) -> list[tuple[dict[str, Any], SsRow]]:
    """Every socket of the second of two looks, beside what ss says of it.

    All that ss saw before and after must be there; mini-sockets may leave in between.
    """
    with Watch(zoo.namespace) as watch:
        watch.snapshot()
        before = {row.cookie: row for row in ss_rows(zoo.namespace)}
        snapshot = snapshot_json(select(watch.snapshot()))
        after = {row.cookie for row in ss_rows(zoo.namespace)}
    found = {int(row["cookie"], 16): row for row in snapshot["sockets"]}
    assert before.keys() & after <= found.keys()
    assert len(found) == len(snapshot["sockets"]) == snapshot["totals"]["sockets"]
    return [(found[cookie], before[cookie]) for cookie in sorted(found.keys() & before.keys())]


def test_every_state_is_there(rows: list[tuple[dict[str, Any], SsRow]]) -> None:
    """But CLOSE: neither a reset socket nor one that is only bound is in the kernel's hash."""
    assert {row["state"] for row, _ in rows} == {
        *("ESTABLISHED", "SYN_SENT", "SYN_RECV", "FIN_WAIT1", "FIN_WAIT2", "TIME_WAIT"),
        *("CLOSE_WAIT", "LAST_ACK", "LISTEN", "CLOSING"),
    }


def test_identity_and_queues_are_those_of_ss(rows: list[tuple[dict[str, Any], SsRow]]) -> None:
    for row, told in rows:
        assert row["state"] == STATES.get(told.state, told.state.replace("-", "_"))
        assert (row["local_port"], row["remote_port"]) == (told.local_port, told.remote_port)
        assert (row["recv_q"], row["send_q"]) == (told.recv_q, told.send_q)
        assert row["inode"] == (told.inode or None)


def test_fillers_are_null(rows: list[tuple[dict[str, Any], SsRow]]) -> None:
    fields = ("uid", "user", "inode", "cgroup", "tcp_info", "memory")
    minis = [row for row, _ in rows if row["state"] in MINI]
    full = [row for row, _ in rows if row["state"] not in (*MINI, "FIN_WAIT2")]
    assert {row[name] for row in minis for name in fields} == {None}
    assert None not in [row[name] for row in full for name in ("uid", "user", "tcp_info", "memory")]
    closing = [row for row, _ in rows if row["state"] == "FIN_WAIT2"]
    assert {row["tcp_info"] is None for row in closing if row["inode"] is None} == {True}
    asking = [row["tcp_info"] for row, _ in rows if row["state"] == "SYN_SENT"]
    assert {info["min_rtt"] for info in asking} == {info["last_ack_recv"] for info in asking}


def test_holders_are_those_of_ss(rows: list[tuple[dict[str, Any], SsRow]]) -> None:
    held = 0
    for row, told in rows:
        if row["owner"] == "process":
            pids = {holder["pid"] for holder in row["processes"]}
            assert pids == {pid for _, pid, _ in told.users}
            held += 1
        else:
            assert row["owner_note"]
            assert told.users == ()
    assert held > 20


def test_the_command_writes_valid_snapshots(zoo: Zoo) -> None:
    command = [sys.executable, "-m", "tcptop", "snapshot", "--format"]
    whole = json.loads(zoo.namespace.command([*command, "json"]))
    VALIDATOR.validate(whole)
    assert whole["collector"]["source"] == "sock_diag"
    listening = zoo.namespace.command(
        [*command, "ndjson", "--only", "sockets", "state", "listening"]
    )
    head, *lines = [json.loads(line) for line in listening.splitlines()]
    assert head["filter"] == "state listening"
    assert {line["state"] for line in lines} == {"LISTEN"}
    assert len(lines) == len(ss_rows(zoo.namespace, "state", "listening"))
