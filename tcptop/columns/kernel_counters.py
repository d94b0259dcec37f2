"""The counters that matter in an incident: what they count, what bounds them, what they prove."""

from __future__ import annotations

from typing import NamedTuple

from tcptop.model.sysctls import SOMAXCONN


class Entry(NamedTuple):
    """A counter of a section, the sysctls that bound it, and what it means in a sentence."""

    topic: str
    section: str
    name: str
    beside: tuple[str, ...]
    meaning: str
    bad: bool = False  # whether any rate of it is trouble
    feeds: tuple[str, ...] = ()  # ids of the findings that it is evidence for
    silent: str = ""  # why no finding tells of it, where it is trouble


# By what happens in a connection's life.
TOPICS = (
    *("opening", "accept", "traffic", "loss", "reset", "memory", "window", "idle", "closing"),
    "other",
    "setting",
)
OVERFLOW, FLOOD, SYN_QUEUE = "accept-queue-overflow", "syn-flood", "syn-queue-full"
RATE, PRESSURE, RESETS = "retransmission-rate", "orphan-or-memory-pressure", "resets"
REJECTED, DROPS, UNREAD = "packets-rejected", "listener-drops", "recv-queue-unread"


def _ipv4(*names: str) -> tuple[str, ...]:
    return tuple(f"net.ipv4.{name}" for name in names)


