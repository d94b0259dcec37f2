"""The rules, one file each. Their table is what `--set`, `--ignore` and `check` know of them."""

from __future__ import annotations

from tcptop.analysis.findings.rule import Rule
from tcptop.analysis.findings.rules import (
    accept_queue_overflow,
    close_wait_leak,
    connect_unanswered,
    keepalive_missing,
    keepalive_too_slow,
    nagle_delayed_ack,
    risky_sysctl,
    syn_flood,
    syn_queue_full,
)

RULES: tuple[Rule, ...] = (
    accept_queue_overflow.RULE,
    syn_queue_full.RULE,
    syn_flood.RULE,
    close_wait_leak.RULE,
    connect_unanswered.RULE,
    keepalive_missing.RULE,
    keepalive_too_slow.RULE,
    nagle_delayed_ack.RULE,
    risky_sysctl.RULE,
)
