"""What slow-path says of each kind: title, evidence, advice and the command that shows it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tcptop.analysis.findings import ends, pacing, words
from tcptop.analysis.findings.observations import Observations
from tcptop.analysis.findings.pacing import Slow
from tcptop.model.pace import (
    HOLES,
    IN,
    LATE,
    OWN_WINDOW,
    PEER_WINDOW,
    QUEUE,
    SEND_BUFFER,
    SMALL_IN,
    SMALL_OUT,
)

EXAMPLES_MBIT = (100, 1000, 10_000, 100_000)  # that windows are compared with
_HEADERS = 120  # IP, TCP and their options, at most
_CLASSIC = 65_535


def title(seen: Observations, slow: Slow) -> str:
    who, much = slow.group.who, f"{words.size(slow.rate)}/s"
    where, many = _where(seen, slow), len(slow.at) > 1
    most = f"at most {much} on each of" if many else f"no more than {much}"
    trip = f"in a round trip of {_ms(_least(seen, slow))}"
    size = words.size(_window(seen, slow))
    if slow.kind == PEER_WINDOW:
        return f"{who} sends {most} {where}: the window there takes {size} {trip}"
    if slow.kind == OWN_WINDOW:
        return f"{who} receives {most} {_whence(seen, slow)}: its own window takes {size} {trip}"
    if slow.kind == SEND_BUFFER and pacing.one_buffer(seen, slow):
        return f"{who} sends {most} {where}: its send buffer takes {size} {trip}"
    if slow.kind == SEND_BUFFER:
        return f"{who} sends {most} {where}: its send buffer of {size} holds it back {trip}"
    if slow.kind == QUEUE:
        return (
            f"A queue on the way {where}: the round trip takes {_ms(_rtt(seen, slow))}, "
            f"{_ms(_least(seen, slow))} at best, while {who} sends {much}"
        )
    return _small_title(seen, slow, where)


def _small_title(seen: Observations, slow: Slow, where: str) -> str:
    who, number = slow.group.who, words.number(pacing.segments(seen.snapshot.paces, *_key(slow)))
    if slow.kind == SMALL_OUT:
        return f"{who} sends in segments of {_mss(seen, slow)} {where}: {number} segments/s"
    if slow.kind == SMALL_IN:
        whence = _whence(seen, slow)
        return f"{who} receives in segments of {_each(seen, slow)} {whence}: {number} segments/s"
    share = words.percent(_late_share(seen, slow))
    return (
        f"What {who} receives {_whence(seen, slow)} arrives with gaps: {share} of the segments "
        "came after a missing one"
    )


def evidence(seen: Observations, slow: Slow) -> Iterator[str]:
    if slow.kind in (PEER_WINDOW, OWN_WINDOW, SEND_BUFFER):
        yield _one_window(seen, slow)
        yield from _why_so_small(seen, slow)
        yield _needed(seen, slow)
    elif slow.kind == QUEUE:
        yield from _queue(seen, slow)
    elif slow.kind == HOLES:
        yield from _holes(seen, slow)
    else:
        yield from _small(seen, slow)
    if len(slow.at) > 1 and slow.group.listener:
        yield f"They are from {ends.addresses(seen.sample, slow.group.rows)}."


def _one_window(seen: Observations, slow: Slow) -> str:
    many, much = len(slow.at), f"{words.size(slow.rate)}/s"
    fastest = " on the fastest" if many > 1 else ""
    size, trip = words.size(_window(seen, slow)), _ms(_least(seen, slow))
    begin = (
        f"{slow.group.in_full} has {words.count(many, 'connection')} {slow.group.where} that moved "
        f"{much}{fastest} for at least {words.duration(float(slow.seconds.min()))}"
    )
    if slow.kind == SEND_BUFFER and not pacing.one_buffer(seen, slow):
        share = words.percent(min(pacing.filled_share(seen, slow), 1.0))
        return (
            f"{begin}. For {share} of that time all that its send buffer of {size} (skmem tb) "
            "takes was on its way, and the program had more to write (sndbuf_limited): it takes "
            "one segment more than fits, and the next when one of them is acknowledged, after a "
            f"round trip of {trip}."
        )
    if slow.kind == SEND_BUFFER:
        return (
            f"{begin}, and all that its send buffer takes ({size}, skmem tb) was on its way: about "
            f"one buffer in each round trip of {trip}. The receiver's window and the path "
            "would have taken more."
        )
    if slow.kind == OWN_WINDOW:
        return (
            f"{begin}: about one window of {size} in each round trip of {trip}. Its program reads "
            f"what comes ({words.size(int(seen.table.recv_q[slow.row]))} in Recv-Q)."
        )
    if _tiny(seen, slow):
        return f"{begin}: the window is {size}, which is less than one segment."
    return (
        f"{begin} while more waited to be sent: about one window of {size} in each round trip of "
        f"{trip}. The window kept to that size, which that of a slow reader does not."
    )


def _why_so_small(seen: Observations, slow: Slow) -> Iterator[str]:
    if slow.kind == SEND_BUFFER:
        yield _set_by(seen, slow, pacing.send_reason(seen, slow.row))
        return
    if pacing.unscaled(seen, np.array([slow.row]))[0]:
        yield _unscaled(seen, slow)
        return
    if slow.kind == OWN_WINDOW:
        yield _set_by(seen, slow, pacing.own_reason(seen, slow.row))
    else:
        theirs, ours = (
            int(seen.table.tcp_info(name)[slow.row]) for name in ("snd_wscale", "rcv_wscale")
        )
        yield (
            f"Both ends scale their windows (wscale {theirs} there, {ours} here): what is small is "
            "the buffer of the receiver."
        )


def _unscaled(seen: Observations, slow: Slow) -> str:
    here = seen.sysctl(slow.group.netns, "net.ipv4.tcp_window_scaling")
    said = "" if here is None else f"; here net.ipv4.tcp_window_scaling = {here}"
    if slow.kind == PEER_WINDOW and _tiny(seen, slow):
        return (
            "Window scaling is not agreed on as this host knows it, and the other end seems to "
            "count its window in larger units: something on the way has taken the option out of "
            f"its SYN-ACK{said}."
        )
    return (
        f"The two ends have not agreed on window scaling, so that no window can be larger than "
        f"{words.number(_CLASSIC)} bytes: it is off at one end, or something on the way takes the "
        f"option out of SYNs{said}."
    )


def _set_by(seen: Observations, slow: Slow, reason: str) -> str:
    size = words.size(_buffer(seen, slow))
    if reason.startswith("SO_"):
        return (
            f"{reason} was set by the process, so that the kernel does not let the buffer of "
            f"{size} grow."
        )
    if reason == pacing.UNREAD:
        return (
            f"The buffer of {size} does not grow, though the kernel would let it: most likely the "
            "process has set it, which could not be read."
        )
    if reason == "net.ipv4.tcp_moderate_rcvbuf":
        return f"The kernel does not let the buffer of {size} grow: {reason} = 0."
    return f"The buffer of {size} is the largest that {reason} allows (the third number)."


def _needed(seen: Observations, slow: Slow) -> str:
    rate = _example(slow)
    return (
        f"For {words.number(rate)} Mbit/s in a round trip of {_ms(_least(seen, slow))} a window of "
        f"{words.size(_needed_for(seen, slow, rate))} is needed (bandwidth times delay)."
    )


def _example(slow: Slow) -> int:
    """The first that is well above the present rate."""
    above = (rate for rate in EXAMPLES_MBIT if rate * 1e6 / 8 >= 2 * slow.rate)
    return next(above, EXAMPLES_MBIT[-1])


def _needed_for(seen: Observations, slow: Slow, mbit: int) -> float:
    return mbit / 8 * _least(seen, slow)


def _queue(seen: Observations, slow: Slow) -> Iterator[str]:
    many = len(slow.at)
    fastest = " on the fastest" if many > 1 else ""
    yield (
        f"{slow.group.in_full} has {words.count(many, 'connection')} {slow.group.where} that sent "
        f"without a pause for at least {words.duration(float(slow.seconds.min()))}, "
        f"{words.size(slow.rate)}/s{fastest}; a round trip takes {_ms(_rtt(seen, slow))} and took "
        f"{_ms(_least(seen, slow))} at best."
    )
    yield (
        "The difference is spent in a queue before the narrowest link, which takes more than it "
        "needs (bufferbloat). All else that goes the same way waits in it too, whether or not "
        "anything is lost."
    )


def _small(seen: Observations, slow: Slow) -> Iterator[str]:
    table, row = seen.table, slow.row
    way = "received" if slow.kind == SMALL_IN else "sent"
    octets = _each(seen, slow) if slow.kind == SMALL_IN else _mss(seen, slow)
    yield (
        f"{slow.group.in_full} has {words.count(len(slow.at), 'connection')} {slow.group.where} "
        f"that {way} full segments of {octets} for at least "
        f"{words.duration(float(slow.seconds.min()))}, {words.size(slow.rate)}/s: each costs "
        "headers, an interrupt and a place in queues as a large one does."
    )
    announced = int(table.tcp_info("advmss")[row])
    path = int(table.tcp_info("pmtu")[row])
    if slow.kind == SMALL_IN:
        yield (
            f"This host would take {announced} bytes (advmss): something on the way has made the "
            "MSS of its SYN smaller, or the other end's own path or setting is small."
        )
    elif path <= int(table.tcp_info("snd_mss")[row]) + _HEADERS:
        yield (
            f"The path MTU is taken to be {path} bytes: by an ICMP message that told so, a route, "
            "or net.ipv4.tcp_mtu_probing after losses."
        )
    else:
        yield (
            f"The path MTU is {path} bytes and this host would take {announced} bytes (advmss): "
            "the other end asked for small segments in its SYN (MSS option), or something on the "
            "way made it so."
        )


def _holes(seen: Observations, slow: Slow) -> Iterator[str]:
    here, (kind, at) = seen.snapshot.paces, _key(slow)
    grown = here.grown(kind)[at]
    yield (
        f"{slow.group.in_full}: of {words.count(grown[IN], 'segment')} with data from "
        f"{words.remote(seen.sample, slow.row)} in {words.duration(_seconds(seen, slow))} "
        f"{words.number(grown[LATE])} came after one that was missing (rcv_ooopack)."
    )
    yield (
        "A receiver does not see which of those before were lost and which only overtaken: what "
        "the sender retransmits tells (bytes_retrans of ss -ti there)."
    )


def _late_share(seen: Observations, slow: Slow) -> float:
    kind, at = _key(slow)
    grown = seen.snapshot.paces.grown(kind)[at]
    return float(grown[LATE] / max(grown[IN], 1))


def advice(seen: Observations, slow: Slow) -> str:
    needed = words.size(2 * _needed_for(seen, slow, _example(slow)))
    sure = f"{needed} or more (twice what is needed: the kernel keeps a part)"
    if slow.kind in (PEER_WINDOW, OWN_WINDOW) and pacing.unscaled(seen, slow.group.rows).any():
        off = seen.sysctl(slow.group.netns, "net.ipv4.tcp_window_scaling") == 0
        if off:
            return "Set net.ipv4.tcp_window_scaling to 1 here; new connections use it."
        return (
            "See that net.ipv4.tcp_window_scaling is 1 at the other end too, then look for the "
            "firewall, load balancer or proxy that takes the option out: tcpdump the SYN and the "
            "SYN-ACK at both ends and compare wscale. New connections use it."
        )
    if slow.kind == PEER_WINDOW:
        return (
            "At the receiver: no SO_RCVBUF in its program (the kernel tunes better), and a third "
            f"number of net.ipv4.tcp_rmem of {sure}. Or several connections side by side. Nothing "
            "here makes that window larger."
        )
    if slow.kind == OWN_WINDOW:
        return _own(slow, pacing.own_reason(seen, slow.row), "SO_RCVBUF", "tcp_rmem", sure)
    if slow.kind == SEND_BUFFER:
        return _own(slow, pacing.send_reason(seen, slow.row), "SO_SNDBUF", "tcp_wmem", sure)
    return _on_the_way(slow)


def _own(slow: Slow, reason: str, option: str, sysctl: str, sure: str) -> str:
    if reason in (option, pacing.UNREAD):
        return (
            f"In {slow.group.who} do not set {option}, so that the kernel tunes the buffer, or set "
            f"{sure}; for new connections, before connect() or listen()."
        )
    if reason.endswith("moderate_rcvbuf"):
        return f"Set {reason} to 1: new connections then have a buffer that grows."
    return f"Raise the third number of net.ipv4.{sysctl} to {sure}; new connections use it."


def _on_the_way(slow: Slow) -> str:
    if slow.kind == QUEUE:
        return (
            "At the narrowest link: fq_codel or cake in place of a long queue (tc -s qdisc shows "
            "what waits in this host's own). Here: let the bulk transfer send a little less than "
            "the link takes, or with net.ipv4.tcp_congestion_control = bbr. A larger buffer or "
            "window makes it worse."
        )
    if slow.kind == HOLES:
        return (
            "Follow the way from there to here: links, Wi-Fi, tunnels, policers; and what this "
            "host drops itself as it arrives (ip -s link, ethtool -S). The sender's tcptop tells "
            "how much it retransmits (retransmission-rate)."
        )
    return (
        "Compare the MSS in SYN and SYN-ACK at both ends (tcpdump): who makes it smaller is "
        "between. Look for TCPMSS rules of firewalls and tunnels, TCP_MAXSEG, a route's mtu or "
        "advmss (ip route get), and net.ipv4.tcp_mtu_probing where losses made it shrink."
    )


def confirm(seen: Observations, slow: Slow) -> str:
    if slow.group.listener:
        return f"ss -tinm '{words.served(seen.sample, slow.row)}'"
    return f"ss -tinm 'dst {words.in_filter(words.remote(seen.sample, slow.row))}'"


def _where(seen: Observations, slow: Slow) -> str:
    """to 10.0.0.9:80; 3 connections to it; to client 10.0.0.7:50000; to 3 clients of :80"""
    many, group = len(slow.at), slow.group
    listed = slow.kind in (PEER_WINDOW, SEND_BUFFER) and many > 1
    if group.destination:
        number = f"{many} connections " if listed else ""
        return f"{number}to {group.destination}"
    if many == 1:
        return f"to client {words.remote(seen.sample, slow.row)}"
    return (
        f"{many} connections to clients of {group.listener}"
        if listed
        else f"to {many} clients of {group.listener}"
    )


def _whence(seen: Observations, slow: Slow) -> str:
    many, group = len(slow.at), slow.group
    listed = slow.kind == OWN_WINDOW and many > 1
    number = f"{many} connections " if listed else ""
    if group.destination:
        return f"{number}{'with' if listed else 'from'} {group.destination}"
    if many == 1:
        return f"from client {words.remote(seen.sample, slow.row)}"
    return f"{number}from {'' if listed else f'{many} '}clients of {group.listener}"


def _key(slow: Slow) -> tuple[int, int]:
    return slow.kind, slow.fastest


def _seconds(seen: Observations, slow: Slow) -> float:
    here = seen.snapshot.paces
    return float(here.clock - here.since[slow.fastest, slow.kind])


def _window(seen: Observations, slow: Slow) -> float:
    return float(seen.snapshot.paces.high[slow.fastest, slow.kind])


def _buffer(seen: Observations, slow: Slow) -> int:
    name = "sndbuf" if slow.kind == SEND_BUFFER else "rcvbuf"
    return int(seen.table.memory_of(name)[slow.row])


def _tiny(seen: Observations, slow: Slow) -> bool:
    return _window(seen, slow) < int(seen.table.tcp_info("snd_mss")[slow.row])


def _mss(seen: Observations, slow: Slow) -> str:
    return words.count(int(seen.table.tcp_info("snd_mss")[slow.row]), "byte")


def _each(seen: Observations, slow: Slow) -> str:
    """What came in a segment, on average."""
    here = seen.snapshot.paces
    return words.count(round(slow.rate / max(pacing.segments(here, *_key(slow)), 1e-9)), "byte")


def _least(seen: Observations, slow: Slow) -> float:
    return float(seen.table.info_of("min_rtt", np.array([slow.row]))[0])


def _rtt(seen: Observations, slow: Slow) -> float:
    return float(seen.table.info_of("rtt", np.array([slow.row]))[0])


def _ms(us: float) -> str:
    return f"{us / 1000:.0f} ms"
