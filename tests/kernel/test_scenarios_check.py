"""`tcptop check --over 6` from a fresh start names what one look tells, and nothing else."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from typing import Any, NamedTuple

import pytest

from tcptop.analysis.findings.rules import RULES
from tcptop.demo.scenarios import choose, scenarios
from tcptop.demo.stage import Stage
from tests import warm

ONE_LOOK = [rule.id for rule in RULES if rule.look_s == 0 and rule.id in scenarios()]
DEVELOP_S = 8.0  # retransmissions and probes need a while to tell something
INFO = ("keepalive-missing", "keepalive-too-slow")


class Checked(NamedTuple):
    code: int
    findings: list[dict[str, Any]]

    @property
    def causes(self) -> set[str]:
        loud = [f for f in self.findings if f["because"] is None and f["severity"] != "info"]
        return {f["id"] for f in loud}


@pytest.fixture(scope="module")
def checked() -> Iterator[Mapping[str, Checked]]:
    with ExitStack() as stack:
        stages = {name: stack.enter_context(Stage(choose([name]))) for name in ONE_LOOK}
        time.sleep(DEVELOP_S)
        running = {name: _check(stage) for name, stage in stages.items()}
        yield {name: _outcome(process) for name, process in running.items()}


def _check(stage: Stage) -> subprocess.Popen[bytes]:
    words = [sys.executable, "-m", "tcptop", "check", "--over", "6", "--format", "json"]
    words += ["--netns", str(stage.pid)]
    for name, value in stage.limits.items():
        words += ["--set", f"{name}={value}"]
    return warm.Popen(words, stdout=subprocess.PIPE)


def _outcome(process: subprocess.Popen[bytes]) -> Checked:
    out, _ = process.communicate(timeout=60)
    return Checked(process.returncode, json.loads(out)["findings"])


def test_most_need_one_look() -> None:
    assert len(ONE_LOOK) >= 9


@pytest.mark.parametrize("name", ONE_LOOK)
def test_it_is_named(checked: Mapping[str, Checked], name: str) -> None:
    assert name in {finding["id"] for finding in checked[name].findings}
    assert (checked[name].code in (1, 2)) is (name not in INFO)


@pytest.mark.parametrize("name", ONE_LOOK)
def test_nothing_else_is(checked: Mapping[str, Checked], name: str) -> None:
    assert checked[name].causes <= {name}
