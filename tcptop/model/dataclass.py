"""`dataclass` as the standard library has it, made in a third of the time.

Before Python 3.13 that one compiles each of six methods by itself; for the hundred classes of the
live view this takes a tenth of its start. Here `__init__` alone is compiled, and the others are
shared. That frozen fields are not assigned to is for mypy to hold, which sees the original.
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable
from operator import attrgetter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass
else:

    def dataclass(*, frozen: bool, eq: bool = True, slots: bool = False) -> Callable[[type], type]:
        """Without `eq`, as for arrays, which have no such thing, each is equal to itself alone."""
        assert frozen, "what changes is for the standard one"

        def made(cls: type) -> type:
            types = inspect.get_annotations(cls)
            cls.__annotations__ = dict.fromkeys(types, object)  # text is searched for ClassVar
            cls.__doc__ = cls.__doc__ or cls.__name__  # else its signature is written down
            cls = dataclasses.dataclass(init=True, repr=False, eq=False, slots=slots)(cls)
            cls.__annotations__ = types
            methods = {"__repr__": _written} | (_compared(cls) if eq else {})
            for name, method in methods.items():
                setattr(cls, name, method)
            return cls

        return made


def _compared(cls: type[Any]) -> dict[str, Callable[..., Any]]:
    names = [field.name for field in dataclasses.fields(cls) if field.compare]
    values = attrgetter("__class__", *names)

    def equal(self: object, other: object) -> bool:
        return type(self) is type(other) and values(self) == values(other)

    return {"__eq__": equal, "__hash__": lambda self: hash(values(self))}


def _written(self: Any) -> str:
    shown = (f"{each.name}={getattr(self, each.name)!r}" for each in dataclasses.fields(self))
    return f"{type(self).__qualname__}({', '.join(shown)})"
