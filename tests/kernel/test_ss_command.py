"""The command for a row prints that row, and no other one: run in the namespace and compared."""

import socket
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tcptop.analysis.selection import select
from tcptop.columns import (
    FINDINGS,
    KERNEL,
    LISTENERS,
    PORTS,
    PROCESSES,
    REMOTES,
    SOCKETS,
    Listing,
)
from tcptop.columns.kernel import entries
from tcptop.columns.listing import shell_command
from tcptop.demo import held
from tcptop.demo.held import until
from tcptop.demo.namespace import DemoNamespace
from tcptop.demo.sockets import connected, listening
from tcptop.model import address, owner, tcp
from tcptop.model.finding import Finding, Subject
from tcptop.model.netns import reaching
from tcptop.model.sample import Namespace as Known
from tcptop.model.selection import Selection
from tcptop.model.table import Index, SocketTable
from tests.kernel.snapshots import snapshot_of
from tests.kernel.zoo import Zoo, build

Row = tuple[str, str, str]  # state and both ends
MARK = "----"


@pytest.fixture
def crowd() -> Iterator[Zoo]:
    """One of everything, and another process with sockets of its own."""
    with DemoNamespace() as namespace, DemoNamespace(beside=namespace) as peer:
        made = build(namespace, peer)
        other = namespace.helper()
        server = other.run(listening, "::1")
        other.run(connected, *server.local[:2])
        yield made


def printed(text: str) -> Counter[Row]:
    """The rows among what ss prints; lines that begin with a space go on about the row before."""
    lines = (line.split() for line in text.splitlines() if line[:1].isupper())
    return Counter((w[0], _plain(w[3]), _plain(w[4])) for w in lines if w[0] != "State")


def _plain(endpoint: str) -> str:
    host, _, port = endpoint.rpartition(":")
    host = host.partition("%")[0].strip("[]").replace("*", "::").removeprefix("::ffff:")
    return f"{host} {port.replace('*', '0')}"


def expected(table: SocketTable, rows: Index) -> Counter[Row]:
    part = table.take(rows)
    hosts = [
        [address.text(int(hi), int(lo)) for hi, lo in zip(*halves, strict=True)]
        for halves in ((part.local_hi, part.local_lo), (part.remote_hi, part.remote_lo))
    ]
    states = [tcp.SS_STATES[state] for state in part.state.tolist()]
    # The kernel gives the addresses of a listener's other end as it has them: ss as a wildcard.
    ends = zip(states, hosts[0], part.local_port, hosts[1], part.remote_port, strict=True)
    return Counter(
        (state, f"{local} {port}", f"{_wild(local, remote, state)} {other}")
        for state, local, port, remote, other in ends
    )


def _wild(local: str, remote: str, state: str) -> str:
    return remote if state != "LISTEN" else "any"


def run(namespace: DemoNamespace, commands: list[str]) -> list[Counter[Row]]:
    """What each of them prints inside. grep ends with 1 where nothing is found."""
    script = f"\necho {MARK}\n".join(commands)
    text = namespace.command(["sh", "-c", script + "\ntrue"], timeout=60)
    found = [printed(part) for part in text.split(f"{MARK}\n")]
    return [Counter({_listener(row): number for row, number in each.items()}) for each in found]


def _listener(row: Row) -> Row:
    state, local, _ = row
    return (state, local, "any 0") if state == "LISTEN" else row


Rows = Callable[[Selection, int], Index]


def of_socket(selection: Selection, place: int) -> Index:
    """Listeners of one SO_REUSEPORT group are one to ss."""
    table = selection.snapshot.sample.sockets
    if table.state[place] != tcp.LISTEN:
        return np.array([place])
    names = ("state", "local_hi", "local_lo", "local_port", "interface")
    same = [getattr(table, name) == getattr(table, name)[place] for name in names]
    return np.flatnonzero(np.all(same, axis=0))


def of_listener(selection: Selection, place: int) -> Index:
    return of_socket(selection, int(selection.snapshot.listeners.row[place]))


def of_ports(selection: Selection, place: int) -> Index:
    return np.flatnonzero(selection.snapshot.ports.group == place)


def of_remote(selection: Selection, place: int) -> Index:
    return np.flatnonzero(selection.remote_groups.group == place)


