"""Login names of users, asked for by a thread: the name service may wait for LDAP or sssd."""

from __future__ import annotations

import os
import pwd
import time
from collections.abc import Callable, Iterator, Mapping, Set
from threading import Thread

SAID_S = 1.0  # without an answer, before that is said: a busy host may take as long
OWN_S = 0.2  # for which the live view waits, once, before it is drawn


class UserNames:
    """Remembers names and asks for those that it does not know; keep one.

    Whoever asks waits for a question's answers once, for `wait_s` at most: what comes later, later
    calls have.
    """

    def __init__(self, wait_s: float, ask: Callable[[int], str] | None = None) -> None:
        self._wait_s = wait_s
        self._ask = ask or login_name
        self._known: dict[int, str] = {}
        self._asking: _NameLookup | None = None
        self._asked_at = 0.0
        self._unknown = 0

    def of(self, uids: Set[int]) -> Mapping[int, str]:
        """By uid, the names that are known, of these and of others; never changed afterwards."""
        new = sorted(uids - self._known.keys())
        if new and self._asking is None:
            self._asking = _NameLookup(new, self._ask)
            self._asked_at = time.monotonic()
            self._asking.start()
            self._asking.join(self._wait_s)
        if self._asking is not None:
            self._learn(self._asking)
        self._unknown = len(uids - self._known.keys())
        return self._known

    def _learn(self, asking: _NameLookup) -> None:
        over = not asking.is_alive()
        self._known = self._known | dict(asking.answers[:])  # samples have those before
        if over:
            self._asking = None

    def notes(self) -> Iterator[str]:
        """What the last call left unknown, for a while now."""
        if self._unknown and time.monotonic() - self._asked_at >= SAID_S:
            many = "names of users are" if self._unknown > 1 else "name of a user is"
            yield (
                f"{self._unknown} {many} not known yet, and its number is shown: the name service "
                "(nsswitch.conf) has not answered."
            )


class _NameLookup(Thread):
    """Asks for one name after the other; a daemon, as quitting does not wait for a server."""

    def __init__(self, uids: list[int], ask: Callable[[int], str]) -> None:
        super().__init__(name="users", daemon=True)
        self._uids, self._ask = uids, ask
        self.answers: list[tuple[int, str]] = []

    def run(self) -> None:
        for uid in self._uids:
            self.answers.append((uid, self._ask(uid)))


def own_name() -> str:
    """Of whom this process runs as; the number where the name service takes long to tell."""
    uid = os.geteuid()
    return UserNames(OWN_S).of({uid}).get(uid, str(uid))


def login_name(uid: int) -> str:
    """The number, where it has none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except (KeyError, OSError):
        return str(uid)
