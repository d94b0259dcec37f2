"""What connections that nobody answers were doing when they were lost, by the kernel's clocks."""

from __future__ import annotations

import numpy as np

from tcptop.analysis.findings import handshakes, icmp, words
from tcptop.analysis.findings.lost import Lost
from tcptop.analysis.findings.observations import Observations
from tcptop.model import tcp
from tcptop.model.arrays import row_hash
from tcptop.model.table import F64

IN_USE_S = 5.0  # a pause that no idle timeout is as short as
IDLE_S = 25.0  # UDP-like timeouts of some NAT begin at 30 s
SEVERAL, AT_ONCE_S = 3, 2.0
PLACE = ("netns", "interface", "remote_hi", "remote_lo", "remote_port")


def why(seen: Observations, lost: Lost) -> str:
    """What has probably happened on the way, and only what their own clocks do not exclude."""
    bare = handshakes.bare(seen, lost.rows)
    if bare.all() and answered_for(seen, lost):
        return (
            "The answer to their SYN had a window of 0, and nothing has come after it: a SYN "
            "proxy, firewall or load balancer has probably answered for a server that it does not "
            "reach (SYNPROXY opens the window when the server answers). Look there, and at the "
            "way from there to the server."
        )
    if bare.any():
        return (
            f"On {'all' if bare.all() else 'some'} of them nothing but the handshake has ever "
            "come: the accept queue at the other end may be full, so that it ignores what they "
            "send (tcptop explain accept-queue-overflow), or a firewall has no state for them."
        )
    if lost.answering and begun(seen, lost):
        return (
            "Their first bytes were acknowledged, and what is lost now is less than what passed: "
            "something on the path drops by content, not by size (an inspecting firewall or proxy "
            "that wants a request, or a ClientHello of TLS, in one segment: tldr.fail)."
        )
    idle = _idle_s(seen, lost)
    if (idle >= IDLE_S).all():
        return (
            f"They had been idle for {words.duration(float(idle.min()))} or longer: a firewall or "
            "NAT has probably dropped them. Set keepalive below its idle timeout."
        )
    if not (idle < IN_USE_S).all():
        return (
            "If they were idle, a firewall or NAT may have dropped them: set keepalive below its "
            "idle timeout."
        )
    if _at_once(seen, lost) and lost.answering:
        return (
            f"They were in use, and fell silent within {words.duration(AT_ONCE_S)} of each other: "
            "a firewall, NAT or load balancer on the way has lost its state of them (a failover, a "
            "restart), or one of several paths or servers behind that address is dead. Close them "
            "and open new ones."
        )
    return "They were in use, so no idle timeout has ended them."


def begun(seen: Observations, lost: Lost) -> bool:
    """Whether all of these called, had a whole segment acknowledged, got no byte back, and send the
    rest, which is smaller, again and again."""
    table, rows = seen.table, lost.rows
    mss, passed = (table.info_of(name, rows) for name in ("snd_mss", "bytes_acked"))
    begun = (passed - 1 >= mss) & (table.send_q[rows] < mss) & ~seen.accepted[rows]
    begun &= (table.info_of("data_segs_in", rows) == 0) & (mss > 0)
    return bool(begun.all())


def answered_for(seen: Observations, lost: Lost) -> bool:
    """Whether nothing but one SYN-ACK has come on any, and its window was 0: programs of Linux
    have room when they accept."""
    table, rows = seen.table, lost.rows
    shut = (table.info_of("snd_wnd", rows) == 0) & (table.info_of("segs_in", rows) == 1)
    return bool(shut.all())


def new_ones(seen: Observations, lost: Lost) -> str:
    """What the table shows of connects to the same places; else a question."""
    if handshakes.bare(seen, lost.rows).all() and answered_for(seen, lost):
        return ""  # they are answered, which says nothing
    table = seen.table
    asking = np.flatnonzero(table.state == tcp.SYN_SENT)
    asking = asking[table.retrans[asking] > 0]
    there, gone = (
        row_hash(*(getattr(table, name)[rows] for name in PLACE)) for rows in (asking, lost.rows)
    )
    either = bool(np.isin(there, gone).any())
    if unreachables(seen, lost):
        so = ": new connections there get no answer either" if either else ""
        return (
            "ICMP unreachables come in meanwhile, so a firewall or a route on the way probably "
            f"rejects them{so}. Find out who sends those (tcpdump -ni any 'icmp or icmp6')."
        )
    if either:
        return "New connections there get no answer either: find the hop or the host that is dead."
    return (
        "Find the hop that drops: does a new connection to "
        f"{words.remote(seen.sample, int(lost.rows[0]))} get an answer?"
    )


def unreachables(seen: Observations, lost: Lost) -> float:
    """ICMP messages that came since they fell silent, to them or to others."""
    since_s = min(seen.watched_s, float(lost.for_s.max()))
    return icmp.came(seen, int(seen.table.netns[lost.rows[0]]), since_s)


def _idle_s(seen: Observations, lost: Lost) -> F64:
    """How long nothing had come when the first thing that is unanswered was sent."""
    return seen.table.since_s("last_ack_recv", lost.rows) - lost.for_s


def _at_once(seen: Observations, lost: Lost) -> bool:
    silent = seen.table.since_s("last_ack_recv", lost.rows)
    return len(silent) >= SEVERAL and float(np.ptp(silent)) <= AT_ONCE_S
