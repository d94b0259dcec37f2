"""What a file is that stands in place of the host."""

from __future__ import annotations

import os
import stat

from tcptop.sources.recording.schema import MAGIC

RECORDING, SNAPSHOT, DUMP = "recording", "snapshot", "dump"
BLANKS = b" \t\r\n"  # that JSON may begin with (RFC 8259, 2)


def kind(path: str) -> str:
    """By its first bytes; a recording where nothing else fits, as its reader says what is wrong.

    Raises OSError.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        regular = stat.S_ISREG(os.fstat(descriptor).st_mode)
        head = os.pread(descriptor, 512, 0) if regular else b""
    finally:
        os.close(descriptor)
    if head.startswith(MAGIC):
        return RECORDING
    if head.lstrip(BLANKS).startswith((b"{", b"[")):
        return SNAPSHOT
    return DUMP if head[4:6] in (b"\x14\0", b"\0\x14") else RECORDING
