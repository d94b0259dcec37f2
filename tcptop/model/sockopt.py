"""The options of one socket, as its owner set them or the kernel's defaults left them."""

from __future__ import annotations

from tcptop.model.dataclass import dataclass


@dataclass(frozen=True, slots=True)
class SocketOptions:
    """What getsockopt(2) says, in the kernel's units (buffers in bytes); None is unknown.

    `read_at` is on the monotonic clock of samples. `why_not` is empty where the socket was read;
    else it is a short reason, and every option is unknown.
    """

    read_at: float
    why_not: str = ""
    nodelay: bool | None = None
    cork: bool | None = None
    quickack: bool | None = None  # as of now: the kernel goes in and out of it by itself
    keepalive: bool | None = None
    keepidle_s: int | None = None
    keepintvl_s: int | None = None
    keepcnt: int | None = None
    user_timeout_ms: int | None = None  # 0: none
    linger: bool | None = None
    linger_s: int | None = None  # known where linger is on
    linger2_s: int | None = None  # below 0: no FIN-WAIT-2 after close()
    defer_accept_s: int | None = None  # 0: off
    rcvbuf: int | None = None
    sndbuf: int | None = None
    rcvbuf_locked: bool | None = None  # set by the process, so that the kernel does not tune it
    sndbuf_locked: bool | None = None
    notsent_lowat: int | None = None  # bytes; 0: net.ipv4.tcp_notsent_lowat applies
    reuseaddr: bool | None = None
    reuseport: bool | None = None
    congestion: str | None = None

    @property
    def dead_peer_after_s(self) -> float | None:
        """When keepalive ends an idle connection whose peer is gone; None: never, or not known.

        With TCP_USER_TIMEOUT the number of probes does not matter, but one has to be unanswered
        (tcp_keepalive_timer in net/ipv4/tcp_timer.c).
        """
        idle, interval, count = self.keepidle_s, self.keepintvl_s, self.keepcnt
        if not self.keepalive or idle is None or interval is None or count is None:
            return None
        if self.user_timeout_ms and interval > 0:
            left_ms = self.user_timeout_ms - idle * 1000
            count = max(1, -(-left_ms // (interval * 1000)))
        return idle + count * interval
