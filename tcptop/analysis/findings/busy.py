"""Culprits that compute: the thread that wants a CPU all the time, and what its name tells."""

from __future__ import annotations

from collections.abc import Sequence

from tcptop.analysis.findings import servers, words
from tcptop.analysis.findings.observations import Observations
from tcptop.model.cells import safe
from tcptop.model.sample import BusyThread, Process, ProcessFacts

BUSY = 0.95  # of a core, by a whole process
WANTS = 0.9  # of the time one thread runs, or waits for a CPU
SHORT = 0.3  # of the time it waits for one
COLLECTS = "collects garbage"
# What a thread does by how its name begins, of which the kernel keeps 15 bytes. The VM thread of
# Java collects itself where the collector has one thread (-XX:+UseSerialGC).
NAMED = {
    "VM Thread": "does what stops a whole Java program, mostly collects garbage",
    "GC Thread": COLLECTS,
    "G1 ": COLLECTS,
    "ParGC": COLLECTS,
    "Gang worker": COLLECTS,
    "ZWorker": COLLECTS,
    "ZDriver": COLLECTS,
    "Shenandoah": COLLECTS,
    ".NET Server GC": COLLECTS,
    ".NET BGC": COLLECTS,
    "C1 Compiler": "compiles Java code",
    "C2 Compiler": "compiles Java code",
}


def busy(facts: ProcessFacts) -> bool:
    """Whether it computes all the time, or would if it got a CPU."""
    whole = facts.cpu_share is not None and facts.cpu_share >= BUSY
    return whole or _thread(facts) is not None


def said(facts: ProcessFacts) -> str:
    """uses 54% of a core, with 23 threads; its thread VM Thread runs 98% of the time"""
    thread, many = _thread(facts), words.count(facts.threads, "thread")
    share = None if facts.cpu_share is None else words.percent(facts.cpu_share)
    whole = "" if share is None else f"uses {share} of a core, with {many}"
    if thread is None or (facts.threads == 1 and thread.waited < SHORT):
        return whole
    return "; ".join(filter(None, (whole, _said_of(thread, facts.threads))))


def _said_of(thread: BusyThread, threads: int) -> str:
    who = "it" if threads == 1 else f"its thread {safe(thread.name)}"
    wants, ran = words.percent(min(1.0, thread.wants)), words.percent(thread.ran)
    if thread.waited < SHORT:
        told = f"{who} runs {wants} of the time"
    else:
        told = (
            f"{who} is ready to run {wants} of the time and gets a CPU for {ran} (the host is "
            "busy, or the CPU quota of its control group is used up)"
        )
    does = _does(thread)
    return f"{told}: it {does}" if does else told


def advice(seen: Observations, processes: Sequence[Process]) -> str:
    """Where all of them are known to compute; else empty. Asks for the facts."""
    facts = [seen.facts(each) for each in processes]
    known = [each for each in facts if each is not None and busy(each)]
    if not known or len(known) < len(facts):
        return ""
    thread, who = _thread(known[0]), words.called(processes[0])
    if thread is not None and COLLECTS in _does(thread):
        return _garbage(who, processes[0])
    name = f"thread {safe(thread.name)}" if thread and known[0].threads > 1 else ""
    return (
        f"Find what {f'{name} of {who}' if name else who} computes (perf top -p "
        f"{processes[0].pid}, top -H -p {processes[0].pid}, {servers.stacks(processes)}): a long "
        "loop, a very large input, a regular expression that backtracks, garbage collection, a "
        "lock that is spun on. More backlog would only hide it."
    )


def _garbage(who: str, process: Process) -> str:
    if process.name.startswith("java"):
        see = (
            f"jstat -gcutil {process.pid} 1000 shows it (FGC and FGCT rise, O stays near 100), "
            f"jcmd {process.pid} GC.class_histogram what fills the heap"
        )
        more = " (-Xmx)"
    else:
        see, more = f"dotnet-counters monitor -p {process.pid} shows it", ""
    return (
        f"{who} collects garbage nearly all the time, as a heap that is full makes it: {see}. Find "
        f"what it keeps (a cache without a limit, a leak), or give it a larger heap{more}. More "
        "workers, threads or backlog add to it."
    )


def _thread(facts: ProcessFacts) -> BusyThread | None:
    thread = facts.busiest
    return thread if thread is not None and thread.wants >= WANTS else None


def _does(thread: BusyThread) -> str:
    known = (does for begins, does in NAMED.items() if thread.name.startswith(begins))
    return next(known, "")
