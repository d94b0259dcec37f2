"""The rules, one file each. Their table is what `--set`, `--ignore` and `check` know of them."""

from __future__ import annotations

from tcptop.analysis.findings.rule import Rule
from tcptop.analysis.findings.rules import (
    close_wait_leak,
    keepalive_missing,
    keepalive_too_slow,
    nagle_delayed_ack,
)

RULES: tuple[Rule, ...] = (
    close_wait_leak.RULE,
    keepalive_missing.RULE,
    keepalive_too_slow.RULE,
    nagle_delayed_ack.RULE,
)
