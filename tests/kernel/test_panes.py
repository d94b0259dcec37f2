"""Panes of real sockets: what they say is what ss says of the same ones."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np

from tcptop.analysis.rings import Rings
from tcptop.analysis.selection import select
from tcptop.columns import PROCESSES, RECORDED, SOCKETS
from tcptop.demo import held, pools, sockets, veth
from tcptop.demo.namespace import DemoNamespace
from tcptop.demo.scenarios import choose
from tcptop.demo.stage import Stage
from tcptop.model.route import route_key
from tcptop.model.snapshot import Snapshot
from tcptop.tui.panes.rows import PaneModel, Room, Scene
from tests.kernel.snapshots import Watch, row_of
from tests.kernel.ss import SsRow, of_inode, ss_rows
from tests.kernel.ss_fields import IF_NOT_ZERO, PAIRS, SINGLES, SS_MEMORY
from tests.tui.test_panes import line, lines, shown, targets

FACT = re.compile(r"^([a-z_]+) +([\d,]+(?:\.\d+)?)(?: (?:B|segments?|ms))?(?:  |$)")


def of(snapshot: Snapshot, view: str, key: int, rings: Rings | None = None) -> PaneModel:
    return shown(Scene(select(snapshot), rings or Rings(RECORDED), Room(79, 18)), view, key)


def key(snapshot: Snapshot, row: SsRow) -> int:
    """The key of a row that ss prints."""
    table = snapshot.sample.sockets
    (place,) = np.flatnonzero(table.cookie == np.uint64(row.cookie))
    return int(table.key[place])


def facts(model: PaneModel) -> dict[str, float]:
    """The facts that are plain numbers, in the units of the pane."""
    found = (FACT.match(each) for each in lines(model))
    return {match[1]: float(match[2].replace(",", "")) for match in found if match}


def told(row: SsRow) -> Iterator[tuple[str, float]]:
    """What ss says, in the units of the pane, which are those of ss."""
    for name, (field, _) in SINGLES.items():
        if name in row.info or name in IF_NOT_ZERO:
            said = row.info.get(name, "0")
            yield field, float(said.partition("ms")[0].partition("(")[0])
    for name, (separator, fields, _) in PAIRS.items():
        if name in row.info:
            yield from zip(fields, map(float, row.info[name].split(separator)), strict=True)
    yield from ((SS_MEMORY[name], value) for name, value in row.skmem.items())


def test_a_connection_is_as_ss_shows_it(linked: tuple[DemoNamespace, DemoNamespace]) -> None:
    client, server = linked
    listener = server.run(sockets.listening, veth.SERVER.v4, 9092)
    made = client.run(sockets.connected, veth.SERVER.v4, 9092)
    taken = server.run(sockets.accepted, listener.fd)
    client.run(pools.send, [made.fd], 20_000)
    server.run(pools.arrived, [taken.fd], 20_000)
    with Watch(client) as watch:
        before = watch.snapshot()
        row = row_of(before.sample.sockets, made)
        client_end, where = (
            int(before.sample.sockets.key[row]),
            route_key(before.sample.sockets, row),
        )
        assert where is not None
        watch.request([before.sample.sockets.id(row)], [where])
        first = watch.snapshot()
        said = of_inode(ss_rows(client), made)
        last = watch.snapshot()
    model = of(last, "sockets", client_end)
    early, late, by_ss = facts(of(first, "sockets", client_end)), facts(model), dict(told(said))
    quiet = {name for name in by_ss.keys() & late.keys() if early[name] == late[name]}
    assert len(quiet) > 30, sorted(by_ss.keys() ^ late.keys())
    for name in quiet:
        assert late[name] == by_ss[name], name
    assert line(model, "Send-Q").split()[1] == str(said.send_q)
    text = [re.sub(" +", " ", each) for each in lines(model)]
    assert "device v0 veth up" in text
    assert any(each.startswith("SO_KEEPALIVE off") for each in text)
    assert any(each.startswith(f"neighbour {veth.SERVER.v4} ") for each in text)


def test_a_full_listener_shows_who_waits() -> None:
    with Stage(choose(["accept-queue-overflow"])) as stage, Watch(stage.here) as watch:
        rings, snapshot = Rings(RECORDED), watch.snapshot()
        rings.add(snapshot)
        (listener,) = ss_rows(stage.here, "state", "listening")
        waiting = [row for row in ss_rows(stage.here, "sport", "=", "8080") if not row.inode]
        model = of(snapshot, "listeners", key(snapshot, listener), rings)
        capacity = listener.send_q + 1
        assert f"{listener.recv_q} of {capacity} wait for accept() (100%)" in lines(model)[0]
        assert f"backlog {listener.send_q}" in lines(model)[0]
        opened = {target.key for target in targets(model) if target.listing is SOCKETS}
        assert opened == {key(snapshot, row) for row in waiting}
        assert any(f"- backlog {listener.send_q}" in each for each in lines(model))


def test_both_ends_of_a_connection_to_this_host(namespace: DemoNamespace) -> None:
    listener = namespace.run(sockets.listening, "127.0.0.1", 9093)
    made = namespace.run(sockets.connected, "127.0.0.1", 9093)
    taken = namespace.run(sockets.accepted, listener.fd)
    namespace.run(held.send, made.fd, 1234)
    namespace.run(pools.arrived, [taken.fd], 1234)
    with Watch(namespace) as watch:
        snapshot = watch.snapshot()
    table = snapshot.sample.sockets
    mine, theirs = (int(table.key[row_of(table, each)]) for each in (made, taken))
    assert line(of(snapshot, "sockets", mine), "Recv-Q").split()[1:] == ["0", "B", "1,234", "B"]
    assert line(of(snapshot, "sockets", theirs), "Recv-Q").split()[1:] == ["1,234", "B", "0", "B"]
    assert theirs in {target.key for target in targets(of(snapshot, "sockets", mine))}
    process = of(snapshot, "processes", _its_process(snapshot, mine))
    opened = {target.key for target in targets(process) if target.listing is SOCKETS}
    assert {mine, theirs} <= opened


def _its_process(snapshot: Snapshot, end: int) -> int:
    """Where the pane of a connection leads to."""
    found = targets(of(snapshot, "sockets", end))
    return next(target.key for target in found if target.listing is PROCESSES)
