"""The kernel's counters that matter in an incident, with the limits beside them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from tcptop.analysis.keys import mixed
from tcptop.columns import units
from tcptop.columns.column import Column, Listing, shown
from tcptop.columns.detail import Fact
from tcptop.model.sample import Kernel
from tcptop.model.selection import Selection
from tcptop.model.table import F64, U64, Index


class Entry(NamedTuple):
    """A counter of a section, the sysctls that bound it, and what it means in a sentence."""

    topic: str
    section: str
    name: str
    beside: tuple[str, ...]
    meaning: str
    bad: bool = False  # whether any rate of it is trouble


SOMAXCONN = "net.core.somaxconn"


def _ipv4(*names: str) -> tuple[str, ...]:
    return tuple(f"net.ipv4.{name}" for name in names)


# kernel-verified meanings: net/ipv4/proc.c names them, tcp_input.c and tcp_ipv4.c count them
CATALOGUE = (
    Entry("opening", "Tcp", "ActiveOpens", _ipv4("ip_local_port_range"), "connect() calls."),
    Entry("opening", "Tcp", "PassiveOpens", (), "Handshakes that listeners completed."),
    Entry("opening", "Tcp", "AttemptFails", _ipv4("tcp_syn_retries"),
          "Connections refused or unanswered before they were open.", True),
    Entry("opening", "TcpExt", "TCPSynRetrans", _ipv4("tcp_syn_retries", "tcp_synack_retries"),
          "SYN and SYN-ACK sent again: the other side did not answer.", True),
    Entry("accept", "TcpExt", "ListenOverflows", (SOMAXCONN,),
          "SYNs or ACKs that met a full accept queue, retries counted.", True),
    Entry("accept", "TcpExt", "ListenDrops", _ipv4("tcp_abort_on_overflow"),
          "All that listeners dropped, overflows among it.", True),
    Entry("accept", "TcpExt", "TCPReqQFullDoCookies", _ipv4("tcp_syncookies"),
          "SYN queue full: answered with a cookie, nothing lost.", True),
    Entry("accept", "TcpExt", "TCPReqQFullDrop", _ipv4("tcp_max_syn_backlog"),
          "SYN queue full and cookies off: dropped.", True),
    Entry("accept", "TcpExt", "SyncookiesSent", _ipv4("tcp_syncookies"), "Cookies issued."),
    Entry("accept", "TcpExt", "SyncookiesRecv", (), "Cookies that came back: real clients."),
    Entry("accept", "TcpExt", "TCPDeferAcceptDrop", (),
          "Bare ACKs ignored under TCP_DEFER_ACCEPT: harmless."),
    Entry("traffic", "Tcp", "InSegs", (), "Segments received."),
    Entry("traffic", "Tcp", "OutSegs", (), "Segments sent, without those sent again."),
    Entry("loss", "Tcp", "RetransSegs", _ipv4("tcp_retries2"), "Segments sent again.", True),
    Entry("loss", "TcpExt", "TCPTimeouts", (), "Retransmission timers that ran out.", True),
    Entry("loss", "TcpExt", "TCPLostRetransmit", (), "Lost again after being sent again.", True),
    Entry("loss", "TcpExt", "TCPFastRetrans", (), "Sent again on duplicate ACKs, in time."),
    Entry("loss", "TcpExt", "TCPLossProbes", (), "Probes for a lost tail."),
    Entry("loss", "TcpExt", "TCPSpuriousRTOs", (), "Timeouts that turned out needless."),
    Entry("loss", "Tcp", "InErrs", (), "Bad segments received.", True),
    Entry("reset", "Tcp", "EstabResets", (), "Open connections ended by a reset.", True),
    Entry("reset", "Tcp", "OutRsts", (), "Resets sent."),
    Entry("reset", "TcpExt", "TCPAbortOnTimeout",
          _ipv4("tcp_retries2", "tcp_keepalive_time", "tcp_keepalive_intvl"),
          "Given up: nobody answered.", True),
    Entry("reset", "TcpExt", "TCPAbortOnData", (), "Data came after close(): reset.", True),
    Entry("reset", "TcpExt", "TCPAbortOnClose", (), "close() with unread data: reset.", True),
    Entry("reset", "TcpExt", "TCPAbortOnMemory", _ipv4("tcp_max_orphans", "tcp_mem"),
          "Reset for want of memory, or too many orphans.", True),
    Entry("memory", "TcpExt", "TCPBacklogDrop", (),
          "Dropped while the application held the socket.", True),
    Entry("memory", "TcpExt", "PruneCalled", _ipv4("tcp_rmem"),
          "Receive buffers that had to be squeezed.", True),
    Entry("memory", "TcpExt", "RcvPruned", _ipv4("tcp_rmem"), "Received data thrown away.", True),
    Entry("memory", "TcpExt", "TCPMemoryPressures", _ipv4("tcp_mem"),
          "Times TCP as a whole ran short of memory.", True),
    Entry("window", "TcpExt", "TCPToZeroWindowAdv", (),
          "Our receive windows that closed: a process here does not read."),
    Entry("window", "TcpExt", "TCPFromZeroWindowAdv", (), "...and opened again."),
    Entry("window", "TcpExt", "TCPWinProbe", (), "Probes of peers whose window is closed.", True),
    Entry("idle", "TcpExt", "TCPKeepAlive",
          _ipv4("tcp_keepalive_time", "tcp_keepalive_intvl", "tcp_keepalive_probes"),
          "Keepalive probes sent."),
    Entry("closing", "TcpExt", "TW", _ipv4("tcp_max_tw_buckets"),
          "TIME_WAITs made: connections closed here first."),
    Entry("closing", "TcpExt", "TWRecycled", _ipv4("tcp_tw_reuse"),
          "TIME_WAIT ports that connect() took again."),
    Entry("closing", "TcpExt", "TCPTimeWaitOverflow", _ipv4("tcp_max_tw_buckets"),
          "TIME_WAITs not made as there were too many.", True),
    Entry("closing", "TcpExt", "PAWSEstab", _ipv4("tcp_timestamps"),
          "Segments rejected as too old by their timestamp.", True),
    Entry("closing", "TcpExt", "TCPChallengeACK", (), "Suspicious RSTs and SYNs questioned."),
)  # fmt: skip


def kernel(selection: Selection) -> Kernel | None:
    """The namespace that is looked at."""
    return next(iter(selection.snapshot.sample.kernel), None)


def entries(selection: Selection) -> list[Entry]:
    """Those that this kernel knows."""
    found = kernel(selection)
    counters = found.counters if found else {}
    return [entry for entry in CATALOGUE if entry.name in counters.get(entry.section, {})]


def _rows(selection: Selection) -> Index:
    return np.arange(len(entries(selection)))


def _some(selection: Selection, rows: Index) -> list[Entry]:
    known = entries(selection)
    return [known[row] for row in rows.tolist()]


def _totals(selection: Selection, rows: Index) -> F64:
    found = kernel(selection)
    counters = found.counters if found else {}
    return np.array([counters[e.section][e.name] for e in _some(selection, rows)], np.float64)


def _rates(selection: Selection, rows: Index) -> F64:
    found = kernel(selection)
    sections = selection.snapshot.kernel_rates.get(found.netns, {}) if found else {}
    values = [sections.get(e.section, {}).get(e.name, np.nan) for e in _some(selection, rows)]
    return np.array(values, np.float64)


def _beside(selection: Selection, rows: Index) -> list[str]:
    found = kernel(selection)
    sysctls = found.sysctls if found else {}
    return [
        "  ".join(
            f"{name.rpartition('.')[2]} {units.safe(' '.join(sysctls[name].split()))}"
            for name in entry.beside
            if name in sysctls
        )
        for entry in _some(selection, rows)
    ]


def facts(selection: Selection, row: int) -> list[Fact]:
    """All of one counter, with the full names of the sysctls beside it."""
    place = np.array([row])
    (entry,) = _some(selection, place)
    found = kernel(selection)
    sysctls = found.sysctls if found else {}
    return [
        Fact("counter", entry.name, units.count(_totals(selection, place)[0]), entry.meaning),
        Fact("counter", "per second", units.rate(_rates(selection, place)[0]), "now"),
        Fact("counter", "nstat", f"{entry.section}{entry.name}", _confirm(entry)),
        *(
            Fact("beside it", name, units.safe(" ".join(sysctls[name].split())), "its limit, now")
            for name in entry.beside
            if name in sysctls
        ),
    ]


def _confirm(entry: Entry) -> str:
    return f"nstat -az {entry.section}{entry.name} shows the same"


def _looks(selection: Selection, rows: Index) -> Sequence[str]:
    rates = _rates(selection, rows).tolist()
    return [
        "warn" if entry.bad and rate > 0 else "dim" if not rate > 0 else ""
        for entry, rate in zip(_some(selection, rows), rates, strict=True)
    ]


def _order(selection: Selection, rows: Index) -> Index:
    """The catalogue's own order: by what happens in a connection's life."""
    return rows


def keys(selection: Selection, rows: Index) -> U64:
    names = [CATALOGUE.index(entry) for entry in _some(selection, rows)]
    return mixed(np.array(names, np.int64))


def _column(key: str, title: str, width: int, meaning: str, priority: int = 0) -> Column:
    def texts(selection: Selection, rows: Index) -> list[str]:
        return [str(getattr(entry, key)) for entry in _some(selection, rows)]

    return Column(
        key, title, width, meaning,
        lambda s, r: np.array(texts(s, r), dtype=str), texts,
        flex=key == "meaning", priority=priority, largest_first=False,
    )  # fmt: skip


COLUMNS = (
    Column("topic", "Topic", 8, "What part of a connection's life it counts.", _order,
           lambda s, r: [e.topic for e in _some(s, r)], priority=3, largest_first=False),
    _column("name", "Counter", 21, "As nstat and /proc/net/netstat name it."),
    Column("rate", "Per s", 7, "How fast it rises.", _rates, shown(units.rate, _rates),
           right=True),
    Column("total", "Total", 12, "Since boot, in this namespace.", _totals,
           shown(units.count, _totals), right=True, priority=2),
    _column("meaning", "What it counts", 24, "In plain words."),
    Column("beside", "Limits beside it", 22, "The sysctls that bound it, as they are now.",
           lambda s, r: np.array(_beside(s, r), dtype=str), _beside, flex=True, priority=1,
           largest_first=False),
)  # fmt: skip

KERNEL = Listing("kernel", COLUMNS, _rows, keys, _looks, "topic")