def of_process(selection: Selection, place: int) -> Index:
    """Those that it holds now: ss knows of no others."""
    snapshot, processes = selection.snapshot, selection.processes
    if processes.owner[place] == owner.ACCEPT_QUEUE:
        in_queue = snapshot.note == owner.IN_ACCEPT_QUEUE
        return np.flatnonzero(in_queue)
    holders = snapshot.holders
    mine = (holders.process == processes.process[place]) & (holders.fd >= 0)
    return np.unique(holders.row[mine])


LISTS = [
    (SOCKETS, lambda s: s.rows, of_socket),
    (LISTENERS, lambda s: s.listeners, of_listener),
    (PORTS, lambda s: s.ports, of_ports),
    (REMOTES, lambda s: s.remotes, of_remote),
    (PROCESSES, lambda s: np.arange(len(s.processes)), of_process),
]


@pytest.mark.parametrize(("listing", "places", "rows_of"), LISTS)
def test_a_command_prints_its_row(
    crowd: Zoo, listing: Listing, places: Callable[[Selection], Index], rows_of: Rows
) -> None:
    # A row may have left between the look and the command, which take long on a busy machine.
    until(
        lambda: len(differences(crowd.namespace, listing, places, rows_of)) == 0,
        f"the same {listing.name}",
        timeout=90,
    )


@pytest.mark.parametrize(("listing", "places", "rows_of"), LISTS[:4])
def test_a_command_prints_its_row_on_each_device(
    listing: Listing, places: Callable[[Selection], Index], rows_of: Rows
) -> None:
    with DemoNamespace() as namespace:
        for link in LINKS:
            namespace.command(["ip", "link", "add", link, "type", "veth", "peer", f"{link}-"])
            for end in (link, f"{link}-"):
                namespace.command(["ip", "link", "set", end, "up"])
            for host in (NEAR, FAR):
                address = ["ip", "addr", "add", f"{host}/64", "dev", link, "nodad"]
                namespace.command(address)
        for number, link in enumerate(("", "lo", *LINKS)):
            namespace.run(talk, link, number + 2)
        assert not differences(namespace, listing, places, rows_of)


LINKS, NEAR, FAR = ("va", "vb"), "fe80::1", "fe80::2"


def talk(device: str, connections: int) -> None:
    """A listener and connections to it, all of them bound to a device, or to none."""
    index = socket.if_nametoindex(device) if device in LINKS else 0
    near, far = (NEAR, FAR) if device in LINKS else ("::1", "::1")
    server = socket.socket(socket.AF_INET6)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device.encode())
    server.bind((far if device else "::", 9000, 0, index))
    server.listen()
    held.hold(server)
    for _ in range(connections):
        client = socket.socket(socket.AF_INET6)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device.encode())
        client.bind((near, 0, 0, index))
        client.connect((far, 9000, 0, index))
        held.hold(client)
        held.hold(server.accept()[0])


def differences(
    namespace: DemoNamespace,
    listing: Listing,
    places: Callable[[Selection], Index],
    rows_of: Rows,
) -> list[tuple[str, Counter[Row], Counter[Row]]]:
    """(command, what it prints, the row's sockets) where these are not the same."""
    selection = select(snapshot_of(namespace))
    table = selection.snapshot.sample.sockets
    commands = {int(p): shell_command(listing, selection, int(p)) for p in places(selection)}
    known = {place: command for place, command in commands.items() if command}
    assert len(known) >= len(commands) - 2  # remembered, unknown
    outputs = run(namespace, list(known.values()))
    if listing is PORTS:
        outputs = [_without(each, _listening(table)) for each in outputs]
    wanted = [expected(table, rows_of(selection, place)) for place in known]
    assert all(wanted)
    triples = zip(known.values(), outputs, wanted, strict=True)
    return [each for each in triples if each[1] != each[2]]


def _listening(table: SocketTable) -> set[str]:
    return {str(port) for port in table.local_port[table.state == tcp.LISTEN].tolist()}


def _without(rows: Counter[Row], ports: set[str]) -> Counter[Row]:
    """A connection may have the port of some listener of another address by chance: no destination
    of its own counts it, for connect() gives such a port to nobody."""
    return Counter({row: n for row, n in rows.items() if row[1].split()[-1] not in ports})


