"""Host and service names, from the resolver of the system. It may wait for DNS."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from threading import Event, Thread

_NO_ADDRESS = {socket.EAI_NONAME, socket.EAI_NODATA, socket.EAI_ADDRFAMILY}


class SystemNames:
    """getaddrinfo(3) and getservbyname(3), which raises OSError for a name that nobody knows."""

    def host(self, name: str) -> Sequence[str]:
        """Its addresses, none where there is no such name. Raises OSError where that is not known.

        Signals are handled while it waits.
        """
        try:
            return _Lookup(name).result()
        except ValueError:  # no text for a host name: a label too long, a NUL
            return []
        except socket.gaierror as error:
            if error.errno in _NO_ADDRESS:
                return []
            if error.errno == socket.EAI_AGAIN:  # timed out, refused, or SERVFAIL
                raise OSError(error.errno, "the resolver gives no answer") from error
            raise

    def service(self, name: str) -> int:
        return socket.getservbyname(name, "tcp")


class _Lookup(Thread):
    """getaddrinfo(3) apart: while the main thread is in it no signal handler of Python runs."""

    def __init__(self, host: str) -> None:
        super().__init__(name="lookup", daemon=True)
        self._host, self._ended = host, Event()
        self._found: list[str] = []
        self._error: Exception | None = None

    def run(self) -> None:
        try:
            found = socket.getaddrinfo(self._host, None, type=socket.SOCK_STREAM)
            self._found = list(dict.fromkeys(str(address[0]) for *_, address in found))
        except Exception as error:  # raised by result()
            self._error = error
        finally:
            self._ended.set()

    def result(self) -> list[str]:
        self.start()
        self._ended.wait()
        if self._error is not None:
            raise self._error
        return self._found
