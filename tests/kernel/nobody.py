"""What another user sees: a function run in a forked child that has become `nobody`."""

import ctypes
import os
import struct
from collections.abc import Callable
from functools import partial
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


SYS_PTRACE, SYS_ADMIN = 19, 21  # linux/capability.h
PR_SET_DUMPABLE, PR_SET_KEEPCAPS = 4, 8  # linux/prctl.h
VERSION = 0x20080522  # _LINUX_CAPABILITY_VERSION_3


def with_one_right(capability: int, function: Callable[P, T], *args: P.args, **kw: P.kwargs) -> T:
    """As `as_nobody`, with one capability of root's."""
    holder = Holder(partial(_become_nobody_with, capability))
    try:
        return holder.run(function, *args, **kw)
    finally:
        holder.close()


def _become_nobody_with(capability: int) -> None:
    libc, right = ctypes.CDLL(None, use_errno=True), 1 << capability
    assert libc.prctl(PR_SET_KEEPCAPS, 1) == 0
    become_nobody()
    assert libc.prctl(PR_SET_DUMPABLE, 1) == 0
    assert (
        libc.capset(struct.pack("=Ii", VERSION, 0), struct.pack("=6I", right, right, *[0] * 4)) == 0
    )
