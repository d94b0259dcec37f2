"""Every spelling of a TCP state or a group of states, as masks of kernel state numbers."""

from __future__ import annotations

from tcptop.model import tcp

ALL = (1 << tcp.CLOSING + 1) - 2
BOUND_INACTIVE = 1 << 13  # include/net/tcp_states.h, since 6.8; such sockets are in no table


def mask_of(*states: int) -> int:
    return sum(1 << state for state in states)


CONNECTED = ALL & ~mask_of(tcp.CLOSE, tcp.LISTEN)
BUCKET = mask_of(tcp.SYN_RECV, tcp.TIME_WAIT)
GROUPS = {
    "all": ALL,
    "connected": CONNECTED,
    "synchronized": CONNECTED & ~mask_of(tcp.SYN_SENT),
    "bucket": BUCKET,
    "big": ALL & ~BUCKET,
}
# What ss falls back to where its clauses leave no state: SS_CONN in misc/ss.c.
SS_DEFAULT = CONNECTED & ~BUCKET

# These are offered as completions.
NAMES = {name: state for state, name in enumerate(tcp.FILTER_STATES) if name}
_OTHERS = {
    "estab": tcp.ESTABLISHED,
    "synrcv": tcp.SYN_RECV,
    "close": tcp.CLOSE,
    "unconnected": tcp.CLOSE,
    "unconn": tcp.CLOSE,
    "listen": tcp.LISTEN,
}
WORDS = (*NAMES, *GROUPS)


def _plain(word: str) -> str:
    return word.lower().replace("-", "").replace("_", "")


_MASKS = (
    {_plain(name): 1 << state for name, state in (NAMES | _OTHERS).items()}
    | GROUPS
    | {"boundinactive": BOUND_INACTIVE}
)


def mask(word: str) -> int | None:
    """The states of a word, such as CLOSE_WAIT, close-wait or connected; None if it is none."""
    return _MASKS.get(_plain(word))
