"""What the user decided: the configuration file, and over it the command line."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping

from tcptop.analysis.findings import engine
from tcptop.analysis.findings.rules import RULES
from tcptop.analysis.findings.settings import FindingSettings
from tcptop.commands.errors import CommandError
from tcptop.configuration import (
    Configuration,
    ConfigurationError,
    LimitsByRule,
    check_finding,
    check_threshold,
    parse,
)
from tcptop.model.cells import safe
from tcptop.model.named_tuple import NamedTuple
from tcptop.options import JudgingOptions, PollingOptions, UsageError

INTERVAL_S = 1.0
MOST = 1 << 20  # bytes of a configuration file
NULL = os.makedev(1, 3)  # /dev/null, for no configuration (Documentation/admin-guide/devices.txt)
THRESHOLDS = {rule.id: {each.name: each.default for each in rule.thresholds} for rule in RULES}


class EffectiveConfiguration(NamedTuple):
    """`keys`, as Textual takes them, and `theme` are those of the live view."""

    interval: float
    findings: FindingSettings
    keys: Mapping[str, str]
    theme: str | None = None


def decided(
    chosen: JudgingOptions, lowered: LimitsByRule | None = None, home: int | None = None
) -> EffectiveConfiguration:
    """The command line wins over the file; `lowered` are thresholds that lie between the two.

    `home` is the namespace of the shell that the commands of findings are for.

    Raises UsageError, CommandError where the file says what nobody knows, and OSError.
    """
    if "TCPTOP_RAISE" in os.environ:  # tests must not pass over an error in a rule
        engine.RAISED = (Exception,)
    _check(chosen)
    file = configuration(chosen.config)[1]
    typed: dict[str, dict[str, float]] = {}
    for finding, name, value in chosen.set:
        typed.setdefault(finding, {})[name] = value
    timeout = file.idle_timeout_s if chosen.idle_timeout is None else chosen.idle_timeout
    return EffectiveConfiguration(
        (chosen.interval if isinstance(chosen, PollingOptions) else None)
        or file.interval
        or INTERVAL_S,
        FindingSettings(
            _over(_over(file.limits, lowered or {}), typed),
            file.ignored.union(chosen.ignore),
            timeout,
            home,
        ),
        _keys(file.keys) if file.keys else {},
        file.theme,
    )


def _check(chosen: JudgingOptions) -> None:
    """Whether the findings and thresholds on the command line exist."""
    option = ""
    try:
        for finding, name, _ in chosen.set:
            option = f"--set {finding}.{name}"
            check_threshold(finding, name, THRESHOLDS)
        for finding in chosen.ignore:
            option = f"--ignore {finding}"
            check_finding(finding, THRESHOLDS)
    except ConfigurationError as error:
        raise UsageError(f"tcptop: {safe(option)}: {error}") from error


def _over(below: LimitsByRule, above: LimitsByRule) -> LimitsByRule:
    return {id: {**below.get(id, {}), **above.get(id, {})} for id in {**below, **above}}


def configuration(path: str | None) -> tuple[str | None, Configuration]:
    """The file, the usual one where none is named, and what it says. Raises CommandError."""
    path = path or _usual()
    if path is None:
        return None, Configuration()
    try:
        return path, parse(_text(path), THRESHOLDS)
    except UnicodeDecodeError as error:
        raise CommandError(f"{safe(path)}: not UTF-8") from error
    except OSError as error:  # a read that fails names no file
        raise CommandError(f"{safe(path)}: {error.strerror}") from error
    except ConfigurationError as error:
        raise CommandError(f"{safe(path)}: {error}") from error


def _keys(chosen: Mapping[str, str]) -> Mapping[str, str]:
    """The keys that the file binds anew, which every command judges alike; CommandError says what
    is wrong with them."""
    from tcptop.tui.terminal import environment

    environment.prepare(os.environ)  # before Textual is imported, which reads it once
    from tcptop.tui.keymap import keymap

    keys, complaints = keymap(chosen)
    if complaints:
        more = f" (and {len(complaints) - 1} more)" if len(complaints) > 1 else ""
        raise CommandError(f"configuration: {complaints[0]}{more}")
    return keys


def _text(path: str) -> str:
    """Of a regular file that is not too long: a device or a pipe may never end, or never begin."""
    with open(path, "rb", opener=_without_waiting) as file:
        kind = os.fstat(file.fileno())
        if kind.st_rdev == NULL:
            return ""
        if not stat.S_ISREG(kind.st_mode):
            raise CommandError(f"{safe(path)}: not a regular file")
        data = file.read(MOST + 1)
    if len(data) > MOST:
        raise CommandError(f"{safe(path)}: longer than {MOST >> 20} MiB")
    return data.decode("utf-8-sig")  # editors of Windows put a mark before it


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)  # for a writer, where it is a FIFO


def _home_config() -> str:
    if "HOME" in os.environ:
        return os.path.expanduser("~/.config")
    from tcptop.sources.names import apart

    return apart(lambda: os.path.expanduser("~/.config"))  # asks the name service, which may wait


def _usual() -> str | None:
    """Where the XDG Base Directory Specification puts it, if there is one.

    By hand: to import platformdirs takes 10 to 30 ms, for these two lines.
    """
    home = os.environ.get("XDG_CONFIG_HOME", "")
    if not os.path.isabs(home):  # the specification: a relative one is to be ignored
        home = _home_config()
    path = os.path.join(home, "tcptop", "config.toml")
    return path if os.path.isabs(path) and os.path.isfile(path) else None
