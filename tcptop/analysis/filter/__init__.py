"""The filter language: that of ss, and what tcptop knows beyond it.

`parse` the text, `bind` its names, then `select` rows of a sample.
"""

from tcptop.analysis.filter.bind import NameResolver, bind
from tcptop.analysis.filter.error import FilterError
from tcptop.analysis.filter.expected import completions
from tcptop.analysis.filter.facts import Facts
from tcptop.analysis.filter.mask import state_mask
from tcptop.analysis.filter.near import hint
from tcptop.analysis.filter.nodes import EVERYTHING, Expression, all_of, any_of
from tcptop.analysis.filter.options import port_option, process_option
from tcptop.analysis.filter.parse import parse
from tcptop.analysis.filter.select import select

__all__ = [
    "EVERYTHING",
    "Expression",
    "Facts",
    "FilterError",
    "NameResolver",
    "all_of",
    "any_of",
    "bind",
    "completions",
    "hint",
    "parse",
    "port_option",
    "process_option",
    "select",
    "state_mask",
]
