"""One shell at work: what it answers, as samples."""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np

from tcptop.model.sample import NO_PEAKS, Host, ListenerPeaks, Namespace, Owners, Sample
from tcptop.model.sysctls import FIRST_ONLY
from tcptop.model.table import SocketTable
from tcptop.sources import proc_net_tcp, wire
from tcptop.sources.live import owner_notes
from tcptop.sources.sock_diag import without_repeats
from tcptop.sources.via import answers, dump
from tcptop.sources.via.errors import shown
from tcptop.sources.via.holders import HolderFinder
from tcptop.sources.via.link import ShellLink
from tcptop.sources.via.told_cgroups import ToldCgroups

AROUND_S = 10.0  # between looks at what rarely changes
FILES = 8 << 20  # bytes of an answer that is not of sockets
PACKED_FROM = 64 << 10  # bytes of sockets
OFFSET_S = 2.0  # of the clocks, of which one tells whole seconds
PIDS = 5  # in a namespace that are told

UNREAD = (
    "Through another command neither options of sockets nor routes are read, nor what processes "
    "are doing, nor which connections end between samples, nor which ports are held by sockets "
    "that neither listen nor are connected; accept queues are polled twice a second at most."
)
FIRST_ALONE = "This network namespace does not show limits of the whole host: {}."
OWN = "The connection by which this look came is left out."
UNLISTED = "The processes there could not be listed, so the owners of sockets are unknown."


class ShellSession:
    """Asks what is behind a link. Its calls raise ViaError, and what `answers` raises."""

    def __init__(self, link: ShellLink, via: str) -> None:
        self._link, self._via = link, via
        self._by_ss = bool(link.tools.get("ss"))
        self._pack = False
        self._told, self._why_not = False, "ss is not there"
        self._holders = HolderFinder(link.answer, not link.tools.get("find"))
        self._cgroups = ToldCgroups(link.answer)
        self._queues: dict[int, int] = {}
        self._polls = 0
        self._look_around()

    def _look_around(self) -> None:
        before = time.time()
        self.there = answers.there(self._link.answer("host", FILES))
        now = time.time()
        told = self.there.time
        self._offset = 0.0 if told is None else told + 0.5 - (before + now) / 2
        self._around = time.monotonic()

    def sample(self, interval: float | None) -> Sample:
        began = time.monotonic()
        if began - self._around >= AROUND_S:
            self._look_around()
        there = self.there
        looked, every, whole = self._looked()
        taken_at, uptime = time.time(), answers.uptime(looked["begin"])
        linked = answers.own(every, there.link)
        sockets = every.take(~linked) if linked.any() else every
        owners = self._holders.find(sockets.inode, there)
        groups = self._cgroups.paths(sockets.cgroup_id)
        uids = {*sockets.uid.tolist(), *(each.uid for each in owners.processes.values())} - {None}
        return Sample(
            taken_at=taken_at,
            clock=uptime,
            host=Host(there.hostname, there.kernel, uptime, there.boot_id),
            source="ss-dump" if self._by_ss else "procfs",
            via=self._via,
            privileged=there.privileged,
            poll_ms=(time.monotonic() - began) * 1000,
            interval_s=interval,
            sockets=sockets,
            owners=owners,
            peaks=self._take_peaks(),
            namespaces=(self._namespace(owners),),
            kernel=(answers.kernel(looked["look" if self._by_ss else "look-proc"], there),),
            cgroups=groups,
            cgroups_v1=self._cgroups.v1,
            users={uid: there.users.get(uid, str(uid)) for uid in uids},
            unix_listeners=None,
            notes=tuple(self._notes(sockets, owners, bool(linked.any()), whole)),
        )

    def _namespace(self, owners: Owners) -> Namespace:
        there = self.there
        inside = (pid for pid, each in owners.processes.items() if each.netns == there.netns)
        pids = tuple(sorted(inside)[:PIDS])
        return Namespace(there.netns, None, there.interfaces, pids, first=there.first)

    def _looked(self) -> tuple[dict[str, bytes], SocketTable, bool]:
        """The answer, the sockets in it, and whether those are all."""
        if self._by_ss:
            looked = self._look()
            sockets, told, whole = dump.read(looked["ss"], self.there.netns)
            self._told = self._told or told
            if self._told:
                return looked, sockets, whole
            why = shown(self._link.answer("why", FILES)["why"])
            self._by_ss, self._why_not = False, why or "ss told nothing"
        looked = self._link.answer("look-proc")
        sockets = without_repeats(proc_net_tcp.parse(looked["tcp"], self.there.netns))
        wire.check(sockets)
        return looked, sockets, True

    def _look(self) -> dict[str, bytes]:
        """Of many sockets packed, where there is gzip: a fifth or less of the bytes."""
        if self._pack:
            return self._link.unpacked(self._link.answer("look-gzip")["look-gzip"])
        looked = self._link.answer("look")
        self._pack = bool(self._link.tools.get("gzip")) and len(looked["ss"]) > PACKED_FROM
        return looked

    def poll_listeners(self) -> None:
        """Remember each listener's longest accept queue until the next sample."""
        if not self._by_ss:
            return
        for cookie, queued in dump.queues(self._link.answer("queues", FILES)["queues"]):
            self._queues[cookie] = max(queued, self._queues.get(cookie, 0))
        self._polls += 1

    def _take_peaks(self) -> ListenerPeaks:
        if not self._queues:
            return NO_PEAKS
        cookies = np.fromiter(self._queues.keys(), np.uint64)
        longest = np.fromiter(self._queues.values(), np.uint32)
        netns = np.full(len(cookies), self.there.netns, np.uint32)
        peaks = ListenerPeaks(netns, cookies, longest, self._polls)
        self._queues, self._polls = {}, 0
        return peaks

    def _notes(
        self, sockets: SocketTable, owners: Owners, linked: bool, whole: bool
    ) -> Iterator[str]:
        if not self._by_ss:
            yield f"{self._why_not}. {proc_net_tcp.NOTE}"
        if not whole:
            yield "The dump of ss broke off: sockets may be missing."
        yield UNREAD
        absent = [name for name in FIRST_ONLY if name not in self.there.sysctls]
        if absent:
            yield FIRST_ALONE.format(", ".join(absent))
        if abs(self._offset) >= OFFSET_S:
            order = "ahead of" if self._offset > 0 else "behind"
            yield f"The clock there is about {abs(self._offset):.0f} s {order} the one here."
        if linked:
            yield OWN
        if not self._holders.listed:
            yield UNLISTED
        yield from owner_notes(owners, sockets.inode, self.there.privileged)
        if sockets.cgroup_id.any() and not self._cgroups.mounted:
            yield (
                "cgroup v2 is not mounted there, so sockets without a process have no unit and no "
                "container."
            )
