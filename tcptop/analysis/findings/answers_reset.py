"""Answers to connects that this host itself resets, as they fit none of its connections.

A SYN-ACK from another address or port finds no socket (tcp_v4_rcv); an ACK of an old connection,
that the other end still knows, finds the one in SYN-SENT (tcp_rcv_synsent_state_process).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tcptop.analysis.findings import words
from tcptop.analysis.findings.observations import Observations
from tcptop.model.named_tuple import NamedTuple
from tcptop.model.table import Index

LEAST = 3
ALIKE = 0.25  # of the SYNs: by so much fewer or more resets may have been sent
MOSTLY = 0.8  # of those that wait, where that alone tells
BY_SOCKETS = ("TCPAbortOnClose", "TCPAbortOnData", "AttemptFails", "EmbryonicRsts")


class AnswersReset(NamedTuple):
    """`resets` that were sent while as many SYNs were, where counters tell; to `touched` of the
    waiting connects something came all the same. `late`: these waited hardly longer than
    a round trip to there takes now."""

    resets: float = 0.0
    touched: int = 0
    late: bool = False

    def __bool__(self) -> bool:
        return self.resets > 0 or self.touched > 0


def answers_reset(
    seen: Observations, netns: int, rows: Index, attempts: int, seconds: float
) -> AnswersReset:
    """`rows` wait; `attempts` is how many were tried within those seconds, or wait since."""
    resets, repeated = seen.surely_grown(netns, "OutRsts", seconds), 0.0
    for name in BY_SOCKETS if resets else ():
        resets -= seen.surely_grown(netns, name, seconds)
    if resets >= LEAST:
        repeated = seen.surely_grown(netns, "TCPSynRetrans", seconds)
    low, high = (1 - ALIKE) * repeated, (1 + ALIKE) * (repeated + attempts)
    touched = int(np.count_nonzero(seen.table.tcp_info("segs_in")[rows] > 0))
    if not repeated or not low <= resets <= high:
        return AnswersReset(0.0, touched if touched >= MOSTLY * len(rows) else 0)
    return AnswersReset(resets, touched)


def after_giving_up(seen: Observations, netns: int, calls: int, seconds: float) -> float:
    """Resets that were sent for answers to connects that the program had closed by then: about as
    many as those, none of which had sent its SYN again; else 0."""
    resets = seen.surely_grown(netns, "OutRsts", seconds)
    for name in BY_SOCKETS if resets else ():
        resets -= seen.surely_grown(netns, name, seconds)
    many = max(LEAST, (1 - ALIKE) * calls) <= resets <= (1 + ALIKE) * calls + LEAST
    return resets if many else 0.0


def told(found: AnswersReset, opened: bool = False) -> Iterator[str]:
    """`opened`: the connects succeed in the end, once the reset has gone."""
    if found.resets:
        fits = "fits no connection that is still here" if found.late else "fits no connection here"
        answers = "it is no SYN-ACK" if opened else fits
        yield (
            f"This host sent {words.number(found.resets)} resets meanwhile (OutRsts), about as "
            f"many as SYNs: something answers, and {answers}."
        )
    if found.touched:
        yield (
            f"{words.number(found.touched)} of those that wait got a segment that was no SYN-ACK "
            "(segs_in): of an old connection with the same addresses and ports."
        )


def cause(found: AnswersReset, opened: bool = False) -> str:
    if opened:
        return (
            "the other end apparently still has an old connection with the addresses and ports of "
            "the new one (in TIME-WAIT, as behind a NAT that uses few ports), acknowledges that "
            "one, and takes the next SYN once this host has reset it: ss -tan there; give the NAT "
            "more ports, or let the clients close first"
        )
    if found.late and not found.touched:
        return (
            "answers apparently come after the program has given up: compare how long it waits "
            "with the round trip (rtt of ss -ti), which a full queue on the way makes long"
        )
    if found.touched:
        return (
            "the other end still knows an old connection with the addresses and ports of the new "
            "one (in TIME-WAIT, as behind a NAT that uses few ports, or open, where the resets of "
            "this host do not get there: ss -tan there)"
        )
    return (
        "answers seem to come from another address or port than was called (hairpin NAT, direct "
        "server return, a NAT that sees one direction only): tcpdump -nni any 'tcp[13] & 18 = 18'"
    )
