"""The kernel's names: states, timers and the layout of struct tcp_info."""

from __future__ import annotations

from tcptop.model.named_tuple import NamedTuple

# include/net/tcp_states.h; the index is the kernel's number, 0 is unused.
STATES = (
    "",
    "ESTABLISHED",
    "SYN_SENT",
    "SYN_RECV",
    "FIN_WAIT1",
    "FIN_WAIT2",
    "TIME_WAIT",
    "CLOSE",
    "CLOSE_WAIT",
    "LAST_ACK",
    "LISTEN",
    "CLOSING",
)
(
    ESTABLISHED,
    SYN_SENT,
    SYN_RECV,
    FIN_WAIT1,
    FIN_WAIT2,
    TIME_WAIT,
    CLOSE,
    CLOSE_WAIT,
    LAST_ACK,
    LISTEN,
    CLOSING,
) = range(1, 12)
CLOSED_HERE = (FIN_WAIT1, FIN_WAIT2, TIME_WAIT, LAST_ACK, CLOSING)  # no process need hold these

# iproute2's spellings of the same.
SS_STATES = (
    "",
    *("ESTAB", "SYN-SENT", "SYN-RECV", "FIN-WAIT-1", "FIN-WAIT-2", "TIME-WAIT", "UNCONN"),
    *("CLOSE-WAIT", "LAST-ACK", "LISTEN", "CLOSING"),
)
# As ss writes them in filters.
FILTER_STATES = (
    "",
    *("established", "syn-sent", "syn-recv", "fin-wait-1", "fin-wait-2", "time-wait", "closed"),
    *("close-wait", "last-ack", "listening", "closing"),
)

# idiag_timer, net/ipv4/inet_diag.c; 5 since 7.0. Later kernels may add more.
TIMERS = ("", "retransmit", "keepalive", "timewait", "persist", "delack")
RETRANSMIT, KEEPALIVE, TIMEWAIT, PERSIST, DELACK = range(1, 6)
TIMEWAIT_MS = 60_000  # TCP_TIMEWAIT_LEN, include/net/tcp.h: fixed when the kernel is compiled

AF_INET = 2
AF_INET6 = 10

# inet_diag attributes (include/uapi/linux/inet_diag.h) that become columns.
INFO = 2
CONG = 4
SKMEMINFO = 7
SHUTDOWN = 8
SKV6ONLY = 11
MARK = 15
ULP_INFO = 19
CGROUP_ID = 21
SOCKOPT = 22


class InfoField(NamedTuple):
    """Where a tcp_info field lies; known only in a struct of at least `since` bytes."""

    name: str
    offset: int
    size: int
    since: int
    shift: int = 0
    mask: int = 0


def _bytes() -> list[InfoField]:
    names = ("state", "ca_state", "retransmits", "probes", "backoff", "options")
    return [InfoField(name, at, 1, 104) for at, name in enumerate(names)] + [
        InfoField("snd_wscale", 6, 1, 104, 0, 0x0F),
        InfoField("rcv_wscale", 6, 1, 104, 4, 0x0F),
        InfoField("delivery_rate_app_limited", 7, 1, 168, 0, 0x01),
        InfoField("fastopen_client_fail", 7, 1, 232, 1, 0x03),
    ]


def _run(first: int, size: int, since: int, names: str) -> list[InfoField]:
    return [
        InfoField(name, first + size * index, size, since)
        for index, name in enumerate(names.split())
    ]


# struct tcp_info (include/uapi/linux/tcp.h). It only ever grew, so its length says which fields
# a kernel fills. Bytes 276 to 279 were laid out anew between 6.18 and 7.0 and are not read.
TCP_INFO: tuple[InfoField, ...] = (
    *_bytes(),
    *_run(8, 4, 104, "rto ato snd_mss rcv_mss unacked sacked lost retrans fackets"),
    *_run(44, 4, 104, "last_data_sent last_ack_sent last_data_recv last_ack_recv pmtu"),
    *_run(64, 4, 104, "rcv_ssthresh rtt rttvar snd_ssthresh snd_cwnd advmss reordering"),
    *_run(92, 4, 104, "rcv_rtt rcv_space total_retrans"),
    *_run(104, 8, 120, "pacing_rate max_pacing_rate"),
    *_run(120, 8, 136, "bytes_acked bytes_received"),
    *_run(136, 4, 144, "segs_out segs_in"),
    *_run(144, 4, 160, "notsent_bytes min_rtt data_segs_in data_segs_out"),
    *_run(160, 8, 168, "delivery_rate"),
    *_run(168, 8, 192, "busy_time rwnd_limited sndbuf_limited"),
    *_run(192, 4, 200, "delivered delivered_ce"),
    *_run(200, 8, 224, "bytes_sent bytes_retrans"),
    *_run(216, 4, 224, "dsack_dups reord_seen"),
    *_run(224, 4, 232, "rcv_ooopack snd_wnd"),
    *_run(232, 4, 240, "rcv_wnd rehash"),
    *_run(240, 2, 248, "total_rto total_rto_recoveries"),
    *_run(244, 4, 248, "total_rto_time"),
    *_run(248, 4, 280, "received_ce delivered_e1_bytes delivered_e0_bytes delivered_ce_bytes"),
    *_run(264, 4, 280, "received_e1_bytes received_e0_bytes received_ce_bytes"),
)
TCP_INFO_BY_NAME = {field.name: field for field in TCP_INFO}
TCP_INFO_SIZE = 280

# The kernel fills these without knowing them while a connection is only being asked for:
# min_rtt is all ones and last_* count from boot (net/ipv4/tcp.c, tcp_get_info).
UNKNOWN_IN_SYN_SENT = frozenset(
    {"min_rtt", "last_data_sent", "last_ack_sent", "last_data_recv", "last_ack_recv"}
)

# struct sk_meminfo, SK_MEMINFO_VARS in their order (include/uapi/linux/sock_diag.h).
MEMORY = (
    "rmem_alloc",
    "rcvbuf",
    "wmem_alloc",
    "sndbuf",
    "fwd_alloc",
    "wmem_queued",
    "optmem",
    "backlog",
    "drops",
)
