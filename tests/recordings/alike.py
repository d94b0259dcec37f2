"""Where two values of the model differ: in every field, what they compare by or not."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np


def differences(one: Any, other: Any) -> list[str]:
    """The paths of all fields that are not the same."""
    return [*_differences(one, other, "")]


def _differences(one: Any, other: Any, path: str) -> Iterator[str]:
    if type(one) is not type(other):
        yield f"{path}: {type(one).__name__}, {type(other).__name__}"
    elif isinstance(one, np.ndarray):
        same = one.dtype == other.dtype and one.shape == other.shape
        if not same or one.tobytes() != other.tobytes():
            yield path
    elif dataclasses.is_dataclass(one):
        for field in dataclasses.fields(one):
            name = field.name
            yield from _differences(getattr(one, name), getattr(other, name), f"{path}.{name}")
    elif isinstance(one, Mapping):
        yield from (f"{path}[{key}]" for key in one.keys() ^ other.keys())
        for key in one.keys() & other.keys():
            yield from _differences(one[key], other[key], f"{path}[{key}]")
    elif isinstance(one, tuple):
        if len(one) != len(other):
            yield f"{path}: {len(one)}, {len(other)}"
        for place, pair in enumerate(zip(one, other, strict=False)):
            yield from _differences(*pair, f"{path}[{place}]")
    elif one != other and not (one != one and other != other):  # NaN is unknown in both
        yield f"{path}: {one!r}, {other!r}"
