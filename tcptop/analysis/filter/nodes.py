"""The filter as a value: a tree of small predicates about sockets."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import field
from typing import Literal, TypeAlias

from tcptop.model.dataclass import dataclass

Side: TypeAlias = Literal["src", "dst"]
Operator: TypeAlias = Literal["=", "!=", ">", "<", ">=", "<="]


@dataclass(frozen=True, slots=True)
class Word:
    """A word of a filter, and where it stood, for errors found later."""

    text: str
    column: int = field(default=0, compare=False)
    source: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Span:
    """Whole numbers from low to high, both included."""

    low: int
    high: int


@dataclass(frozen=True, slots=True)
class Service:
    """The name of a port, as in /etc/services."""

    word: Word


@dataclass(frozen=True, slots=True)
class Address:
    """The first `bits` of a 4 or 6 (`version`) address."""

    version: Literal[4, 6]
    number: int
    bits: int


@dataclass(frozen=True, slots=True)
class HostName:
    """A name to be resolved, within one IP version or (None) both."""

    word: Word
    version: Literal[4, 6] | None = None


@dataclass(frozen=True, slots=True)
class AllOf:
    """Every term is true; without terms, always."""

    terms: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """At least one term is true; without terms, never."""

    terms: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Not:
    term: Expression


@dataclass(frozen=True, slots=True)
class State:
    """Bit n of `mask` stands for the kernel's TCP state n."""

    mask: int


@dataclass(frozen=True, slots=True)
class Family:
    """Sockets of these IP versions; an IPv4-mapped one counts as 6."""

    versions: frozenset[int]


@dataclass(frozen=True, slots=True)
class HostMatch:
    """One of the addresses (all, where there is none) and the port (any, where it is None)."""

    side: Side
    addresses: tuple[Address | HostName, ...]
    port: Span | Service | None


@dataclass(frozen=True, slots=True)
class Port:
    """`field` is sport, dport or port (either); only `=` takes more than one item."""

    field: str
    operator: Operator
    items: tuple[Span | Service, ...]


@dataclass(frozen=True, slots=True)
class Autobound:
    """The local port lies in the namespace's ephemeral range."""


@dataclass(frozen=True, slots=True)
class Device:
    """Bound to the interface of this name or index."""

    name: str


@dataclass(frozen=True, slots=True)
class Mark:
    value: int
    mask: int


@dataclass(frozen=True, slots=True)
class Cgroup:
    """A path or glob, from the root of the hierarchy and without its leading slash."""

    pattern: str


@dataclass(frozen=True, slots=True)
class Number:
    """A quantity in its base unit (bytes, seconds, percent) within one of the ranges."""

    field: str
    operator: Operator
    ranges: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Text:
    """A name (process, user, netns) that equals one of the globs, whatever the case."""

    field: str
    operator: Operator
    globs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """One of a closed set of words (timer, keepalive, owner)."""

    field: str
    operator: Operator
    words: tuple[str, ...]


Predicate: TypeAlias = (
    State | Family | HostMatch | Port | Autobound | Device | Mark | Cgroup | Number | Text | Choice
)
Expression: TypeAlias = AllOf | AnyOf | Not | Predicate

EVERYTHING = AllOf(())


def all_of(*expressions: Expression) -> Expression:
    """True where every expression is; a single one is returned as it is."""
    return expressions[0] if len(expressions) == 1 else AllOf(expressions)


def any_of(*expressions: Expression) -> Expression:
    """True where at least one expression is; a single one is returned as it is."""
    return expressions[0] if len(expressions) == 1 else AnyOf(expressions)


def predicates(expression: Expression, negated: bool = False) -> Iterator[tuple[Predicate, bool]]:
    """Every predicate, and whether it stands under an odd number of `not`."""
    match expression:
        case AllOf(terms) | AnyOf(terms):
            for term in terms:
                yield from predicates(term, negated)
        case Not(term):
            yield from predicates(term, not negated)
        case _:
            yield expression, negated
