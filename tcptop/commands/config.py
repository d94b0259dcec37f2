"""`tcptop config`: what holds, as a configuration file, and where each value is from.

What it writes may be read again with `--config`, and means the same then.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import NamedTuple

from tcptop.analysis.findings.rules import RULES
from tcptop.commands.effective import EffectiveConfiguration, configuration, decided
from tcptop.commands.errors import DONE
from tcptop.configuration import Configuration
from tcptop.model.cells import safe
from tcptop.options import ConfigOptions
from tcptop.views import output

DEFAULT, TYPED = "default", "command line"


class Decision(NamedTuple):
    """What was asked, and what came of it."""

    typed: ConfigOptions
    file: Configuration
    path: str | None
    user: EffectiveConfiguration

    def origin(self, typed: bool, in_file: bool) -> str:
        if typed:
            return TYPED
        return safe(self.path) if in_file and self.path is not None else DEFAULT


def run(chosen: ConfigOptions) -> int:
    user = decided(chosen)  # complains of what is wrong
    path, file = configuration(chosen.config)
    with output.opened(None) as out:
        out.writelines(f"{line}\n" for line in lines(Decision(chosen, file, path, user)))
    return DONE


def lines(known: Decision) -> Iterator[str]:
    """Of the file, as TOML."""
    yield f"# the configuration file: {safe(known.path) if known.path is not None else 'none'}"
    yield from _general(known)
    yield from _findings(known)
    yield from _keys(known)


def _general(known: Decision) -> Iterator[str]:
    typed, file, findings = known.typed, known.file, known.user.findings
    origin = known.origin(typed.interval is not None, file.interval is not None)
    yield _line("interval", repr(known.user.interval), origin)
    timeout = findings.idle_timeout_s
    if timeout is None:
        yield "# idle-timeout is not set: of the load balancers or NAT on the way, in seconds"
    else:
        yield _line(
            "idle-timeout", repr(timeout), known.origin(typed.idle_timeout is not None, True)
        )
    yield from _ignored(known)
    if known.user.theme is None:
        yield "# theme is not set: the live view has the one that was last chosen there"
    else:
        yield _line("theme", _text(known.user.theme), known.origin(False, True))


def _ignored(known: Decision) -> Iterator[str]:
    ignored = sorted(known.user.findings.ignored)
    if not ignored:
        yield _line("ignore", "[]", DEFAULT)
        return
    yield "ignore = ["
    for id in ignored:
        yield f"  {_commented(f'{_text(id)},', known.origin(id in known.typed.ignore, True))}"
    yield "]"


def _findings(known: Decision) -> Iterator[str]:
    typed = {(id, name) for id, name, _ in known.typed.set}
    for rule in sorted(RULES, key=lambda rule: rule.id):
        if rule.thresholds:
            yield ""
            yield f"[findings.{rule.id}]"
        limits = known.user.findings.limits.get(rule.id, {})
        for name, default, meaning in rule.thresholds:
            in_file = name in known.file.limits.get(rule.id, {})
            origin = known.origin((rule.id, name) in typed, in_file)
            yield _line(name, repr(limits.get(name, default)), f"{origin}; {meaning}")


def _keys(known: Decision) -> Iterator[str]:
    """Those that are not as usual; the man page lists the actions."""
    yield ""
    yield "[keys]"
    if not known.file.keys:
        yield "# as usual: ? in the live view shows them"
    for id, keys in sorted(known.file.keys.items()):
        yield _line(id, _text(keys), known.origin(False, True))


def _line(key: str, value: str, origin: str) -> str:
    return _commented(f"{key} = {value}", origin)


def _commented(text: str, comment: str) -> str:
    return f"{text:<32}# {comment}"


def _text(text: str) -> str:
    """As TOML writes it, which for what JSON escapes is the same but for DEL (toml.io, String)."""
    return json.dumps(text).replace("\x7f", "\\u007f")
