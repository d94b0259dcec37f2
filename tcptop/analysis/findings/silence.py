"""Which rules could not look, and why: what is not known is not sound."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from tcptop.analysis.findings import newer_counters, words
from tcptop.analysis.findings.rule import Need
from tcptop.analysis.findings.rules import RULES
from tcptop.analysis.findings.settings import FindingSettings
from tcptop.model import tcp
from tcptop.model.finding import Silence
from tcptop.model.named_tuple import NamedTuple
from tcptop.model.owner import NOT_PERMITTED, NOT_SEARCHED, NOT_TOLD, OUTSIDE
from tcptop.model.snapshot import Snapshot
from tcptop.model.table import Bools

LONG_S = 60.0  # in a state: shorter is no trouble yet to the rules that need clocks


def silences(snapshot: Snapshot, settings: FindingSettings) -> tuple[Silence, ...]:
    """The rules whose input could not be read, by what they lacked."""
    return (
        *_unentered(snapshot, settings),
        *(
            Silence(rules, f"{lack.why}: {', '.join(rules)} could not look{lack.at_what}.")
            for lack in _lacks(snapshot)
            if (rules := _rules(lack.need, settings))
        ),
        *(
            Silence(
                (each.rule,),
                f"Linux counts {each.section}{each.name} since {each.since}, and not here: "
                f"{each.rule} could not look for {each.to_what}.",
            )
            for each in newer_counters.lacked(snapshot)
            if each.rule not in settings.ignored
        ),
    )


def faults(failed: Mapping[str, Sequence[str]]) -> Iterator[Silence]:
    """The rules that met an error, each once though all may have met the same."""
    for why, rules in failed.items():
        what = f"{', '.join(rules)} could not look" if rules else "Causes could not be told"
        yield Silence(tuple(rules), f"{what} because of an error in tcptop: {why}.", fault=True)


def _unentered(snapshot: Snapshot, settings: FindingSettings) -> Iterator[Silence]:
    """All of them, where network namespaces have sockets and may not be entered."""
    told = (each.sockstat.get("TCP", {}) for each in snapshot.sample.unentered)
    number = sum(each.get("inuse") != 0 or each.get("tw") != 0 for each in told)
    rules = tuple(rule.id for rule in RULES if rule.id not in settings.ignored)
    if number and rules:
        spaces = words.count(number, "other network namespace has", "other network namespaces have")
        yield Silence(rules, f"{spaces} sockets and may not be entered: no rule could look there.")


def too_early(
    over_s: float, settings: FindingSettings, longer: str = "; use --over {:g}"
) -> tuple[Silence, ...]:
    """The rules for which a watch of so many seconds is too short, and what is `longer`."""
    early = unlooked(over_s, settings)
    if not early:
        return ()
    needed = {rule.id: rule.look_s for rule in RULES if rule.id in early}
    rules = ", ".join(f"{id} ({look_s:g} s)" for id, look_s in needed.items())
    longest = max(needed.values())
    note = f"{over_s:.3g} s is too short for {rules}{longer.format(longest)}."
    return (Silence(tuple(needed), note),)


def unlooked(over_s: float | None, settings: FindingSettings) -> list[str]:
    """Ids of the rules that need to watch for longer than that to say anything."""
    watched = over_s or 0.0
    return [r.id for r in RULES if r.look_s > watched and r.id not in settings.ignored]


class _Lack(NamedTuple):
    """What could not be read; `at_what` the rules could not look, where it is known of others."""

    need: Need
    why: str
    at_what: str = ""


def _lacks(snapshot: Snapshot) -> Iterator[_Lack]:
    sample = snapshot.sample
    unknown = int(np.count_nonzero(_unknown(snapshot)))
    if unknown:
        sockets = words.count(unknown, "socket has", "sockets have")
        them = " at it" if unknown == 1 else " at them"
        yield _Lack(Need.OWNERS, f"{sockets} no known process", them)
    if not sample.backlog_told:
        yield _Lack(Need.BACKLOG, "Without sock_diag the backlog of listeners is unknown")
        yield _Lack(Need.TCP_INFO, "Without sock_diag the tcp_info of sockets is unknown")
        if (snapshot.over_s or 0.0) < LONG_S:
            yield _Lack(Need.CLOCKS, "Without sock_diag the age of states is unknown")
    elif _windowless(snapshot):
        yield _Lack(Need.WINDOWS, "This kernel (before 5.4) does not tell the peer's window")
    if sample.unix_listeners is None:
        why = "Without unix_diag the queues of listening UNIX sockets are not known"
        if sample.of_file:
            why = "A dump of ss has no UNIX sockets"
        elif sample.via is not None:
            why = "Through another command the queues of listening UNIX sockets are not read"
        yield _Lack(Need.UNIX_QUEUES, why, " at them")
    if sample.of_file:
        yield from _of_dump(snapshot)
        return
    if not all(kernel.counters for kernel in sample.kernel):
        yield _Lack(Need.COUNTERS, "The counters in /proc/net could not be read")
    if not all(kernel.sysctls for kernel in sample.kernel):
        yield _Lack(Need.SYSCTLS, "The sysctls in /proc/sys/net could not be read")


def _of_dump(snapshot: Snapshot) -> Iterator[_Lack]:
    yield _Lack(Need.COUNTERS, "A dump of ss has no counters")
    yield _Lack(Need.SYSCTLS, "A dump of ss has no sysctls")
    if not snapshot.sample.sockets.info_size.any():
        yield _Lack(Need.TCP_INFO, "This dump of ss has no tcp_info")
        yield _Lack(Need.CLOCKS, "In this dump of ss the age of states is unknown")


def _windowless(snapshot: Snapshot) -> bool:
    table = snapshot.sample.sockets
    told = (table.state == tcp.ESTABLISHED) & (table.info_size > 0)
    return bool(told.any()) and not bool((told & table.tcp_info_known("snd_wnd")).any())


def _unknown(snapshot: Snapshot) -> Bools:
    """Sockets whose processes cannot be known from here.

    In a container they may be outside of it; what one sample alone has seen was just closed, maybe.
    """
    note = snapshot.note
    outside = note == OUTSIDE
    if snapshot.over_s:
        outside &= snapshot.seen_s > 0
    unread = (note == NOT_PERMITTED) | (note == NOT_SEARCHED) | (note == NOT_TOLD)
    unknown: Bools = outside | unread
    return unknown


def _rules(need: Need, settings: FindingSettings) -> tuple[str, ...]:
    every = (rule.id for rule in RULES if need in rule.needs)
    return tuple(id for id in every if id not in settings.ignored)
