"""When the kernel gives up, and what it sustains: computed from its sysctls.

Sysctls are mappings of full dotted names to text; a result is None where one of them is not known.
Timers fire up to an eighth late (kernel/time/timer.c), so every real time is a little longer.
"""

from __future__ import annotations

from collections.abc import Iterator

from tcptop.model import tcp
from tcptop.model.sysctls import Sysctls, number

RTO_MIN_S = 0.2  # TCP_RTO_MIN, include/net/tcp.h; the model below knows no other
RTO_MAX_S = 120.0  # TCP_RTO_MAX; tcp_rto_max_ms since 6.15
RTO_INIT_S = 1.0  # TCP_TIMEOUT_INIT: of SYN and SYN-ACK
TIMEWAIT_S = tcp.TIMEWAIT_MS / 1000
ORPHAN_RETRIES = 8  # what 0 means to tcp_orphan_retries(), net/ipv4/tcp_timer.c
ENDLESS = 2**31  # ms; kernels without a clamp let a timer that is due wrap around


def keepalive_detection_s(sysctls: Sysctls) -> float | None:
    """Until a vanished peer is noticed on a socket that set SO_KEEPALIVE and nothing else."""
    idle = number(sysctls, "net.ipv4.tcp_keepalive_time")
    interval = number(sysctls, "net.ipv4.tcp_keepalive_intvl")
    probes = number(sysctls, "net.ipv4.tcp_keepalive_probes")
    if idle is None or interval is None or probes is None:
        return None
    return keepalive_s(idle, interval, probes)


def keepalive_s(idle_s: float, interval_s: float, probes: int) -> float:
    """From the last sign of life to ETIMEDOUT: the last probe is waited for, too."""
    return idle_s + interval_s * probes


def rto_max_s(sysctls: Sysctls) -> float:
    """The longest retransmission timeout that a socket gets by default."""
    value = number(sysctls, "net.ipv4.tcp_rto_max_ms")
    return RTO_MAX_S if value is None else value / 1000


def give_up_s(sysctls: Sysctls) -> float | None:
    """How long sent data may stay unanswered (tcp_retries2), from its first retransmission.

    A lower bound: the kernel looks only when a retransmission is due. 924.6 s by default.
    """
    retries = number(sysctls, "net.ipv4.tcp_retries2")
    return None if retries is None else model_timeout_s(retries, RTO_MIN_S, rto_max_s(sysctls))


def orphan_give_up_s(sysctls: Sysctls) -> float | None:
    """The same for a socket that its process has closed: unanswered data, FIN or window probes."""
    retries = number(sysctls, "net.ipv4.tcp_orphan_retries")
    if retries is None:
        return None
    return model_timeout_s(retries or ORPHAN_RETRIES, RTO_MIN_S, rto_max_s(sysctls))


def model_timeout_s(retries: int, rto_s: float, longest_s: float) -> float:
    """tcp_model_timeout, net/ipv4/tcp_timer.c: timeouts that double up to the longest, added up."""
    doublings = int(longest_s / rto_s + 1e-9).bit_length() - 1
    doubled = (2.0 ** (min(retries, doublings) + 1) - 1) * rto_s
    return doubled + max(retries - doublings, 0) * longest_s


def retransmitting_for_s(
    rto_us: float, backoff: int, expires_ms: float, longest_s: float = RTO_MAX_S
) -> float:
    """How long the oldest unanswered data has been waiting for its answer, from one sample.

    The timeouts that ran out, and what has passed of the present one. A lower bound once the
    timeout has reached the longest: what it was at first is no longer known then.
    """
    first = _first_rto_s(rto_us, backoff, longest_s)
    spent = sum(min(first * 2.0**n, longest_s) for n in range(backoff))
    return spent + max(rto_us / 1e6 - _expires_s(expires_ms), 0.0)


def give_up_in_s(sysctls: Sysctls, rto_us: float, backoff: int, expires_ms: float) -> float | None:
    """Until the kernel gives up a socket that retransmits data, if nobody answers.

    Its TCP_USER_TIMEOUT, which no dump shows, may end it at another time. At the latest: once the
    timeout has reached the longest, it may be one of those less.
    """
    return _left_s(give_up_s(sysctls), rto_max_s(sysctls), rto_us, backoff, expires_ms)


