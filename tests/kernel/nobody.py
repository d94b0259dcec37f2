"""What another user sees: a function run in a forked child that has become `nobody`."""

import os
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from tcptop.demo.holder import Holder

P = ParamSpec("P")
T = TypeVar("T")
NOBODY = 65534


def become_nobody() -> None:
    """Give up root for good; without it, one is another user already."""
    if os.getuid() == 0:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)


def as_nobody(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """The result of a top-level function, or what it raised."""
    holder = Holder(become_nobody)
    try:
        return holder.run(function, *args, **kwargs)
    finally:
        holder.close()
