"""Filters in what a finding asks to be typed are taken by ss."""

import pytest

from tcptop.analysis.findings.words import in_filter
from tcptop.demo.namespace import DemoNamespace


@pytest.mark.parametrize(
    "where", ["10.0.0.1", "10.0.0.1:443", "10.0.0.0/24", "::1", "[::1]:443", "2001:db8::/64"]
)
def test_ss_takes_them(where: str) -> None:
    with DemoNamespace() as namespace:
        assert namespace.command(["ss", "-Htan", f"dst {in_filter(where)}"]) == ""
