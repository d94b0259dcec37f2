"""Our `dataclass` and `NamedTuple` beside the standard library's: the same values, made faster."""

from __future__ import annotations

import dataclasses
import pickle
import typing
from collections.abc import Callable
from copy import deepcopy
from dataclasses import field, replace
from typing import Any

import pytest

from tcptop.model.dataclass import dataclass
from tcptop.model.named_tuple import NamedTuple


def point(decorator: Callable[..., Any], **more: bool) -> Any:
    @decorator(frozen=True, **more)
    class Point:
        """A place."""

        x: float
        name: str = ""
        tags: dict[str, int] = field(default_factory=dict, compare=False)

    return Point


@pytest.mark.parametrize("slots", [False, True])
def test_it_compares_hashes_and_writes_itself_as_the_standard_one(slots: bool) -> None:
    ours, theirs = (point(each, slots=slots) for each in (dataclass, dataclasses.dataclass))
    for kind in (ours, theirs):
        one = kind(1.0, "a", {"b": 2})
        assert one == kind(1.0, "a") == replace(one, tags={}) == deepcopy(one)
        assert one != kind(1.0, "b")
        assert one != (1.0, "a")
        assert len({one, kind(1.0, "a"), kind(2.0)}) == 2
        assert kind(x=3.0).tags == {}
        with pytest.raises(TypeError):
            kind()
    assert repr(ours(1.0)) == repr(theirs(1.0))


def test_without_equality_each_is_equal_to_itself_alone() -> None:
    kind = point(dataclass, eq=False)
    one = kind(1.0)
    assert one == one
    assert one != kind(1.0)
    assert len({one, kind(1.0)}) == 2


def test_another_class_with_the_same_fields_is_not_equal() -> None:
    assert point(dataclass)(1.0) != point(dataclass)(1.0)


class Ours(NamedTuple):
    """A place."""

    x: float
    tags: dict[str, int]
    name: str = "a"

    @property
    def half(self) -> float:
        return self.x / 2

    @classmethod
    def at(cls, x: float) -> Ours:
        return cls(x, {})


class Theirs(typing.NamedTuple):
    """A place."""

    x: float
    tags: dict[str, int]
    name: str = "a"


def test_a_named_tuple_is_as_that_of_typing() -> None:
    ours, theirs = Ours.at(3.0), Theirs(3.0, {})
    assert isinstance(ours, tuple)
    assert tuple(ours) == tuple(theirs)
    assert (ours.half, ours._replace(name="b").name) == (1.5, "b")
    assert repr(ours) == repr(theirs).replace("Theirs", "Ours")
    for name in ("_fields", "_field_defaults", "__doc__", "__module__"):
        assert getattr(Ours, name) == getattr(Theirs, name)
    assert typing.get_type_hints(Ours) == typing.get_type_hints(Theirs)
    assert pickle.loads(pickle.dumps(ours)) == ours
    with pytest.raises(AttributeError):
        ours.more = 1  # type: ignore[attr-defined]
