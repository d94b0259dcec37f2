"""The sysctls that are read: what each bounds, and the kernel's default.

Documentation/networking/ip-sysctl.rst and nf_conntrack-sysctl.rst of the kernel, and net/ipv4/.
"""

from __future__ import annotations

from tcptop.model.named_tuple import NamedTuple
from tcptop.model.sysctls import SOMAXCONN


class Sysctl(NamedTuple):
    """`default` is None where it depends: `remark` says on what, or which kernels differ."""

    name: str
    default: str | None
    bounds: str
    remark: str = ""
    feeds: tuple[str, ...] = ()  # ids of findings

    def is_default(self, value: str) -> bool:
        """Whether a value as it is shown is the default; not where the default varies."""
        return self.default is not None and value == (self.default or "none")

    @property
    def default_text(self) -> str:
        """The default as one reads it, or on what it depends."""
        if self.default is None:
            return f"default {self.remark}"
        remark = f" ({self.remark})" if self.remark else ""
        return f"default {self.default or 'none'}{remark}"


MEMORY = "by the host's memory"

SETTINGS = (
    Sysctl("net.ipv4.ip_local_port_range", "32768 60999",
            "First and last port that connect() and bind(0) pick automatically.",
            "61000 before 4.2", ("ephemeral-port-exhaustion", "connection-churn")),
    Sysctl("net.ipv4.ip_local_reserved_ports", "",
            "Ports of that range that are never picked automatically.",
            "", ("ephemeral-port-exhaustion", "self-connect")),
    Sysctl("net.ipv4.tcp_tw_reuse", "2",
            "Whether connect() may reuse a port in TIME-WAIT: 1 always, 2 on loopback, 0 never.",
            "0 before 4.19", ("ephemeral-port-exhaustion", "risky-sysctl")),
    Sysctl("net.ipv4.tcp_tw_reuse_delay", "1000",
            "How long, in ms, a port must have been in TIME-WAIT before connect() may reuse it.",
            "exists since 6.14", ("ephemeral-port-exhaustion",)),
    Sysctl("net.ipv4.tcp_tw_recycle", "0",
            "1 drops clients behind NAT at random.", "removed in 4.12", ("risky-sysctl",)),
    Sysctl("net.ipv4.tcp_syn_retries", "6",
            "How often connect() retransmits its SYN.", "5 before 3.7", ("connect-unanswered",)),
    Sysctl("net.ipv4.tcp_syn_linear_timeouts", "4",
            "How many SYN retries of connect() come after 1 s each, before the wait doubles.",
            "exists since 6.5", ("connect-unanswered",)),
    Sysctl("net.ipv4.tcp_synack_retries", "5",
            "How often a listener retransmits its SYN-ACK.",
            "", ("syn-queue-full", "syn-flood")),
    Sysctl(SOMAXCONN, "4096",
            "The largest backlog that listen() grants from now on: the length of accept queues.",
            "128 before 5.4", ("accept-queue-overflow", "risky-sysctl")),
    Sysctl("net.ipv4.tcp_max_syn_backlog", None,
            "Half-open connections of a listener while cookies are off; otherwise no effect.",
            "by the host's memory, at least 128", ("syn-queue-full",)),
    Sysctl("net.ipv4.tcp_syncookies", "1",
            "SYN cookies: 1 when a SYN queue is full, 2 always, 0 never: SYNs are dropped.",
            "", ("syn-queue-full", "syn-flood", "risky-sysctl")),
    Sysctl("net.ipv4.tcp_abort_on_overflow", "0",
            "1 resets clients whose final ACK hits a full accept queue; SYNs are always dropped.",
            "", ("accept-queue-overflow", "risky-sysctl")),
    Sysctl("net.core.netdev_max_backlog", "1000",
            "Packets that wait for one CPU before more are dropped."),
    Sysctl("net.ipv4.tcp_retries1", "3",
            "Retransmissions after which another route is looked for."),
    Sysctl("net.ipv4.tcp_retries2", "15",
            "How long sent data may stay unanswered, as a number of retransmissions.",
            "", ("black-hole",)),
    Sysctl("net.ipv4.tcp_orphan_retries", "0",
            "The same for sockets that their process has closed; 0 means 8.",
            "", ("half-closed", "orphan-or-memory-pressure")),
    Sysctl("net.ipv4.tcp_rto_min_us", "200000",
            "The shortest wait, in µs, before data is retransmitted.", "exists since 6.11"),
    Sysctl("net.ipv4.tcp_rto_max_ms", "120000",
            "The longest wait, in ms, before data is retransmitted.",
            "exists since 6.15", ("black-hole",)),
    Sysctl("net.ipv4.tcp_thin_linear_timeouts", "0",
            "1: the first six waits of connections with little data do not double."),
    Sysctl("net.ipv4.tcp_mtu_probing", "0",
            "Looks for a smaller MTU: 1 where large segments vanish, 2 always, 0 never."),
    Sysctl("net.ipv4.tcp_sack", "1",
            "Lets receivers say which segments are missing; 0 slows every recovery."),
    Sysctl("net.ipv4.tcp_ecn", "2",
            "Marks of congestion: 1 asks for them when it connects, 2 only grants them, 0 never.",
            "3 to 5 since 6.18: with AccECN", ("connects-delayed",)),
    Sysctl("net.ipv4.tcp_timestamps", "1",
            "Timestamps: needed to reuse ports in TIME-WAIT, and for scaling and SACK after a SYN "
            "cookie.",
            "", ("risky-sysctl",)),
    Sysctl("net.ipv4.tcp_window_scaling", "1",
            "Windows over 64 KiB; 0 makes long paths slow.",
            "", ("slow-path",)),
    Sysctl("net.ipv4.tcp_congestion_control", None,
            "How fast new connections send.", "as the kernel was built, mostly cubic"),
    Sysctl("net.ipv4.tcp_slow_start_after_idle", "1",
            "1 begins slowly again after a pause."),
    Sysctl("net.ipv4.tcp_no_metrics_save", "0",
            "0 remembers round trips and loss of a destination for its next connection."),
    Sysctl("net.ipv4.tcp_rmem", None,
            "Receive buffer of a socket in bytes: least, at first, most.",
            "4096 131072 and by memory and kernel", ("recv-queue-unread", "slow-path")),
    Sysctl("net.ipv4.tcp_wmem", None,
            "Send buffer of a socket in bytes: least, at first, most.",
            "4096 16384 and by memory", ("send-queue-growing", "zero-window-peer", "slow-path")),
    Sysctl("net.ipv4.tcp_moderate_rcvbuf", "1",
            "Lets receive buffers grow up to what tcp_rmem allows.",
            "", ("slow-path",)),
    Sysctl("net.ipv4.tcp_notsent_lowat", "4294967295",
            "Unsent bytes above which a socket is not writable; the default is no limit."),
    Sysctl("net.core.rmem_max", None,
            "The largest receive buffer that SO_RCVBUF may set, in bytes.",
            "by kernel version"),
    Sysctl("net.core.wmem_max", None,
            "The largest send buffer that SO_SNDBUF may set, in bytes.",
            "by kernel version"),
    Sysctl("net.ipv4.tcp_mem", None,
            "Pages of all TCP buffers of the host: pressure ends below the first, begins at the "
            "second; at the third memory is refused.", MEMORY, ("orphan-or-memory-pressure",)),
    Sysctl("net.ipv4.tcp_max_orphans", None,
            "Closed and unfinished sockets of the host; more are reset.",
            MEMORY, ("orphan-or-memory-pressure",)),
    Sysctl("net.ipv4.tcp_keepalive_time", "7200",
            "Seconds of silence before the first keepalive probe, where a program asks for them; "
            "timers that are set stay.",
            "", ("keepalive-too-slow", "keepalive-missing")),
    Sysctl("net.ipv4.tcp_keepalive_intvl", "75",
            "Seconds between keepalive probes without an answer.", "", ("keepalive-too-slow",)),
    Sysctl("net.ipv4.tcp_keepalive_probes", "9",
            "Probes without an answer after which the peer is taken for dead.",
            "", ("keepalive-too-slow",)),
    Sysctl("net.ipv4.tcp_fin_timeout", "60",
            "Seconds in FIN-WAIT-2 after close(). It does not shorten TIME-WAIT.",
            "", ("half-closed",)),
    Sysctl("net.ipv4.tcp_max_tw_buckets", None,
            "TIME-WAITs of the namespace; more end at once, unprotected.",
            "half of the table of connections", ("time-wait-pressure",)),
    Sysctl("net.netfilter.nf_conntrack_max", None,
            "Connections that are tracked; one more evicts one without an answer, or is dropped.",
            MEMORY, ("conntrack-full",)),
    Sysctl("net.netfilter.nf_conntrack_tcp_timeout_established", "432000",
            "Seconds for which an idle open connection stays tracked: 5 days.",
            "", ("conntrack-full",)),
)  # fmt: skip

BY_NAME = {setting.name: setting for setting in SETTINGS}
