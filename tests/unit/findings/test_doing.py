"""What is said of the processes that a finding names."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tcptop.analysis.findings import doing, words
from tcptop.analysis.findings.observations import Observations
from tcptop.model.sample import BusyThread, Frozen, Process, ProcessFacts, Throttled, Tracer
from tests.unit.prepared import derived, sample

ID = "3f2a" * 16
PROCESS = Process(812, "python3", "python3 leaky.py", 0, 1, None, 3, 1024, 1, label="leaky.py")
IDLE = ProcessFacts(812, "sleeping", 0.0, 0.0, 1, 1, 0.0, 1, None, None)


def seen(*facts: ProcessFacts) -> Observations:
    known = {each.pid: each for each in facts}
    return Observations(derived(sample([], facts=known)), ())


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"state": "stopped", "state_s": 8.0}, "is stopped (state T for at least 8 s)"),
        (
            {"state": "tracing-stop", "state_s": 8.0, "tracer": Tracer("gdb", 77)},
            "is held (state t for at least 8 s) by gdb (pid 77), which traces it.",
        ),
        (
            {"state": "tracing-stop", "state_s": 8.0, "cpu_share": 0.1, "tracer": Tracer("gdb", 7)},
            "is in a tracing stop at this look (state t), by gdb (pid 7).",
        ),
        ({"state": "tracing-stop", "tracer": Tracer(None, 0)}, "by a tracer that is not known"),
        ({"state": "disk-sleep", "state_s": 0.5}, "is in uninterruptible sleep (state D)"),
        ({"cpu_share": 0.99, "threads": 4}, "uses 99% of a core, with 4 threads"),
        ({"cpu_share": 0.94}, None),
        ({"cpu_share": 0.94, "busiest": BusyThread("python3", 0.8, 0.09)}, None),
        (
            {"cpu_share": 0.54, "threads": 23, "busiest": BusyThread("VM Thread", 0.53, 0.46)},
            "uses 54% of a core, with 23 threads; its thread VM Thread is ready to run 99% of the "
            "time and gets a CPU for 53% (the host is busy, or the CPU quota of its control group "
            "is used up): it does what stops a whole Java program, mostly collects garbage",
        ),
        (
            {"cpu_share": 1.9, "threads": 23, "busiest": BusyThread("GC Thread#0", 0.98, 0.0)},
            "its thread GC Thread#0 runs 98% of the time: it collects garbage",
        ),
        (
            {"cpu_share": 0.97, "threads": 3, "busiest": BusyThread("worker-1", 0.96, 0.01)},
            "its thread worker-1 runs 97% of the time.",
        ),
        (
            {"cpu_share": 0.4, "busiest": BusyThread("python3", 0.4, 0.58)},
            "with 1 thread; it is ready to run 98% of the time and gets a CPU for 40%",
        ),
        ({"cpu_share": None}, None),
        ({"sleeps_in": "inet_csk_accept"}, "waits in accept() (inet_csk_accept)"),
        ({"sleeps_in": "futex_do_wait"}, "(futex)"),
        ({"sleeps_in": "futex_do_wait", "threads": 2}, None),
        ({"sleeps_in": "something_new"}, None),
    ],
)
def test_a_culprit_tells_what_it_does(fields: dict[str, Any], said: str | None) -> None:
    found = list(doing.evidence(seen(replace(IDLE, **fields)), [PROCESS]))
    if said is None:
        assert found == []
    else:
        assert len(found) == 1
        assert found[0].startswith("leaky.py (python3, pid 812) ")
        assert said in found[0]


def test_an_upgraded_program_that_was_not_restarted() -> None:
    facts = replace(IDLE, replaced=True, state="stopped")
    stopped, old = doing.evidence(seen(facts), [PROCESS])
    assert "is stopped" in stopped
    assert old.startswith("leaky.py (python3, pid 812) still runs a program file that was deleted")
    assert [*doing.evidence(seen(replace(IDLE, replaced=None)), [PROCESS])] == []


def test_the_facts_are_asked_for() -> None:
    observed = seen()
    assert list(doing.evidence(observed, [PROCESS])) == []
    assert observed.requests.processes == {812}
    assert not doing.stopped(observed, PROCESS)
    assert doing.stopped(seen(replace(IDLE, state="stopped")), PROCESS)


@pytest.mark.parametrize(
    ("fields", "who"),
    [
        ({}, "leaky.py (python3, pid 812)"),
        ({"label": None}, "python3 (pid 812)"),
        ({"name": "nginx", "label": "nginx: worker process"}, "nginx (pid 812)"),
        (
            {"name": "leaky-collector", "label": "leaky-collector.py"},
            "leaky-collector.py (pid 812)",
        ),
        ({"cgroup": "/system.slice/leaky.service"}, "leaky.py (python3, pid 812, leaky.service)"),
        ({"cgroup": "/user.slice/session-3.scope"}, "leaky.py (python3, pid 812, session-3)"),
        ({"cgroup": "/system.slice"}, "leaky.py (python3, pid 812)"),
        (
            {"cgroup": f"/system.slice/docker-{ID}.scope"},
            "leaky.py (python3, pid 812, docker container 3f2a3f2a3f2a)",
        ),
    ],
)
def test_a_process_is_named_as_the_operator_does(fields: dict[str, Any], who: str) -> None:
    assert words.who(replace(PROCESS, **fields)) == who


FREEZER, QUOTA = "/sys/fs/cgroup/freezer/a/freezer.state", "/sys/fs/cgroup/cpu/a/cpu.cfs_quota_us"
FROZEN = replace(IDLE, state="disk-sleep", state_s=8.0, frozen=Frozen(FREEZER))
STOPPED = replace(IDLE, pid=813, state="stopped")
HELD = replace(STOPPED, state="tracing-stop", state_s=8.0, tracer=Tracer("gdb", 77))
OTHER = replace(PROCESS, pid=813)


def throttled(times: int, pid: int = 812) -> ProcessFacts:
    return replace(IDLE, pid=pid, throttled=Throttled(QUOTA, 0.05, 100, times))


def test_a_frozen_process_waits_for_no_disk() -> None:
    assert list(doing.evidence(seen(FROZEN), [PROCESS])) == [
        f"leaky.py (python3, pid 812) is frozen by its control group ({FREEZER}), for at least "
        "8 s: none of its code runs."
    ]


@pytest.mark.parametrize(
    ("facts", "condition", "advice"),
    [
        ((FROZEN,), "", ""),  # what the other does is not known
        ((FROZEN, replace(FROZEN, pid=813)), "frozen", f"; or echo THAWED > {FREEZER}."),
        ((FROZEN, STOPPED), "stopped", "kill -CONT 813,"),
        ((replace(STOPPED, pid=812), STOPPED), "stopped", "kill -CONT 812 813,"),
        ((replace(STOPPED, pid=812), HELD), "stopped", "CONT does not resume what a tracer holds."),
        ((replace(STOPPED, pid=812), HELD), "stopped", "kill -CONT 812, or restart it."),
        ((STOPPED, replace(HELD, pid=812, cpu_share=0.2)), "", ""),  # strace, amidst its calls
        ((throttled(99), throttled(50, 813)), "throttled", "(now 5% of a core): "),
        ((throttled(99), throttled(49, 813)), "", ""),
        ((IDLE, replace(IDLE, pid=813)), "", ""),
    ],
)
def test_what_holds_all_of_them_back(
    facts: tuple[ProcessFacts, ...], condition: str, advice: str
) -> None:
    observed = seen(*facts)
    assert doing.condition(observed, [PROCESS, OTHER]) == condition
    remedy = doing.remedy(observed, [PROCESS, OTHER])
    assert advice in remedy
    assert bool(advice) == bool(remedy)
    assert doing.condition(observed, []) == doing.remedy(observed, []) == ""


def test_a_quota_that_several_share_is_told_once() -> None:
    observed = seen(throttled(99), throttled(99, 813))
    assert list(doing.evidence(observed, [PROCESS, OTHER])) == [
        "leaky.py (python3, pid 812) was throttled in 99 of 100 periods (99%): the CPU quota of "
        f"its control group (5% of a core) was used up ({QUOTA})."
    ]
    assert list(doing.evidence(seen(throttled(9)), [PROCESS])) == []  # as bursts are


@pytest.mark.parametrize(
    ("cgroup", "thaw", "more"),
    [
        (f"/docker/{ID}", "docker unpause 3f2a3f2a3f2a; or", "docker update --cpus=N 3f2a3f2a3f2a"),
        ("/system.slice/shop.service", "systemctl thaw shop.service; or", "shop.service CPUQuota="),
        (
            f"/kubepods/pod{'0' * 32}/{ID}",
            "thaw it: docker unpause, podman",
            "resources.limits.cpu",
        ),
        (None, "thaw it: docker unpause, podman", "CPUQuota= of a unit"),
    ],
)
def test_advice_fits_what_it_runs_in(cgroup: str | None, thaw: str, more: str) -> None:
    process = replace(PROCESS, cgroup=cgroup)
    assert thaw in doing.remedy(seen(FROZEN), [process])
    assert more in doing.remedy(seen(throttled(99)), [process])
    second = replace(FROZEN, frozen=Frozen("/sys/fs/cgroup/a/cgroup.freeze"))
    assert "; or echo 0 > /sys/fs/cgroup/a/cgroup.freeze." in doing.remedy(seen(second), [process])
