"""From a row to the filter that selects its sockets: what Enter does."""

from __future__ import annotations

from tcptop.analysis import filter as language
from tcptop.analysis.filter.clause import Clause
from tcptop.columns.processes import process
from tcptop.model import address, tcp
from tcptop.model.owner import OWNER_KINDS
from tcptop.model.selection import Selection


def scope(view: str, selection: Selection, place: int) -> Clause:
    """A filter, in words that the user could have typed, for a row of a list."""
    text = {
        "processes": _process,
        "listeners": _listener,
        "ports": _destination,
        "remotes": _remote,
        "states": _state,
    }[view](selection, place) + _netns(view, selection, place)
    return Clause(text, language.parse(text))


def _netns(view: str, selection: Selection, place: int) -> str:
    """Its namespace, where more than one is looked at."""
    snapshot = selection.snapshot
    if len(snapshot.sample.namespaces) < 2 or view == "states":
        return ""
    if view == "listeners":
        number = snapshot.sample.sockets.netns[snapshot.listeners.row[place]]
    else:
        numbers = {
            "processes": selection.processes.netns,
            "ports": snapshot.ports.netns,
            "remotes": selection.remote_groups.netns,
        }
        number = numbers[view][place]
    return f" and netns = {number}"


def _process(selection: Selection, place: int) -> str:
    someone = process(selection, place)
    if someone is not None:
        return f"pid = {someone.pid}"
    return f"owner = {OWNER_KINDS[int(selection.processes.owner[place])]}"


def _listener(selection: Selection, place: int) -> str:
    table = selection.snapshot.sample.sockets
    row = int(selection.snapshot.listeners.row[place])
    port = int(table.local_port[row])
    hi, lo = int(table.local_hi[row]), int(table.local_lo[row])
    if (hi, lo) == (0, 0):  # the wildcard of both families
        return f"sport = :{port}"
    if (hi, lo) == (0, address.MAPPED_PREFIX << 32):
        return f"src 0.0.0.0/0 and sport = :{port}"
    return f"src {address.endpoint(address.text(hi, lo), port)}"


def _destination(selection: Selection, place: int) -> str:
    ports = selection.snapshot.ports
    source = address.text(int(ports.local_hi[place]), int(ports.local_lo[place]))
    goal = address.text(int(ports.remote_hi[place]), int(ports.remote_lo[place]))
    number = int(ports.remote_port[place])
    return f"src {address.bracketed(source)} and dst {address.endpoint(goal, number)}"


def _state(selection: Selection, place: int) -> str:
    return state(place)


def state(number: int) -> str:
    """The filter for a state of the kernel's, as ss spells it."""
    return f"state {tcp.FILTER_STATES[number]}"


def _remote(selection: Selection, place: int) -> str:
    remotes = selection.remote_groups
    text = address.text(int(remotes.remote_hi[place]), int(remotes.remote_lo[place]))
    port = int(remotes.remote_port[place])
    if port >= 0:
        return f"dst {address.endpoint(text, port)}"
    return f"dst {address.bracketed(text)}"
