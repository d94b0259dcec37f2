"""What to do about a destination where nearly everything fails."""

from __future__ import annotations

import numpy as np

from tcptop.analysis.findings import (
    comings,
    failed_places,
    listening,
    partial_listeners,
    reuse_words,
    unanswered,
    ungreeted,
)
from tcptop.analysis.findings.observations import Observations
from tcptop.analysis.findings.outcome_words import gone, kinds
from tcptop.analysis.findings.outcomes import Outcomes
from tcptop.analysis.findings.reset_rates import RST
from tcptop.analysis.findings.servers import CLIENTS_CLOSE_AT
from tcptop.model import address, tcp
from tcptop.model.route import NO_ROUTE

HALF = 0.5  # of those reset
WORKED_S = 0.3  # from which it was not turned away at once
LISTED = 4  # listeners


def advice(found: Outcomes, to: str, seen: Observations) -> str:
    """For what most of them met."""
    most = kinds(found)[0].said
    here = unanswered.is_here(seen, found.callee)
    there = "On this host" if here else f"On the host of {to}"
    if most == "reset as they were used again":
        return reuse_words.advice(found, to)
    if most == "declined TLS":
        return (
            f"See the error that the program gets ('server does not support SSL, but SSL was "
            f"required'). {there} set ssl = on with a certificate (SHOW ssl tells; of PgBouncer "
            "client_tls_sslmode), or let the clients do without where the network between may be "
            "trusted (sslmode=prefer)."
        )
    if most.startswith("closed by"):
        return _about_cuts(found, there)
    if most.endswith("greeting"):
        return ungreeted.advice(to, here)
    if most.startswith("closed") and found.none_new:
        return (
            f"{there} look why the program takes no new connections while it serves older ones: a "
            "limit of connections, threads or descriptors that is reached, or the thread that "
            f"accepts, which may have ended (its log) or wait: how many are in its accept queue? "
            f"(Recv-Q of ss -ltn{'' if here else ' there'})"
        )
    if most.startswith("closed"):
        return _about_silence(found, there, here)
    if most.startswith("reset") or (found.in_use and found.refused):
        return _about_resets(found)
    if most.startswith("turned"):
        limit = CLIENTS_CLOSE_AT.get(found.callee.remote_port, "MaxStartups of sshd")
        return (
            f"See the error that the program gets, and the server's log: the server is at its "
            f"connection limit ({limit}), or refuses the login. Find what holds the connections, "
            "and limit the pools of all clients to what the server allows."
        )
    if most.startswith("lost"):
        return (
            f"Look at the path to {to}: whether it is interrupted for a second or more at a time, "
            f"and whether the host is up (mtr -T, ping). Where TCP_USER_TIMEOUT or "
            "net.ipv4.tcp_retries2 is set low, such gaps end connections that would survive them "
            "otherwise."
        )
    if most.endswith("without a route"):
        return _about_routes(found, to)
    if found.rejected_here and most.startswith("rejected by this"):
        return (
            "Find the rule of this host that rejects them: nft list ruleset, iptables-save -c (the "
            "counter that rises)."
        )
    if most.startswith("rejected"):
        return "Check the route, and look for a firewall that rejects, from here to there."
    if most.startswith("given up"):
        return (
            f"Let the program wait longer for a connection: its connect timeout is below what the "
            f"way to {to} and back takes (ping, ss -ti of one that is open). Nothing is silent "
            "there, and retries after so short a time only make more of them."
        )
    if most.startswith("not"):
        if gone(seen, found):
            return (
                f"Find out why {unanswered.hop_to(seen, found.callee).address} does not answer: it "
                f"{unanswered.why_gone(found.callee)}."
            )
        return (
            f"Check that {to} is up, that no firewall on the way or there drops "
            f"{'or rejects ' if found.unreachables else ''}this port, and "
            "that its accept queue is not full (ss -ltn there)."
        )
    if found.refused and comings.by_turns(seen, found.callee, found.seconds):
        return comings.advice(to)
    if found.refused and here and comings.begun_meanwhile(seen, found.callee, found.seconds):
        return comings.started(to)
    if found.fine and not found.callee.remote_port:
        whom = address.text(found.callee.remote_hi, found.callee.remote_lo)
        return (
            f"Find the port: tcpdump -c 20 -nni any 'host {whom} and ({RST})'. One of the "
            f"services {'here' if here else 'there'} is down while others are well; of a proxy its "
            "own status names the server that fails its checks."
        )
    mostly_well = found.well > found.failed
    if mostly_well or (found.fine and len(failed_places.answering(seen, found.callee))):
        return (
            f"{to} accepts others: look for a limit that is reached, or for one of several servers "
            "behind that address that is down."
        )
    if here and found.refused:
        return _refused_here(seen, found, to)
    return (
        f"{there} check that something listens on that port and address: the service may be down, "
        "or listen only on 127.0.0.1 or another port. A firewall that rejects looks the same."
    )


