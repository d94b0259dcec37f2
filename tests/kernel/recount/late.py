"""Connections whose first SYN was not answered, counted from looks and notices."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from tcptop.model import tcp
from tcptop.model.sample import Sample
from tcptop.model.table import SocketTable
from tests.kernel.recount.places import at


class Numbers(NamedTuple):
    """Of connections that were opened since a look: those to a place, those elsewhere."""

    there: int
    late: int
    elsewhere: int
    others: int


def opened(samples: Sequence[Sample], netns: int, place: str) -> Iterator[Numbers]:
    """Since each look, the first one first; a port that somebody listens on was not opened here."""
    last = samples[-1].sockets
    served = set(last.local_port[last.state == tcp.LISTEN].tolist())
    for first, look in enumerate(samples[:-1]):
        open_then = look.sockets.state != tcp.SYN_SENT  # others have opened since
        old, found = set(look.sockets.cookie[open_then].tolist()), dict[int, tuple[bool, int]]()
        for each in (death for sample in samples[first + 1 :] for death in sample.deaths):
            found |= _those(each.sockets, netns, place, served)
        open_now = last.take(last.state == tcp.ESTABLISHED)
        found |= _those(open_now, netns, place, served)
        new = [each for cookie, each in found.items() if cookie not in old]
        there, elsewhere = (
            [a for is_there, a in new if is_there is side] for side in (True, False)
        )
        late, others = (sum(again > 0 for again in each) for each in (there, elsewhere))
        yield Numbers(len(there), late, len(elsewhere), others)


def _those(
    table: SocketTable, netns: int, place: str, served: set[int]
) -> dict[int, tuple[bool, int]]:
    """By cookie, of those that were open: whether it is there, and retransmitted SYNs."""
    rows = table.take((table.netns == netns) & (table.remote_port > 0))
    known = rows.tcp_info_known("min_rtt") | (rows.tcp_info("rtt") > 0)
    again = rows.tcp_info("total_retrans") * (rows.tcp_info("bytes_retrans") == 0)
    columns = (rows.cookie, rows.local_port, known, at(rows, place, "remote"), again)
    return {
        cookie: (bool(there), int(times))
        for cookie, port, opened_, there, times in zip(*(c.tolist() for c in columns), strict=True)
        if opened_ and port not in served
    }


def accepted(samples: Sequence[Sample], netns: int, place: str) -> Iterator[tuple[int, int]]:
    """The same at a listener: since each look, those with a SYN-ACK that was sent again, and all;
    a rule may not know whether an older one was accepted since."""
    last = samples[-1].sockets
    for look in range(len(samples) - 1):
        tables = [each.sockets for sample in samples[look + 1 :] for each in sample.deaths]
        tables.append(last.take(last.state == tcp.ESTABLISHED))
        found: dict[int, bool] = {}
        for table in tables:
            rows = table.take((table.netns == netns) & at(table, place, "local"))
            again = rows.tcp_info("total_retrans") * (rows.tcp_info("bytes_retrans") == 0) > 0
            found |= dict(zip(rows.cookie.tolist(), again.tolist(), strict=True))
        yield sum(found.values()), len(found)
