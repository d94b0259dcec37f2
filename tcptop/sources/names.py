"""Host and service names, from the resolver of the system. It may wait for DNS."""

from __future__ import annotations

import socket
from collections.abc import Sequence


class SystemNames:
    """getaddrinfo(3) and getservbyname(3); OSError for a name that nobody knows."""

    def host(self, name: str) -> Sequence[str]:
        found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
        return list(dict.fromkeys(str(address[0]) for *_, address in found))

    def service(self, name: str) -> int:
        return socket.getservbyname(name, "tcp")
