"""The shell command that shows the same as a row: for a ticket, or to trust what is seen here."""

from __future__ import annotations

from collections.abc import Callable
from shlex import quote

from tcptop.columns.kernel import entries
from tcptop.columns.processes import process
from tcptop.model import address, owner, sysctls, tcp
from tcptop.model.sample import Sample
from tcptop.model.selection import Selection
from tcptop.tui import drill


def ss_command(view: str, selection: Selection, place: int, inside: str | None = None) -> str:
    """A command for the row of a list; empty where none shows it.

    `place` is that of the row in the snapshot's list. `inside` is the name of the namespace that
    it is in, or the pid of a process there (all digits); None is the shell's own.
    """
    make = _COMMANDS.get(view)
    command = make(selection, place) if make else ""
    return _within(command, inside) if command and inside is not None else command


def reaching(sample: Sample, netns: int) -> str | None:
    """What `inside` could be for a namespace: its name, else a process; None: no way is known."""
    for namespace in sample.namespaces:
        if namespace.inode == netns and namespace.name is not None:
            return namespace.name
    pids = [each.pid for each in sample.owners.processes.values() if each.netns == netns]
    return str(min(pids)) if pids else None


def _within(command: str, inside: str) -> str:
    """Of a pipe only the first command looks at the network; of several, each may."""
    enter = f"nsenter -t {inside} -n" if inside.isdecimal() else f"ip netns exec {quote(inside)}"
    return f"{enter} sh -c {quote(command)}" if ";" in command else f"{enter} {command}"


def _process(selection: Selection, place: int) -> str:
    someone = process(selection, place)
    if someone is not None:
        return f"ss -tanpo | grep pid={someone.pid},"
    if selection.processes.owner[place] == owner.ACCEPT_QUEUE:
        # They get an inode when a process accepts them.
        return "ss -Htane state established state close-wait | grep -v 'ino:[1-9]'"
    return ""


def _socket(selection: Selection, place: int) -> str:
    table = selection.snapshot.sample.sockets
    if table.state[place] == tcp.LISTEN:
        return _listening(selection, place)
    remote = address.text(int(table.remote_hi[place]), int(table.remote_lo[place]))
    goal = address.endpoint(remote, int(table.remote_port[place]))
    return f"ss -tanpoi {quote(f'{_source(selection, place)} and dst {goal}')}"


def _state(selection: Selection, place: int) -> str:
    return f"ss -tan {drill.state(place)}"


def _listener(selection: Selection, place: int) -> str:
    return _listening(selection, int(selection.snapshot.listeners.row[place]))


def _listening(selection: Selection, row: int) -> str:
    return f"ss -ltnpm {quote(_source(selection, row))}"


def _source(selection: Selection, row: int) -> str:
    """`src` takes a wildcard as that one address, as the kernel holds it."""
    sample = selection.snapshot.sample
    table = sample.sockets
    local = address.text(int(table.local_hi[row]), int(table.local_lo[row]))
    source = f"src {address.endpoint(local, int(table.local_port[row]))}"
    index = int(table.interface[row])
    if not index:
        return source
    return f"{source} and dev = {sample.device(int(table.netns[row]), index) or index}"


def _destination(selection: Selection, place: int) -> str:
    ports = selection.snapshot.ports
    local = address.text(int(ports.local_hi[place]), int(ports.local_lo[place]))
    remote = address.text(int(ports.remote_hi[place]), int(ports.remote_lo[place]))
    goal = address.endpoint(remote, int(ports.remote_port[place]))
    netns = int(ports.netns[place])
    text = f"src {address.bracketed(local)} and dst {goal}{_range(selection, netns)}"
    return f"ss -tanpo {quote(text)}"


def _range(selection: Selection, netns: int) -> str:
    """What is an ephemeral port there."""
    bounds = sysctls.port_range(selection.snapshot.sample.kernel_of(netns).sysctls)
    return f" and sport >= :{bounds[0]} and sport <= :{bounds[1]}" if bounds else ""


def _remote(selection: Selection, place: int) -> str:
    remotes = selection.remote_groups
    text = address.text(int(remotes.remote_hi[place]), int(remotes.remote_lo[place]))
    port = int(remotes.remote_port[place])
    goal = address.endpoint(text, port) if port >= 0 else address.bracketed(text)
    return f"ss -tanpo {quote(f'dst {goal}')}"


def _kernel(selection: Selection, place: int) -> str:
    return entries(selection)[place].confirm


def _finding(selection: Selection, place: int) -> str:
    return selection.snapshot.findings[place].confirm


_COMMANDS: dict[str, Callable[[Selection, int], str]] = {
    "processes": _process,
    "sockets": _socket,
    "listeners": _listener,
    "ports": _destination,
    "remotes": _remote,
    "states": _state,
    "kernel": _kernel,
    "findings": _finding,
}