def orphan_give_up_in_s(
    sysctls: Sysctls, rto_us: float, backoff: int, expires_ms: float, waited_s: float = 0.0
) -> float | None:
    """The same for a socket that its process has closed, and that has waited for so long at least.

    An ICMP error that undoes doublings does not set back the clock of the limit.
    """
    limit, longest = orphan_give_up_s(sysctls), rto_max_s(sysctls)
    return _left_s(limit, longest, rto_us, backoff, expires_ms, waited_s)


def orphan_probes_in_s(sysctls: Sysctls, rto_us: float, backoff: int, expires_ms: float) -> float:
    """Until the kernel gives up one whose peer answers its window probes and takes nothing.

    That is when a probe is due whose wait had reached the longest (tcp_probe_timer).
    """
    longest, left = rto_max_s(sysctls), _expires_s(expires_ms)
    rto = max(rto_us / 1e6, RTO_MIN_S / 100)
    while rto * 2.0**backoff < longest:
        backoff += 1
        left += min(rto * 2.0**backoff, longest)
    return left


def _left_s(
    limit: float | None,
    longest: float,
    rto_us: float,
    backoff: int,
    expires_ms: float,
    waited_s: float = 0.0,
) -> float | None:
    if limit is None:
        return None
    left = _expires_s(expires_ms)
    # The clock of the limit starts with the first retransmission, not with the first timeout.
    first = _first_rto_s(rto_us, backoff, longest)
    told_s = retransmitting_for_s(rto_us, backoff, expires_ms, longest)
    if waited_s > told_s + first:  # doublings were undone, and may be again
        return max(left, limit - waited_s + first)
    elapsed = told_s - first + left
    if backoff == 0:
        elapsed = 0.0
    rto = rto_us / 1e6
    while elapsed < limit:
        rto = min(rto * 2, longest)
        elapsed += rto
        left += rto
    return left


def _first_rto_s(rto_us: float, backoff: int, longest_s: float) -> float:
    """What the timeout was before it was doubled; at least that, where it is the longest."""
    first = rto_us / 1e6 / 2.0**backoff
    return max(first, RTO_MIN_S) if rto_us / 1e6 >= longest_s else first


def _expires_s(expires_ms: float) -> float:
    return 0.0 if expires_ms >= ENDLESS else expires_ms / 1000


def syn_give_up_s(sysctls: Sysctls) -> float | None:
    """Until a connect() that nobody answers fails with ETIMEDOUT. 131 s by default, 127 before 6.5.

    Since 6.5 the first tcp_syn_linear_timeouts waits do not double.
    """
    times = list(_syn_timeouts(sysctls))
    return times[-1] if times else None


def syn_give_up_in_s(sysctls: Sysctls, retrans: int, expires_ms: float) -> float | None:
    """The same for a socket in SYN_SENT that has sent its SYN again `retrans` times."""
    times = list(_syn_timeouts(sysctls))
    if not times:
        return None
    return times[-1] - times[min(retrans, len(times) - 1)] + _expires_s(expires_ms)


def _syn_timeouts(sysctls: Sysctls) -> Iterator[float]:
    """When a SYN's timer fires; the last time is the end (tcp_write_timeout, tcp_timer.c).

    It ends by the number of retransmissions or by the time without linear ones, what comes first.
    """
    retries = number(sysctls, "net.ipv4.tcp_syn_retries")
    if retries is None:
        return
    linear = number(sysctls, "net.ipv4.tcp_syn_linear_timeouts") or 0
    longest = rto_max_s(sysctls)
    limit, elapsed = model_timeout_s(retries, RTO_INIT_S, longest), 0.0
    for sent_again in range(retries + linear + 1):
        elapsed += min(RTO_INIT_S * 2.0 ** max(sent_again - linear, 0), longest)
        yield elapsed
        if sent_again and elapsed >= limit:
            return


def synack_give_up_s(sysctls: Sysctls) -> float | None:
    """Until a handshake that the client does not finish is dropped: 63 s by default.

    Sooner where the SYN queue is more than half full (reqsk_timer_handler).
    """
    retries = number(sysctls, "net.ipv4.tcp_synack_retries")
    return None if retries is None else model_timeout_s(retries, RTO_INIT_S, rto_max_s(sysctls))


def sustained_connections_per_s(candidates: int, reuse_after_s: float = TIMEWAIT_S) -> float:
    """Connections a second that so many ports sustain towards one destination.

    Where this end closes first, each port waits in TIME_WAIT before it is used again.
    """
    return candidates / reuse_after_s
