"""Words that people stumbled over, as patterns: none of them is in what tcptop says."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path

from tcptop.model.finding import Finding

PACKAGE = Path(__file__).parents[1] / "tcptop"
# Ends in s, and is said of one.
SINGULAR = "s ms is was has does gets waits stays reads needs works process address answers less"
PLURAL = rf"(?<![\w.,:=/+-])(?<![=+] )1 (?!({'|'.join(SINGULAR.split())})\b)[a-z-]+s\b(?!/)"
WORST = {
    "a state as ss does not write it": r"\b(CLOSE|TIME)_WAIT\b|\bFIN_WAIT_?[12]\b|\bLAST_ACK\b"
    r"|\bSYN_(SENT|RECV)\b|\bESTABLISHED\b",
    "a plural of a plural": r"\b(mores|anothers|informations)\b",
    "sample or poll": r"\b(a|one|each|every|first|last|next|previous|single|five) looks?\b(?! like)"
    r"|\bof looking\b|\blooks twice\b|\bgoes on looking\b",
    "retransmitted": r"\bsent again\b|\bsends? .{0,20}\bagain and again\b",
    "no process, or unknown": r"\bnobody known\b",
    "does nothing, or unexpected": r"\bno key here\b|\bnone here\b|\bcannot stand here\b",
    "fixes": r"\bmends?\b|\bmended\b",
    "drops, discards": r"\bthrow(s|n)? (it )?away\b",
    "silently": r"\bwithout a word\b",
    "should": r"\b[Ii]t is up to\b",
    "delays the failure": r"\bmoves? the hour\b",
    "uptime, since": r"\bruns for\b|\bsince it listens\b",
    "forever": r"\bfor ever\b",
}


def stumbles(text: str) -> list[str]:
    """What is wrong with a text, each with its place."""
    return [each for what, pattern in WORST.items() for each in _found(what, pattern, text)]


def of_findings(findings: Iterable[Finding]) -> list[str]:
    """The same of findings, where numbers are filled in: "1 sockets"."""
    texts = [text for f in findings for text in (f.title, *f.evidence, f.advice)]
    return [each for text in texts for each in _of_text(text)]


@lru_cache(1 << 14)
def _of_text(text: str) -> tuple[str, ...]:
    """Look after look says the same."""
    return *stumbles(text), *miscounted(text)


def miscounted(text: str) -> list[str]:
    """Where one thing is called many."""
    return list(_found("one of many", PLURAL, text))


def _found(what: str, pattern: str, text: str) -> Iterator[str]:
    running = " ".join(text.split())
    for found in re.finditer(pattern, running):
        yield f"{what}: {running[max(found.start() - 40, 0) : found.end() + 40]}"


def sentences() -> Iterator[tuple[str, str]]:
    """What the source can say, with its place: literals with a space in them that are no docstring;
    what is filled in is `{}`."""
    for path in sorted(PACKAGE.rglob("*.py")):
        tree = ast.parse(path.read_text())
        silent = set(_silent(tree))
        for node in ast.walk(tree):
            if isinstance(node, ast.JoinedStr | ast.Constant) and id(node) not in silent:
                said = _said(node)
                if " " in said:
                    yield f"{path.relative_to(PACKAGE)}:{node.lineno}", said


def _silent(tree: ast.AST) -> Iterator[int]:
    """Docstrings, and the parts of f-strings, which are read as a whole."""
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield from (id(part) for part in node.values)
        if isinstance(node, ast.Expr):
            yield id(node.value)


def _said(node: ast.JoinedStr | ast.Constant) -> str:
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else ""
    return "".join(_parts(node.values))


def _parts(values: Iterable[ast.expr]) -> Iterator[str]:
    for part in values:
        yield _said(part) if isinstance(part, ast.Constant) else "{}"