# Meanings as net/ipv4/ counts: tcp_input.c, tcp_ipv4.c, tcp_timer.c, tcp_minisocks.c.
CATALOGUE = (
    Entry("opening", "Tcp", "ActiveOpens", _ipv4("ip_local_port_range"), "connect() calls.",
          False, ("connection-churn", RESETS)),
    Entry("opening", "Tcp", "PassiveOpens", (), "Handshakes that listeners completed.",
          False, (RESETS,)),
    Entry("opening", "Tcp", "AttemptFails", _ipv4("tcp_syn_retries"),
          "Connections refused or unanswered before they were open.",
          True, (RESETS, "connect-unanswered")),
    Entry("opening", "TcpExt", "TCPSynRetrans", _ipv4("tcp_syn_retries", "tcp_synack_retries"),
          "SYN and SYN-ACK retransmitted: the other side did not answer.",
          True, ("connect-unanswered", FLOOD)),
    Entry("accept", "TcpExt", "ListenOverflows", (SOMAXCONN,),
          "SYNs or ACKs that met a full accept queue, retries counted.", True, (OVERFLOW,)),
    Entry("accept", "TcpExt", "ListenDrops", _ipv4("tcp_abort_on_overflow"),
          "All packets that listeners dropped, overflows included.", True, (OVERFLOW, SYN_QUEUE)),
    Entry("accept", "TcpExt", "TCPReqQFullDoCookies", _ipv4("tcp_syncookies"),
          "SYN queue full: a cookie; no SACK or scaling without timestamps.", True, (SYN_QUEUE,)),
    Entry("accept", "TcpExt", "TCPReqQFullDrop", _ipv4("tcp_max_syn_backlog"),
          "SYN queue full and cookies off: dropped.", True, (SYN_QUEUE,)),
    Entry("accept", "TcpExt", "SyncookiesSent", _ipv4("tcp_syncookies"), "Cookies issued.",
          False, (FLOOD,)),
    Entry("accept", "TcpExt", "SyncookiesRecv", (), "Cookies that came back: real clients.",
          False, (FLOOD,)),
    Entry("accept", "TcpExt", "SyncookiesFailed", (),
          "Stray or forged ACKs to a port that sent cookies a moment ago."),
    Entry("accept", "TcpExt", "EmbryonicRsts", _ipv4("tcp_abort_on_overflow"),
          "Half-open connections that were reset."),
    Entry("accept", "TcpExt", "TSEcrRejected", _ipv4("tcp_timestamps"),
          "Last ACKs of handshakes that echo a timestamp never sent: rejected.", True, (DROPS,)),
    Entry("opening", "conntrack", "insert_failed", (),
          "New connections that conntrack dropped: NAT found no free port.", True,
          ("nat-ports-exhausted",)),
    Entry("opening", "conntrack", "drop", ("net.netfilter.nf_conntrack_max",),
          "New connections that conntrack dropped: no room.", True, ("conntrack-full",)),
    Entry("opening", "conntrack", "early_drop", ("net.netfilter.nf_conntrack_max",),
          "Unanswered connections forgotten to make room for new ones.", True,
          ("conntrack-full",)),
    Entry("accept", "TcpExt", "TCPDeferAcceptDrop", (),
          "Bare ACKs ignored under TCP_DEFER_ACCEPT: harmless."),
    Entry("traffic", "Tcp", "CurrEstab", (), "Open now: ESTAB and CLOSE-WAIT."),
    Entry("traffic", "Tcp", "InSegs", (), "Segments received."),
    Entry("traffic", "Tcp", "OutSegs", (), "Segments sent, without retransmissions.",
          False, (RATE,)),
    Entry("loss", "Tcp", "RetransSegs", _ipv4("tcp_retries2"),
          "Segments retransmitted, SYNs included.", True, (RATE,)),
    Entry("loss", "TcpExt", "TCPTimeouts", (), "Retransmission timers that ran out.", True,
          ("black-hole", RATE)),
    Entry("loss", "TcpExt", "TCPLostRetransmit", (), "Retransmissions that were lost too.", True,
          silent="RetransSegs counts them too, which retransmission-rate judges."),
    Entry("loss", "TcpExt", "TCPFastRetrans", (), "Retransmitted on duplicate ACKs, in time."),
    Entry("loss", "TcpExt", "TCPSlowStartRetrans", (), "Retransmitted after a timeout."),
    Entry("loss", "TcpExt", "TCPLossProbes", (), "Probes for a lost tail."),
    Entry("loss", "TcpExt", "TCPLossProbeRecovery", (), "Lost tails that a probe repaired."),
    Entry("loss", "TcpExt", "TCPSpuriousRTOs", (), "Timeouts that turned out needless."),
    Entry("loss", "TcpExt", "TCPDSACKRecv", (), "Segments that the peer had twice."),
    Entry("loss", "TcpExt", "OutOfWindowIcmps", (),
          "ICMP errors that match no connection's window."),
    Entry("loss", "TcpExt", "LockDroppedIcmps", (),
          "ICMP errors skipped as the socket was busy."),
    Entry("loss", "Tcp", "InErrs", (), "Bad segments received.", True,
          silent="Mostly wrong checksums: packets-rejected reads InCsumErrors."),
    Entry("loss", "Tcp", "InCsumErrors", (), "Of these, with a wrong checksum.", True,
          (REJECTED,)),
    Entry("loss", "TcpExt", "IPReversePathFilter", (),
          "Packets refused: the route back leads out of another interface.", True,
          (REJECTED, DROPS)),
    Entry("loss", "Ip", "InHdrErrors", (), "IP packets with a wrong header or a used-up TTL.",
          True, (REJECTED,)),
    Entry("loss", "Ip", "InAddrErrors", (), "IP packets for addresses that are not this host's.",
          True, (REJECTED,)),
    Entry("loss", "Ip", "OutNoRoutes", (), "IP packets that had no route to leave by.", True,
          (DROPS,)),
    Entry("loss", "Icmp", "InDestUnreachs", (), "ICMP: what was sent does not get there.",
          False, (RESETS,)),
    Entry("loss", "TcpExt", "TCPMD5NotFound", (), "Segments without the MD5 signature demanded.",
          True, (REJECTED, DROPS)),
    Entry("loss", "TcpExt", "TCPMD5Unexpected", (), "Segments signed with MD5; no key is set.",
          True, (REJECTED,)),
    Entry("loss", "TcpExt", "TCPMD5Failure", (), "Segments whose MD5 signature is wrong.", True,
          (REJECTED, DROPS)),
    Entry("loss", "TcpExt", "TCPAOBad", (), "Segments whose TCP-AO signature is wrong.", True,
          (REJECTED,)),
    Entry("loss", "TcpExt", "TCPAOKeyNotFound", (), "Segments with a TCP-AO key unknown here.",
          True, silent="TCP-AO is rare (BGP): the program that set the keys tells more."),
    Entry("loss", "TcpExt", "TCPAORequired", (), "Segments without the TCP-AO signature demanded.",
          True, silent="TCP-AO is rare (BGP): the program that set the keys tells more."),
    Entry("reset", "Tcp", "EstabResets", (),
          "Open connections ended by a reset, from either side.", True, (RESETS,)),
    Entry("reset", "Tcp", "OutRsts", (), "Resets sent."),
    Entry("reset", "TcpExt", "TCPAbortOnTimeout",
          _ipv4("tcp_retries2", "tcp_keepalive_time", "tcp_keepalive_intvl"),
          "Given up: no answer to data, FIN, SYN or keepalive, or a user timeout.", True,
          ("black-hole",)),
    Entry("reset", "TcpExt", "TCPAbortOnData", (),
          "Reset: SO_LINGER 0, or data after close() before its FIN was acknowledged.", True,
          (RESETS,)),
    Entry("reset", "TcpExt", "TCPAbortOnClose", (), "close() with unread data: reset.",
          True, (RESETS,)),
    Entry("reset", "TcpExt", "TCPAbortOnLinger", (),
          "FIN-WAIT-2 ended at once, as TCP_LINGER2 asked."),
    Entry("reset", "TcpExt", "TCPAbortOnMemory", _ipv4("tcp_max_orphans", "tcp_mem"),
          "Reset for want of memory, or too many orphans.", True, (PRESSURE,)),
    Entry("reset", "TcpExt", "TCPAbortFailed", (), "Resets that could not be sent.", True,
          silent="The connection is over all the same; want of memory has its own finding."),
    Entry("memory", "TcpExt", "TCPBacklogDrop", (),
          "Dropped while the application held the socket.", True,
          silent="Usual in bursts; the peer retransmits, and unread data has its own finding."),
    Entry("memory", "TcpExt", "PruneCalled", _ipv4("tcp_rmem"),
          "Receive buffers that had to be squeezed.", True, (UNREAD,)),
    Entry("memory", "TcpExt", "RcvPruned", _ipv4("tcp_rmem"), "Received data thrown away.", True,
          (UNREAD,)),
    Entry("memory", "TcpExt", "OfoPruned", _ipv4("tcp_rmem"),
          "Data out of order thrown away.", True,
          silent="A buffer was full: recv-queue-unread tells whose process does not read."),
    Entry("memory", "TcpExt", "TCPRcvQDrop", _ipv4("tcp_rmem"),
          "Received data dropped: the receive buffer had no room.", True,
          (UNREAD,)),
    Entry("memory", "TcpExt", "TCPMemoryPressures", _ipv4("tcp_mem"),
          "Times TCP as a whole ran short of memory.", True, (PRESSURE,)),
    Entry("memory", "TcpExt", "TCPMemoryPressuresChrono", _ipv4("tcp_mem"),
          "Milliseconds spent short of memory.", True, (PRESSURE,)),
    Entry("window", "TcpExt", "TCPToZeroWindowAdv", (),
          "Our receive windows that closed: a process here does not read.",
          False, (UNREAD,)),
    Entry("window", "TcpExt", "TCPFromZeroWindowAdv", (), "...and opened again.",
          False, (UNREAD,)),
    Entry("window", "TcpExt", "TCPWantZeroWindowAdv", (),
          "...and would have closed, had that been allowed."),
    Entry("window", "TcpExt", "TCPZeroWindowDrop", (),
          "Data that came although our window was closed.", True,
          silent="Probes of the window, mostly; recv-queue-unread tells who keeps it closed."),
    Entry("window", "TcpExt", "TCPWinProbe", (), "Probes of peers whose window is closed.", True,
          ("zero-window-peer",)),
    Entry("idle", "TcpExt", "TCPKeepAlive",
          _ipv4("tcp_keepalive_time", "tcp_keepalive_intvl", "tcp_keepalive_probes"),
          "Keepalive probes sent."),
    Entry("closing", "TcpExt", "TW", _ipv4("tcp_max_tw_buckets"),
          "TIME-WAITs made, closed FIN-WAIT-2 too: connections closed here first.",
          False, ("connection-churn", "time-wait-pressure")),
    Entry("closing", "TcpExt", "TWRecycled", _ipv4("tcp_tw_reuse"),
          "TIME-WAIT ports that connect() took again.", False, ("ephemeral-port-exhaustion",)),
    Entry("closing", "TcpExt", "TWKilled", (), "Mini-sockets made for 4 s at most."),
    Entry("closing", "TcpExt", "TCPTimeWaitOverflow", _ipv4("tcp_max_tw_buckets"),
          "TIME-WAITs not made as there were too many.", True, ("time-wait-pressure",)),
    Entry("closing", "TcpExt", "PAWSActive", _ipv4("tcp_timestamps"),
          "Answers to our SYN rejected by their timestamp.", True,
          silent="Single ones are old duplicates; where it lasts, connect-unanswered tells."),
    Entry("closing", "TcpExt", "PAWSEstab", _ipv4("tcp_timestamps"),
          "Segments rejected as too old by their timestamp.", True,
          silent="Old duplicates, rightly dropped; where it lasts, black-hole tells at the peer."),
    Entry("closing", "TcpExt", "TCPChallengeACK", (), "Suspicious RSTs and SYNs questioned."),
    Entry("closing", "TcpExt", "TCPSYNChallenge", (), "Of these, SYNs on an open connection."),
)  # fmt: skip
KNOWN = frozenset((entry.section, entry.name) for entry in CATALOGUE)
