"""What nobody knows is null in a snapshot."""

import numpy as np
import pytest

from tcptop.model import tcp
from tcptop.model.sample import NO_OWNERS, Process
from tests.unit.prepared import everything, later, mini, owners, sample, selected, socket
from tests.unit.written import only_socket, rows_by_state, snapshot_json


class TestUnknown:
    @pytest.mark.parametrize("state", ["TIME_WAIT", "SYN_RECV", "FIN_WAIT2"])
    def test_fillers_of_a_mini_socket(self, state: str) -> None:
        row = only_socket(mini(state, "127.0.0.1:40010", "127.0.0.1:80", cgroup_id=77, uid=5))
        for name in ("uid", "user", "inode", "cgroup", "tcp_info", "memory", "age_s"):
            assert row[name] is None, name
        assert row["timer"]["expires_ms"] == 30_000
        assert row["owner"] == "unknown"
        assert row["owner_note"]

    def test_a_full_fin_wait2_is_no_mini_socket(self) -> None:
        row = only_socket(socket("FIN_WAIT2", "10.0.0.1:80", "10.0.0.2:81", inode=5, uid=33))
        assert (row["uid"], row["user"], row["inode"]) == (33, "www-data", 5)
        assert row["tcp_info"]["rtt"] == 250

    def test_inode_in_an_accept_queue(self) -> None:
        row = rows_by_state(snapshot_json(selected(everything())))["ESTABLISHED"]
        assert row["inode"] == 2
        waiting = snapshot_json(selected(everything(), filter="owner = accept-queue"))["sockets"]
        assert [(row["inode"], row["uid"], row["recv_q"]) for row in waiting] == [(None, 33, 120)]

    def test_times_of_a_socket_that_only_asks(self) -> None:
        row = rows_by_state(snapshot_json(selected(everything())))["SYN_SENT"]
        last = ("last_data_sent", "last_ack_sent", "last_data_recv", "last_ack_recv")
        for name in (*last, "min_rtt"):
            assert row["tcp_info"][name] is None, name
        assert row["tcp_info"]["rtt"] == 0

    def test_min_rtt_before_the_first_measurement(self) -> None:
        row = only_socket(
            socket("ESTABLISHED", "10.0.0.1:80", "10.0.0.2:81", info={"min_rtt": 0xFFFF_FFFF})
        )
        assert row["tcp_info"]["min_rtt"] is None

    @pytest.mark.parametrize("size", [104, 168, 232, 248, 280])
    def test_tcp_info_fields_that_an_older_kernel_lacks(self, size: int) -> None:
        info = {field.name: 1 for field in tcp.TCP_INFO}
        ends = ("10.0.0.1:80", "10.0.0.2:81")
        read = only_socket(socket("ESTABLISHED", *ends, info=info, info_size=size))["tcp_info"]
        assert read == {field.name: 1 if field.since <= size else None for field in tcp.TCP_INFO}

    def test_no_tcp_info_and_no_memory(self) -> None:
        row = only_socket(socket("CLOSE", "10.0.0.1:80", "10.0.0.2:81", info=None, memory=None))
        assert row["tcp_info"] is None
        assert row["memory"] is None

    def test_drops_before_linux_4_7(self) -> None:
        listener = socket("LISTEN", "0.0.0.0:80", memory_count=8, inode=1)
        snapshot = snapshot_json(selected(sample([listener])))
        assert snapshot["sockets"][0]["memory"]["drops"] is None
        assert snapshot["sockets"][0]["memory"]["rcvbuf"] == 131_072
        assert snapshot["listeners"][0]["drops"] is None

    def test_a_control_group_that_was_not_sent_or_not_found(self) -> None:
        ends = ("10.0.0.1:80", "10.0.0.2:81")
        assert only_socket(socket("ESTABLISHED", *ends))["cgroup"] is not None
        assert only_socket(socket("ESTABLISHED", *ends, has=0))["cgroup"] is None
        assert only_socket(socket("ESTABLISHED", *ends, cgroup_id=5))["cgroup"] is None

    def test_age_unless_the_opening_was_witnessed(self) -> None:
        old, new = everything().sockets.take(np.arange(17)), everything().sockets
        first = everything(sockets=old)
        rows = snapshot_json(selected(first, later(first, 2.0, sockets=new)))["sockets"]
        assert [row["age_s"] for row in rows] == [None] * 17 + [0.0]
        assert {row["seen_s"] for row in rows[:17]} == {2.0}

    def test_what_procfs_does_not_say(self) -> None:
        snapshot = snapshot_json(selected(everything(source="procfs")))
        assert {row["cookie"] for row in snapshot["sockets"]} == {None}
        assert rows_by_state(snapshot)["LISTEN"]["send_q"] is None
        assert rows_by_state(snapshot)["FIN_WAIT1"]["send_q"] == 5000
        for listener in snapshot["listeners"]:
            for name in ("backlog", "capacity", "fill", "backlog_clamped"):
                assert listener[name] is None, name

    def test_backlog_clamped_without_the_sysctl(self) -> None:
        listeners = snapshot_json(selected(everything(kernel=())))["listeners"]
        assert [row["backlog_clamped"] for row in listeners] == [None, None]

    def test_a_process_that_proc_tells_little_of(self) -> None:
        shy = Process(300, "shy", "", None, 1, None, None, None, None)
        held = owners((5, shy, 3))
        rows = [socket("ESTABLISHED", "10.0.0.1:80", "10.0.0.2:81", inode=5)]
        (row,) = snapshot_json(selected(sample(rows, owners=held)))["processes"]
        assert (row["pid"], row["name"], row["owner"]) == (300, "shy", "process")
        for name in ("cmdline", "user", "cgroup", "open_fds", "fd_limit"):
            assert row[name] is None, name

    def test_sockets_of_nobody_are_groups_without_a_pid(self) -> None:
        groups = snapshot_json(selected(everything(owners=NO_OWNERS)))["processes"]
        assert {row["pid"] for row in groups} == {None}
        assert {row["owner"] for row in groups} == {"unknown", "accept-queue"}
