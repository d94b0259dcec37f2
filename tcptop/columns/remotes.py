"""Columns of the remote ends."""

from __future__ import annotations

from shlex import quote

from tcptop.analysis.identity import remote_keys
from tcptop.analysis.recorded import OF_REMOTES
from tcptop.analysis.turnover import of_remotes
from tcptop.columns import units
from tcptop.columns.column import Column, Values, shown
from tcptop.columns.endpoints import REMOTE, addresses, of_device, rank, zones
from tcptop.columns.listing import Listing, Sparkline, plain
from tcptop.columns.marks import of_groups
from tcptop.columns.ports import first_owner, process_texts
from tcptop.model import address, tcp
from tcptop.model.selection import Selection
from tcptop.model.snapshot import Remotes
from tcptop.model.table import F64, I64, Index


def _remotes(selection: Selection) -> Remotes:
    return selection.remote_groups


def _plain(name: str) -> Values:
    return lambda selection, rows: getattr(_remotes(selection), name)[rows]


def _state(*states: int) -> Values:
    def values(selection: Selection, rows: Index) -> I64:
        counts: I64 = _remotes(selection).by_state[rows][:, list(states)].sum(axis=1)
        return counts

    return values


def remote_texts(selection: Selection, rows: Index) -> list[str]:
    remotes = _remotes(selection)
    texts = addresses(remotes.remote_hi[rows], remotes.remote_lo[rows])
    ports, scopes = remotes.remote_port[rows].tolist(), _zones(selection, rows)
    return [
        address.endpoint(text, port, zone) if port >= 0 else text + zone
        for text, port, zone in zip(texts, ports, scopes, strict=True)
    ]


def _zones(selection: Selection, rows: Index) -> list[str]:
    remotes = _remotes(selection)
    return zones(selection.snapshot.sample, remotes.netns[rows], remotes.interface[rows])


def _remote(selection: Selection, rows: Index) -> I64:
    remotes = _remotes(selection)
    return rank(remotes.remote_hi[rows], remotes.remote_lo[rows], remotes.remote_port[rows])


def _processes(selection: Selection, rows: Index) -> list[str]:
    return process_texts(selection.snapshot, _remotes(selection).group, rows)


def _counted(key: str, title: str, meaning: str, *states: int, priority: int = 0) -> Column:
    values = _state(*states)
    return Column(
        key, title, 6, meaning, values, shown(units.count, values), right=True, priority=priority
    )


def _opens(s: Selection, rows: Index) -> F64:
    return of_remotes(s.snapshot, s.remote_groups).opens_per_s[rows]


def _closes(s: Selection, rows: Index) -> F64:
    return of_remotes(s.snapshot, s.remote_groups).closes_per_s[rows]


COLUMNS = (
    Column(
        "remote", "Remote", 17, "The other end's address, with its port after `a`.", _remote,
        remote_texts, flex=True, largest_first=False, tail=":", least=13, grow=0,
    ),
    Column(
        "sockets", "Socks", 6, "Sockets towards it.", _plain("sockets"),
        shown(units.count, _plain("sockets")), right=True,
    ),
    _counted("established", "Estab", "ESTAB: open both ways.", tcp.ESTABLISHED),
    _counted("opening", "Open", "SYN-SENT and SYN-RECV.", tcp.SYN_SENT, tcp.SYN_RECV, priority=3),
    _counted("close_wait", "ClWait", "CLOSE-WAIT: it has closed, we have not.", tcp.CLOSE_WAIT,
             priority=1),
    _counted("time_wait", "TimeW", "TIME-WAIT: closed here first.", tcp.TIME_WAIT, priority=2),
    Column(
        "recv_q", "Recv-Q", 6, "Bytes from it that nobody has read.", _plain("recv_q"),
        shown(units.size, _plain("recv_q")), right=True, priority=1,
    ),
    Column(
        "send_q", "Send-Q", 6, "Bytes it has not acknowledged.", _plain("send_q"),
        shown(units.size, _plain("send_q")), right=True,
    ),
    Column(
        "retransmits_per_s", "Retr/s", 6, "Segments a second retransmitted to it.",
        _plain("retransmits_per_s"), shown(units.rate, _plain("retransmits_per_s")), right=True,
    ),
    Column(
        "opens_per_s", "Open/s", 6, "Connections to it that opened a second, whatever is shown.",
        _opens, shown(units.rate, _opens), right=True, priority=8,
    ),
    Column(
        "closes_per_s", "Close/s", 7, "Those that ended a second, where that is told.",
        _closes, shown(units.rate, _closes), right=True, priority=8,
    ),
    Column(
        "rtt", "RTT ms", 6, "Median round trip of its connections.", _plain("rtt_us"),
        shown(units.milliseconds, _plain("rtt_us")), right=True, priority=1,
    ),
    Column(
        "processes", "Processes", 14, "Who talks to it.",
        lambda s, r: first_owner(s, s.remote_groups.group, r), _processes, flex=True, priority=4,
        largest_first=False, least=8, grow=5,
    ),
)  # fmt: skip


def scope(selection: Selection, place: int) -> str:
    remotes = _remotes(selection)
    text = address.remote_text(remotes, place)
    port = int(remotes.remote_port[place])
    goal = address.endpoint(text, port) if port >= 0 else address.bracketed(text)
    return f"dst {goal}{of_device(selection.snapshot.sample, remotes, place, REMOTE)}"


def command(selection: Selection, place: int) -> str:
    return f"ss -tanpo {quote(scope(selection, place))}"


REMOTES = Listing(
    "remotes", "Remotes", "Remotes", COLUMNS, "sockets", "There is no connection to anywhere.",
    rows=lambda s: s.remotes, keys=remote_keys, styles=plain,
    netns=lambda s, r: s.remote_groups.netns[r], scope=scope, command=command,
    worst=lambda s, r, findings: of_groups(s, s.remote_groups.group, r, findings),
    recorded=OF_REMOTES, sparkline=Sparkline("rtt_us", "its round trip"), whole=True,
)  # fmt: skip
