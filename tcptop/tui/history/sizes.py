"""How much memory a snapshot takes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from sys import getsizeof

import numpy as np

from tcptop.model.sample import Process

NUMBERS = (int, float, bool, type(None), np.generic)
NUMBER = 32  # bytes of a Python number, more or less
PROCESS = 400  # of a Process with its few words; there may be thousands


def parts(root: object) -> dict[int, int]:
    """id -> bytes of all that an object of dataclasses, containers, arrays and text holds.

    Numbers count where they are held. An array that is a part of another one holds all of that.
    Names (keys of mappings) are shared by all and do not count.
    """
    sizes: dict[int, int] = {}
    stack = [root]
    while stack:
        thing = stack.pop()
        if isinstance(thing, Process):
            sizes[id(thing)] = PROCESS
        elif id(thing) not in sizes:
            held = [*_held(thing)]
            more = [each for each in held if not isinstance(each, NUMBERS)]
            sizes[id(thing)] = getsizeof(thing) + NUMBER * (len(held) - len(more))
            stack += more
    return sizes


def _held(thing: object) -> Iterable[object]:
    if isinstance(thing, str | bytes | bytearray):
        return ()
    if isinstance(thing, np.ndarray):
        return (thing.base,) if thing.base is not None else ()
    if isinstance(thing, memoryview):
        return (thing.obj,)
    if isinstance(thing, Mapping):
        return thing.values()
    if isinstance(thing, tuple | list | frozenset | set):
        return thing
    if is_dataclass(thing):
        return [getattr(thing, field.name) for field in fields(thing)]
    return ()
