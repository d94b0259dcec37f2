"""Sockets in a snapshot."""

from dataclasses import replace

import numpy as np
import pytest

from tcptop.model import owner
from tcptop.model.sample import NO_OWNERS
from tests.unit.prepared import (
    CURL,
    NETNS,
    derived,
    everything,
    later,
    mini,
    owners,
    sample,
    selected,
    socket,
    table,
)
from tests.unit.written import only_socket, rows_by_state, snapshot_json


class TestSockets:
    def test_identity(self) -> None:
        row = only_socket(
            socket("ESTABLISHED", "[::ffff:10.0.0.1]:443", "[::ffff:10.0.0.7]:1", cookie=0xBEEF)
        )
        assert row["netns"] == NETNS
        assert row["cookie"] == "beef"
        assert (row["family"], row["local_address"]) == ("inet6", "10.0.0.1")
        assert (row["remote_address"], row["remote_port"]) == ("10.0.0.7", 1)

    def test_a_full_cookie(self) -> None:
        row = only_socket(socket("LISTEN", "[::]:443", cookie=0xFFFF_FFFF_FFFF_FFFF))
        assert row["cookie"] == "f" * 16

    @pytest.mark.parametrize(
        ("number", "name"),
        [
            (1, "retransmit"),
            (2, "keepalive"),
            (3, "timewait"),
            (4, "persist"),
            (5, "delack"),
            (9, "9"),
        ],
    )
    def test_timers_have_names(self, number: int, name: str) -> None:
        ends = ("10.0.0.1:80", "10.0.0.2:81")
        running = socket("ESTABLISHED", *ends, timer=number, expires=1500, retrans=2)
        row = only_socket(running)
        assert row["timer"] == {"name": name, "expires_ms": 1500, "retransmits": 2}

    def test_no_timer(self) -> None:
        assert only_socket(socket("LISTEN", "0.0.0.0:80"))["timer"] is None

    @pytest.mark.parametrize(("index", "name"), [(0, None), (2, "eth0"), (44, "44")])
    def test_interfaces_have_names(self, index: int, name: str | None) -> None:
        assert only_socket(socket("LISTEN", "0.0.0.0:80", interface=index))["interface"] == name

    @pytest.mark.parametrize(("uid", "name"), [(33, "www-data"), (4711, "4711")])
    def test_users_have_names_or_numbers(self, uid: int, name: str) -> None:
        row = only_socket(socket("LISTEN", "0.0.0.0:80", uid=uid, inode=5))
        assert (row["uid"], row["user"]) == (uid, name)

    def test_all_holders_are_named(self) -> None:
        listener = rows_by_state(snapshot_json(selected(everything())))["LISTEN"]
        unit = {"label": None, "unit": "nginx.service", "container": None}
        assert listener["processes"] == [
            {"pid": 100, "name": "nginx", **unit, "fd": 6},
            {"pid": 101, "name": "nginx", **unit, "fd": 6},
        ]
        assert listener["owner"] == "process"
        assert listener["owner_note"] is None

    def test_a_remembered_holder_has_no_descriptor(self) -> None:
        held = socket("ESTABLISHED", "10.0.0.1:40001", "10.0.0.9:80", inode=4)
        left = mini("TIME_WAIT", "10.0.0.1:40001", "10.0.0.9:80")
        first = everything(sockets=table([held]))
        second = later(first, 1.0, sockets=table([left]), owners=NO_OWNERS)
        (row,) = snapshot_json(selected(first, second))["sockets"]
        assert row["owner"] == "remembered"
        unit = {"label": None, "unit": "user.slice", "container": None}
        assert row["processes"] == [{"pid": 200, "name": "curl", **unit, "fd": None}]

    def test_what_the_operator_calls_a_process_is_told(self) -> None:
        box = f"/docker/{'4f1c' * 16}"
        leaky = replace(CURL, name="python3", label="leaky.py", cgroup=box)
        held = socket("ESTABLISHED", "10.0.0.1:40001", "10.0.0.9:80", inode=4)
        made = sample([held], owners=owners((4, leaky, 3)))
        whole = snapshot_json(selected(made))
        container = {"runtime": "docker", "id": "4f1c" * 16, "name": None, "pod": None}
        called = {"label": "leaky.py", "unit": None, "container": container}
        (row,) = whole["sockets"]
        assert row["processes"] == [{"pid": 200, "name": "python3", **called, "fd": 3}]
        (process,) = whole["processes"]
        assert {field: process[field] for field in called} == called

    def test_notes_name_the_listener_or_the_user(self) -> None:
        rows = snapshot_json(selected(everything(privileged=False)))["sockets"]
        notes = {row["owner"]: row["owner_note"] for row in rows if row["owner_note"]}
        assert "listener 0.0.0.0:80, nginx 100, nginx 101" in notes["accept-queue"]
        refused = [row["owner_note"] for row in rows if "permitted" in (row["owner_note"] or "")]
        assert len(refused) == 1
        assert refused[0].endswith("(user ann)")

    def test_every_note_is_a_text(self) -> None:
        snapshot = derived(everything())
        for number in range(1, len(owner.NOTES)):
            noted = replace(snapshot, note=np.full_like(snapshot.note, number))
            chosen = replace(selected(everything()), snapshot=noted)
            for row in snapshot_json(chosen)["sockets"]:
                assert row["owner_note"].startswith(owner.NOTES[number])

    def test_bound_sockets_appear_only_in_ports(self) -> None:
        with_bound, without = everything(), everything(bound=table([]))
        snapshot = snapshot_json(selected(with_bound))
        assert 40050 not in {row["local_port"] for row in snapshot["sockets"]}
        assert snapshot["totals"] == snapshot_json(selected(without))["totals"]
        assert {row["blocked"] for row in snapshot["ports"]} == {1}

    def test_values_survive(self) -> None:
        info = {"pacing_rate": (1 << 64) - 1, "bytes_sent": 1 << 40, "snd_wscale": 7, "rto": 5}
        ends = ("10.0.0.1:80", "10.0.0.2:81")
        read = only_socket(socket("ESTABLISHED", *ends, info=info))["tcp_info"]
        assert {name: read[name] for name in info} == info
        assert read["rcv_wscale"] == 0

    def test_what_is_wrong_with_a_socket_is_said_of_no_other(self) -> None:
        rows = [
            socket("LISTEN", "0.0.0.0:80", recv_q=3, send_q=128),
            socket("LISTEN", "0.0.0.0:81", recv_q=129, send_q=128),
            socket("ESTABLISHED", "10.0.0.1:81", "10.0.0.2:82"),
        ]
        whole = snapshot_json(selected(sample(rows)))["sockets"]
        assert [row["verdict"] for row in whole] == [None, "accept queue full: 129 of 129", None]
        chosen = selected(sample(rows), filter="state listening sport = :81")
        (part,) = snapshot_json(chosen)["sockets"]
        assert part["verdict"] == "accept queue full: 129 of 129"
