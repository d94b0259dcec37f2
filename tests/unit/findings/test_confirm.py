"""What a finding asks to be typed is taken by ss, and by shells that know patterns."""

import shlex

import pytest

from tcptop.analysis.findings.words import in_filter
from tests.unit.findings.test_black_hole import lost
from tests.unit.findings.watched import once


@pytest.mark.parametrize(
    ("where", "typed"),
    [
        ("10.0.0.1", "10.0.0.1"),
        ("10.0.0.1:443", "10.0.0.1:443"),
        ("10.0.0.0/24", "10.0.0.0/24"),
        ("[::1]:443", "[::1]:443"),
        ("::1", "[::1]"),
        ("2001:db8::/64", "2001:db8::/64"),
    ],
)
def test_as_ss_takes_it(where: str, typed: str) -> None:
    assert in_filter(where) == typed


def test_two_ports_of_one_ipv6_address() -> None:
    rows = [lost(f"[2001:db8::2]:{port}", cookie=port) for port in (443, 444)]
    (finding,) = once(rows)
    assert shlex.split(finding.confirm)[-1] == "dst [2001:db8::2]"
