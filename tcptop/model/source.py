"""Source: where samples come from, be it the live host or what was kept of one.

The clock is the source's (`Sample.clock`), and so is the waiting: a recording is played as fast as
its reader wants it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol, runtime_checkable

from tcptop.model.named_tuple import NamedTuple
from tcptop.model.route import RouteKey
from tcptop.model.sample import ProcessFacts, Sample
from tcptop.model.socket_id import SocketId


class EndOfSamples(Exception):  # noqa: N818 it is no error, as StopIteration is none
    """A source has told all that it has."""


class Requests(NamedTuple):
    """What samples should bring beside what they always do."""

    sockets: frozenset[SocketId] = frozenset()  # those whose options are read
    routes: frozenset[RouteKey] = frozenset()
    processes: frozenset[int] = frozenset()  # pids of those whose facts are read
    cgroups: frozenset[int] = frozenset()  # ids of those in which holders are sought first

    def __or__(self, other: Requests) -> Requests:
        return Requests(
            self.sockets | other.sockets,
            self.routes | other.routes,
            self.processes | other.processes,
            self.cgroups | other.cgroups,
        )


NO_REQUESTS = Requests()


class Stop(Protocol):
    """What ends a wait, from another thread: a threading.Event is one."""

    def is_set(self) -> bool: ...

    def wait(self, timeout: float) -> bool: ...


class Source(Protocol):
    """Used by one thread only."""

    def request(self, wanted: Requests) -> None:
        """From the next sample on; replaces the requests before it."""

    def sample(self) -> Sample:
        """The next one. Raises OSError or ValueError, after which another try may succeed, and
        EndOfSamples."""

    def wait(self, interval: float, stop: Stop) -> bool:
        """Until `interval` seconds after the last sample began; True when stopped."""


@runtime_checkable
class FactsSource(Source, Protocol):
    """A source of samples of now."""

    def facts(self) -> Mapping[int, ProcessFacts]:
        """Those of the requested processes, by pid, without another sample."""


@runtime_checkable
class SeekableSource(Source, Protocol):
    """A source of samples that are over."""

    span: tuple[float, float]  # Unix time of the first sample and of the last
    speed: float  # how many times faster than they were taken samples come

    def seek(self, taken_at: float) -> Iterable[Sample]:
        """The last sample taken until then, or the first, after those that its history takes.

        Those that follow it come next.
        """
