"""Whose sockets are: by their process, their listener's, or the control group they were made in."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import pytest

from tcptop.analysis.apparent import inferred
from tcptop.analysis.filter import parse
from tcptop.analysis.selection import everything, select
from tcptop.analysis.workloads import workloads
from tcptop.columns import SOCKETS
from tcptop.columns.detail import facts
from tcptop.model.container import Container, Workload
from tcptop.model.snapshot import Snapshot
from tcptop.views import text
from tests.unit.prepared import NGINX, derived, mini, owners, sample, socket
from tests.unit.written import snapshot_json

ID = "3f2a" * 16
POD = "0b1c2d3e-4f50-6172-8394-a5b6c7d8e9f0"
CGROUPS = {
    1: "/",
    77: "/system.slice/nginx.service",
    78: f"/kubepods/burstable/pod{POD}/{ID}",
    79: "/init.scope",
    80: "/system.slice/containerd.service",
}
BOX = Container("containerd", ID, POD)
NAMED = replace(NGINX, cgroup=CGROUPS[78], container_name="payments-7d4f")


def at_80(cgroup: int, **columns: Any) -> dict[str, Any]:
    return socket("LISTEN", "10.0.0.5:80", inode=7, send_q=8, cgroup_id=cgroup, **columns)


def client(cgroup: int, inode: int = 0, state: str = "ESTABLISHED") -> dict[str, Any]:
    return socket(state, "10.0.0.5:80", "10.0.0.9:4000", inode=inode, cgroup_id=cgroup)


def found(*rows: dict[str, Any], **fields: Any) -> list[Workload]:
    told = workloads(derived(sample(rows, cgroups=CGROUPS, **fields)))
    return [told.found[number] for number in told.of.tolist()]


def test_without_a_process_the_control_group_tells() -> None:
    orphan = client(78, state="FIN_WAIT1")
    assert found(orphan, client(77), client(1), client(0), client(4711)) == [
        Workload(None, BOX),
        Workload("nginx.service", None),
        *[Workload(None, None)] * 3,
    ]


def test_a_process_comes_first() -> None:
    """What systemd listened for was made in init.scope."""
    held = owners((7, NGINX, 3))
    listener, waiting = found(at_80(79), client(79), owners=held)
    assert listener == waiting == Workload("nginx.service", None)
    unknown = replace(NGINX, cgroup=None)
    assert found(at_80(77), owners=owners((7, unknown, 3))) == [Workload("nginx.service", None)]


def test_a_half_open_connection_has_its_listener_s() -> None:
    half_open = mini("SYN_RECV", "10.0.0.5:80", "10.0.0.9:4000")
    assert found(at_80(78), half_open) == [Workload(None, BOX)] * 2


def test_a_container_has_the_name_that_its_processes_tell() -> None:
    rows = [at_80(78), client(78, state="FIN_WAIT1")]
    (unit, box), orphan = found(*rows, owners=owners((7, NAMED, 3)))
    assert unit is None
    assert box == orphan.container == BOX._replace(name="payments-7d4f")


def test_where_only_v1_may_know_a_container_its_starter_is_not_named() -> None:
    assert found(client(80)) == [Workload("containerd.service", None)]
    assert found(client(80), client(79), client(77), client(78), cgroups_v1=True) == [
        *[Workload(None, None)] * 2,
        Workload("nginx.service", None),
        Workload(None, BOX),
    ]


def remembered() -> Snapshot:
    """A connection of nobody's that is closed: TIME_WAIT has no control group."""
    closed = mini("TIME_WAIT", "10.0.0.5:80", "10.0.0.9:4000", cookie=5)
    return derived(
        sample([client(78, inode=9) | {"cookie": 5}], cgroups=CGROUPS),
        sample([closed], cgroups=CGROUPS, clock=1001.0),
    )


def test_what_is_closed_is_remembered() -> None:
    told = workloads(remembered())
    assert told.found[told.of[0]] == Workload(None, BOX)


