"""A filter with the text that was typed. The language itself is imported when one is typed: that
takes a twentieth of the start."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tcptop.model.dataclass import dataclass

if TYPE_CHECKING:
    from tcptop.analysis.filter import Expression


@dataclass(frozen=True, slots=True)
class Clause:
    """A filter as typed, and as it can be evaluated; None selects everything."""

    text: str
    expression: Expression | None


NO_FILTER = Clause("", None)


@dataclass(frozen=True, slots=True)
class Feedback:
    """What to say of a filter; `column` is where it is wrong, None where it is not."""

    said: str
    style: str
    column: int | None = None


def together(*clauses: Clause) -> Clause:
    """All of the clauses in one; NO_FILTER where they select everything."""
    said = [clause for clause in clauses if clause.text]
    if len(said) < 2:
        return said[0] if said else NO_FILTER
    from tcptop.analysis import filter as language

    text = " and ".join(f"({clause.text})" for clause in said)
    terms = (clause.expression for clause in said if clause.expression is not None)
    return Clause(text, language.all_of(*terms))
