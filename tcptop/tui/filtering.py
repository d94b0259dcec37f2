"""What the filters of the screen select: the command line's, the typed one, the drilled scope."""

from __future__ import annotations

from dataclasses import dataclass

from tcptop.analysis import filter as language
from tcptop.analysis.filter import Expression, FilterError


@dataclass(frozen=True, slots=True)
class Clause:
    """A filter as typed, and as it can be evaluated."""

    text: str
    expression: Expression


NOTHING = Clause("", language.EVERYTHING)


def feedback(text: str) -> tuple[str, bool]:
    """What to say while a filter is typed, and whether it is right so far."""
    try:
        language.parse(text)
    except FilterError as error:
        words = ", ".join(error.expected[:8])
        hint = f": {words}" if words else ""
        return f"{' ' * error.column}^ {error.message}{hint}", False
    return "", True


def together(*clauses: Clause) -> Expression | None:
    """All of the clauses; None where they select everything."""
    said = [clause.expression for clause in clauses if clause.text]
    return language.all_of(*said) if said else None
