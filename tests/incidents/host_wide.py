"""Looking at a construction from outside, as one tcptop that sees every namespace of the host."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Self

from tcptop.analysis.derive import derive
from tcptop.analysis.history import History
from tcptop.demo.namespace import DemoNamespace
from tcptop.model.snapshot import Snapshot
from tcptop.sources.live import LiveSource
from tests.incidents.playing import INTERVAL_S, LISTENERS_S

Limits = Mapping[str, Mapping[str, float]]
_LONGEST_S = 60.0  # for one look


class HostWide:
    """Looks at all of them each second in a thread of its own. Close it."""

    def __init__(self) -> None:
        self._new = threading.Condition()
        self._snapshot: Snapshot | None = None
        self._over = threading.Event()
        self._begun = threading.Lock()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        if self._thread:
            self._thread.join()

    def inside(self, namespace: DemoNamespace, _: Limits) -> Through:
        """For playing, with thresholds as they are. It begins to look at the first call: labs are
        forked before there are threads."""
        with self._begun:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run)
                self._thread.start()
        return Through(self, namespace.inode)

    def after(self, moment: float) -> Snapshot:
        """The first one that began then or later, by the monotonic clock. Raises TimeoutError."""
        with self._new:
            if not self._new.wait_for(lambda: self._since(moment), _LONGEST_S):
                raise TimeoutError("no look at the host")
            assert self._snapshot is not None
            return self._snapshot

    def _since(self, moment: float) -> bool:
        return self._snapshot is not None and self._snapshot.sample.clock >= moment

    def _run(self) -> None:
        source, history = LiveSource(everywhere=True), History()
        try:
            while not self._over.is_set():
                due = time.monotonic() + INTERVAL_S
                snapshot, history = derive(source.sample(), history)
                source.request(snapshot.requests)
                with self._new:
                    self._snapshot = snapshot
                    self._new.notify_all()
                while time.monotonic() < due and not self._over.wait(LISTENERS_S):
                    source.poll_listeners()
        finally:
            source.close()


class Through:
    """What a host-wide look says of one namespace."""

    def __init__(self, host: HostWide, netns: int) -> None:
        self._host, self._netns = host, netns

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def look(self) -> Snapshot:
        snapshot = self._host.after(time.monotonic())
        return replace(
            snapshot, findings=tuple(f for f in snapshot.findings if f.subject.netns == self._netns)
        )

    def poll_listeners(self) -> None:
        pass  # it does so itself