def _refused_here(seen: Observations, found: Outcomes, to: str) -> str:
    """The own table has who listens, and on what."""
    table, callee = seen.table, found.callee
    every = np.flatnonzero((table.state == tcp.LISTEN) & (table.netns == callee.netns))
    rows = every[listening.takes(table, every, callee.remote_hi, callee.remote_lo)]
    others = ""
    if 0 < len(rows) <= LISTED:
        listed = partial_listeners.listed(seen, rows)
        others = f" For that address listens {listed}."
    if callee.remote_port and not (table.local_port[rows] == callee.remote_port).any():
        return (
            f"Nothing on this host takes connections to {to}: start the service, or call it where "
            f"it listens.{others}"
        )
    return (
        f"On this host start what should take these connections to {to}, or call it where it "
        f"listens; a filter that rejects looks the same.{others}"
    )


def _about_routes(found: Outcomes, to: str) -> str:
    family = "IPv4" if unanswered.is_v4(found.callee) else "IPv6"
    default = f", or a default route of {family}" if found.no_route == NO_ROUTE else ""
    return (
        f"Set the route of this host right: a route to {to}{default}, or what should have made it "
        "(a VPN, a DHCP client, router advertisements). Where this host is to do without "
        f"{family}, let its programs ask for the other addresses only (nginx: "
        f"{family.lower()}=off of its resolver). The called host and the network are not asked."
    )


def _about_cuts(found: Outcomes, there: str) -> str:
    if found.fine and float(np.median(found.cut_s)) >= WORKED_S:
        return (
            f"{there} see the log of the program and dmesg: it had taken these requests for a "
            "while, and answers others. A process of it has ended (a crash, the OOM killer), or a "
            "time limit ends what takes longer (--timeout of gunicorn, harakiri of uwsgi, "
            "request_terminate_timeout of php-fpm)."
        )
    return (
        f"{there} look at the log of the program that accepts: it is at its limit of connections, "
        "does not serve this address, expects another protocol (TLS, the PROXY protocol), or is a "
        "proxy whose back end does not answer. More retries do not help."
    )


def _about_silence(found: Outcomes, there: str, here: bool) -> str:
    if len(found.late_s) >= HALF * found.left:
        return (
            "Let the program wait longer, or shorten the way: compare what an answer takes with "
            "the round trip (rtt of ss -ti). If the round trip alone takes most of it, a queue on "
            "the path is full (bufferbloat) or the path is long; else the program there is slow."
        )
    large = (
        " Where it has answered (Send-Q of these connections there is not 0, and they retransmit), "
        "large packets are lost on the way back: compare the MTUs of the path."
    )
    return (
        f"{there} look at the program before the network: whether it accepts "
        f"(ss -ltn{'' if here else ' there'}), hangs, waits for a back end or a lock, or "
        "queues before a limit. If such answers may take so long, let the caller wait longer."
        f"{large if found.small_only and found.hung else ''}"
    )


def _about_resets(found: Outcomes) -> str:
    if found.after_a_pause:
        return reuse_words.forgotten(found)
    if found.in_use >= HALF * found.reset:
        return (
            "Look at the log of the called program first: whether it ends and is started again, or "
            "closes with requests unread. If it knows nothing of it, another one resets them: a "
            "second host with the same address (arping -D; ip neigh shows a MAC that changes), a "
            "firewall or load balancer without the connection. tcpdump -e shows who, by its MAC "
            "and TTL."
        )
    return (
        "Look at the log of the called program: it is at its limit of connections and closes "
        "further ones at once, ends, is restarted, or gives up on these requests. A firewall, a "
        "second host with the same address and a load balancer without "
        "the connection reset too: tcpdump shows who sends them."
    )
