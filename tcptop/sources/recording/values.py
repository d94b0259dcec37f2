"""Dataclasses of the model as JSON, whole or what has changed, by their types' own hints.

A field that is added to the model is so recorded without another line. What a file has more is
ignored, what it lacks has the dataclass's default. Arrays are left out: they are kept beside it.
"""

from __future__ import annotations

import dataclasses
import json
import types
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Union, get_args, get_origin, get_type_hints

import numpy as np

from tcptop.model.sample import Kernel
from tcptop.model.table import EMPTY, SocketTable
from tcptop.sources.recording.errors import DamagedError

SAME = object()  # nothing has changed
BESIDE = {(Kernel, "counters"), (Kernel, "sockstat")}  # numbers, which are kept as arrays
INTEGERS = (-(1 << 63), (1 << 64) - 1)


class Kind(ABC):
    """How values of one type are kept."""

    @abstractmethod
    def plain(self, value: Any) -> Any:
        """As JSON has it."""

    @abstractmethod
    def value(self, plain: Any) -> Any:
        """Raises DamagedError where it is of another type."""

    def change(self, old: Any, new: Any) -> Any:
        """What makes `new` of `old`, as JSON has it, or SAME."""
        return SAME if old is new or old == new else self.plain(new)

    def changed(self, old: Any, change: Any) -> Any:
        """Raises DamagedError."""
        return self.value(change)


class PlainKind(Kind):
    def __init__(self, kind: type) -> None:
        self._kind = kind

    def plain(self, value: Any) -> Any:
        return value

    def value(self, plain: Any) -> Any:
        if self._kind is float and type(plain) is int:
            return float(_bounded(plain))
        if type(plain) is not self._kind:
            raise DamagedError(f"{self._kind.__name__} expected, not {type(plain).__name__}")
        return _bounded(plain) if self._kind is int else plain


class OptionalKind(Kind):
    """A value or None; changes of a value that stays one are told as such."""

    def __init__(self, inner: Kind) -> None:
        self._inner = inner

    def plain(self, value: Any) -> Any:
        return None if value is None else self._inner.plain(value)

    def value(self, plain: Any) -> Any:
        return None if plain is None else self._inner.value(plain)

    def change(self, old: Any, new: Any) -> Any:
        if isinstance(self._inner, PlainKind):
            return super().change(old, new)
        if old is None or new is None:
            return SAME if old is new else [self.plain(new)]
        change = self._inner.change(old, new)
        return SAME if change is SAME else {"+": change}

    def changed(self, old: Any, change: Any) -> Any:
        if isinstance(self._inner, PlainKind):
            return self.value(change)
        if isinstance(change, dict) and old is not None:
            return self._inner.changed(old, change.get("+"))
        return self.value(*_list(change, 1))


class ListKind(Kind):
    """A tuple or set of any length, or a tuple of values of these kinds."""

    def __init__(self, make: Callable[[Any], Any], inner: Kind) -> None:
        self._make, self._inner = make, inner

    def plain(self, value: Any) -> Any:
        return [*map(self._inner.plain, sorted(value) if self._make is frozenset else value)]

    def value(self, plain: Any) -> Any:
        return self._make(map(self._inner.value, _list(plain)))

    def change(self, old: Any, new: Any) -> Any:
        if old is new:
            return SAME
        if self._make is frozenset or len(old) != len(new):
            return SAME if old == new else self.plain(new)
        pairs = enumerate(map(self._inner.change, old, new))
        found = {str(place): change for place, change in pairs if change is not SAME}
        return found or SAME

    def changed(self, old: Any, change: Any) -> Any:
        if not isinstance(change, dict):
            return self.value(change)
        made = [*old]
        for place, part in change.items():
            if not (place.isdecimal() and int(place) < len(made)):
                raise DamagedError("a change of what is not there")
            made[int(place)] = self._inner.changed(made[int(place)], part)
        return self._make(made)


class FixedKind(Kind):
    """A tuple whose items differ in type: `make` takes them, and knows what is missing."""

    def __init__(self, make: Callable[..., Any], inner: list[Kind]) -> None:
        self._make, self._inner = make, inner

    def plain(self, value: Any) -> Any:
        return [each.plain(item) for each, item in zip(self._inner, value, strict=True)]

    def value(self, plain: Any) -> Any:
        items = zip(self._inner, _list(plain), strict=False)
        return _made(self._make, *(each.value(item) for each, item in items))


