"""Host and service names, from the resolver of the system. It may wait for DNS."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable, Sequence
from threading import Event, Thread
from typing import Generic, TypeVar

T = TypeVar("T")

_NO_ADDRESS = {socket.EAI_NONAME, socket.EAI_NODATA, socket.EAI_ADDRFAMILY}


class SystemNames:
    """getaddrinfo(3) and getservbyname(3), which raises OSError for a name that nobody knows.

    Signals are handled while it waits.
    """

    def host(self, name: str) -> Sequence[str]:
        """Its addresses, none where there is no such name. Raises OSError where nobody knows."""
        try:
            return apart(lambda: _addresses(name))
        except ValueError:  # no text for a host name: a label too long, a NUL
            return []
        except socket.gaierror as error:
            if error.errno in _NO_ADDRESS:
                return []
            if error.errno == socket.EAI_AGAIN:  # timed out, refused, or SERVFAIL
                raise OSError(error.errno, "the resolver gives no answer") from error
            raise

    def service(self, name: str) -> int:
        return apart(lambda: socket.getservbyname(name, "tcp"))


class RecordedNames(SystemNames):
    """For the filter of a recording, which is read on other hosts, and may be from anybody."""

    def host(self, name: str) -> Sequence[str]:
        raise OSError(errno.EPERM, "a recording's filter has addresses, not names of hosts")


def _addresses(host: str) -> list[str]:
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


def apart(ask: Callable[[], T]) -> T:
    """What a function of libc says that may wait for a server; signals are handled meanwhile."""
    return _Apart(ask).result()


class _Apart(Thread, Generic[T]):
    """A question in a thread: while the main thread is in it no signal handler of
    Python runs."""

    def __init__(self, ask: Callable[[], T]) -> None:
        super().__init__(name="lookup", daemon=True)
        self._ask, self._ended = ask, Event()
        self._found: list[T] = []
        self._error: Exception | None = None

    def run(self) -> None:
        try:
            self._found.append(self._ask())
        except Exception as error:  # raised by result()
            self._error = error
        finally:
            self._ended.set()

    def result(self) -> T:
        self.start()
        self._ended.wait()
        if self._error is not None:
            raise self._error
        return self._found[0]
