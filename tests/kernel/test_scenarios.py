"""Each scenario makes its trouble for real, alone, for as long as it is wanted, and leaves nothing.

All of them run at once, each on a stage of its own, and are looked at as the live view looks.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tcptop.analysis.derive import derive
from tcptop.analysis.findings.rules import RULES
from tcptop.analysis.findings.settings import FindingSettings
from tcptop.analysis.history import History
from tcptop.demo import linux
from tcptop.demo.held import until
from tcptop.demo.holder import Holder
from tcptop.demo.scenarios import TOUR, DemoError, choose, scenarios
from tcptop.demo.stage import Stage
from tcptop.model.finding import Finding
from tcptop.model.sample import Sample
from tcptop.model.snapshot import Snapshot
from tcptop.sources.live import LiveSource
from tests import wording
from tests.kernel import one_look
from tests.kernel.evidence import EVIDENCE
from tests.kernel.nobody import become_nobody
from tests.kernel.recount.recount import recount
from tests.kernel.snapshots import Watch

IDS = tuple(scenarios())
LONGEST_S = 60.0  # for what has to be seen for ten, on a busy machine


class DemoWatch(Watch):
    """A watch with the thresholds of the demo."""

    def __init__(self, stage: Stage) -> None:
        super().__init__(stage.here)
        self.settings = FindingSettings(stage.limits_by_finding)

    def feed(self, sample: Sample) -> Snapshot:
        snapshot, self.history = derive(sample, self.history, self.settings)
        self.source.request(snapshot.requests)
        return snapshot


@dataclass
class Played:
    """A scenario on a stage of its own, and what was seen of it."""

    stage: Stage
    watch: DemoWatch
    evidence: bool = False
    causes: set[str] = field(default_factory=set)
    found: bool = False
    recovered: bool = False
    looks: list[Snapshot] = field(default_factory=list)  # before `recover`
    told: dict[str, tuple[Finding, int]] = field(default_factory=dict)  # by key, and at which look

    @property
    def id(self) -> str:
        return self.stage.scenarios[0].id

    def snapshot(self) -> None:
        snapshot = self.watch.snapshot()
        self.evidence |= EVIDENCE[self.id](snapshot)
        self.found |= any(f.id == self.id and f.because is None for f in snapshot.findings)
        if self.found:  # some rules have to watch for longer than others that they explain
            self.causes |= serious(snapshot)
        self.told |= {each.key: (each, len(self.looks)) for each in snapshot.findings}
        self.looks.append(snapshot)

    def look_again(self) -> None:
        """After `recover`."""
        snapshot = self.watch.snapshot()
        gone = self.id not in {each.id for each in snapshot.findings}
        self.recovered |= gone and not EVIDENCE[self.id](snapshot)


def serious(snapshot: Snapshot) -> set[str]:
    """Ids of the findings of warning or above that no other one explains."""
    causes = (each for each in snapshot.findings if each.because is None)
    return {each.id for each in causes if each.severity != "info"}


def rounds(played: list[Played], look: Callable[[Played], None], done: Callable[[], bool]) -> None:
    """Look at all of them each second, until it is done or long enough."""
    end = time.monotonic() + LONGEST_S
    while not done() and time.monotonic() < end:
        due = time.monotonic() + 1
        for each in played:
            look(each)
        time.sleep(max(0.0, due - time.monotonic()))


@pytest.fixture(scope="module")
def shows() -> Iterator[Mapping[str, Played]]:
    """Every scenario, from its start to its recovery."""
    with ExitStack() as stack:
        played = []
        for name in IDS:
            stage = stack.enter_context(Stage(choose([name])))
            watch = DemoWatch(stage)
            stack.enter_context(watch)
            played.append(Played(stage, watch))
        rounds(played, Played.snapshot, lambda: all(p.evidence and p.found for p in played))
        for each in played:
            each.stage.recover(each.id)
        rounds(played, Played.look_again, lambda: all(p.recovered for p in played))
        yield {each.id: each for each in played}


@pytest.mark.parametrize("name", IDS)
def test_the_kernel_shows_it(shows: Mapping[str, Played], name: str) -> None:
    assert shows[name].evidence


@pytest.mark.parametrize("name", IDS)
def test_it_is_found(shows: Mapping[str, Played], name: str) -> None:
    assert shows[name].found


@pytest.mark.parametrize("name", IDS)
def test_nothing_else_is_wrong(shows: Mapping[str, Played], name: str) -> None:
    assert shows[name].causes <= {name}


@pytest.mark.parametrize("name", IDS)
def test_its_numbers_are_counted_again(shows: Mapping[str, Played], name: str) -> None:
    played = shows[name]
    limits = tuple(played.stage.limits.values())
    wrong = [
        each
        for finding, at in played.told.values()
        for each in recount(finding, played.looks[: at + 1], limits)
    ]
    assert wrong == []


@pytest.mark.parametrize("name", IDS)
def test_one_look_claims_no_rate(shows: Mapping[str, Played], name: str) -> None:
    played = shows[name]
    looks = (one_look.alone(each, played.watch.settings) for each in played.looks)
    assert [sentence for look in looks for sentence in one_look.rates(look)] == []


@pytest.mark.parametrize("name", IDS)
def test_its_words_are_plain(shows: Mapping[str, Played], name: str) -> None:
    assert wording.of_findings(finding for finding, _ in shows[name].told.values()) == []


@pytest.mark.parametrize("name", IDS)
def test_recovery_ends_it(shows: Mapping[str, Played], name: str) -> None:
    assert shows[name].recovered


def test_every_scenario_has_its_evidence() -> None:
    assert EVIDENCE.keys() == set(IDS)


def test_the_lowered_thresholds_exist() -> None:
    known = {f"{rule.id}.{each.name}" for rule in RULES for each in rule.thresholds}
    lowered = {name for each in scenarios().values() for name in each.limits}
    assert lowered <= known


def test_they_load_nothing_heavy() -> None:
    """`tcptop demo --list` must be instant, and numpy's threads would keep `Stage.enter` out."""
    code = "import sys, tcptop.demo.stage, tcptop.demo.scenarios as s; s.scenarios()"
    code += "; print(sys.modules.keys() & {'numpy', 'textual', 'asyncio', 'lark'})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout == "set()\n", done.stderr


