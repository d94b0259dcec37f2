"""A type has one name and one home: who searches for it finds what it is."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import tcptop

ROOT = Path(tcptop.__file__).parent


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
    for path in sorted(ROOT.rglob("*.py")):
        for name in types(ast.parse(path.read_text())):
            homes[name].append(str(path.relative_to(ROOT)))
    assert len(homes) > 150
    assert {name: found for name, found in homes.items() if len(found) > 1} == {}
