"""What a listener that takes no more connections explains."""

from __future__ import annotations

import numpy as np

from tcptop.analysis import subject
from tcptop.analysis.findings import words
from tcptop.analysis.findings.observations import Observations
from tcptop.analysis.listeners import waiting
from tcptop.analysis.peers import is_link_local, peer_rows
from tcptop.model import tcp
from tcptop.model.address import halves, split_zone
from tcptop.model.arrays import isin_codes, row_hash
from tcptop.model.finding import Finding, Subject
from tcptop.model.table import Index

ANY = ("0.0.0.0", "[::]")
NEARLY_ALL = 0.8  # of the resets
MOST = 1000  # rows that are looked at: they are enough to tell


def same_listener(effect: Finding, cause: Finding, seen: Observations) -> bool:
    """Half-open connections stay where the last ACK of a handshake is dropped."""
    where = effect.subject.listener
    return _losing(cause, effect) and where is not None and where == cause.subject.listener


def deferred(effect: Finding, cause: Finding, seen: Observations) -> bool:
    """syn-queue-full: by those whose first data the listener waits for (TCP_DEFER_ACCEPT)."""
    mostly = 2 * cause.values.get("deferred", 0) >= effect.values.get("half_open", 0) > 0
    where, same = effect.subject.listener, effect.subject.netns == cause.subject.netns
    return same and mostly and where is not None and where == cause.subject.listener


def same_place(effect: Finding, cause: Finding, seen: Observations) -> bool:
    """turned-away: others are reset there, as they send before they are closed."""
    ends = [(each.subject.listener, each.subject.destination) for each in (effect, cause)]
    return effect.subject.netns == cause.subject.netns and ends[0] == ends[1]


def turned_away_by_resets(effect: Finding, cause: Finding, seen: Observations) -> bool:
    """resets: of connections that a full server takes and closes, told at its clients."""
    many = cause.values.get("per_s", 0.0) >= effect.values.get("reset_per_s", 0.0)
    called = cause.subject.destination is not None
    return called and many and same_place(effect, cause, seen)


def turned_away_here(effect: Finding, cause: Finding, seen: Observations) -> bool:
    """resets of no place, or of that listener: nearly all are of those that its program closes at
    once."""
    one, other = effect.subject, cause.subject
    placeless = one.listener in (None, other.listener)
    placeless &= one.destination is None and one.netns == other.netns
    turned, every = cause.values.get("per_s", 0.0), effect.values.get("reset_per_s", 0.0)
    # What comes after close() is reset too, and counted elsewhere (TCPAbortOnData).
    told = every > 0 or one.listener is not None
    return placeless and told and other.listener is not None and turned >= NEARLY_ALL * every


def unanswered(effect: Finding, cause: Finding, seen: Observations) -> bool:
    """Clients on this host whose SYNs the listener drops."""
    to = effect.subject.destination
    served = to is not None and serves(cause, to) and comes_in(effect, cause, seen)
    return cause.severity == "critical" and served


def hung_up_by(effect: Finding, cause: Finding, seen: Observations) -> bool:
    """connection-churn: they are short because the server, here or there, closes them at once."""
    to, same = effect.subject.destination, effect.subject.netns == cause.subject.netns
    there = to == cause.subject.destination
    return same and to is not None and (there or serves(cause, to))


def dead_too(effect: Finding, cause: Finding, seen: Observations) -> bool:
    """connect-unanswered: to addresses from which nothing comes back on open connections either."""
    table = seen.table
    asking, lost = (np.flatnonzero(subject.named(each.subject, table)) for each in (effect, cause))
    names = ("netns", "interface", "remote_hi", "remote_lo")
    there, gone = (
        row_hash(*(getattr(table, name)[rows] for name in names)) for rows in (asking, lost)
    )
    if not len(asking):  # all have given up for now
        bare, zone = split_zone(effect.subject.destination or "")
        host = bare.rpartition(":")[0].strip("[]") + zone
        addresses = {words.remote_address(seen.sample, row) for row in lost[:MOST].tolist()}
        return host in addresses and effect.subject.netns == cause.subject.netns
    return bool(np.isin(there, gone).all())


def retransmitting(effect: Finding, cause: Finding, seen: Observations) -> bool:
    """Clients on this host that think they are connected: the last ACK was dropped, or nobody has
    accepted them."""
    rows = np.flatnonzero(subject.named(effect.subject, seen.table))
    if not _losing(cause, effect) or not len(rows):
        return False
    served = all(serves(cause, words.remote(seen.sample, row)) for row in rows.tolist())
    return served and bool(seen.remote_here[rows].all()) and _not_accepted(seen, rows)


def repeated(effect: Finding, cause: Finding, seen: Observations) -> bool:
    """Most of what is sent again on this host is sent by such clients, closed ones included."""
    table = seen.table
    again = (table.timer == tcp.RETRANSMIT) & (table.retrans > 0)
    again &= ~isin_codes(table.state, (tcp.SYN_SENT, tcp.SYN_RECV))
    rows = np.flatnonzero(again & (table.netns == effect.subject.netns))[:MOST]
    if not _losing(cause, effect) or not len(rows):
        return False
    here = rows[seen.remote_here[rows]]
    served = sum(serves(cause, words.remote(seen.sample, row)) for row in here.tolist())
    return 2 * served > len(rows)


def _losing(cause: Finding, effect: Finding) -> bool:
    return cause.severity == "critical" and cause.subject.netns == effect.subject.netns


def serves(cause: Finding, to: str) -> bool:
    """Whether connections to an address come in by the cause's listener, if it is of this host."""
    (listener, device), (target, link) = map(split_zone, (cause.subject.listener or "", to))
    address, _, port = listener.rpartition(":")
    host, _, number = target.rpartition(":")
    return port == number and address in (host, *ANY) and device in ("", link)


def comes_in(effect: Finding, cause: Finding, seen: Observations) -> bool:
    """Whether what the effect calls is in the namespace of the cause: that is its own and has the
    address, or connections to it are seen to come in there."""
    called, there = effect.subject, cause.subject.netns
    if called.netns == there:
        return is_here(seen, effect)
    towards = subject.rows(Subject(called.netns, destination=called.destination), seen.snapshot)
    peers = peer_rows(seen.table, np.flatnonzero(towards)[:MOST])
    return bool((seen.table.netns[peers[peers >= 0]] == there).any())


def is_here(seen: Observations, effect: Finding) -> bool:
    """Whether a destination is an address of this namespace."""
    bare, zone = split_zone(effect.subject.destination or "")
    host = bare.rpartition(":")[0].strip("[]")
    if host == "::1" or host.startswith("127."):
        return True
    hi, lo = halves(host)
    table = seen.table
    mine = (table.local_hi == np.uint64(hi)) & (table.local_lo == np.uint64(lo))
    if is_link_local(np.uint64(hi)):
        mine &= subject.on_device(zone, seen.snapshot)
    return bool((mine & (table.netns == effect.subject.netns)).any())


def _not_accepted(seen: Observations, rows: Index) -> bool:
    """The other end is half-open still, forgotten, or in an accept queue."""
    peer = peer_rows(seen.table, rows)
    pending = (seen.table.state == tcp.SYN_RECV) | waiting(seen.table)
    return bool((pending[peer] | (peer < 0)).all())
