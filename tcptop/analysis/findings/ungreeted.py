"""Clients that wait for a server that speaks first (SMTP, SSH, FTP), and leave without a word.

A check of the port is over in moments. Whoever stays for seconds waits for the greeting: the
program there does not take it up, is slow, or is not told of it, as with TCP_DEFER_ACCEPT, whose
kernel waits for the client's first data.
"""

from __future__ import annotations

from tcptop.analysis.findings import words
from tcptop.analysis.findings.deferred import SPEAKS_FIRST, WITHOUT
from tcptop.analysis.findings.observations import Observations
from tcptop.model.arrays import isin_ports
from tcptop.model.closed import Closed
from tcptop.model.table import Bools, Index

LEAST_S = 2.0
IN_STORE = (3306,)  # where pools keep connections that nobody has used yet
PORTS = [port for port in SPEAKS_FIRST if port not in IN_STORE]


def ungreeted(closed: Closed, ours: Bools) -> Bools:
    """Of those that we closed first."""
    mute = (closed.known("bytes_sent") == 0) & (closed.known("bytes_received") == 0)
    stayed = closed.known("last_data_sent") >= LEAST_S * 1000  # since it opened
    found: Bools = ours & isin_ports(closed.remote_port, PORTS) & mute & stayed
    return found


def waiting(seen: Observations, rows: Index) -> Index:
    """Of connections that we opened those that wait so now."""
    table = seen.table
    rows = rows[isin_ports(table.remote_port[rows], PORTS) & (table.inode[rows] != 0)]
    if not len(rows):
        return rows
    mute = (table.info_of("data_segs_out", rows) == 0) & (
        table.info_of("bytes_received", rows) == 0
    )
    waits: Index = rows[mute & (table.since_s("last_data_sent", rows) >= LEAST_S)]
    return waits


def told(port: int, waited: str, open_: int) -> str:
    others = words.count(open_, "other waits", "others wait")
    now = f" {others} for it now." if open_ else ""
    return (
        f"Those without a greeting had been open for {waited}, and nothing had gone either way. "
        f"The port is usually that of {SPEAKS_FIRST[port]}, where the server speaks first.{now}"
    )


def advice(to: str, here: bool) -> str:
    on, there = ("this host", "") if here else (f"the host of {to}", " there")
    return (
        f"On {on} see whether the program takes these connections (ss -ltn{there}: Recv-Q of its "
        "listener), and what it does before it greets: it may look up the client's name (DNS). If "
        f"they are half-open there (ss -tan state syn-recv{there}) though they are open here, "
        f"{WITHOUT}."
    )
