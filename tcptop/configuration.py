"""The configuration file: TOML text -> values, what is wrong named. Reads no file itself."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import Any

from tcptop.model.dataclass import dataclass
from tcptop.options import IDLE_TIMEOUT_S, INTERVAL_S, THEMES

KEYS = ("interval", "idle-timeout", "ignore", "theme", "findings", "keys")
NEAREST = 3  # suggestions at most

LimitsByRule = Mapping[str, Mapping[str, float]]  # finding -> threshold -> value
Thresholds = LimitsByRule  # what there is, with its defaults


class ConfigurationError(ValueError):
    """What is wrong and what could stand there, in one line."""


@dataclass(frozen=True, slots=True)
class Configuration:
    """What a file says; None and empty where it says nothing."""

    interval: float | None = None
    idle_timeout_s: float | None = None
    ignored: frozenset[str] = frozenset()
    limits: LimitsByRule = field(default_factory=dict)
    keys: Mapping[str, str] = field(default_factory=dict)  # for the live view
    theme: str | None = None


def parse(text: str, thresholds: Thresholds) -> Configuration:
    """The values of a file. Raises ConfigurationError."""
    import tomllib  # most have no file

    try:
        told = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(str(error)) from error
    except RecursionError as error:
        raise ConfigurationError("nested too deeply") from error
    for key in told:
        if key not in KEYS:
            raise ConfigurationError(unknown("key", key, KEYS, f"there are {', '.join(KEYS)}"))
    return Configuration(
        interval=_seconds(told, "interval", *INTERVAL_S),
        idle_timeout_s=_seconds(told, "idle-timeout", *IDLE_TIMEOUT_S),
        ignored=_ignored(told.get("ignore", []), thresholds),
        limits=_limits(_table("findings", told.get("findings", {})), thresholds),
        keys=_keys(_table("keys", told.get("keys", {}))),
        theme=_theme(told.get("theme")),
    )


def check_finding(id: str, thresholds: Thresholds) -> None:
    """Raises ConfigurationError unless there is such a finding."""
    if id not in thresholds:
        raise ConfigurationError(
            unknown("finding", id, [*thresholds], "`tcptop explain` lists them")
        )


def check_threshold(id: str, name: str, thresholds: Thresholds) -> None:
    """Raises ConfigurationError unless the finding has this threshold."""
    check_finding(id, thresholds)
    if name not in thresholds[id]:
        there = ", ".join(f"{each} ({value:g})" for each, value in thresholds[id].items())
        raise ConfigurationError(f"{id} has no threshold {_quoted(name)}; it has {there or 'none'}")


def unknown(kind: str, name: str, names: Sequence[str], otherwise: str) -> str:
    """`unknown KIND "NAME"; did you mean A, B?`, or what helps where nothing is near."""
    from difflib import get_close_matches

    near = [each for each in names if len(name) > 2 and name in each]
    near = list(dict.fromkeys([*near, *get_close_matches(name, names, NEAREST, 0.6)]))[:NEAREST]
    advice = f"did you mean {', '.join(near)}?" if near else otherwise
    return f"unknown {kind} {_quoted(name)}; {advice}"


def _seconds(told: Mapping[str, Any], key: str, least: float, most: float) -> float | None:
    value = told.get(key)
    if value is None:
        return None
    if not (_is_number(value) and least <= value <= most):
        bounds = f"{least:g} to {most:g}"
        raise ConfigurationError(f"{key}: {_told(value)} is not a number of seconds, {bounds}")
    return float(value)


def _ignored(told: Any, thresholds: Thresholds) -> frozenset[str]:
    if not isinstance(told, list) or not all(isinstance(id, str) for id in told):
        raise ConfigurationError('ignore: not a list of findings, such as ["nagle-delayed-ack"]')
    for id in told:
        check_finding(id, thresholds)
    return frozenset(told)


def _limits(told: Mapping[str, Any], thresholds: Thresholds) -> LimitsByRule:
    for id, named in told.items():
        check_finding(id, thresholds)
        for name, value in _table(f"findings.{id}", named).items():
            check_threshold(id, name, thresholds)
            if not _is_number(value):
                raise ConfigurationError(f"findings.{id}.{name}: {_told(value)} is not a number")
            if value < 0:
                raise ConfigurationError(f"findings.{id}.{name}: {_told(value)} is below 0")
    return told


def _keys(told: Mapping[str, Any]) -> Mapping[str, str]:
    for name, key in told.items():
        if not isinstance(key, str):
            raise ConfigurationError(f"keys: {_quoted(name)}: {_told(key)} is not text")
    return told


def _theme(told: Any) -> str | None:
    if told is not None and told not in THEMES:
        name = told if isinstance(told, str) else _told(told)
        raise ConfigurationError(unknown("theme", name, THEMES, f"there are {', '.join(THEMES)}"))
    return None if told is None else str(told)


def _table(name: str, told: Any) -> Mapping[str, Any]:
    if not isinstance(told, dict):
        raise ConfigurationError(f"{name}: {_told(told)} is not a table, [{name}]")
    return told


def _is_number(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # TOML's integers have no end
        return False


def _told(value: Any) -> str:
    """A value as TOML writes it, or what kind of value it is."""
    if isinstance(value, list | dict):
        return "a table" if isinstance(value, dict) else "a list"
    if isinstance(value, bool):
        return str(value).lower()
    return _quoted(value) if isinstance(value, str) else str(value)


def _quoted(name: str) -> str:
    return f'"{name}"' if name.isprintable() else ascii(name)
