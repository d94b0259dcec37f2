"""What the command line and the configuration decided for the live view."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tcptop.analysis.filter.clause import NO_FILTER, Clause
from tcptop.analysis.findings import settings as findings
from tcptop.columns import PROCESSES
from tcptop.columns.names import OpenNames


@dataclass(frozen=True)
class ScreenSettings:
    """`opening` is the view to begin with; `keys` binds actions, by their ids, to other keys;
    `state` is the file of what is remembered from run to run, None for nothing;
    `open_names` gives names for addresses, if there are any; `netns` is the inode of the namespace
    that the shell is in, 0 where it is not known."""

    interval: float = 1.0
    clause: Clause = NO_FILTER
    scope: str = "current netns"
    user: str = ""
    ascii_only: bool = False
    findings: findings.FindingSettings = findings.DEFAULTS
    opening: str = PROCESSES.name
    keys: Mapping[str, str] = field(default_factory=dict)
    theme: str | None = None
    no_themes: str = ""  # why there are only the terminal's own colours
    state: Path | None = None
    open_names: OpenNames | None = None
    netns: int = 0
