"""What a process is doing: for the few that a finding or a pane is about, by psutil and /proc.

What psutil does not know is read here: the epoll descriptors' lists of what they wait for
(fs/eventpoll.c, ep_show_fdinfo; since 3.8), and the function that a process sleeps in.
"""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Iterator, Mapping
from itertools import islice
from typing import TYPE_CHECKING

from tcptop.model.digits import hexadecimal
from tcptop.model.named_tuple import NamedTuple
from tcptop.model.sample import Frozen, ProcessFacts, Tracer
from tcptop.sources import dns_sockets, procfs
from tcptop.sources.busy_threads import BusyThreads
from tcptop.sources.processes import name
from tcptop.sources.restraints import Restraints
from tcptop.sources.stuck_threads import StuckThreadsReader

if TYPE_CHECKING:
    import psutil

AT_ONCE = 32  # processes a sample; each takes some 0.3 ms, and 5 µs for each descriptor
EPOLLS = 16  # epoll descriptors of one process that are read
AGAIN_S = 5e-3  # for each descriptor of a process, before all are looked at again: 0.1% of a CPU
TRACED = "tracing-stop"  # as psutil names it
PIPE_WRITES = ("pipe_write", "anon_pipe_write")  # fs/pipe.c
POLLS = ("poll_schedule_timeout", "do_poll", "do_sys_poll")  # fs/select.c
# Where frozen tasks sleep: kernel/freezer.c; do_freezer_trap of kernel/signal.c is often inlined.
FREEZERS = ("__refrigerator", "do_freezer_trap")
DESCRIPTORS = 20_000  # of one process; above that its epoll descriptors are not looked for


class _Epolls(NamedTuple):
    """The names of a process's epoll descriptors, looked for anew when that is due."""

    names: list[str]
    due: float  # monotonic clock


class _Seen(NamedTuple):
    process: psutil.Process
    clock: float
    cpu_s: float
    doing: tuple[str, Frozen | None]
    since: float  # it does so
    epolls: _Epolls | None


class FactsReader:
    """Reads the facts of the requested processes; keep one, as CPU and state need two samples."""

    def __init__(self) -> None:
        self._pids: frozenset[int] = frozenset()
        self._seen: dict[int, _Seen] = {}
        self._restraints = Restraints()
        self._busy = BusyThreads()
        self._stuck = StuckThreadsReader()

    def request(self, pids: Collection[int]) -> None:
        """These and no others, from the next `read` on."""
        self._pids = frozenset(sorted(pids)[:AT_ONCE])

    def read(self) -> Mapping[int, ProcessFacts]:
        """Facts by pid; one that has ended is left out, what is not permitted is None."""
        self._seen = {pid: seen for pid, seen in self._seen.items() if pid in self._pids}
        self._restraints.look()
        self._busy.keep(set(self._seen))
        self._stuck.keep(self._seen)
        found = ((pid, self._facts(pid)) for pid in sorted(self._pids))
        return {pid: facts for pid, facts in found if facts is not None}

    def _facts(self, pid: int) -> ProcessFacts | None:
        import psutil  # 15 ms: only where something is wrong, or a pane is open

        before = self._seen.get(pid)
        try:
            process = before.process if before else psutil.Process(pid)
            if not process.is_running():
                raise psutil.NoSuchProcess(pid)
            with process.oneshot():
                return self._told(process, before)
        except psutil.NoSuchProcess:
            self._seen.pop(pid, None)
        except psutil.AccessDenied:
            return None
        return None

    def _told(self, process: psutil.Process, before: _Seen | None) -> ProcessFacts:
        clock, pid = time.monotonic(), process.pid
        times = process.cpu_times()
        cpu_s = times.user + times.system
        state, asleep = process.status(), sleeps_in(pid)
        frozen, throttled, memory = self._restraints.of(procfs.read(f"/proc/{pid}/cgroup") or b"")
        if frozen is None and asleep in FREEZERS:
            frozen = Frozen("")
        same = before is not None and before.doing == (state, frozen)
        since = before.since if before is not None and same else clock
        epolls = _epolls(pid, clock, before.epolls if before is not None else None)
        self._seen[pid] = _Seen(process, clock, cpu_s, (state, frozen), since, epolls)
        passed = clock - before.clock if before else 0.0
        share = (cpu_s - before.cpu_s) / passed if before and passed > 0 else None
        return ProcessFacts(
            pid=pid,
            state=state,
            state_s=clock - since,
            cpu_share=share,
            threads=process.num_threads(),
            rss=process.memory_info().rss,
            started_at=process.create_time(),
            parent=process.ppid(),
            sleeps_in=asleep,
            waits_for=_waits_for(pid, epolls),
            parent_name=name(f"/proc/{process.ppid()}"),
            directory=_link(f"/proc/{pid}/cwd"),
            replaced=replaced(f"/proc/{pid}"),
            writes_to=_writes_to(pid) if asleep in PIPE_WRITES else None,
            frozen=frozen,
            throttled=throttled,
            memory=memory,
            busiest=self._busy.of(pid, share, passed),
            dns_servers=dns_sockets.servers(pid) if (asleep or "").startswith(POLLS) else (),
            tracer=_tracer(pid) if state == TRACED else None,
            stuck=self._stuck.of(pid, clock) if frozen is None else None,
        )


