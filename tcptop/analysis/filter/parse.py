"""Text to expression. Pure: names are resolved later, by `bind`."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, cast

from tcptop.analysis.filter import alone, hosts, states
from tcptop.analysis.filter.error import FilterError
from tcptop.analysis.filter.expected import syntax_error
from tcptop.analysis.filter.fields import FIELDS
from tcptop.analysis.filter.grammar import parser
from tcptop.analysis.filter.nodes import (
    EVERYTHING,
    AllOf,
    AnyOf,
    Autobound,
    Expression,
    Family,
    Not,
    Operator,
    State,
    Text,
    Word,
    all_of,
)
from tcptop.analysis.filter.words import elements, whole, wrong

if TYPE_CHECKING:
    from lark import Token, Tree

    Branch = Tree[Token]
    Links = list[tuple[str, Branch]]

_DEEPEST = 150  # nested parentheses and `not`; evaluation recurses
_OPERATORS: dict[str, Operator] = {
    "==": "=",
    "eq": "=",
    "ne": "!=",
    "neq": "!=",
    "gt": ">",
    "lt": "<",
    "ge": ">=",
    "geq": ">=",
    "le": "<=",
    "leq": "<=",
}


def parse(text: str) -> Expression:
    """The expression of a filter; of an empty one, what is always true.

    Raises FilterError, and nothing else, whatever the text.
    """
    from lark.exceptions import UnexpectedInput

    try:
        tree = parser().parse(text)
    except UnexpectedInput as error:
        raise syntax_error(text, error) from None
    return _Builder(text).filter(tree)


class _Builder:
    """Makes the expression of one parse tree."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.family: frozenset[int] | None = None

    def filter(self, tree: Branch) -> Expression:
        """ss reads only the family that a prefix named last, whatever the expression."""
        found = self.top(_branch(tree.children[0])) if tree.children else EVERYTHING
        return found if self.family is None else all_of(Family(self.family), found)

    def top(self, chain: Branch) -> Expression:
        """Leading state clauses accumulate, and what is beside them narrows them, as in ss."""
        links = _links(chain)
        clauses = 0
        while clauses < len(links) and _is_clause(*links[clauses]):
            clauses += 1
        if not clauses:
            return self.fold(links, 0)
        state = State(self.accumulated([term for _, term in links[:clauses]]))
        rest = links[clauses:]
        if rest and rest[0][0]:
            return self.fold(rest, 0, state)
        return all_of(state, self.fold(rest, 0)) if rest else state

    def accumulated(self, clauses: list[Branch]) -> int:
        mask = 0 if clauses[0].data == "state" else states.ALL
        for clause in clauses:
            named = self.states(clause)
            mask = mask | named if clause.data == "state" else mask & ~named
        return mask or states.SS_DEFAULT

    def fold(self, links: Links, depth: int, first: Expression | None = None) -> Expression:
        """`a or b and c` is `(a or b) and c`: ssfilter.y gives `and` and `or` one level."""
        kinds = [AnyOf if link == "or" else AllOf for link, _ in links]
        depth += sum(one != other for one, other in pairwise(kinds)) + 1
        if depth > _DEEPEST:
            raise FilterError(self.text, 0, (), "the filter is nested too deeply")
        terms = [first] if first else []
        for at, (_, term) in enumerate(links):
            if len(terms) > 1 and kinds[at] != kinds[at - 1]:
                terms = [kinds[at - 1](tuple(terms))]
            terms.append(self.term(term, depth))
            if at and links[at][0] == "":
                self.check_unit(links[at - 1][1], term)
        return terms[0] if len(terms) == 1 else kinds[-1](tuple(terms))

    def term(self, term: Branch, depth: int) -> Expression:
        match term.data:
            case "group":
                return self.fold(_links(_branch(term.children[0])), depth)
            case "negation":
                return Not(self.fold([("", _branch(term.children[1]))], depth))
            case "state":
                return self.state(term)
            case "exclude":
                return State(~self.states(term) & states.ALL)
            case "port":
                word = self.word(term.children[0])
                alone.refuse_address(word)
                return self.compared("port", "=", word)
            case "autobound":
                return Autobound()
            case "bare":
                return self.bare(self.word(term.children[0]))
        field, *operator, value = map(self.word, term.children)
        alone.refuse_operator(value)
        return self.compared(field.text.lower(), _operator(operator), value)

    def check_unit(self, before: Branch, term: Branch) -> None:
        """`sendq > 64 k` is a number and a word: hardly what was meant."""
        if (before.data, term.data) == ("comparison", "bare"):
            field, *_, value = map(self.word, before.children)
            alone.refuse_unit(field.text.lower(), value, self.word(term.children[0]))

    def bare(self, word: Word) -> Text:
        """A part of a process's name, label, command line, unit or container."""
        text = whole(word).text
        if states.mask(text) is not None:
            raise wrong(word, f'"{text}" is a state', f"state {text}", f"process = {text}")
        return Text("word", "=", (text,))

    def state(self, term: Branch) -> State:
        _, *operator, _ = map(self.word, term.children)
        mask = self.states(term)
        return State(mask if _operator(operator) == "=" else ~mask & states.ALL)

    def states(self, term: Branch) -> int:
        """The states that a clause names."""
        mask = 0
        for word in elements(self.word(term.children[-1])):
            named = states.mask(word.text)
            if named is None:
                raise wrong(word, f'"{word.text}" is not a state', *states.WORDS)
            mask |= named
        return mask

    def compared(self, name: str, operator: Operator, value: Word) -> Expression:
        field = FIELDS[name]
        if name in ("src", "dst", "sport", "dport"):
            for word in elements(value):
                versions = hosts.family(word)
                self.family = self.family if versions is None else versions
        return field.build(field, operator, value)

    def word(self, token: Branch | Token) -> Word:
        return Word(str(token), cast("Token", token).start_pos or 0, self.text)


def _links(chain: Branch) -> Links:
    """The terms of a chain, each with what joins it to those before: and, or, nothing."""
    links: Links = []
    link = ""
    for child in chain.children:
        if isinstance(child, str):
            link = "or" if child.lower() in ("or", "|", "||") else "and"
        else:
            links.append((link, child))
            link = ""
    return links


def _is_clause(link: str, term: Branch) -> bool:
    """`state X` or `exclude X` next to what is before it; `state = X` is a predicate."""
    return link == "" and term.data in ("state", "exclude") and len(term.children) == 2


def _branch(child: Branch | Token) -> Branch:
    return cast("Branch", child)


def _operator(words: list[Word]) -> Operator:
    text = words[0].text if words else "="
    return _OPERATORS.get(text) or cast(Operator, text)
