"""What is said of the processes that a finding names."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tcptop.analysis.findings import doing, words
from tcptop.analysis.findings.observations import Observations
from tcptop.model.sample import Process, ProcessFacts
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
        ({"state": "tracing-stop"}, "is stopped (state T)"),
        ({"state": "disk-sleep", "state_s": 0.5}, "is in uninterruptible sleep (state D)"),
        ({"cpu_share": 0.99, "threads": 4}, "uses 99% of a core, with 4 threads"),
        ({"cpu_share": 0.94}, None),
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
