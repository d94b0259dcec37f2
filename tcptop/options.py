"""The options of each command, a dataclass each; what is not typed is as it has it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from tcptop.model.dataclass import dataclass

FORMATS = ("json", "ndjson", "csv", "text", "markdown")
LISTS = ("sockets", "processes", "listeners", "ports", "remotes", "closed", "findings")

INTERVAL_S = (0.1, 3600.0)
IDLE_TIMEOUT_S = (1.0, 864_000.0)
LEAST_BYTES = 4 << 20  # of a recording whose size has a limit
THEMES = ("terminal", "dark", "light", "contrast", "solarized")  # of the live view


@dataclass(frozen=True)
class FilterOptions:
    """What is shown."""

    filter: Sequence[str] = ()
    process: Sequence[str] = ()
    port: Sequence[str] = ()


@dataclass(frozen=True)
class SourceOptions:
    """What is looked at."""

    netns: str = "current"
    events: bool = True  # whether the kernel is asked what ends between samples
    via: str | None = None  # a command that gives a shell, behind which is looked


@dataclass(frozen=True)
class JudgingOptions:
    """What counts as trouble; None where the configuration may decide."""

    idle_timeout: float | None = None
    set: Sequence[tuple[str, str, float]] = ()  # finding, threshold and value
    ignore: Sequence[str] = ()
    config: str | None = None


@dataclass(frozen=True)
class PollingOptions(JudgingOptions):
    """How often to look, too."""

    interval: float | None = None


@dataclass(frozen=True)
class ScreenOptions:
    mouse: bool | None = None  # None: as the terminal is
    ascii: bool = False


@dataclass(frozen=True)
class LiveOptions(FilterOptions, SourceOptions, PollingOptions, ScreenOptions):
    command: ClassVar[str] = "live"
    netns: str = ""  # all, where that is permitted


@dataclass(frozen=True)
class RecordingOptions:
    """What is looked at instead of the host, and which moment of it."""

    recording: str | None = None
    at: str | None = None


@dataclass(frozen=True)
class SnapshotOptions(FilterOptions, SourceOptions, PollingOptions, RecordingOptions):
    command: ClassVar[str] = "snapshot"
    begin: str | None = None  # of a recording
    end: str | None = None
    format: str | None = None  # one of FORMATS; None: as the output is
    output: str | None = None
    over: float = 0.0
    only: Sequence[str] = ()  # of LISTS
    limit: int | None = None


@dataclass(frozen=True)
class CheckOptions(FilterOptions, SourceOptions, PollingOptions, RecordingOptions):
    command: ClassVar[str] = "check"
    over: float | None = None  # 5 s, of a recording as long as rules look back
    format: str = "text"
    strict: bool = False


@dataclass(frozen=True)
class ReplayOptions(JudgingOptions, ScreenOptions):
    command: ClassVar[str] = "replay"
    file: str = ""
    at: str | None = None
    speed: float = 1.0
    save: str | None = None  # a span, to another file
    begin: str | None = None
    end: str | None = None


@dataclass(frozen=True)
class RecordOptions(FilterOptions, SourceOptions, PollingOptions):
    command: ClassVar[str] = "record"
    file: str = ""
    duration: float | None = None
    keep: float | None = None  # seconds
    max_size: int | None = None


@dataclass(frozen=True)
class DiffOptions(JudgingOptions):
    command: ClassVar[str] = "diff"
    old: str = ""
    new: str = ""
    format: str = "text"


@dataclass(frozen=True)
class ReportOptions(JudgingOptions):
    command: ClassVar[str] = "report"
    file: str = ""
    output: str | None = None
    begin: str | None = None
    end: str | None = None
    title: str | None = None
    redact: bool = False


@dataclass(frozen=True)
class DemoOptions(PollingOptions, ScreenOptions):
    command: ClassVar[str] = "demo"
    events: bool = True
    scenario: Sequence[str] = ()
    list: bool = False


@dataclass(frozen=True)
class MetricsOptions(SourceOptions, PollingOptions):
    command: ClassVar[str] = "metrics"
    listen: tuple[str, int] | None = None  # None: the usual one, unless there is a file
    textfile: str | None = None
    once: bool = False


@dataclass(frozen=True)
class ConfigOptions(PollingOptions):
    command: ClassVar[str] = "config"


@dataclass(frozen=True)
class CompletionOptions:
    command: ClassVar[str] = "completion"
    shell: str = ""


@dataclass(frozen=True)
class ExplainOptions:
    command: ClassVar[str] = "explain"
    word: Sequence[str] = ()


Options = (
    LiveOptions
    | SnapshotOptions
    | CheckOptions
    | RecordOptions
    | DiffOptions
    | ReplayOptions
    | ReportOptions
    | DemoOptions
    | ExplainOptions
    | MetricsOptions
    | ConfigOptions
    | CompletionOptions
)


class UsageError(Exception):
    """A command line that means nothing: one line for stderr, or two where a caret helps."""
