"""What the culprits are doing: stopped, frozen, stuck, busy, or asleep in a call of the kernel."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from tcptop.analysis.findings import busy, restrained, words
from tcptop.analysis.findings.observations import Observations
from tcptop.model.cells import safe
from tcptop.model.sample import Process, ProcessFacts, StuckThreads

MOST = 3  # processes that are told of
REPLACED = (
    "still runs a program file that was deleted or replaced after it started, as by an upgrade"
)
STOPPED, TRACED, UNINTERRUPTIBLE = "stopped", "tracing-stop", "disk-sleep"
STUCK_S = 5.0  # in uninterruptible sleep: a disk that works takes less
HELD_S = 1.0  # in a tracing stop: strace has its process in one at each call, for an instant
# Kernel functions that a first thread sleeps in, by how their names begin, as /proc/PID/wchan has
# them.
CALLS = (
    ("inet_csk_accept", "waits in accept()"),
    ("ep_poll", "waits for events (epoll)"),
    ("do_epoll_wait", "waits for events (epoll)"),
    ("do_poll", "waits for events (poll)"),
    ("poll_schedule_timeout", "waits for events (poll)"),
    ("do_select", "waits for events (select)"),
    ("futex", "waits for a lock or another thread (futex)"),
    ("wait_woken", "waits to read or write a socket"),
    ("sk_wait_data", "waits to read from a socket"),
    ("sk_stream_wait_memory", "waits to write to a socket"),
    ("unix_stream", "waits for the other end of a UNIX socket"),
    ("pipe_", "waits for a pipe"),
    ("anon_pipe", "waits for a pipe"),
    ("hrtimer_nanosleep", "is in a timed sleep"),
    ("do_nanosleep", "is in a timed sleep"),
    ("do_wait", "waits for a child process"),
    ("flock", "waits for a file lock"),
    ("fcntl_setlk", "waits for a file lock"),
)
# Where a thread waits for one socket, with a deadline, or for many.
POLLING = ("poll_schedule_timeout", "do_poll", "do_sys_poll")
# Of those, where nothing of a socket is waited for.
ELSEWHERE = (
    "hrtimer_nanosleep",
    "do_nanosleep",
    "do_wait",
    "futex",
    "pipe_",
    "anon_pipe",
    "flock",
    "fcntl_setlk",
)


def evidence(seen: Observations, processes: Iterable[Process]) -> Iterator[str]:
    """A sentence for each of the first processes of which something is told; asks for the facts."""
    told = list(processes)[:MOST]
    for process in told:
        facts = seen.facts(process)
        said = None if facts is None else _said(facts)
        if said:
            yield f"{words.name(process)} {said}."
        if facts is not None and facts.replaced:
            yield f"{words.name(process)} {REPLACED}."
    yield from restrained.quotas(seen, told)


def stopped(seen: Observations, process: Process) -> bool:
    """Whether it is known to be stopped (SIGSTOP, a debugger)."""
    facts = seen.facts(process)
    return facts is not None and (facts.state == STOPPED or _held_by_tracer(facts))


def _held_by_tracer(facts: ProcessFacts) -> bool:
    return facts.state == TRACED and facts.state_s >= HELD_S and not facts.cpu_share


def waits_for_disk(seen: Observations, process: Process) -> bool:
    """Whether it, or a thread of it, is known to be in uninterruptible sleep for long."""
    facts = seen.facts(process)
    if facts is None or facts.frozen is not None:
        return False
    stuck = facts.stuck is not None and facts.stuck.for_s >= STUCK_S
    return stuck or (facts.state == UNINTERRUPTIBLE and facts.state_s >= STUCK_S)


def sleeps_in(seen: Observations, process: Process, calls: tuple[str, ...]) -> bool:
    """Whether its only thread is known to sleep in one of these functions of the kernel."""
    facts = seen.facts(process)
    return facts is not None and _sleeps_in(facts, calls)


def _sleeps_in(facts: ProcessFacts, calls: tuple[str, ...]) -> bool:
    return facts.threads == 1 and (facts.sleeps_in or "").startswith(calls)


def waits_elsewhere(facts: ProcessFacts) -> bool:
    """Whether its only thread is known to wait for something that is no socket."""
    return _sleeps_in(facts, ELSEWHERE)


def pipe_is_full(facts: ProcessFacts) -> bool:
    """Whether its first thread waits to write to a pipe that nobody reads."""
    return (facts.sleeps_in or "").endswith("pipe_write")


def pipe(descriptor: int | None) -> str:
    """stdout; descriptor 7; a pipe where it is not known which"""
    if descriptor is None:
        return "a pipe"
    return {1: "stdout", 2: "stderr"}.get(descriptor, f"descriptor {descriptor}")


def condition(seen: Observations, processes: Sequence[Process]) -> str:
    """ "stopped", "frozen" or "throttled", where all of them, of whom there are some, are known to
    be so; else empty. Asks for the facts."""
    halts = [stopped(seen, each) for each in processes]
    freezes = [restrained.frozen(seen, each) for each in processes]
    if processes and all(freezes):
        return "frozen"
    if processes and all(map(max, halts, freezes)):
        return "stopped"
    return "throttled" if restrained.quota(seen, processes) else ""


def halted(seen: Observations, processes: Sequence[Process]) -> bool:
    """Whether all of them, of whom there are some, are known to be stopped or frozen."""
    return condition(seen, processes) in ("stopped", "frozen")


def remedy(seen: Observations, processes: Sequence[Process]) -> str:
    """Advice for those that are in such a condition: it goes before all other; else empty."""
    now = condition(seen, processes)
    if now == "frozen":
        return restrained.thaw(seen, processes)
    if now == "stopped":
        return _resume(seen, [each for each in processes if stopped(seen, each)])
    return restrained.raise_quota(seen, processes) if now else ""


def _resume(seen: Observations, processes: Sequence[Process]) -> str:
    facts = [told for each in processes if (told := seen.facts(each)) is not None]
    pids = " ".join(str(each.pid) for each in facts if each.state == STOPPED)
    holders = sorted({_by(each) for each in facts if each.state == TRACED})
    said = []
    if holders:
        who = words.joined(holders)
        said.append(f"Detach or end {who}: SIGCONT does not resume what a tracer holds.")
    if pids:
        said.append(
            "Find out who stopped it (a supervisor, Ctrl-Z, a script), then resume it with "
            f"kill -CONT {pids}, or restart it."
        )
    return " ".join(said)


def _by(facts: ProcessFacts) -> str:
    """gdb (pid 812); a debugger that is not known"""
    if facts.tracer is None or not facts.tracer.pid:
        return "a tracer that is not known (a debugger)"
    return f"{safe(facts.tracer.name or '?')} (pid {facts.tracer.pid})"


def _said(facts: ProcessFacts) -> str | None:
    since = f" for at least {words.duration(facts.state_s)}" if facts.state_s >= 1 else ""
    if facts.state == STOPPED:
        return f"is stopped (state T{since}) by SIGSTOP or job control; SIGCONT resumes it"
    if _held_by_tracer(facts):
        return f"is held (state t{since}) by {_by(facts)}, which traces it"
    if facts.state == TRACED:
        return f"is in a tracing stop at this look (state t), by {_by(facts)}"
    if facts.frozen is not None:
        by = facts.frozen.file and f" ({safe(facts.frozen.file)})"
        since = since and f",{since}"
        return f"is frozen by its control group{by}{since}: none of its code runs"
    if facts.state == UNINTERRUPTIBLE:
        return (
            f"is in uninterruptible sleep (state D{since}), usually a disk or network file system"
        )
    if facts.stuck is not None and facts.stuck.for_s >= STUCK_S:
        return _stuck(facts, facts.stuck)
    if busy.busy(facts):
        return busy.said(facts)
    return asleep(facts)


def _stuck(facts: ProcessFacts, stuck: StuckThreads) -> str:
    of = f"{words.number(stuck.number)} of its {words.count(facts.threads, 'thread')}"
    verb = "is" if stuck.number == 1 else "are"
    return (
        f"hangs in part: {of} {verb} in uninterruptible sleep (state D), "
        f"{'' if stuck.number == 1 else 'the longest '}for at least "
        f"{words.duration(stuck.for_s)}, usually for a disk or network file system"
    )


def asleep(facts: ProcessFacts) -> str | None:
    """What a single thread waits for: which of several would have to act is not known."""
    if facts.threads > 1 or facts.sleeps_in is None:
        return None
    if pipe_is_full(facts):
        full = pipe(facts.writes_to)
        what = full if full == "a pipe" else f"{full}, a pipe"
        return f"waits to write to {what} that is full ({facts.sleeps_in})"
    said = next((said for begins, said in CALLS if facts.sleeps_in.startswith(begins)), None)
    return None if said is None else f"{said} ({facts.sleeps_in})"