def _tracer(pid: int) -> Tracer:
    """TracerPid is 0 where the tracer is of another pid namespace (task_state, fs/proc/array.c)."""
    lines = (procfs.read(f"/proc/{pid}/status") or b"").splitlines()
    told = next((line.split()[1:] for line in lines if line.startswith(b"TracerPid:")), [])
    by = int(told[0]) if told and told[0].isdigit() else 0
    return Tracer(name(f"/proc/{by}") if by else None, by)


def _link(path: str) -> str | None:
    try:
        return procfs.text(os.fsencode(os.readlink(path)))
    except OSError:
        return None


def replaced(path: str) -> bool | None:
    """Whether the file that the process behind a /proc/PID runs is gone from its directory, where a
    newer one may be; None where that is not told.

    The kernel says so after its name (d_path, fs/d_path.c), which a file may also be called.
    Programs that run from memory have no file (memfd_create).
    """
    try:
        target = os.readlink(f"{path}/exe")
        if not target.endswith(procfs.REMOVED) or target.startswith("/memfd:"):
            return False
        return not _same(os.stat(f"{path}/exe"), f"{path}/root{target}")
    except OSError:
        return None


def _same(status: os.stat_result, path: str) -> bool:
    try:
        return os.path.samestat(status, os.stat(path))
    except FileNotFoundError:
        return False


def sleeps_in(pid: int) -> str | None:
    """The kernel function that the first thread sleeps in: inet_csk_accept, ep_poll; None where it
    runs, or where that is not told."""
    name = procfs.text(procfs.read(f"/proc/{pid}/wchan") or b"").strip()
    return None if name in ("", "0") else name


def _writes_to(pid: int) -> int | None:
    """The first argument of the call that the first thread is in: "1 0x2 0x7f…"."""
    words = procfs.text(procfs.read(f"/proc/{pid}/syscall") or b"").split()
    return hexadecimal(words[1].removeprefix("0x")) if len(words) > 2 else None


def _waits_for(pid: int, epolls: _Epolls | None) -> frozenset[int] | None:
    """Inodes of the files that the process's epoll descriptors watch; None where it has none, or
    they may not be read."""
    if epolls is None or not epolls.names:
        return None
    texts = [procfs.read(f"/proc/{pid}/fdinfo/{number}") for number in epolls.names]
    return frozenset(inode for text in texts for inode in watched(text or b""))


def _epolls(pid: int, clock: float, before: _Epolls | None) -> _Epolls | None:
    """The descriptors known before as long as they are epolls still, and it is not time to look at
    all; None where they may not be read."""
    directory = f"/proc/{pid}/fd"
    if before and clock < before.due and all(_is_epoll(directory, name) for name in before.names):
        return before
    try:
        names = os.listdir(directory)
        found = [] if len(names) > DESCRIPTORS else [*islice(_among(directory, names), EPOLLS)]
    except OSError:
        return None
    return _Epolls(found, clock + len(names) * AGAIN_S)


def _among(directory: str, names: list[str]) -> Iterator[str]:
    ordered = sorted(names, key=lambda name: (len(name), name))  # as numbers go
    return (name for name in ordered if _is_epoll(directory, name))


def _is_epoll(directory: str, name: str) -> bool:
    try:
        return os.readlink(f"{directory}/{name}") == "anon_inode:[eventpoll]"
    except FileNotFoundError:
        return False


def watched(fdinfo: bytes) -> Iterator[int]:
    """Inodes (hexadecimal there) of an epoll descriptor's lines: tfd: 3 events: 19 … ino:7203a8."""
    for line in fdinfo.splitlines():
        words = line.split()
        if words[:1] != [b"tfd:"]:
            continue
        for word in words:
            if word.startswith(b"ino:"):
                try:
                    yield int(word[4:], 16)
                except ValueError:
                    continue
