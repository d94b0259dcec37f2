"""orphan-or-memory-pressure: TCP as a whole runs short of memory or of room for orphans, or a
control group has no more memory for its sockets.

Orphans, pages and their limits are those of the whole host (net/ipv4/proc.c), so there is one
finding for it, whatever namespace is looked at. Only the counters are of one namespace,
and what arrives and is discarded.
"""

from __future__ import annotations

from collections.abc import Iterator

from tcptop.analysis.findings import discarded, words
from tcptop.analysis.findings.observations import Observations
from tcptop.analysis.findings.rule import Limits, Need, Rule, Threshold
from tcptop.model import sysctls
from tcptop.model.finding import Finding, Subject
from tcptop.model.named_tuple import NamedTuple

ID = "orphan-or-memory-pressure"
ORPHANS, MEMORY = "net.ipv4.tcp_max_orphans", "net.ipv4.tcp_mem"
PRESSED, ABORTED = "TCPMemoryPressures", "TCPAbortOnMemory"


class _Host(NamedTuple):
    """None where not known; `pages` of 4 KiB mostly. Rates are the highest of any namespace."""

    netns: int
    orphans: int | None
    most_orphans: int | None
    pages: int | None
    marks: tuple[int, ...]
    pressed_per_s: float
    aborted_per_s: float

    @property
    def many_orphans(self) -> float:
        """Share of the limit; 0 where not known."""
        return self.orphans / self.most_orphans if self.orphans and self.most_orphans else 0.0

    @property
    def past_mark(self) -> bool:
        return self.pages is not None and len(self.marks) == 3 and self.pages >= self.marks[1]


def find(seen: Observations, limits: Limits) -> Iterator[Finding]:
    if not seen.sample.kernel:
        return
    host = _host(seen)
    if host.many_orphans >= limits["orphan_share"]:
        yield _orphans(host)
    pressed = host.past_mark or host.pressed_per_s > 0
    # Without too many orphans it can only be the memory that aborts.
    if pressed or (host.aborted_per_s > 0 and host.many_orphans < limits["orphan_share"]):
        yield _memory(host)
    for kernel in seen.sample.kernel:
        found = discarded.discards(seen, kernel.netns, limits["discarded_per_s"])
        if found and (found.short or not pressed):
            yield discarded.finding(ID, seen, found)


def _host(seen: Observations) -> _Host:
    kernels = seen.sample.kernel
    limits = [sysctls.numbers(k.sysctls, ORPHANS) for k in kernels]
    marks = [sysctls.numbers(k.sysctls, MEMORY) for k in kernels]
    now = kernels[0].sockstat.get("TCP", {})

    def fastest(name: str) -> float:
        return max((seen.last_rate(k.netns, name) or 0.0) for k in kernels)

    return _Host(
        kernels[0].netns,
        now.get("orphan"),
        next((found[0] for found in limits if found), None),
        now.get("mem"),
        next((found for found in marks if found), ()),
        fastest(PRESSED),
        fastest(ABORTED),
    )


def _orphans(host: _Host) -> Finding:
    orphans, most = host.orphans or 0, host.most_orphans or 0
    return Finding(
        ID,
        words.key(ID, "orphans"),
        "critical" if host.aborted_per_s else "warning",
        f"{words.number(orphans)} of at most {words.number(most)} TCP orphans on this host"
        + _aborting(host),
        Subject(host.netns),
        {"orphans": orphans, "max_orphans": most, "aborted_per_s": host.aborted_per_s},
        (
            f"{words.number(orphans)} sockets whose process has closed them still have data or a "
            f"FIN to deliver ({words.percent(host.many_orphans)} of tcp_max_orphans; all "
            "namespaces together).",
            *_aborts(host),
        ),
        "Find what closes connections with much unsent data to peers that do not read: write no "
        "more than the peer reads, and set a timeout. Only then, outside containers: "
        f"sysctl -w {ORPHANS}={2 * most} (now {most}); each orphan keeps its memory.",
        "ss -tanoem state fin-wait-1 state last-ack state closing; grep TCP: /proc/net/sockstat",
    )


def _memory(host: _Host) -> Finding:
    values = {"pages": host.pages, "aborted_per_s": host.aborted_per_s}
    marks = dict(zip(("low_pages", "pressure_pages", "max_pages"), host.marks, strict=False))
    pages = "" if host.pages is None else f": {words.number(host.pages)} pages in use"
    return Finding(
        ID,
        words.key(ID, "memory"),
        "critical" if host.aborted_per_s else "warning",
        f"TCP on this host is short of memory{pages}" + _aborting(host),
        Subject(host.netns),
        {name: value for name, value in (values | marks).items() if value is not None},
        (*_pages(host), *_presses(host), *_aborts(host)),
        "Find the queues that hold the bytes: a process that does not read (Recv-Q), peers that "
        "do not (Send-Q), or buffers fixed to megabytes with SO_RCVBUF and SO_SNDBUF. Only then "
        f"give TCP more memory with {MEMORY}"
        + (f" (now {' '.join(map(str, host.marks))})." if host.marks else "."),
        f"grep TCP: /proc/net/sockstat; sysctl {MEMORY}; nstat -az TcpExt{PRESSED} TcpExt{ABORTED}",
    )


def _aborting(host: _Host) -> str:
    per_s = host.aborted_per_s
    return f", {words.number(per_s)} connections/s are aborted" if per_s else ""


def _aborts(host: _Host) -> list[str]:
    per_s = host.aborted_per_s
    return [f"{ABORTED} rises by {words.number(per_s)}/s: sockets are reset."] if per_s else []


def _presses(host: _Host) -> list[str]:
    per_s = host.pressed_per_s
    said = f"{PRESSED} rises by {words.number(per_s)}/s: the kernel shrinks buffers."
    return [said] if per_s else []


def _pages(host: _Host) -> list[str]:
    if host.pages is None or len(host.marks) != 3:
        return []
    return [
        f"TCP uses {words.number(host.pages)} pages; memory pressure begins at "
        f"{words.number(host.marks[1])}, the limit is {words.number(host.marks[2])} "
        "(tcp_mem; all namespaces together)."
    ]


RULE = Rule(
    ID,
    0,
    (
        Threshold("orphan_share", 0.5, "share of tcp_max_orphans"),
        Threshold("discarded_per_s", 1, "segments a second that arrived and are discarded"),
    ),
    find,
    frozenset({Need.COUNTERS}),
)
