"""What a command loads: help must be instant, and headless commands know no screen."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HEAVY = ("textual", "rich", "asyncio", "numpy", "lark", "plotext", "pyroute2")
HELP = [
    *(("--help",), ("--version",), ("snapshot", "--help"), ("check", "--help"), ("demo", "--help")),
    *(("explain",), ("explain", "time-wait"), ("demo", "--list"), ("config", "--help")),
]


def loaded(*words: str) -> set[str]:
    """Modules that are loaded when the command ends."""
    code = (
        "import atexit, sys\n"
        "atexit.register(lambda: print(*sys.modules, "
        "file=sys.stderr))\n"
        "from tcptop.cli import main\n"
        f"main({list(words)!r})\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    return set(done.stderr.split())


@pytest.mark.parametrize("words", HELP)
def test_help_loads_nothing_heavy(words: tuple[str, ...]) -> None:
    assert not loaded(*words) & set(HEAVY)


def test_snapshot_loads_no_screen() -> None:
    modules = loaded("snapshot", "--format", "json", "state", "listening")
    assert "numpy" in modules
    assert "lark" in modules
    assert not modules & {"textual", "rich", "asyncio", "plotext", "pyroute2"}


def test_check_loads_no_screen() -> None:
    modules = loaded("check", "--over", "0")
    assert "numpy" in modules
    assert "numpy.ma" not in modules  # a quarter of what numpy itself takes
    assert not modules & {"textual", "rich", "asyncio", "lark", "plotext", "pyroute2"}


def test_a_plain_snapshot_loads_no_grammar() -> None:
    assert "lark" not in loaded("snapshot", "--format", "text")


def test_the_live_view_loads_no_language_before_a_filter_is_typed() -> None:
    code = "import sys, tcptop.tui.app, tcptop.sources.live\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    modules = done.stdout.split()
    assert "tcptop.tui.app" in modules
    assert "numpy.ma" not in modules
    assert not [name for name in modules if name.startswith("tcptop.analysis.filter")]


def test_next_to_nothing_is_loaded_until_signals_are_ours() -> None:
    """Until then ^C meets Python's own handler, which tells where it was (KeyboardInterrupt)."""
    code = "import sys; import tcptop.cli; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-S", "-c", code], capture_output=True, text=True, timeout=60, cwd=ROOT
    )
    modules = set(done.stdout.split())
    assert "tcptop.ending" in modules
    assert not modules & {"typing", "re", "pathlib", "collections.abc"}
