"""Which states a filter can select, for a dump that asks the kernel for no others."""

from __future__ import annotations

from functools import reduce
from operator import and_, or_

from tcptop.analysis.filter.nodes import AllOf, AnyOf, Expression, Not, Number, State
from tcptop.analysis.filter.states import ALL
from tcptop.model import tcp


def state_mask(expression: Expression) -> int | None:
    """Bit n of the mask: the expression can be true of sockets in state n. None for all states."""
    mask = _can_be(expression, True)
    return None if mask == ALL else mask


def _can_be(expression: Expression, truth: bool) -> int:
    """States in which the expression can have that truth; too many rather than too few."""
    match expression:
        case AllOf(terms):
            each = (_can_be(term, truth) for term in terms)
            return reduce(and_, each, ALL) if truth else reduce(or_, each, 0)
        case AnyOf(terms):
            each = (_can_be(term, truth) for term in terms)
            return reduce(or_, each, 0) if truth else reduce(and_, each, ALL)
        case Not(term):
            return _can_be(term, not truth)
        case State(mask):
            return mask & ALL if truth else ~mask & ALL
        case Number(field="fill") if truth:
            return 1 << tcp.LISTEN
    return ALL
