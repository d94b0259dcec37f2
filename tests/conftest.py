"""For all tests: what they need is there or they are skipped by name, and they are judged by what
they show, not by how long a busy machine takes.
"""

import gc
import os
import signal
import sys
from collections import Counter
from collections.abc import Generator, Iterator, Sequence

import pytest
from hypothesis import HealthCheck, settings

from tests import alone, needs

# Without it each of some hundred starts of tcptop compiled it anew, and each worker the tests.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

from tcptop.analysis.findings import engine  # noqa: E402

settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")

# What is begun in the background, or by nohup, has these ignored, and so would what is tested.
for number, handler in (
    (signal.SIGINT, signal.default_int_handler),
    (signal.SIGHUP, signal.SIG_DFL),
    (signal.SIGQUIT, signal.SIG_DFL),
):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, handler)

# An error in a rule fails the test, here and in what it starts.
engine.RAISED = (Exception,)
os.environ["TCPTOP_RAISE"] = "1"

os.environ["PATH"] += ":/usr/sbin:/sbin"  # servers lie there, and not every user looks

# Files that wait for long, at which a core has time for others: they are spread among these, and
# over before the end, where one would keep the machine waiting.
LONG = ("tests/incidents/", "tests/healthy/", "tests/kernel/test_scenarios")
OVER = 0.85  # of the run
SHORT = "tests/unit/"

_complaint = pytest.StashKey[str]()


def pytest_sessionstart(session: pytest.Session) -> None:
    """Install what is missing, once: before there are workers."""
    config = session.config
    if hasattr(config, "workerinput") or config.option.collectonly:
        return
    root = config.rootpath
    chosen = [os.path.relpath(arg.partition("::")[0], root) for arg in config.args]
    missing = needs.packages("" if each == "." else each for each in chosen)
    if missing:
        terminal = config.pluginmanager.get_plugin("terminalreporter")
        assert terminal is not None
        terminal.write_line(f"apt-get install {' '.join(missing)} ...")
        config.stash[_complaint] = needs.install(missing)
        if needs.EVERYTHING and config.stash[_complaint]:
            raise pytest.UsageError(f"packages were not installed: {config.stash[_complaint]}")


def mixed(items: Sequence[pytest.Item]) -> list[pytest.Item]:
    """Whole files in the order in which they begin."""
    files: dict[str, list[pytest.Item]] = {}
    for item in sorted(items, key=lambda item: item.nodeid.startswith(SHORT)):
        files.setdefault(item.nodeid.partition("::")[0], []).append(item)
    long = [name for name in files if name.startswith(LONG)]
    others = [name for name in files if not name.startswith(LONG)]
    begins = dict(zip(long, starts([1.0] * len(long)), strict=True))
    begins = {name: OVER * start for name, start in begins.items()}
    weights = [1.0 if name.startswith(SHORT) else 8.0 for name in others]
    begins |= dict(zip(others, starts(weights), strict=True))
    return [item for name in sorted(files, key=begins.__getitem__) for item in files[name]]


def starts(weights: Sequence[float]) -> list[float]:
    """When each begins that comes after the others, 0 to 1."""
    whole = sum(weights)
    return [sum(weights[:place]) / whole for place in range(len(weights))]


def pytest_collection_finish() -> None:
    # What was collected stays: looking through it again took a tenth of the time.
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items[:] = mixed(items)
    for item in items:
        reasons = list(needs.lacking(item.nodeid))
        if reasons:
            item.add_marker(pytest.mark.skip(reason="; ".join(reasons)))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if needs.EVERYTHING and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome, report.longrepr = "failed", f"skipped: {_reason(report)}"
    return report


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> Iterator[None]:
    yield
    _tell_skipped(terminalreporter)
    session = terminalreporter._session
    some_failed = session and session.exitstatus == pytest.ExitCode.TESTS_FAILED
    if session and some_failed and alone.try_alone(terminalreporter):
        session.exitstatus = pytest.ExitCode.OK


def _tell_skipped(terminalreporter: pytest.TerminalReporter) -> None:
    """Which tests were skipped, and how to have them."""
    skipped = terminalreporter.stats.get("skipped", [])
    if not skipped:
        return
    terminalreporter.section(f"{len({each.nodeid for each in skipped})} tests were skipped")
    complaint = terminalreporter.config.stash.get(_complaint, "")
    if complaint:
        terminalreporter.write_line(f"packages were not installed: {complaint}")
    for (reason, name), times in sorted(Counter(map(_what, skipped)).items()):
        terminalreporter.write_line(f"{name} ({times}): {reason}")


def _what(report: pytest.TestReport) -> tuple[str, str]:
    """Why a test was skipped, and its name, the same for all its parameters."""
    return _reason(report), report.nodeid.partition("[")[0]


def _reason(report: pytest.TestReport) -> str:
    told = report.longrepr
    return str(told[2] if isinstance(told, tuple) else told).removeprefix("Skipped: ")


def _watch_programs(event: str, args: tuple[object, ...]) -> None:
    """Programs that a test runs are those that it says: on this machine all may be there."""
    test = os.environ.get("PYTEST_CURRENT_TEST")
    if event == "subprocess.Popen" and test and isinstance(args[1], list):
        needs.held_to(test, args[1])


sys.addaudithook(_watch_programs)
