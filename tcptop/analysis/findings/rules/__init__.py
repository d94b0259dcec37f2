"""The rules, one file each. Their table is what `--set`, `--ignore` and `check` know of them."""

from __future__ import annotations

from tcptop.analysis.findings.rule import Rule

RULES: tuple[Rule, ...] = ()
