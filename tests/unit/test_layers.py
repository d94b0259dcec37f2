"""Imports point down: cli and its commands, tui, views, columns, analysis, model.

Sources know the model only, and nobody but the commands knows both a source and a view. A type has
one name and one home: who searches for it finds what it is.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import tcptop

ROOT = Path(tcptop.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))
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
ALLOWED["completion"] = {"completion", "option_groups"}
ALLOWED["commands"] = {*ALLOWED, "commands", "options", "configuration", "ending"}
ALLOWED["commands"] |= {"command_line", "parsers"}  # what may be typed
ALLOWED["options.py"] = {"model"}
ALLOWED["command_line.py"] = {"parsers", "option_groups", "options"}
ALLOWED["parsers.py"] = {"argument", "option_groups", "options"}
ALLOWED["option_groups.py"] = {"argument", "options"}
ALLOWED["argument.py"] = {"options"}
ALLOWED["configuration.py"] = {"options", "model"}


# What reaches beyond the process, or waits. `pathlib` and `sys` are open to all.
SYSTEM = {
    "asyncio", "ctypes", "fcntl", "multiprocessing", "os", "psutil", "pty", "pwd", "queue",
    "resource", "select", "selectors", "shutil", "signal", "socket", "subprocess", "tempfile",
    "termios", "threading", "time", "tty",
}  # fmt: skip
# Who may: the first of these that a file is, or lies in.
TOUCHING = {
    "views/output.py": {"os", "tempfile"},
    "views/pager.py": {"os", "shutil", "signal", "subprocess"},
    "tui/terminal": {
        "os",
        "queue",
        "select",
        "signal",
        "tempfile",
        "termios",
        "threading",
        "time",  # that keys before an end may take
    },
    "tui/recorder.py": {"os", "threading"},
    "tui/watcher.py": {"resource", "threading", "time"},
    "tui": {"os", "time"},  # paths and rights of files that it keeps; a search's share of a frame
    "views": set[str](),
    "columns": set[str](),
    "explain": set[str](),
    "analysis": set[str](),
    "model": set[str](),
}


def imports(path: Path, typed: bool = True) -> list[list[str]]:
    """The dotted names that a file imports, in parts: `from time import sleep` is time, sleep.

    Without `typed`, those that a type checker alone sees are left out.
    """
    found = []
    nodes: list[ast.AST] = [ast.parse(path.read_text())]
    for node in nodes:
        if typed or not (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)):
            nodes += ast.iter_child_nodes(node)
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.module, f"{path}: a relative import"
            found += [f"{node.module}.{alias.name}" for alias in node.names]
    return [name.split(".") for name in found]


def files(part: str) -> list[Path]:
    found = [ROOT / part] if part.endswith(".py") else [*(ROOT / part).rglob("*.py")]
    assert found, part
    return found


@pytest.mark.parametrize("part", ALLOWED)
def test_a_part_knows_only_what_is_below_it(part: str) -> None:
    for path in files(part):
        known = {names[1] for names in imports(path) if names[0] == "tcptop" and len(names) > 1}
        beyond = known - ALLOWED[part] - {"__version__"}
        assert not beyond, f"{path.relative_to(ROOT)} imports {beyond}"


def test_every_part_has_its_place() -> None:
    parts = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    assert parts == {part for part in ALLOWED if not part.endswith(".py")}


@pytest.mark.parametrize("part", ["model", "analysis", "columns", "explain", "views", "tui"])
def test_only_sources_and_output_touch_the_system(part: str) -> None:
    for path in files(part):
        name = path.relative_to(ROOT).as_posix()
        allowed = next(may for place, may in TOUCHING.items() if f"{name}/".startswith(f"{place}/"))
        used = {names[0] for names in imports(path)} & SYSTEM
        assert used <= allowed, f"{name} imports {used - allowed}"


def test_no_module_needs_one_that_needs_it() -> None:
    """Nor by an import inside of a function; for type checkers one may go round."""
    modules = {
        ".".join(path.relative_to(ROOT.parent).with_suffix("").parts): path for path in FILES
    }
    modules = {name.removesuffix(".__init__"): path for name, path in modules.items()}
    needs = {}
    for name, path in modules.items():
        found = [(".".join(each), ".".join(each[:-1])) for each in imports(path, typed=False)]
        needs[name] = {whole if whole in modules else part for whole, part in found}
    TopologicalSorter(needs).prepare()  # CycleError tells the circle


def types(tree: ast.Module) -> Iterator[str]:
    """Classes and aliases of a module; messages inside of widgets are named by these."""
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            yield node.name
        targets = node.targets if isinstance(node, ast.Assign) else []
        targets += [node.target] if isinstance(node, ast.AnnAssign) else []
        yield from (
            each.id
            for each in targets
            if isinstance(each, ast.Name) and each.id[:1].isupper() and not each.id.isupper()
        )


def test_no_type_name_has_two_homes() -> None:
    homes: dict[str, list[str]] = defaultdict(list)
    for path in FILES:
        for name in types(ast.parse(path.read_text())):
            homes[name].append(str(path.relative_to(ROOT)))
    assert len(homes) > 150
    assert {name: found for name, found in homes.items() if len(found) > 1} == {}
