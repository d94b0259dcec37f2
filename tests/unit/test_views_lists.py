"""Listeners, processes, ports and remotes in a snapshot; their order and number."""

import pytest

from tcptop.views import json as view
from tests.unit.prepared import NETNS, everything, sample, selected, socket
from tests.unit.written import snapshot_json, written

LISTS = ("sockets", "listeners", "processes", "ports", "remotes", "findings")


class TestLists:
    def test_a_listener(self) -> None:
        row = snapshot_json(selected(everything()))["listeners"][0]
        assert (row["local_address"], row["local_port"]) == ("0.0.0.0", 80)
        assert (row["accept_queue"], row["backlog"], row["capacity"]) == (96, 128, 129)
        assert row["fill"] == pytest.approx(96 / 129, abs=1e-4)
        assert (row["syn_queue"], row["drops"], row["peak"]) == (1, 12, 96)
        assert row["backlog_clamped"] is True
        assert [holder["pid"] for holder in row["processes"]] == [100, 101]

    def test_a_process(self) -> None:
        rows = snapshot_json(selected(everything()))["processes"]
        (row,) = [row for row in rows if row["pid"] == 101]
        assert (row["name"], row["user"], row["netns"]) == ("nginx", "www-data", NETNS)
        assert (row["sockets"], row["shared"], row["recv_q"]) == (3, 1, 1)
        assert (row["open_fds"], row["fd_limit"]) == (40, 1024)
        assert {s: n for s, n in row["by_state"].items() if n} == {
            "ESTABLISHED": 1,
            "CLOSE_WAIT": 1,
            "LISTEN": 1,
        }

    def test_a_destination(self) -> None:
        row = snapshot_json(selected(everything()))["ports"][0]
        assert (row["local_address"], row["remote_address"]) == ("10.0.0.1", "10.0.0.9")
        assert (row["remote_port"], row["used"], row["capacity"]) == (8080, 5, 100)
        assert row["headroom"] == 94
        unit = {"label": None, "unit": "user.slice", "container": None}
        assert row["processes"] == [{"pid": 200, "name": "curl", **unit, "sockets": 2}]

    def test_a_remote(self) -> None:
        (row,) = snapshot_json(selected(everything(), filter="src 10.0.0.1:40001"))["remotes"]
        assert (row["address"], row["sockets"], row["send_q"]) == ("10.0.0.9", 5, 5000)
        assert row["rtt_us"] == 250
        assert row["by_state"]["CLOSING"] == 1

    def test_a_round_trip_that_nobody_measured(self) -> None:
        (row,) = snapshot_json(selected(everything(), filter="state syn-sent"))["remotes"]
        assert row["rtt_us"] is None

    def test_the_worst_comes_first(self) -> None:
        snapshot = snapshot_json(selected(everything()))
        for name, key in (("processes", "sockets"), ("remotes", "sockets"), ("listeners", "fill")):
            values = [row[key] for row in snapshot[name]]
            assert values == sorted(values, reverse=True), name
        left = [row["headroom"] for row in snapshot["ports"]]
        assert left == sorted(left)

    def test_listeners_of_equal_fill_by_drops(self) -> None:
        rows = [
            socket("LISTEN", f"0.0.0.0:{port}", inode=port, send_q=10, memory={"drops": drops})
            for port, drops in ((1, 3), (2, 9), (3, 0))
        ]
        listeners = snapshot_json(selected(sample(rows)))["listeners"]
        assert [row["local_port"] for row in listeners] == [2, 1, 3]

    def test_a_filter_chooses_rows_and_what_concerns_them(self) -> None:
        snapshot = snapshot_json(selected(everything(), filter="state close-wait"))
        assert [row["state"] for row in snapshot["sockets"]] == ["CLOSE_WAIT"]
        assert [row["pid"] for row in snapshot["processes"]] == [101]
        assert [row["local_port"] for row in snapshot["listeners"]] == [80]
        assert snapshot["ports"] == []
        assert [row["sockets"] for row in snapshot["remotes"]] == [3]

    def test_only(self) -> None:
        for name in LISTS:
            snapshot = snapshot_json(selected(everything()), name)
            assert [each for each in LISTS if each in snapshot] == [name]
            assert snapshot["totals"]["sockets"] == 18

    def test_an_unknown_list(self) -> None:
        with pytest.raises(ValueError, match="no such list: cheese"):
            written(view, selected(everything()), "cheese")

    @pytest.mark.parametrize("limit", [0, 1, 5, 1000])
    def test_limit(self, limit: int) -> None:
        whole = snapshot_json(selected(everything()))
        part = snapshot_json(selected(everything()), limit=limit)
        for name in LISTS:
            assert part[name] == whole[name][:limit]
        assert part["totals"] == whole["totals"]
