"""`tcptop check` on real trouble, on a healthy host, and where it cannot look."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tcptop import options
from tcptop.analysis.findings.rule import Need
from tcptop.analysis.findings.rules import RULES
from tcptop.analysis.watch import WatchLoop
from tcptop.commands.source import source
from tcptop.demo import sockets
from tcptop.demo.held import until
from tcptop.demo.namespace import DemoNamespace
from tcptop.demo.scenarios import choose
from tcptop.demo.stage import Stage
from tests import warm
from tests.kernel import queues, states
from tests.kernel.nobody import become_nobody
from tests.unit.written import VALIDATOR

LEAK = ("--set", "close-wait-leak.age_s=1")
OF_PROCESSES = {rule.id for rule in RULES if Need.OWNERS in rule.needs}
COMMAND = [sys.executable, "-m", "tcptop", "check"]


def check(*words: str, stdout: Any = subprocess.PIPE) -> subprocess.CompletedProcess[str]:
    return warm.run(
        [*COMMAND, *words], stdout=stdout, stderr=subprocess.PIPE, text=True, timeout=60
    )


def check_in(namespace: DemoNamespace, *words: str) -> subprocess.CompletedProcess[str]:
    """A look of one second, twice."""
    return check("--netns", str(namespace.pid), "--over", "1", "-i", "0.5", *words)


def test_a_rule_that_raises_is_named_and_nothing_is_called_ok() -> None:
    code = (
        "from tcptop.analysis.findings import engine\n"
        "from tcptop.cli import main\n"
        "engine.RULES = [each._replace(find=lambda *_: 1 / 0) for each in engine.RULES[:2]]\n"
        "main(['check', '--over', '0'])\n"
    )
    environ = {name: value for name, value in os.environ.items() if name != "TCPTOP_RAISE"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, env=environ
    )
    assert (done.returncode, done.stderr) == (3, "")
    first, *more = done.stdout.splitlines()
    assert first.startswith("TCPTOP UNKNOWN: ")
    (note,) = (each for each in more if "an error in tcptop: unexpected ZeroDivisionError" in each)
    assert note.startswith(f"note: {RULES[0].id}, {RULES[1].id} could not look")


class TestTrouble:
    @pytest.fixture(autouse=True)
    def overflowing(self, namespace: DemoNamespace) -> None:
        namespace.run(queues.accept_overflow, "127.0.0.1", 5, 12)

    def test_is_critical_in_the_first_line(self, namespace: DemoNamespace) -> None:
        done = check_in(namespace)
        verdict, empty, first, *details = done.stdout.splitlines()
        assert (done.returncode, done.stderr) == (2, "")
        assert verdict.startswith("TCPTOP CRITICAL: 1 critical: ")
        assert re.search("too slow to accept|not accepting", verdict)  # by how long it took
        assert "|" not in verdict
        assert empty == ""
        assert first.startswith("CRITICAL: ")
        assert first.endswith(" [accept-queue-overflow]")
        (confirm,) = [line for line in details if line.startswith("  Confirm: ")]
        assert confirm.startswith(f"  Confirm: nsenter -t {namespace.pid} -n sh -c 'ss ")
        typed = ["sh", "-c", confirm.removeprefix("  Confirm: ")]
        shown = subprocess.run(typed, capture_output=True, text=True, timeout=30)
        assert shown.stderr == ""
        assert "LISTEN 6      5" in shown.stdout

    def test_a_shell_inside_needs_no_way_in(self, namespace: DemoNamespace) -> None:
        told = namespace.command([*COMMAND[:-1], "snapshot", "--format", "text"], 60)
        assert "Confirm: ss " in told

    def test_json_holds_the_same(self, namespace: DemoNamespace) -> None:
        done = check_in(namespace, "--format", "json")
        told = json.loads(done.stdout)
        VALIDATOR.validate(told)
        assert done.returncode == 2
        cause = told["findings"][0]
        assert (cause["id"], cause["severity"]) == ("accept-queue-overflow", "critical")
        assert set(told) == {"schema", "taken_at", "host", "collector", "filter", "findings"}
        assert 1 <= told["collector"]["over_s"] < 30

    def test_the_clients_are_folded_into_it(self, namespace: DemoNamespace) -> None:
        told = json.loads(check_in(namespace, "--over", "4", "--format", "json").stdout)
        because = {finding["id"]: finding["because"] for finding in told["findings"]}
        assert because["accept-queue-overflow"] is None
        assert because["connect-unanswered"] == told["findings"][0]["key"]

    def test_is_none_where_it_is_ignored(self, namespace: DemoNamespace) -> None:
        ignored = ("--ignore", "accept-queue-overflow", "--ignore", "connect-unanswered")
        done = check_in(namespace, *ignored)
        assert done.returncode == 0
        assert done.stdout.startswith("TCPTOP OK: ")

    def test_a_filter_chooses_whose_trouble_counts(self, namespace: DemoNamespace) -> None:
        assert check_in(namespace, "sport = :1").returncode == 0

    def test_a_filter_that_selects_nothing_says_so(self, namespace: DemoNamespace) -> None:
        words = ("sport = :1 nad state listening", "--format", "json", "--strict")
        done = check_in(namespace, *words)
        assert done.returncode == 3
        notes = json.loads(done.stdout)["collector"]["notes"]
        assert any("The filter selects none of" in note and '"nad"' in note for note in notes)


def test_a_threshold_decides_between_warning_and_nothing() -> None:
    with Stage(choose(["close-wait-leak"])) as stage:
        until(lambda: check_in(stage.here, *LEAK).returncode == 1, "a leak", timeout=30)
        done = check_in(stage.here, *LEAK, "--set", "close-wait-leak.sockets=1000000")
    assert done.returncode == 0
    assert done.stdout.startswith("TCPTOP OK: ")


class TestHealthy:
    def test_is_0(self, namespace: DemoNamespace) -> None:
        namespace.run(states.established)
        done = check_in(namespace)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.startswith("TCPTOP OK: no problems with 2 sockets in ")

    def test_rules_that_need_longer_are_named(self, namespace: DemoNamespace) -> None:
        told = json.loads(check_in(namespace, "--format", "json").stdout)
        (note,) = [note for note in told["collector"]["notes"] if "too short" in note]
        slow = {rule.id for rule in RULES if rule.look_s > 1}
        assert slow
        assert {rule.id for rule in RULES if f"{rule.id} (" in note} == slow
        assert note in check_in(namespace).stdout.replace("\n", " ")

    def test_the_ignored_ones_are_not(self, namespace: DemoNamespace) -> None:
        ignored = [f"--ignore={rule.id}" for rule in RULES if rule.look_s > 1]
        assert "too short" not in check_in(namespace, *ignored).stdout


def notes() -> tuple[str, ...]:
    with source(options.SourceOptions()) as live:
        return tuple(each.note for each in WatchLoop(live).step().silent)


@pytest.mark.skipif(os.getuid() != 0, reason="without root, no sockets of another user")
def test_rules_that_need_processes_are_named_where_these_are_not_known(
    namespace: DemoNamespace,
) -> None:
    helper = namespace.helper()
    helper.run(notes)  # imports what the other user may not be able to read
    namespace.run(states.established)
    assert not [note for note in helper.run(notes) if " no known process: " in note]
    helper.run(become_nobody)
    (note,) = [note for note in helper.run(notes) if " no known process: " in note]
    assert note.startswith("2 sockets have no known process: ")
    assert {rule.id for rule in RULES if rule.id in note} == OF_PROCESSES


@pytest.mark.skipif(os.getuid() != 0, reason="without root, no sockets of another user")
class TestSilence:
    """Without CAP_SYS_PTRACE, where another user's process listens."""

    @pytest.fixture(autouse=True)
    def strangers(self, namespace: DemoNamespace) -> None:
        helper = namespace.helper()
        helper.run(sockets.listening)  # imports what the other user may not be able to read
        helper.run(become_nobody)
        helper.run(sockets.listening)

    def blind(
        self, namespace: DemoNamespace, *words: str, over: str = "0"
    ) -> subprocess.CompletedProcess[str]:
        inside = [
            "nsenter",
            "-t",
            str(namespace.pid),
            "-n",
            "setpriv",
            "--bounding-set=-sys_ptrace",
        ]
        command = [*inside, *COMMAND, "--over", over, *words]
        return subprocess.run([*command, *words], capture_output=True, text=True, timeout=60)

    def test_is_counted_in_the_first_line(self, namespace: DemoNamespace) -> None:
        done = self.blind(namespace)
        verdict = done.stdout.splitlines()[0]
        assert (done.returncode, done.stderr) == (0, "")
        assert verdict.startswith(
            f"TCPTOP OK, but {len(OF_PROCESSES)} rules could not look: no problems with "
        )

    def test_is_3_where_that_is_asked_for(self, namespace: DemoNamespace) -> None:
        done = self.blind(namespace, "--strict")
        assert done.returncode == 3
        assert done.stdout.startswith(
            f"TCPTOP UNKNOWN: {len(OF_PROCESSES)} rules could not look: no problems with "
        )
        ignored = [f"--ignore={id}" for id in OF_PROCESSES]
        assert self.blind(namespace, "--strict", *ignored).returncode == 0

    def test_is_listed_in_json(self, namespace: DemoNamespace) -> None:
        done = self.blind(namespace, "--strict", "--format", "json")
        told = json.loads(done.stdout)
        VALIDATOR.validate(told)
        assert done.returncode == 3
        assert set(told["collector"]["silent_rules"]) == OF_PROCESSES

    def test_trouble_is_told_all_the_same(self, namespace: DemoNamespace) -> None:
        namespace.run(queues.accept_overflow, "127.0.0.1", 5, 12)
        done = self.blind(namespace, "--strict", over="1")
        assert done.returncode == 2
        assert done.stdout.startswith(
            f"TCPTOP CRITICAL: 1 critical, {len(OF_PROCESSES)} rules could not look: "
        )