@pytest.mark.parametrize(
    ("ids", "line"),
    [
        (["close-wait"], "'close-wait' is not a scenario; there are: "),
        (["syn-flood", "syn-queue-full"], "syn-flood and syn-queue-full disturb each other"),
        (["connection-churn", "ephemeral-port-exhaustion"], "disturb each other: show one"),
    ],
)
def test_what_cannot_be_shown_is_one_line(ids: list[str], line: str) -> None:
    with pytest.raises(DemoError) as caught:
        choose(ids)
    assert line in str(caught.value)
    assert "\n" not in str(caught.value)


def test_without_a_word_it_is_a_tour() -> None:
    assert [each.id for each in choose([])] == list(TOUR)
    assert [each.id for each in choose(["resets", "resets"])] == ["resets"]


# What goes together, all of it; time-wait-pressure stands for those that want the ports.
ALONE = ("syn-flood", "connection-churn", "time-wait-pressure", "mtu-black-hole")
TOGETHER = [n for n in IDS if n not in ALONE]
SOON = (
    "accept-queue-overflow",
    "syn-queue-full",
    "ephemeral-port-exhaustion",
    "zero-window-peer",
    "black-hole",
    "connect-unanswered",
    "keepalive-too-slow",
    "resets",
    "fd-limit",
)


def become_a_user() -> None:
    """An ordinary one: what has changed its user may not read its own /proc (prctl(2))."""
    "".encode("idna")  # loads what socket needs, which the user may not be able to read
    become_nobody()
    ctypes.CDLL(None).prctl(4, 1)  # PR_SET_DUMPABLE


def seen_by_a_user() -> tuple[set[str], set[str]]:
    """What of `SOON` shows, and the causes found, with all that goes together on one stage."""
    seen: set[str] = set()
    causes: set[str] = set()
    with Stage(choose(TOGETHER)) as stage:
        stage.enter()
        source, history = LiveSource(), History()
        end = time.monotonic() + 15
        while len(seen) < len(SOON) and time.monotonic() < end:
            snapshot, history = derive(source.sample(), history)
            seen |= {name for name in SOON if EVIDENCE[name](snapshot)}
            causes |= serious(snapshot)
            time.sleep(0.5)
        source.close()
    return seen, causes


def test_it_takes_no_root_and_most_go_together() -> None:
    holder = Holder(become_a_user)
    try:
        seen, causes = holder.run(seen_by_a_user)
    finally:
        holder.close()
    assert seen == set(SOON)
    assert causes <= set(TOGETHER)


def forbid_namespaces() -> None:
    linux.unshare(linux.CLONE_NEWUSER)
    Path("/proc/sys/user/max_net_namespaces").write_text("0")


def start_the_tour() -> None:
    with Stage(choose([])):
        pass


def test_without_namespaces_it_says_so_in_one_line() -> None:
    holder = Holder(forbid_namespaces)
    try:
        with pytest.raises(DemoError, match=r"private network namespaces: .* run it as root"):
            holder.run(start_the_tour)
    finally:
        holder.close()


PLAYER = f"""
import os, time
from tcptop.demo.scenarios import choose
from tcptop.demo.stage import Stage
with Stage(choose({TOGETHER})) as stage:
    print(stage.here.inode, stage.there.inode, flush=True)
    time.sleep(60)
"""


def test_it_leaves_nothing_when_it_is_killed() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PLAYER], stdout=subprocess.PIPE, text=True
    ) as main:
        assert main.stdout
        inodes = {int(word) for word in main.stdout.readline().split()}
        assert len(inodes) == 2
        assert len(inside(inodes)) > 2 * len(TOGETHER)
        main.send_signal(signal.SIGKILL)
    until(lambda: not inside(inodes), "the end of every process in the namespaces")


def test_it_leaves_nothing_when_it_ends() -> None:
    with Stage(choose([])) as stage:
        inodes = {stage.here.inode, stage.there.inode}
        assert len(inside(inodes)) >= 2 * len(TOUR)
    assert not inside(inodes)


def inside(inodes: set[int]) -> list[int]:
    """Processes in one of the namespaces: without one, and without a mount, they are gone."""
    found = []
    for name in filter(str.isdecimal, os.listdir("/proc")):
        with suppress(OSError):
            if os.stat(f"/proc/{name}/ns/net").st_ino in inodes:
                found.append(int(name))
    return found
