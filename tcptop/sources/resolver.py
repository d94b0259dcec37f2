"""Names of addresses and ports, asked for in the background: DNS may take many seconds.

What comes back was written by whoever owns the address, so that only what looks like a host name,
and not like an address, is taken (RFC 952, RFC 1123; underscores occur).
"""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from ipaddress import ip_address
from threading import Condition, Thread

from tcptop.model.named_tuple import NamedTuple

WORKERS = 4
WAITING = 256  # questions; the oldest are dropped, and asked again if they are still on the screen
KEPT = 4096  # answers
KNOWN_S, NAMELESS_S, FAILED_S = 600.0, 120.0, 30.0
NO_SUCH_NAME = (1, 4)  # HOST_NOT_FOUND and NO_DATA of netdb.h; the others are no answer
_NAME = re.compile(r"(?!-)[A-Za-z0-9_+.-]{1,253}")

Question = str | int  # an address, or a port


class _Answer(NamedTuple):
    name: str | None
    until: float


class Resolver:
    """Remembers names and asks for those that it does not know. Any thread may ask; close it.

    `changed` is called by a thread of the resolver when there is a new name, and not again before
    somebody asks. The threads ask in the namespace of the one that makes this.
    """

    def __init__(self, changed: Callable[[], object] = lambda: None) -> None:
        self._changed = changed
        self._known: dict[Question, _Answer] = {}
        self._waiting: dict[Question, None] = {}  # the newest is last
        self._busy: set[Question] = set()
        self._wake = Condition()
        self._told = self._closed = False
        for number in range(WORKERS):  # daemons: quitting does not wait for a name server
            Thread(target=self._work, name=f"resolver-{number}", daemon=True).start()

    def name(self, address: str) -> str | None:
        """The host name of a numeric address; None: not known (yet), or it has none."""
        return self._get(address) if _has_name(address) else None

    def service(self, port: int) -> str | None:
        """The service of a TCP port; None: not known (yet), or it has none."""
        return self._get(port) if 0 < port < 65536 else None

    def close(self) -> None:
        """No question is begun any more, and nobody is told of the answers."""
        with self._wake:
            self._closed = True
            self._waiting.clear()
            self._wake.notify_all()

    def _get(self, key: Question) -> str | None:
        with self._wake:
            self._told = False
            answer = self._known.get(key)
            if (answer is None or answer.until < time.monotonic()) and not self._closed:
                self._ask(key)
            return answer.name if answer else None

    def _ask(self, key: Question) -> None:
        if key in self._busy:
            return
        self._waiting.pop(key, None)
        self._waiting[key] = None
        if len(self._waiting) > WAITING:
            del self._waiting[next(iter(self._waiting))]
        self._wake.notify()

    def _work(self) -> None:
        while (key := self._next()) is not None:
            name, good_for = _look_up(key)
            if self._learn(key, _Answer(name, time.monotonic() + good_for)):
                with suppress(RuntimeError):  # the event loop is closed: nobody wants to know
                    self._changed()

    def _next(self) -> Question | None:
        """What was asked last is on the screen for certain."""
        with self._wake:
            while not self._waiting and not self._closed:
                self._wake.wait()
            if self._closed:
                return None
            key, _ = self._waiting.popitem()
            self._busy.add(key)
            return key

    def _learn(self, key: Question, answer: _Answer) -> bool:
        """Whether somebody has to be told."""
        with self._wake:
            self._busy.discard(key)
            before = self._known.pop(key, None)
            self._known[key] = answer
            if len(self._known) > KEPT:
                del self._known[next(iter(self._known))]
            new = answer.name != (before.name if before else None)
            tell = new and not self._told and not self._closed
            self._told |= tell
            return tell


def _has_name(address: str) -> bool:
    """Link-local addresses are known on their link only, and a wildcard is none."""
    try:
        number = ip_address(address)
    except ValueError:
        return False
    return not (number.is_link_local or number.is_unspecified)


def _look_up(key: Question) -> tuple[str | None, float]:
    """The name, and for how many seconds that is good.

    Not by getnameinfo(): before Python 3.11.4 all threads wait until it returns (Debian 12 has
    3.11.2).
    """
    try:
        name = _service(key) if isinstance(key, int) else socket.gethostbyaddr(key)[0]
    except socket.herror as error:
        return None, NAMELESS_S if error.errno in NO_SUCH_NAME else FAILED_S
    except (OSError, UnicodeError):
        return None, FAILED_S
    return (name, KNOWN_S) if _fit(name) else (None, NAMELESS_S)


def _service(port: int) -> str:
    """Empty where it has no name, of which getservbyport() makes an OSError without a number."""
    try:
        return socket.getservbyport(port, "tcp")
    except OSError:
        return ""


def _fit(name: str) -> bool:
    if not _NAME.fullmatch(name) or name.isdecimal():
        return False
    try:
        ip_address(name)
    except ValueError:
        return True
    return False
