"""Samples in which addresses, users, command lines and host names are aliases.

They are replaced before anything is made of them: whatever sentence, command or chart follows
cannot tell what it never knew, and one name has one alias in all of them. What findings go by
stays: loopback, link-local and wildcard addresses, which remote ones are of one network, and which
are the same.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address

import numpy as np

from tcptop.model.address import MAPPED_PREFIX, halves, text
from tcptop.model.route import Route, RouteKey
from tcptop.model.sample import (
    LostSocket,
    Namespace,
    Process,
    ProcessFacts,
    Sample,
    UnixListener,
)
from tcptop.model.source import Requests, SeekableSource, Stop
from tcptop.model.table import U64, SocketTable

V4 = int(IPv4Address("198.18.0.0"))  # for benchmarks (RFC 2544): routed nowhere
V4_NETWORKS = 512  # that it has room for
V4_MORE = int(IPv4Address("240.0.0.0"))  # reserved (RFC 1112)
V6 = int(IPv6Address("2001:db8::")) >> 64  # for documentation (RFC 3849)
KEPT_V4 = (0, 127)  # the first byte: wildcard and loopback
KEPT_V6 = (0, 1)  # :: and ::1
LINK_LOCAL = 0xFE80 >> 6
SOUGHT = "host", "user"  # the kinds of names that are sought in texts
ROOT = "root"  # which says nothing of anybody
_RUNTIME = re.compile(
    r"(python|java|node|ruby|perl|php|gunicorn|uwsgi|uvicorn|beam)[0-9.]*(?=$|[-:])"
)
_ADDRESS = re.compile(
    r"(?<![\w.:])(?:\d{1,3}(?:\.\d{1,3}){3}|[0-9a-f]{0,4}(?::[0-9a-f]{0,4}){2,7})(?![\w:])", re.I
)


class RedactedSource:
    """A source of samples that are over, redacted."""

    def __init__(self, source: SeekableSource) -> None:
        self._source = source
        self._aliases = Aliases()
        self.span, self.speed = source.span, source.speed

    def request(self, wanted: Requests) -> None:
        self._source.request(wanted)

    def sample(self) -> Sample:
        return self._aliases.sample(self._source.sample())

    def wait(self, interval: float, stop: Stop) -> bool:
        return self._source.wait(interval, stop)

    def seek(self, taken_at: float) -> Iterable[Sample]:
        return map(self._aliases.sample, self._source.seek(taken_at))


class Aliases:
    """What each name is called instead: the same for as long as this lives."""

    def __init__(self) -> None:
        self._names: dict[tuple[str, str], str] = {}
        self._many: Counter[str] = Counter()
        self._addresses: dict[tuple[int, int], tuple[int, int]] = {}
        self._networks: dict[tuple[int, int], int] = {}
        self._within: Counter[tuple[int, int]] = Counter()
        self._pattern: re.Pattern[str] | None = None

    def name(self, kind: str, name: str) -> str:
        """`host-1`: empty stays empty."""
        if not name:
            return name
        alias = self._names.get((kind, name))
        if alias is None:
            self._many[kind] += 1
            alias = self._names[kind, name] = f"{kind}-{self._many[kind]}"
            if kind in SOUGHT:
                self._pattern = None
        return alias

    def address(self, hi: int, lo: int) -> tuple[int, int]:
        """Of the same network as others of the same one: a /24, or half of an IPv6 address."""
        alias = self._addresses.get((hi, lo))
        if alias is None:
            alias = self._addresses[hi, lo] = self._new_address(hi, lo)
        return alias

    def _new_address(self, hi: int, lo: int) -> tuple[int, int]:
        if hi == 0 and lo >> 32 == MAPPED_PREFIX:
            if lo >> 24 & 0xFF in KEPT_V4:
                return hi, lo
            network = (hi, lo & ~0xFF)
            number = self._networks.setdefault(network, len(self._networks))
            more = number - V4_NETWORKS
            base = V4_MORE + (more << 8) if more >= 0 else V4 + (number << 8)
            self._within[network] += 1
            return 0, MAPPED_PREFIX << 32 | base + (self._within[network] & 0xFF)
        if hi == 0 and lo in KEPT_V6:
            return hi, lo
        network = (hi, 0)
        number = self._networks.setdefault(network, len(self._networks))
        self._within[network] += 1
        link_local = hi >> 54 == LINK_LOCAL
        return (LINK_LOCAL << 54 if link_local else V6 | number), self._within[network]

    def told(self, address: str) -> str:
        """An address in text."""
        try:
            return text(*self.address(*halves(address)))
        except ValueError:
            return self.name("network", address)

    def scrubbed(self, sentence: str) -> str:
        """A text with the names in it that are known by now, and addresses."""
        if self._pattern is None:
            names = {n for kind, n in self._names if kind in SOUGHT and n != ROOT}
            words = "|".join(re.escape(n) for n in sorted(names, key=len, reverse=True) if n[2:])
            self._pattern = re.compile(rf"(?<![\w-])(?:{words})(?![\w-])" if words else "(?!)")
        sentence = self._pattern.sub(self._called, sentence)
        return _ADDRESS.sub(lambda found: self._readdressed(found[0]), sentence)

    def _called(self, found: re.Match[str]) -> str:
        return next(self._names[k, found[0]] for k in SOUGHT if (k, found[0]) in self._names)

    def _readdressed(self, word: str) -> str:
        try:
            return text(*self.address(*halves(word)))
        except ValueError:
            return word

    def sample(self, sample: Sample) -> Sample:
        """The sample with aliases in place of names. Those of hosts and users first: other texts
        may have them in it."""
        host = replace(sample.host, hostname=self.name("host", sample.host.hostname))
        users = self._users(sample)
        processes = {pid: self._process(each) for pid, each in sample.owners.processes.items()}
        unlisted = {
            pid: replace(each, known=tuple(map(self._lost, each.known)))
            for pid, each in sample.owners.unlisted.items()
        }
        return replace(
            sample,
            host=host,
            via=sample.via and self.name("command", sample.via),
            users=users,
            sockets=self._table(sample.sockets),
            bound=self._table(sample.bound),
            owners=replace(sample.owners, processes=processes, unlisted=unlisted),
            namespaces=tuple(map(self._namespace, sample.namespaces)),
            cgroups={number: self.scrubbed(path) for number, path in sample.cgroups.items()},
            routes={self._route_key(key): self._route(r) for key, r in sample.routes.items()},
            facts={pid: self._facts(each) for pid, each in sample.facts.items()},
            unix_listeners=sample.unix_listeners and tuple(map(self._unix, sample.unix_listeners)),
            deaths=tuple(replace(d, sockets=self._table(d.sockets)) for d in sample.deaths),
            notes=tuple(map(self.scrubbed, sample.notes)),
            shown=None,
        )

    def _users(self, sample: Sample) -> dict[int, str]:
        """A number is a name, too."""
        told = {each.uid for each in sample.owners.processes.values() if each.uid is not None}
        uids = sorted({*sample.users, *told, *np.unique(sample.sockets.uid).tolist()})
        return {uid: self._user(sample.users.get(uid, str(uid)), uid) for uid in uids}

    def _user(self, name: str, uid: int) -> str:
        return ROOT if uid == 0 else self.name("user", name)

    def _process(self, process: Process) -> Process:
        box, label = process.container_name, process.label
        return replace(
            process,
            name=self.scrubbed(process.name),
            cmdline=self._command(process),
            label=label and self.name("program", label),
            cgroup=process.cgroup and self.scrubbed(process.cgroup),
            container_name=box and self.name("host", box),
        )

    def _facts(self, facts: ProcessFacts) -> ProcessFacts:
        return replace(facts, directory=None, dns_servers=tuple(map(self.told, facts.dns_servers)))

    def _command(self, process: Process) -> str:
        """With the runtime's name, by which advice goes."""
        alias = self.name("command", process.cmdline)
        runtime = _RUNTIME.match(process.cmdline.partition(" ")[0].rpartition("/")[2])
        return f"{runtime[0]} {alias}" if runtime else alias

    def _lost(self, lost: LostSocket) -> LostSocket:
        hi, lo = self.address(lost.remote_hi, lost.remote_lo)
        return lost._replace(remote_hi=hi, remote_lo=lo)

    def _namespace(self, space: Namespace) -> Namespace:
        box = space.container_name
        return replace(
            space,
            container_name=box and self.name("host", box),
            cgroup=space.cgroup and self.scrubbed(space.cgroup),
        )

    def _unix(self, listener: UnixListener) -> UnixListener:
        return replace(listener, path=self.scrubbed(listener.path))

    def _table(self, table: SocketTable) -> SocketTable:
        if not len(table):
            return table
        local = self._columns(table.local_hi, table.local_lo)
        remote = self._columns(table.remote_hi, table.remote_lo)
        return replace(
            table,
            local_hi=local[0],
            local_lo=local[1],
            remote_hi=remote[0],
            remote_lo=remote[1],
        )

    def _columns(self, hi: U64, lo: U64) -> tuple[U64, U64]:
        pairs = list(zip(hi.tolist(), lo.tolist(), strict=True))
        aliases = np.array([self.address(*pair) for pair in pairs], np.uint64)
        return aliases[:, 0].copy(), aliases[:, 1].copy()

    def _route_key(self, key: RouteKey) -> RouteKey:
        return key._replace(local=self.told(key.local), remote=self.told(key.remote))

    def _route(self, route: Route) -> Route:
        prefix, near = route.prefix, route.neighbour
        return replace(
            route,
            prefix=prefix if prefix in (None, "default") else self.told(prefix),
            gateway=route.gateway and self.told(route.gateway),
            source=route.source and self.told(route.source),
            neighbour=near and replace(near, address=self.told(near.address), mac=None),
        )