def test_remotes_by_address_and_port(crowd: Zoo) -> None:
    selection = select(snapshot_of(crowd.namespace), by_port=True)
    table = selection.snapshot.sample.sockets
    place = int(np.flatnonzero(selection.remote_groups.sockets > 1)[0])
    (found,) = run(crowd.namespace, [shell_command(REMOTES, selection, place)])
    assert found == expected(table, of_remote(selection, place))


def outside(command: str) -> str:
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=60)
    assert not done.stderr
    return done.stdout


def test_from_another_namespace(crowd: Zoo) -> None:
    selection = select(snapshot_of(crowd.namespace))
    table, pid = selection.snapshot.sample.sockets, str(crowd.namespace.pid)
    for listing, rows_of in ((PROCESSES, of_process), (LISTENERS, of_listener)):
        place = next(n for n in range(20) if shell_command(listing, selection, n))
        command = shell_command(listing, selection, place, pid)
        found = run(crowd.namespace, [shell_command(listing, selection, place)])
        assert command.startswith(f"nsenter -t {pid} -n ss ")
        there = Counter({_listener(row): n for row, n in printed(outside(command)).items()})
        assert there == found[0] == expected(table, rows_of(selection, place))


def test_from_another_namespace_by_its_name(crowd: Zoo) -> None:
    """In a mount namespace of its own, with names of its own, gone with the command."""
    selection = select(snapshot_of(crowd.namespace))
    name = "a b'c"
    command = shell_command(LISTENERS, selection, 0, name)
    own = "mkdir -p /run/netns\nmount -t tmpfs none /run/netns"
    script = f'{own}\nip netns attach "$1" {crowd.namespace.pid}\n{command}'
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", script, "sh", name], capture_output=True, text=True
    )
    table = selection.snapshot.sample.sockets
    there = Counter({_listener(row): n for row, n in printed(done.stdout).items()})
    assert there == expected(table, of_listener(selection, 0)), done.stderr


def test_several_commands_all_run_inside(crowd: Zoo) -> None:
    snapshot = snapshot_of(crowd.namespace)
    confirm = "readlink /proc/self/ns/net; echo 'a b' | cat; readlink /proc/self/ns/net"
    finding = Finding("x", "x", "info", "x", Subject(crowd.namespace.inode), confirm=confirm)
    selection = select(replace(snapshot, findings=(finding,)))
    assert shell_command(FINDINGS, selection, 0) == confirm
    here = f"net:[{crowd.namespace.inode}]"
    command = shell_command(FINDINGS, selection, 0, str(crowd.namespace.pid))
    assert outside(command).splitlines() == [here, "a b", here]


def test_kernel_rows(crowd: Zoo) -> None:
    selection = select(snapshot_of(crowd.namespace))
    pid = str(crowd.namespace.pid)
    rows = entries(selection)
    names = {row.name: place for place, row in enumerate(rows)}
    crowd.namespace.sysctl("net.ipv4.tcp_fin_timeout", 47)
    place = names["tcp_fin_timeout"]
    assert shell_command(KERNEL, selection, place) == "sysctl net.ipv4.tcp_fin_timeout"
    assert outside(shell_command(KERNEL, selection, place, pid)).split()[-1] == "47"
    (opens,) = (place for name, place in names.items() if name.endswith("PassiveOpens"))
    command = shell_command(KERNEL, selection, opens, pid)
    assert command == f"nsenter -t {pid} -n nstat -az TcpPassiveOpens"


def test_nothing_shows_what_only_tcptop_knows(crowd: Zoo) -> None:
    selection = select(snapshot_of(crowd.namespace))
    kinds = selection.processes.owner.tolist()
    for place, kind in enumerate(kinds):
        if kind in (owner.REMEMBERED, owner.UNKNOWN):
            assert shell_command(PROCESSES, selection, place) == ""
            assert shell_command(PROCESSES, selection, place, "1") == ""
    assert shell_command(replace(SOCKETS, command=None), selection, 0) == ""


def test_what_leads_to_a_namespace(crowd: Zoo) -> None:
    sample = snapshot_of(crowd.namespace).sample
    netns = crowd.namespace.inode
    way = reaching(sample, netns)
    assert way is not None
    assert Path(f"/proc/{way}/ns/net").stat().st_ino == netns
    named = replace(sample, namespaces=(Known(netns, "blue"),))
    assert reaching(named, netns) == "blue"
    assert reaching(sample, 1) is None
