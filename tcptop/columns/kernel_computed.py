"""What follows from a namespace's sysctls, in sentences."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tcptop.analysis import timeouts as compute
from tcptop.analysis.findings.words import exactly
from tcptop.analysis.port_range import candidates
from tcptop.columns import units
from tcptop.model.named_tuple import NamedTuple
from tcptop.model.sysctls import Sysctls, number


class Computed(NamedTuple):
    """`limits` are the full names of the sysctls that it follows from."""

    topic: str
    name: str
    value: float  # seconds, or connections a second
    text: str
    meaning: str
    limits: tuple[str, ...]
    feeds: tuple[str, ...]


def computed(sysctls: Sysctls) -> Iterator[Computed]:
    """Those for which the sysctls are known."""
    yield from _connect(sysctls)
    yield from _sustained(sysctls)
    yield from _handshake(sysctls)
    yield from _black_hole(sysctls)
    yield from _dead_peer(sysctls)
    yield from _orphan(sysctls)


def _time(
    topic: str,
    name: str,
    seconds: float | None,
    meaning: str,
    limits: tuple[str, ...],
    feeds: tuple[str, ...],
) -> Iterator[Computed]:
    """`meaning` says the time at {}."""
    if seconds is not None:
        text = units.duration(seconds)
        meaning = meaning.format(exactly(seconds))
        yield Computed(topic, name, seconds, text, meaning, limits, feeds)


def _connect(sysctls: Sysctls) -> Iterator[Computed]:
    limits = ("net.ipv4.tcp_syn_retries", "net.ipv4.tcp_syn_linear_timeouts")
    meaning = "An unanswered connect() fails after {}; after 3 s if ARP has no answer."
    seconds = compute.syn_give_up_s(sysctls)
    yield from _time(
        "opening", "connect() given up", seconds, meaning, limits, ("connect-unanswered",)
    )


def _sustained(sysctls: Sysctls) -> Iterator[Computed]:
    picked = candidates(sysctls)
    if picked is None:
        return
    mask, missed = picked
    ports = int(np.count_nonzero(mask)) - missed
    rate = compute.sustained_connections_per_s(ports)
    reused = number(sysctls, "net.ipv4.tcp_tw_reuse") == 1
    yield Computed(
        "opening", "sustained opens", rate, f"{units.rate(rate)}/s",
        f"The port range sustains {units.rate(rate)} new connections/s towards one destination, "
        f"where this side closes first ({ports:,} ports / {compute.TIMEWAIT_S:.0f} s of "
        f"TIME-WAIT){'; tcp_tw_reuse 1 allows more' if reused else ''}.",
        ("net.ipv4.ip_local_port_range", "net.ipv4.ip_local_reserved_ports",
         "net.ipv4.tcp_tw_reuse"),
        ("connection-churn", "ephemeral-port-exhaustion"),
    )  # fmt: skip


def _handshake(sysctls: Sysctls) -> Iterator[Computed]:
    meaning = (
        "A handshake that the client does not complete is dropped after {}, sooner while the SYN "
        "queue is more than half full."
    )
    seconds = compute.synack_give_up_s(sysctls)
    limits = ("net.ipv4.tcp_synack_retries",)
    feeds = ("syn-queue-full", "syn-flood")
    yield from _time("accept", "handshake given up", seconds, meaning, limits, feeds)


def _black_hole(sysctls: Sysctls) -> Iterator[Computed]:
    seconds = compute.give_up_s(sysctls)
    exact = f" ({seconds:,.1f} s)" if seconds is not None else ""
    meaning = f"Unanswered data is given up at the first retry after {{}}{exact}."
    limits = ("net.ipv4.tcp_retries2", "net.ipv4.tcp_rto_max_ms")
    yield from _time("loss", "black hole given up", seconds, meaning, limits, ("black-hole",))


def _dead_peer(sysctls: Sysctls) -> Iterator[Computed]:
    names = ("tcp_keepalive_time", "tcp_keepalive_probes", "tcp_keepalive_intvl")
    limits = tuple(f"net.ipv4.{name}" for name in names)
    idle, probes, interval = (number(sysctls, name) or 0 for name in limits)
    meaning = (
        f"A peer that vanished while idle is noticed after {{}} ({idle:,} s + {probes} x "
        f"{interval:,} s), and only where the program asked for keepalive."
    )
    seconds = compute.keepalive_detection_s(sysctls)
    feeds = ("keepalive-too-slow", "keepalive-missing")
    yield from _time("idle", "dead peer noticed", seconds, meaning, limits, feeds)


def _orphan(sysctls: Sysctls) -> Iterator[Computed]:
    meaning = "A closed connection whose last data or FIN is not answered is dropped after {}."
    seconds = compute.orphan_give_up_s(sysctls)
    limits = ("net.ipv4.tcp_orphan_retries",)
    feeds = ("half-closed", "orphan-or-memory-pressure")
    yield from _time("closing", "orphan dropped", seconds, meaning, limits, feeds)
