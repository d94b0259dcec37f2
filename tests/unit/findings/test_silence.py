"""Which rules could not look: what they need is declared, and what they declare is true."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from tcptop.analysis.derive import derive
from tcptop.analysis.findings.rule import Need
from tcptop.analysis.findings.rules import RULES
from tcptop.analysis.findings.settings import DEFAULTS, FindingSettings
from tcptop.analysis.findings.silence import silences, too_early
from tcptop.analysis.history import History
from tcptop.model import tcp
from tcptop.model.sample import NO_OWNERS, Kernel, Sample
from tests import recordings
from tests.unit.prepared import derived, everything, later, owners, sample, socket

PROCESSES = tuple(rule.id for rule in RULES if Need.OWNERS in rule.needs)
CLOCKED = {rule.id for rule in RULES if Need.CLOCKS in rule.needs}


def from_proc(sample: Sample) -> Sample:
    """As /proc/net/tcp has it: no backlog, no tcp_info."""
    table = sample.sockets
    bare = replace(
        table,
        has=table.has & ~np.array(1 << tcp.INFO, table.has.dtype),
        info=np.zeros_like(table.info),
        info_size=np.zeros_like(table.info_size),
    )
    return replace(sample, source="procfs", sockets=bare)


def without_owners(sample: Sample) -> Sample:
    return replace(sample, owners=replace(NO_OWNERS, complete=False))


def without_counters(sample: Sample) -> Sample:
    kernels = (replace(each, counters={}, sockstat={}) for each in sample.kernel)
    return replace(sample, kernel=tuple(kernels))


def without_sysctls(sample: Sample) -> Sample:
    return replace(sample, kernel=tuple(replace(each, sysctls={}) for each in sample.kernel))


def without_unix(sample: Sample) -> Sample:
    return replace(sample, unix_listeners=None)


def of_linux_4_19(sample: Sample) -> Sample:
    """tcp_info ends before the peer's window."""
    sizes = np.minimum(sample.sockets.info_size, tcp.TCP_INFO_BY_NAME["snd_wnd"].since - 8)
    return replace(sample, sockets=replace(sample.sockets, info_size=sizes))


Without = Callable[[Sample], Sample]
LACKING: Mapping[Without, frozenset[Need]] = {
    from_proc: frozenset({Need.BACKLOG, Need.TCP_INFO, Need.CLOCKS}),
    without_owners: frozenset({Need.OWNERS}),
    without_counters: frozenset({Need.COUNTERS}),
    without_sysctls: frozenset({Need.SYSCTLS}),
    without_unix: frozenset({Need.UNIX_QUEUES}),
    of_linux_4_19: frozenset({Need.WINDOWS}),
}


def needing(needs: frozenset[Need]) -> set[str]:
    return {rule.id for rule in RULES if rule.needs & needs}


def silent(sample: Sample, settings: FindingSettings = DEFAULTS) -> set[str]:
    return {id for each in silences(derived(sample), settings) for id in each.rules}


def whole(sample: Sample) -> Sample:
    return sample


@cache
def found(name: str, without: Without) -> frozenset[str]:
    """All that is found in a recording without some input."""
    history, ids = History(), set()
    for each in recordings.load(name):
        snapshot, history = derive(without(each), history, recordings.settings(name))
        ids |= {finding.id for finding in snapshot.findings}
    return frozenset(ids)


@pytest.mark.parametrize("without", LACKING)
@pytest.mark.parametrize("name", ["tour", "churn"])
def test_what_a_rule_does_not_find_without_an_input_it_declares(
    name: str, without: Without
) -> None:
    assert found(name, whole) - found(name, without) <= needing(LACKING[without])


@pytest.mark.parametrize("without", LACKING)
@pytest.mark.parametrize("name", ["tour", "churn"])
def test_a_rule_finds_nothing_without_what_it_declares(name: str, without: Without) -> None:
    """But by a watch that is as long as a state has to last, which the tour lowers, and of TCP
    listeners where those of UNIX sockets are not known."""
    assert not found(name, without) & needing(LACKING[without] - {Need.CLOCKS, Need.UNIX_QUEUES})


@pytest.mark.parametrize("without", LACKING)
def test_rules_are_silent_where_their_input_is_not_there(without: Without) -> None:
    sample = everything()
    assert silent(sample) == set()
    assert silent(without(sample)) == needing(LACKING[without])


def test_a_sentence_names_them_and_says_why() -> None:
    (silence,) = silences(derived(everything(privileged=False)), DEFAULTS)
    assert silence.rules == PROCESSES
    assert silence.note == (
        f"1 socket has no known process: {', '.join(PROCESSES)} could not look at it."
    )


def test_what_is_ignored_is_not_missed() -> None:
    snapshot = derived(everything(privileged=False))
    (silence,) = silences(snapshot, FindingSettings(ignored=frozenset(PROCESSES[1:])))
    assert silence.rules == PROCESSES[:1]
    assert silence.note.endswith(f": {PROCESSES[0]} could not look at it.")
    assert silences(snapshot, FindingSettings(ignored=frozenset(PROCESSES))) == ()


def test_a_long_watch_is_as_good_as_clocks() -> None:
    first = from_proc(everything())
    watched = [derived(first, later(first, seconds)) for seconds in (59.0, 60.0)]
    named = [{id for each in snapshot.silent for id in each.rules} for snapshot in watched]
    assert named[0] - named[1] == CLOCKED


def test_a_short_watch_says_for_how_long_to_watch() -> None:
    (silence,) = too_early(5, DEFAULTS)
    slow = [rule for rule in RULES if rule.look_s > 5]
    assert silence.rules == tuple(rule.id for rule in slow)
    longest = max(rule.look_s for rule in slow)
    assert silence.note.endswith(f"; use --over {longest:g}.")
    assert too_early(longest, DEFAULTS) == ()


def test_in_a_container_sockets_of_processes_outside_are_missed() -> None:
    """But not those that one sample alone has seen, which may just have been closed."""
    row = socket("ESTABLISHED", "10.0.0.1:80", "10.0.0.7:51000", inode=7)
    inside = replace(owners(), contained=True)
    for held, lacking in ((owners(), set()), (inside, set(PROCESSES))):
        seen = sample([row], owners=held)
        named = [silences(derived(*each), DEFAULTS) for each in ([seen], [seen, later(seen, 1)])]
        assert [{id for each in found for id in each.rules} for found in named] == [lacking] * 2
    fresh = derived(sample([], owners=inside), later(sample([row], owners=inside), 1))
    assert silences(fresh, DEFAULTS) == ()


def test_no_rule_looks_where_nobody_may_enter() -> None:
    idle, busy = ({"TCP": {"inuse": n, "tw": 0}} for n in (0, 3))
    for sockstat, told in ((idle, 0), (busy, 1), ({}, 1)):
        seen = everything(unentered=(Kernel(77, {}, sockstat), Kernel(78, {}, idle)))
        names = [each for each in silences(derived(seen), DEFAULTS) if "enter" in each.note]
        assert len(names) == told
        for each in names:
            assert each.rules == tuple(rule.id for rule in RULES)
            assert each.note == (
                "1 other network namespace has sockets and may not be entered: no rule could look "
                "there."
            )
