"""Rates of counters, where a section is the very one of the sample before and where it is not."""

from __future__ import annotations

from tcptop.analysis.counters import rates
from tcptop.model.sample import Kernel

TCP = {"RtoMin": 200, "ActiveOpens": 7, "CurrEstab": 3, "OutSegs": 0}


def kernel(section: dict[str, int]) -> Kernel:
    return Kernel(1, {"Tcp": section}, {}, {})


def test_what_is_at_rest_has_the_rates_of_what_was_read_again() -> None:
    before = {1: kernel(TCP)}
    shared, copied = (rates([kernel(now)], before, 2.0) for now in (TCP, dict(TCP)))
    assert shared == copied == {1: {"Tcp": {"ActiveOpens": 0.0, "OutSegs": 0.0}}}


def test_what_grew_is_told_a_second() -> None:
    grown = rates([kernel({**TCP, "OutSegs": 5})], {1: kernel(TCP)}, 2.0)
    assert grown == {1: {"Tcp": {"ActiveOpens": 0.0, "OutSegs": 2.5}}}
