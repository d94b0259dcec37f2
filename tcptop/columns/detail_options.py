"""The options of one socket as lines of (name, value, meaning), by the kernel's names."""

from __future__ import annotations

from collections.abc import Iterator

from tcptop.columns import units
from tcptop.model.cells import safe
from tcptop.model.sockopt import SocketOptions

OptionLine = tuple[str, str, str]

# What each switch means when it is off, and when it is on.
SWITCHES = (
    (
        "nodelay",
        "TCP_NODELAY",
        "a small write waits while a small segment is not acknowledged (Nagle)",
        "a small write is sent at once",
    ),
    ("cork", "TCP_CORK", "written data is sent", "a partial segment waits, up to 200 ms"),
    (
        "quickack",
        "TCP_QUICKACK",
        "now: ACKs wait for data to go with",
        "now: data is acknowledged at once",
    ),
)
LISTENER_SWITCHES = (
    (
        "reuseaddr",
        "SO_REUSEADDR",
        "listening again waits until old connections are gone from TIME-WAIT",
        "listening again works while old connections are in TIME-WAIT",
    ),
    (
        "reuseport",
        "SO_REUSEPORT",
        "no other socket may listen here",
        "others of the same user may listen here too; the kernel spreads connections",
    ),
)


def lines(options: SocketOptions, listens: bool, clock: float) -> Iterator[OptionLine]:
    """What is known, the unknown left out; `clock` is when the sample was taken."""
    if options.why_not:
        yield "options", units.UNKNOWN, f"not known: {options.why_not}"
        return
    yield from _switches(options, SWITCHES)
    yield from _keepalive(options)
    yield from _user_timeout(options)
    yield from _buffers(options)
    yield from _closing(options)
    if listens:
        yield from _defer_accept(options)
        yield from _switches(options, LISTENER_SWITCHES)
    if options.congestion is not None:
        yield "TCP_CONGESTION", safe(options.congestion), "congestion control algorithm"
    age = units.long_duration(max(0.0, clock - options.read_at))
    yield "read", f"{age} ago", "with getsockopt, from a copy of the descriptor"


def _switches(
    options: SocketOptions, switches: tuple[tuple[str, str, str, str], ...]
) -> Iterator[OptionLine]:
    for field, name, off, on in switches:
        if (value := getattr(options, field)) is not None:
            yield name, _on(value), on if value else off


def _on(value: bool) -> str:
    return "on" if value else "off"


def _keepalive(options: SocketOptions) -> Iterator[OptionLine]:
    if options.keepalive is None:
        return
    if not options.keepalive:
        yield "SO_KEEPALIVE", "off", "a dead peer is never noticed while nothing is sent"
        return
    after = options.dead_peer_after_s
    noticed = (
        "" if after is None else f"a dead peer is noticed after {units.long_duration(after)} idle"
    )
    yield "SO_KEEPALIVE", "on", noticed
    if options.keepidle_s is not None:
        yield "TCP_KEEPIDLE", f"{options.keepidle_s} s", "idle this long, the peer is probed"
    if options.keepintvl_s is not None:
        yield "TCP_KEEPINTVL", f"{options.keepintvl_s} s", "between unanswered probes"
    if options.keepcnt is not None:
        ends = (
            "TCP_USER_TIMEOUT decides instead"
            if options.user_timeout_ms
            else "then the connection ends"
        )
        yield "TCP_KEEPCNT", str(options.keepcnt), f"unanswered probes; {ends}"


def _user_timeout(options: SocketOptions) -> Iterator[OptionLine]:
    name, timeout = "TCP_USER_TIMEOUT", options.user_timeout_ms
    if timeout == 0:
        yield name, "none", "unacknowledged data: net.ipv4.tcp_retries2 says when to give up"
    elif timeout is not None:
        yield name, f"{timeout} ms", "data unacknowledged this long ends the connection"


def _buffers(options: SocketOptions) -> Iterator[OptionLine]:
    sides = (
        ("SO_RCVBUF", options.rcvbuf, options.rcvbuf_locked, "receive"),
        ("SO_SNDBUF", options.sndbuf, options.sndbuf_locked, "send"),
    )
    tuned = {None: "", False: "; the kernel tunes it", True: "; fixed by the process, not tuned"}
    for name, size, locked, side in sides:
        if size is not None:
            meaning = f"{side} buffer limit, overhead included{tuned[locked]}"
            yield name, f"{size:,} B", meaning
    unsent = options.notsent_lowat
    if unsent == 0:
        yield "TCP_NOTSENT_LOWAT", "default", "net.ipv4.tcp_notsent_lowat applies"
    elif unsent is not None:
        yield "TCP_NOTSENT_LOWAT", f"{unsent:,} B", "writable again when less than this is unsent"


def _closing(options: SocketOptions) -> Iterator[OptionLine]:
    seconds = options.linger_s
    if options.linger is False:
        yield (
            "SO_LINGER",
            "off",
            "close() returns at once, the kernel keeps sending for some minutes",
        )
    elif options.linger and seconds == 0:
        yield "SO_LINGER", "0 s", "close() resets the connection and drops what is left"
    elif options.linger and seconds is not None:
        yield "SO_LINGER", f"{seconds} s", "close() waits this long for what is left to be sent"
    if options.linger2_s is not None and options.linger2_s < 0:
        yield "TCP_LINGER2", "none", "after close() the kernel does not wait for the peer's FIN"
    elif options.linger2_s is not None:
        yield "TCP_LINGER2", f"{options.linger2_s} s", "wait for the peer's FIN after close()"


def _defer_accept(options: SocketOptions) -> Iterator[OptionLine]:
    name, seconds = "TCP_DEFER_ACCEPT", options.defer_accept_s
    if seconds == 0:
        yield name, "off", "a connection is accepted when the handshake completes"
    elif seconds is not None:
        yield name, f"{seconds} s", "a connection is accepted when it has sent data"
