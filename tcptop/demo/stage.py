"""Scenario: a trouble that is made for real, and how to end it. Stage: two hosts and the link
between them, for one scenario or several at once.

All trouble is in the namespace `here`, the one to look at; `there` is the rest of the network.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Self

from tcptop.demo import linux, veth
from tcptop.demo.holder import Holder
from tcptop.demo.namespace import DemoNamespace

HERE, THERE = veth.CLIENT, veth.SERVER
_ADVICE = (
    "run it as root, or allow user namespaces "
    "(user.max_user_namespaces, kernel.apparmor_restrict_unprivileged_userns)"
)
# Derived from the size of the hash table, which is kept small for fast dumps: as on a real host.
_TW_BUCKETS = 65536

Recover = Callable[[], None]


class DemoError(Exception):
    """One line: what could not be shown, and why."""


@dataclass(frozen=True)
class Scenario:
    """`start` makes the trouble, in the namespace that is looked at, and returns what ends it.

    `story` is a sentence for people. `limits` are thresholds ("ID.NAME") that the demo lowers,
    for a condition that needs minutes otherwise. `spoiled_by` are ids that cannot run beside it.
    """

    id: str
    story: str
    start: Callable[[Stage], Recover]
    limits: Mapping[str, float] = field(default_factory=dict)
    spoiled_by: frozenset[str] = frozenset()


class Stage:
    """Make it in the main thread, for the processes on it end with the thread that made them.

    Everything is gone with `close`, and with the death of this process however it comes.
    """

    here: DemoNamespace
    there: DemoNamespace

    def __init__(self, scenarios: Sequence[Scenario]) -> None:
        self.scenarios = tuple(scenarios)
        self._namespaces = ExitStack()
        self._recovers: dict[str, Recover] = {}

    @property
    def pid(self) -> int:
        """A process in the namespace to look at."""
        return self.here.pid

    @property
    def limits(self) -> dict[str, float]:
        """Thresholds that are lowered, "ID.NAME" -> value."""
        return {name: value for each in self.scenarios for name, value in each.limits.items()}

    @property
    def limits_by_finding(self) -> dict[str, dict[str, float]]:
        """The same, finding -> threshold -> value."""
        limits: dict[str, dict[str, float]] = {}
        for name, value in self.limits.items():
            finding, _, threshold = name.partition(".")
            limits.setdefault(finding, {})[threshold] = value
        return limits

    @property
    def notes(self) -> list[str]:
        """What is not as in real life, a sentence each."""
        return [
            f"Sooner than in real life: --set {name}={value:g}."
            for name, value in self.limits.items()
        ]

    def __enter__(self) -> Self:
        """Start every scenario. Raises DemoError."""
        try:
            self._build()
            for each in self.scenarios:
                self.add(each)
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End every process on the stage; the namespaces go with the last one."""
        self._namespaces.close()

    def process_here(self, name: str) -> Holder:
        """A program of the host that is looked at; `name` is what ps shows."""
        return _named(self.here.helper(), name)

    def process_there(self, name: str) -> Holder:
        """A program of the other host."""
        return _named(self.there.helper(), name)

    def add(self, scenario: Scenario) -> None:
        """Start a trouble. Raises DemoError."""
        try:
            self._recovers[scenario.id] = scenario.start(self)
        except (OSError, RuntimeError) as error:
            raise DemoError(f"demo {scenario.id}: {_line(error)}") from error

    def recover(self, scenario: str) -> None:
        """End a trouble while all its processes live."""
        self._recovers[scenario]()

    def enter(self) -> None:
        """Put this process into the namespace to look at, for good.

        The only way to look without root: a user namespace can be entered, but not by a process
        with threads (setns(2)), nor left again. Raises DemoError.
        """
        try:
            for name, kind in (("user", linux.CLONE_NEWUSER), ("net", linux.CLONE_NEWNET)):
                _enter(f"/proc/{self.pid}/ns/{name}", f"/proc/thread-self/ns/{name}", kind)
        except OSError as error:
            raise DemoError(f"entering the demo's namespace: {error}") from error

    def _build(self) -> None:
        try:
            self.here = self._namespaces.enter_context(DemoNamespace())
            self.there = self._namespaces.enter_context(DemoNamespace(beside=self.here))
            veth.connect(self.here, self.there)
            self.here.sysctl("net.ipv4.tcp_max_tw_buckets", _TW_BUCKETS)
        except FileNotFoundError as error:  # the ip command, or a kernel without a sysctl
            raise DemoError(f"{error.filename}: {error.strerror}") from error
        except (OSError, RuntimeError) as error:
            raise DemoError(f"private network namespaces: {_line(error)}; {_ADVICE}") from error


def _named(holder: Holder, name: str) -> Holder:
    holder.run(linux.set_name, name.encode())
    return holder


def _enter(there: str, home: str, kind: int) -> None:
    with open(there) as file:
        if os.fstat(file.fileno()).st_ino != os.stat(home).st_ino:
            linux.setns(file.fileno(), kind)


def _line(error: OSError | RuntimeError) -> str:
    """Without "[Errno 1]", and on one line whatever a command complained about."""
    return " ".join(str(getattr(error, "strerror", None) or error).split())