def test_whose_it_apparently_was() -> None:
    """What was closed before any sample saw it is as others to the same destination, unless its
    control group says otherwise."""
    first = socket("ESTABLISHED", "10.0.0.5:4000", "10.0.0.9:443", inode=9, cgroup_id=77)
    gone = socket("FIN_WAIT1", "10.0.0.5:4001", "10.0.0.9:443", cgroup_id=78)
    ours = socket("FIN_WAIT1", "10.0.0.5:4002", "10.0.0.9:443", cgroup_id=77)
    waits = mini("TIME_WAIT", "10.0.0.5:4003", "10.0.0.9:443")
    held = owners((9, NGINX, 3))
    rows = [first, gone, ours, waits]
    before = sample(rows[:1], cgroups=CGROUPS, owners=held)
    now = sample(rows, cgroups=CGROUPS, owners=held, clock=1001.0)
    snapshot = derived(before, now)
    told = workloads(snapshot)
    service = Workload("nginx.service", None)
    assert [told.found[n] for n in told.of.tolist()] == [
        service, Workload(None, BOX), service, service
    ]  # fmt: skip
    assert inferred(snapshot).process.tolist()[1] == -1
    assert (inferred(snapshot).process[[2, 3]] >= 0).all()


@pytest.mark.parametrize(
    ("expression", "rows"),
    [
        ("unit = nginx.service", [1]),
        ("unit = *", [1]),
        ("unit != nginx.service", []),
        ("not unit = nginx.service", [0, 2]),
        ("container = containerd", [0]),
        (f"container = {ID[:4]}*", [0]),
        (f"container = {POD}", [0]),
        ("container != docker", [0]),
        ("nginx", [1]),
        ("containerd", [0]),
    ],
)
def test_filters_find_sockets_without_a_process(expression: str, rows: list[int]) -> None:
    snapshot = derived(sample([client(78), client(77), client(1)], cgroups=CGROUPS))
    chosen = select(snapshot, parse(expression), expression)
    assert chosen.rows.tolist() == rows


def test_a_name_is_found() -> None:
    held = owners((7, NAMED, 3))
    snapshot = derived(sample([at_80(78), client(78)], cgroups=CGROUPS, owners=held))
    for expression in ("container = payments-*", "payments", 'container = "PAYMENTS-7D4F"'):
        assert len(select(snapshot, parse(expression), expression).rows) == 2
    hint = select(snapshot, parse("container = nosuch"), "x").hint
    assert hint == 'no process has the container "nosuch"'


def test_every_form_tells_it() -> None:
    snapshot = derived(sample([client(78), client(77), client(1)], cgroups=CGROUPS))
    selection = everything(snapshot)
    rows = snapshot_json(selection)["sockets"]
    assert [row["unit"] for row in rows] == [None, "nginx.service", None]
    assert rows[0]["container"] == {"runtime": "containerd", "id": ID, "name": None, "pod": POD}
    assert rows[1]["container"] is None
    column = SOCKETS.column("unit").texts(selection, selection.rows)
    assert column == [f"containerd container {ID[:12]}", "nginx.service", "–"]
    out = io.StringIO()
    text.write(selection, out)
    lines = out.getvalue().splitlines()[-3:]
    assert lines[0].endswith(f" container:{ID[:12]}")
    assert lines[1].endswith(" unit:nginx.service")
    assert lines[2].endswith(")")


def test_a_container_without_a_runtime_is_no_null() -> None:
    jail = replace(NGINX, cgroup="/", container_name="jail-7")
    snapshot = derived(sample([at_80(1)], owners=owners((7, jail, 3))))
    told = snapshot_json(everything(snapshot))
    box = {"runtime": None, "id": None, "name": "jail-7", "pod": None}
    assert told["sockets"][0]["container"] == told["processes"][0]["container"] == box


def test_the_details_say_what_it_is_inside() -> None:
    outer = "0b1c" * 16
    nested = {78: f"/docker/{outer}/docker/{ID}"}
    selection = everything(derived(sample([client(78)], cgroups=nested)))
    told = {fact.name: fact for fact in facts(selection, 0)}
    assert told["container"].value == f"docker container {ID[:12]}"
    assert told["container"].meaning == f"{ID}; inside container {outer}"
