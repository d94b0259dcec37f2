"""Imports point down: cli and its commands, tui, views, columns, analysis, model.

Sources know the model only, and nobody but the commands knows both a source and a view.
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import tcptop

ROOT = Path(tcptop.__file__).parent
ALLOWED = {
    "model": {"model"},
    "analysis": {"analysis", "model"},
    "sources": {"sources", "model"},
    "explain": {"explain"},
    "columns": {"columns", "analysis", "model"},
    "views": {"views", "columns", "analysis", "model"},
    # options: it knows nothing of the others, and names the themes
    "tui": {"tui", "explain", "views", "columns", "analysis", "model", "options"},
    "demo": {"demo"},
}
ALLOWED["commands"] = {*ALLOWED, "commands", "options", "configuration"}
ALLOWED["options.py"] = set()
ALLOWED["configuration.py"] = {"options"}


def imports(path: Path) -> set[str]:
    """The parts of tcptop that a file imports."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        parts = [name.split(".") for name in names]
        found |= {part[1] for part in parts if part[0] == "tcptop" and len(part) > 1}
    return found


@pytest.mark.parametrize("part", ALLOWED)
def test_a_part_knows_only_what_is_below_it(part: str) -> None:
    for path in [ROOT / part] if part.endswith(".py") else (ROOT / part).rglob("*.py"):
        beyond = imports(path) - ALLOWED[part] - {"__version__"}
        assert not beyond, f"{path.relative_to(ROOT)} imports {beyond}"


def test_only_sources_and_output_touch_the_system() -> None:
    for part in ("model", "analysis", "columns"):
        for path in (ROOT / part).rglob("*.py"):
            tree = ast.parse(path.read_text())
            names = {
                alias.name for n in ast.walk(tree) if isinstance(n, ast.Import) for alias in n.names
            }
            assert not names & {"os", "socket", "subprocess", "time", "threading"}, path
