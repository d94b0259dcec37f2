"""The same address on two links is two hosts, and two listeners on one address differ by device."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tcptop.analysis import filter as language
from tcptop.analysis import subject
from tcptop.analysis.difference import diff
from tcptop.analysis.peers import peer_rows, remote_is_local
from tcptop.analysis.selection import facts
from tcptop.columns import LISTINGS
from tcptop.columns.marks import about
from tcptop.columns.names import named
from tcptop.columns.sockets import local_texts
from tcptop.model.address import split_zone
from tcptop.model.finding import Subject
from tcptop.model.sample import Namespace, Sample
from tcptop.model.selection import Selection
from tcptop.model.table import concat
from tests.unit.prepared import NETNS, Row, derived, finding, found, sample, selected, socket
from tests.unit.written import snapshot_json

ONE, OTHER = "[fe80::1]", "[fe80::2]"
SPACES = (Namespace(NETNS, None, {1: "lo", 2: "va", 3: "vb", 4: "x;y"}),)


def connected(port: int, interface: int, **columns: Any) -> Row:
    return socket("ESTABLISHED", f"{ONE}:{port}", f"{OTHER}:9000", interface=interface, **columns)


def looked(*rows: Row) -> Sample:
    return sample(rows, namespaces=SPACES)


def two_links() -> Sample:
    """On each link a listener; two clients on va, one on vb; their other ends are here too."""
    clients = [connected(port, device) for port, device in ((40001, 2), (40002, 2), (40001, 3))]
    servers = [row | {"local": row["remote"], "remote": row["local"]} for row in clients]
    listeners = [
        socket("LISTEN", f"{OTHER}:9000", interface=device, recv_q=queue, send_q=queue)
        for device, queue in ((2, 1), (3, 3))
    ]
    return looked(*clients, *servers, *listeners)


def column(selection: Selection, name: str, key: str) -> list[str]:
    listing = LISTINGS[name]
    return list(listing.column(key).texts(selection, listing.rows(selection)))


@pytest.mark.parametrize(
    ("name", "key", "texts"),
    [
        ("remotes", "remote", ["fe80::1%va", "fe80::1%vb", "fe80::2%va", "fe80::2%vb"]),
        ("ports", "remote", ["[fe80::2]%va:9000", "[fe80::2]%vb:9000"]),
        ("ports", "local", ["fe80::1%va", "fe80::1%vb"]),
        ("listeners", "local", ["[fe80::2]%va:9000", "[fe80::2]%vb:9000"]),
    ],
)
def test_rows_are_told_apart_and_say_their_device(name: str, key: str, texts: list[str]) -> None:
    selection = selected(two_links())
    assert sorted(column(selection, name, key)) == texts
    rows = LISTINGS[name].rows(selection)
    assert len(set(LISTINGS[name].keys(selection, rows).tolist())) == len(texts)


def test_a_row_on_no_device_leaves_those_out_that_are_on_one() -> None:
    plain = [connected(40009, 0), socket("LISTEN", f"{OTHER}:9000", send_q=1)]
    first = two_links().sockets
    both = concat([first, looked(*plain).sockets])
    selection = selected(sample([], sockets=both, namespaces=SPACES))
    for name in ("remotes", "ports", "listeners"):
        listing, scopes = LISTINGS[name], []
        for row in listing.rows(selection).tolist():
            assert listing.scope is not None
            text = listing.scope(selection, row)
            chosen = language.select(language.parse(text), facts(selection.snapshot))
            if "!=" in text:
                scopes.append(text)
                assert set(both.interface[chosen].tolist()) == {0}
        (text,) = scopes
        assert text.endswith(" and dev != va and dev != vb")


@pytest.mark.parametrize("name", ["remotes", "ports", "listeners"])
def test_the_filter_of_a_row_selects_its_sockets(name: str) -> None:
    selection = selected(two_links())
    table = selection.snapshot.sample.sockets
    listing = LISTINGS[name]
    for row in listing.rows(selection).tolist():
        assert listing.scope is not None
        text = listing.scope(selection, row)
        chosen = language.select(language.parse(text), facts(selection.snapshot))
        assert len(set(table.interface[chosen].tolist())) == 1
        if name != "listeners":
            groups = selection.snapshot.ports if name == "ports" else selection.remote_groups
            assert (chosen == (groups.group == row)).all()
        assert listing.command is not None
        assert f"and dev = v{'ab'[int(table.interface[chosen][0]) - 2]}" in listing.command(
            selection, row
        )


def test_json_has_the_interface() -> None:
    snapshot = snapshot_json(selected(two_links()))
    for name in ("listeners", "ports"):
        assert sorted(row["interface"] for row in snapshot[name]) == ["va", "vb"]
    assert sorted((r["address"], r["interface"], r["sockets"]) for r in snapshot["remotes"]) == [
        ("fe80::1", "va", 2),
        ("fe80::1", "vb", 1),
        ("fe80::2", "va", 2),
        ("fe80::2", "vb", 1),
    ]
    (plain,) = snapshot_json(selected(looked(connected(40001, 0))))["remotes"]
    assert plain["interface"] is None


def test_a_name_that_no_shell_takes_is_a_number() -> None:
    selection = selected(looked(connected(40001, 4), connected(40002, 9)))
    assert sorted(column(selection, "remotes", "remote")) == ["fe80::2%if4", "fe80::2%if9"]
    assert local_texts(selection, np.arange(1)) == ["[fe80::1]%if4:40001"]
    scope = LISTINGS["remotes"].scope
    assert scope is not None
    assert {scope(selection, row).partition("dev = ")[2] for row in (0, 1)} == {"if4", "if9"}
    assert len(selected(looked(connected(40001, 4)), filter="dev = if4").rows) == 1


def test_ports_of_a_device_are_counted_by_themselves() -> None:
    rows = [connected(port, device) for device in (2, 3) for port in range(40000, 40040)]
    ports = derived(looked(*rows)).ports
    assert ports.used.tolist() == [40, 40]
    assert ports.headroom.tolist() == ports.headroom_bind.tolist() == [60, 60]
    plain = [connected(port, 0) for port in range(40030, 40050)]
    ports = derived(looked(*rows, *plain)).ports
    left = dict(zip(ports.interface.tolist(), ports.headroom.tolist(), strict=True))
    assert left == {0: 80, 2: 50, 3: 50}
    left = dict(zip(ports.interface.tolist(), ports.headroom_bind.tolist(), strict=True))
    assert left == {0: 50, 2: 50, 3: 50}


def test_what_changed_is_told_by_device() -> None:
    old, new = two_links(), looked(connected(40001, 2), connected(40001, 3))
    changes = diff(derived(old), derived(new)).remotes
    there = {(each.interface, each.sockets) for each in changes if each.sockets[1]}
    assert there == {(2, (2, 1))}


def test_the_other_end_is_on_the_same_link() -> None:
    table = two_links().sockets
    assert peer_rows(table, np.arange(6)).tolist() == [3, 4, 5, 0, 1, 2]
    elsewhere = looked(connected(40001, 2), socket("LISTEN", f"{OTHER}:9000", interface=3)).sockets
    assert remote_is_local(elsewhere).tolist() == [False, False]
    assert remote_is_local(two_links().sockets)[:6].all()


def test_a_finding_is_about_its_device() -> None:
    snapshot = derived(two_links())
    for device, zone in ((2, "%va"), (3, "%vb")):
        for end in ({"listener": f"{OTHER}{zone}:9000"}, {"destination": f"{OTHER}{zone}:9000"}):
            rows = subject.rows(Subject(NETNS, **end), snapshot)  # type: ignore[arg-type]
            assert set(snapshot.sample.sockets.interface[rows].tolist()) == {device}
    assert not subject.rows(Subject(NETNS + 1, listener=f"{OTHER}:9000"), snapshot).any()


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("[fe80::2]%eth0:9000", ("[fe80::2]:9000", "%eth0")),
        ("[fe80::2%eth0]:9000", ("[fe80::2]:9000", "%eth0")),
        ("[fe80::2%a]b]/64", ("[fe80::2]/64", "%a]b")),
        ("[fe80::2%eth0", ("[fe80::2", "%eth0")),
        ("fe80::2%eth0", ("fe80::2", "%eth0")),
        ("fe80::%eth0.5@x/64", ("fe80::/64", "%eth0.5@x")),
        ("10.0.0.1%if7:80", ("10.0.0.1:80", "%if7")),
        ("10.0.0.1:80", ("10.0.0.1:80", "")),
        ("", ("", "")),
    ],
)
def test_a_zone_is_taken_off(text: str, parts: tuple[str, str]) -> None:
    assert split_zone(text) == parts


def test_a_mark_is_at_the_listener_of_its_device() -> None:
    told = finding("told", subject=Subject(NETNS, listener=f"{OTHER}%vb:9000"))
    shown = found(told, namespaces=SPACES, sockets=two_links().sockets)
    listing = LISTINGS["listeners"]
    marks = about(listing, shown, listing.rows(shown))
    assert marks == [None, told]


class Known:
    """Who has a name: fe80::2, and the port 9000."""

    def name(self, address: str) -> str | None:
        return {"fe80::2": "printer"}.get(address)

    def service(self, port: int) -> str | None:
        return "bacula" if port == 9000 else None

    def close(self) -> None:
        return None


def test_names_stand_before_the_device() -> None:
    texts = ["[fe80::2]%va:9000", "[fe80::1]%va:40001", "fe80::2%va", "10.0.0.1%vb:9000"]
    assert named(texts, Known()) == [
        *("printer%va:bacula", "[fe80::1]%va:40001", "printer%va", "10.0.0.1%vb:bacula"),
    ]
