"""Processes and connections by container or unit."""

from __future__ import annotations

from dataclasses import replace

from tcptop.model.sample import Sample
from tests.tui.live import live, next_look
from tests.unit.prepared import CURL, NGINX, WORKER, mini, owners, sample, socket

ID = "3f2a" * 16
POD = f"/kubepods/pod0b1c2d3e-4f50-6172-8394-a5b6c7d8e9f0/{ID}"
PAID = replace(NGINX, pid=300, cgroup=POD, container_name="payments-7d4f")
BOX = f"payments-7d4f (containerd container {ID[:12]})"


def crowded() -> Sample:
    """nginx as a service with two processes, another one in a pod with a socket that waits for
    accept(), and curl in a session; one TIME_WAIT is nobody's."""
    rows = [
        socket("LISTEN", "10.0.0.1:80", inode=1, send_q=128),
        socket("ESTABLISHED", "10.0.0.1:80", "10.0.0.7:1001", inode=2, recv_q=1000),
        socket("CLOSE_WAIT", "10.0.0.1:80", "10.0.0.8:1002", inode=3, recv_q=24),
        socket("LISTEN", "10.0.0.2:80", inode=4, send_q=128, cgroup_id=78),
        socket("ESTABLISHED", "10.0.0.2:80", "10.0.0.7:1001", cgroup_id=78, recv_q=5),
        socket("ESTABLISHED", "10.0.0.1:5000", "10.0.0.9:443", inode=6, cgroup_id=79),
        mini("TIME_WAIT", "10.0.0.1:5001", "10.0.0.10:443"),
    ]
    held = owners((1, NGINX, 1), (1, WORKER, 1), (2, NGINX, 2), (3, WORKER, 3), (4, PAID, 4),
                  (6, CURL, 3))  # fmt: skip
    groups = {77: NGINX.cgroup or "", 78: POD, 79: CURL.cgroup or ""}
    return sample(rows, owners=held, cgroups=groups)


async def test_processes_by_container_or_unit() -> None:
    async with live(crowded(), size=(140, 40)) as view:
        await view.press("1")
        before = [row.split()[:3] for row in view.rows()]
        await view.press("a")
        assert view.status().startswith(" by container or unit")
        rows = view.rows()
        shown = [row for row in rows if row.strip()]
        assert len(shown) == 4
        assert "nginx.service ×2" in shown[0]
        assert shown[0].split("×2")[1].split()[:3] == ["3", "1", "1"]  # sockets, ESTAB, LISTEN
        assert any(BOX in row for row in shown)
        assert any("user.slice" in row for row in shown)
        assert any("(no unit)" in row for row in shown)
        await view.press("a")
        assert view.status().startswith(" by process")
        assert [row.split()[:3] for row in view.rows()] == before


async def test_enter_shows_the_sockets_of_a_container() -> None:
    async with live(crowded(), size=(140, 40)) as view:
        await view.press("1", "a", "g")
        while BOX not in view.cursor():
            await view.press("down")
        await view.press("enter")
        assert f'container = "{ID}"' in view.text()
        assert len([row for row in view.rows() if "10.0.0.2:80" in row]) == 2


async def test_enter_shows_the_sockets_of_no_unit() -> None:
    async with live(crowded(), size=(140, 40)) as view:
        await view.press("1", "a", "G")
        while "(no unit)" not in view.cursor():
            await view.press("up")
        await view.press("enter")
        assert [row.split()[0] for row in view.rows() if row.strip()] == ["TIME-WAIT"]


async def test_the_cursor_stays_on_its_container_when_its_name_becomes_known() -> None:
    nameless = replace(PAID, container_name=None)
    first = crowded()
    people = {**first.owners.processes, PAID.pid: nameless}
    before = replace(first, owners=replace(first.owners, processes=people))
    async with live(before, size=(140, 40)) as view:
        await view.press("1", "a", "g")
        while f"containerd container {ID[:12]}" not in view.cursor():
            await view.press("down")
        await view.take(replace(next_look(before), owners=first.owners))
        assert BOX in view.cursor()


async def test_a_tree_of_containers_and_units() -> None:
    async with live(crowded(), size=(140, 40)) as view:
        await view.press("2", "a")
        assert view.status().startswith(" by container or unit, and process")
        assert view.titles().split("  ")[0].strip().startswith("Unit, process, remote")
        rows = [row.rstrip() for row in view.rows() if row.strip()]
        names = [row.strip() for row in rows]
        service = next(at for at, row in enumerate(names) if row.startswith("- nginx.service"))
        assert "3 socks" in rows[service]
        inside = names[service + 1 : service + 3]
        assert any(row.startswith("+ nginx/100") and "2 socks" in row for row in inside)
        assert any(row.startswith("nginx/101 10.0.0.8:1002") for row in inside)
        box = next(at for at, row in enumerate(names) if row.startswith("- payments-7d4f"))
        assert "2 socks" in rows[box]
        leaves = names[box + 1 : box + 3]
        assert any(row.startswith("nginx/300 on 10.0.0.2:80") for row in leaves)
        assert any(row.startswith("(accept queue) 10.0.0.7:1001") for row in leaves)
        await view.press("a")
        assert view.status().startswith(" by process and remote")
        assert not any(row.strip().startswith("- nginx.service") for row in view.rows())
        await view.press("t")
        assert view.status().startswith(" plain list")


async def test_a_tree_of_containers_is_folded() -> None:
    async with live(crowded(), size=(140, 40)) as view:
        await view.press("2", "a", "g")
        while "- nginx.service" not in view.cursor():
            await view.press("down")
        await view.press("enter")
        assert "+ nginx.service" in view.cursor()
        await view.take(next_look(crowded()))
        assert "+ nginx.service" in view.cursor()
