"""Whether there is memory enough, asked where running out of it would end in something worse."""

from __future__ import annotations

import mmap


def need(size: int) -> None:
    """Raises MemoryError where so many bytes of address space are not to be had."""
    try:
        mmap.mmap(-1, size).close()
    except OSError as error:
        raise MemoryError from error
