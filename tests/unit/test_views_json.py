"""A snapshot as one JSON object: its head, its text, what is left out."""

import io
import json
from dataclasses import replace

import numpy as np

from tcptop.model import tcp
from tcptop.model.sample import Process, Sample
from tcptop.views import json as view
from tcptop.views.rows import CHUNK
from tests.unit.prepared import (
    NETNS,
    OTHER_NETNS,
    everything,
    kernel,
    later,
    owners,
    sample,
    selected,
    socket,
)
from tests.unit.written import snapshot_json, written

LISTS = ("sockets", "listeners", "processes", "ports", "remotes", "findings")


def ends(first: Sample) -> Sample:
    """A second look, two seconds on."""
    return later(first, 2.0, kernel=(kernel(opens=14),))


class TestHead:
    def test_says_which_look_it_was(self) -> None:
        first = everything(notes=("no control groups",))
        snapshot = snapshot_json(selected(first, ends(first), filter="state listening"))
        assert snapshot["schema"] == "tcptop.snapshot/1"
        assert snapshot["taken_at"] == "2026-01-01T00:00:02.250Z"
        assert snapshot["host"] == {
            "hostname": "web1",
            "kernel": "6.18.5",
            "uptime_s": 86402.5,
        }
        assert snapshot["collector"]["over_s"] == 2.0
        assert snapshot["collector"]["notes"] == ["no control groups"]
        assert snapshot["filter"] == "state listening"

    def test_totals_are_of_all_sockets(self) -> None:
        snapshot = snapshot_json(selected(everything(), filter="state syn-sent"))
        totals = snapshot["totals"]
        assert (totals["sockets"], totals["selected"], totals["attributed"]) == (18, 1, 9)
        assert list(totals["by_state"]) == list(tcp.STATES[1:])
        assert totals["by_state"]["SYN_SENT"] == 1
        assert sum(totals["by_state"].values()) == 18
        assert [(s["inode"], s["name"], s["sockets"]) for s in snapshot["namespaces"]] == [
            (NETNS, None, 17),
            (OTHER_NETNS, "lab", 1),
        ]

    def test_kernel_has_rates_only_after_two_looks(self) -> None:
        first = everything()
        (once,) = snapshot_json(selected(first))["kernel"]
        assert once["rates"] is None
        assert once["counters"]["TcpExt"] == {"ListenDrops": 7}
        assert once["sysctls"]["net.core.somaxconn"] == "128"
        assert once["sockstat"]["TCP"]["tw"] == 1
        (twice,) = snapshot_json(selected(first, ends(first)))["kernel"]
        assert twice["rates"]["Tcp"] == {"ActiveOpens": 2.0, "PassiveOpens": 0.0}

    def test_no_rate_is_known_of_one_look(self) -> None:
        snapshot = snapshot_json(selected(everything()))
        assert snapshot["collector"]["over_s"] is None
        assert snapshot["totals"]["opens_seen_ratio"] is None
        rates = {
            value
            for name in LISTS
            for row in snapshot[name]
            for field, value in row.items()
            if field.endswith("_per_s") or field in ("exhausted_in_s", "age_s")
        }
        assert rates == {None}


class TestText:
    HOSTILE = 'a"b\\c\n\x1b[2J\x00,|`</script>\u202e\udc80é'

    def test_hostile_names_are_escaped(self) -> None:
        evil = Process(666, self.HOSTILE, self.HOSTILE, 0, 1, self.HOSTILE, 1, 1, None)
        rows = [socket("ESTABLISHED", "10.0.0.1:80", "10.0.0.2:81", inode=5, cgroup_id=7)]
        chosen = selected(
            sample(rows, owners=owners((5, evil, 3)), cgroups={7: self.HOSTILE}, users={0: "a\nb"})
        )
        text = written(view, chosen)
        assert text.isascii()
        assert text[:-1].isprintable()
        snapshot = json.loads(text)
        shown = self.HOSTILE.replace("\udc80", "\ufffd")
        assert snapshot["sockets"][0]["processes"][0]["name"] == shown
        assert snapshot["sockets"][0]["cgroup"] == shown
        assert snapshot["processes"][0]["cmdline"] == shown
        assert snapshot["processes"][0]["user"] == "a\nb"

    def test_is_one_line(self) -> None:
        text = written(view, selected(everything()))
        assert text.endswith("}\n")
        assert text.count("\n") == 1

    def test_rows_are_written_in_pieces(self) -> None:
        """Many sockets are never one string, and nothing is lost between the pieces."""
        one = everything()
        many = one.sockets.take(np.arange(2 * CHUNK + 5) % len(one.sockets))
        many.cookie[:] = np.arange(len(many)) + 1
        chosen = selected(replace(one, sockets=many))
        pieces = Pieces()
        view.write(chosen, pieces)
        assert max(map(len, pieces.written)) < sum(map(len, pieces.written)) / 2
        cookies = [row["cookie"] for row in json.loads("".join(pieces.written))["sockets"]]
        assert cookies == [f"{number:x}" for number in range(1, len(many) + 1)]


class Pieces(io.StringIO):
    """Remembers what was written at a time."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[str] = []

    def write(self, text: str, /) -> int:
        self.written.append(text)
        return len(text)