class MappingKind(Kind):
    """Keys that are not text are written as JSON."""

    def __init__(self, key: Kind, inner: Kind) -> None:
        self._key, self._inner = key, inner

    def plain(self, value: Any) -> Any:
        return {self._written(key): self._inner.plain(item) for key, item in value.items()}

    def value(self, plain: Any) -> Any:
        items = _object(plain).items()
        return {self._read(key): self._inner.value(item) for key, item in items}

    def change(self, old: Any, new: Any) -> Any:
        if old is new:
            return SAME
        more = {self._written(k): self._inner.plain(v) for k, v in new.items() if k not in old}
        less = [self._written(key) for key in old if key not in new]
        both = ((k, self._inner.change(old[k], v)) for k, v in new.items() if k in old)
        other = {self._written(key): change for key, change in both if change is not SAME}
        return [other, more, less] if other or more or less else SAME

    def changed(self, old: Any, change: Any) -> Any:
        other, more, less = _list(change, 3)
        gone = {self._read(key) for key in _list(less)}
        made = {key: item for key, item in old.items() if key not in gone}
        for text, part in _object(other).items():
            key = self._read(text)
            if key not in made:
                raise DamagedError("a change of what is not there")
            made[key] = self._inner.changed(made[key], part)
        return made | self.value(more)

    def _written(self, key: Any) -> str:
        return key if isinstance(key, str) else json.dumps(self._key.plain(key))

    def _read(self, text: Any) -> Any:
        if not isinstance(text, str):
            raise DamagedError("a key is no text")
        if self._key is kind_of(str):
            return text
        try:
            return self._key.value(json.loads(text))
        except (ValueError, RecursionError) as error:
            raise DamagedError(f"{text[:40]} is no key") from error


class DataclassKind(Kind):
    def __init__(self, kind: type[Any]) -> None:
        self._make = kind
        hints = get_type_hints(kind)
        kept = {f.name for f in dataclasses.fields(kind) if (kind, f.name) not in BESIDE}
        arrays = {name: empty for name in kept if (empty := _empty(hints[name])) is not None}
        self._arrays = arrays
        self._fields = {name: kind_of(hints[name]) for name in hints if name in kept - {*arrays}}

    def plain(self, value: Any) -> Any:
        return {name: each.plain(getattr(value, name)) for name, each in self._fields.items()}

    def value(self, plain: Any) -> Any:
        given = _object(plain)
        fields = self._fields.items()
        known = {name: each.value(given[name]) for name, each in fields if name in given}
        return _made(self._make, **self._arrays, **known)

    def change(self, old: Any, new: Any) -> Any:
        if old is new:  # not ==, which leaves out what a class does not compare by
            return SAME
        found = {}
        for name, each in self._fields.items():
            change = each.change(getattr(old, name), getattr(new, name))
            if change is not SAME:
                found[name] = change
        return found or SAME

    def changed(self, old: Any, change: Any) -> Any:
        parts = _object(change).items()
        known = {n: (self._fields[n], part) for n, part in parts if n in self._fields}
        more = {n: each.changed(getattr(old, n), part) for n, (each, part) in known.items()}
        return dataclasses.replace(old, **more)


@cache
def kind_of(hint: Any) -> Kind:
    """How values of a type are kept. Raises TypeError for a type that has no place in a file."""
    origin, inner = get_origin(hint), get_args(hint)
    if hint in (bool, int, float, str):
        return PlainKind(hint)
    if origin in (Union, types.UnionType) and inner[-1] is types.NoneType and len(inner) == 2:
        return OptionalKind(kind_of(inner[0]))
    if origin is tuple and inner[-1] is Ellipsis:
        return ListKind(tuple, kind_of(inner[0]))
    if origin is frozenset:
        return ListKind(frozenset, kind_of(inner[0]))
    if origin is tuple:
        return FixedKind(_exactly(len(inner)), [*map(kind_of, inner)])
    if origin is Mapping:
        return MappingKind(*map(kind_of, inner))
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return DataclassKind(hint)
    if isinstance(hint, type) and hasattr(hint, "_fields"):
        return FixedKind(hint, [*map(kind_of, get_type_hints(hint).values())])
    raise TypeError(f"{hint} is kept by no recording")


def _exactly(many: int) -> Callable[..., Any]:
    def made(*items: Any) -> Any:
        if len(items) != many:
            raise TypeError(f"{many} items expected")
        return items

    return made


def _made(make: Callable[..., Any], *items: Any, **fields: Any) -> Any:
    try:
        return make(*items, **fields)
    except TypeError as error:  # a field that has no default is not there
        raise DamagedError(str(error)) from error


def _empty(hint: Any) -> Any:
    """What stands in place of an array until it is read; None for other types."""
    if hint is SocketTable:
        return EMPTY
    if get_origin(hint) is not np.ndarray:
        return None
    return np.zeros(0, get_args(get_args(hint)[1])[0])


def _bounded(number: Any) -> Any:
    if not INTEGERS[0] <= number <= INTEGERS[1]:
        raise DamagedError("a number has more than 64 bits")
    return number


def _list(plain: Any, length: int | None = None) -> list[Any]:
    if not isinstance(plain, list) or length not in (None, len(plain)):
        raise DamagedError("a list expected")
    return plain


def _object(plain: Any) -> dict[str, Any]:
    if not isinstance(plain, dict):
        raise DamagedError("an object expected")
    return plain
