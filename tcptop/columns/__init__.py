"""Every column of every list, once: what it is called, means, sorts by and shows."""

from __future__ import annotations

from tcptop.columns.closed import CLOSED
from tcptop.columns.column import Column
from tcptop.columns.findings import FINDINGS
from tcptop.columns.kernel import KERNEL
from tcptop.columns.listeners import LISTENERS
from tcptop.columns.listing import Listing, ordered
from tcptop.columns.namespaces import NAMESPACES
from tcptop.columns.overview import OVERVIEW
from tcptop.columns.ports import PORTS
from tcptop.columns.processes import PROCESSES
from tcptop.columns.remotes import REMOTES
from tcptop.columns.sockets import SOCKETS
from tcptop.columns.states import STATES

# Of sockets and what they add up to; findings, states and the host's numbers are apart.
LISTINGS = {each.name: each for each in (PROCESSES, SOCKETS, LISTENERS, PORTS, REMOTES, CLOSED)}
RECORDED = {
    each.name: each.recorded
    for each in (*LISTINGS.values(), NAMESPACES)
    if each.recorded is not None
}

__all__ = [
    "CLOSED",
    "FINDINGS",
    "KERNEL",
    "LISTENERS",
    "LISTINGS",
    "NAMESPACES",
    "OVERVIEW",
    "PORTS",
    "PROCESSES",
    "RECORDED",
    "REMOTES",
    "SOCKETS",
    "STATES",
    "Column",
    "Listing",
    "ordered",
]