def test_strict_is_content_where_every_rule_could_look(namespace: DemoNamespace) -> None:
    namespace.run(states.established)
    assert check_in(namespace, "--strict").returncode == 0


class TestCannot:
    @pytest.mark.parametrize(
        ("words", "says"),
        [
            (("--netns", "no-such-namespace"), "no-such-namespace"),
            (("--from", "/no/such/recording"), "/no/such/recording: No such file"),
            (("--config", "/no/such/file"), "/no/such/file: No such file"),
            (("--no-such-option",), "--no-such-option"),
            (("--over", "-1"), "--over"),
            (("--set", "close-wait-leak.cheese=1"), "cheese"),
            (("--ignore", "cheese|"), "cheese"),
            (("-P", "70000"), "70000"),
            (("state", "cheese"), '"cheese" is not a state'),
        ],
    )
    def test_is_3_with_a_line_for_the_monitoring_system(
        self, words: tuple[str, ...], says: str
    ) -> None:
        done = check(*words)
        assert done.returncode == 3
        (verdict,) = done.stdout.splitlines()
        assert verdict.startswith("TCPTOP UNKNOWN: ")
        assert says in verdict
        assert "|" not in verdict
        assert says in done.stderr
        assert done.stderr.startswith("tcptop")
        assert len(done.stderr.splitlines()) <= 2  # a filter's caret takes a second
        machine = check("--format", "json", *words)
        assert (machine.returncode, machine.stdout) == (3, "")

    def test_a_full_disk(self) -> None:
        with open("/dev/full", "w") as full:
            done = check("--over", "0", stdout=full)
        assert done.returncode == 3
        assert done.stderr == "tcptop: stdout: No space left on device\n"

    def test_a_closed_pipe(self) -> None:
        reader, writer = os.pipe()
        os.close(reader)
        done = check("--over", "0", stdout=writer)
        os.close(writer)
        assert done.returncode in (0, 141)
        assert done.stderr == ""

    def test_interrupted(self) -> None:
        process = subprocess.Popen([*COMMAND, "--over", "60"], stdout=subprocess.PIPE)
        descriptors = Path(f"/proc/{process.pid}/fd")
        until(lambda: "socket:" in _links(descriptors), "the command to look", timeout=30)
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=30)
        assert (process.returncode, out) == (130, b"")


def _links(directory: Path) -> str:
    links = []
    for entry in directory.iterdir():
        try:
            links.append(str(entry.readlink()))
        except OSError:
            continue
    return " ".join(links)
