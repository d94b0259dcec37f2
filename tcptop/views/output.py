"""Where a view's text goes: stdout, or a file that is written atomically."""

from __future__ import annotations

import errno
import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

_unfinished: set[str] = set()


def remove_unfinished() -> None:
    """For those who end the process while a file is written: leave no temporary one behind."""
    for name in _unfinished:
        with suppress(OSError):
            os.unlink(name)


@contextmanager
def opened(path: str | None) -> Iterator[TextIO]:
    """A UTF-8 text file to write to; stdout where path is None or `-`.

    A regular file appears under its name only when all was written; a device or a pipe is
    written to as it is. Raises OSError.
    """
    if path is None or path == "-":
        yield _stdout()
        sys.stdout.flush()
        return
    refuse_directory(path)
    try:
        if _is_special(path):
            with open(path, "w", encoding="utf-8") as out:
                yield out
        else:
            real = Path(os.path.realpath(path))
            with written_whole(real, _mode(real)) as out:
                yield out
                out.flush()
                os.fsync(out.fileno())
    except OSError as error:  # a full disk names no file, and the temporary one says nothing
        if error.errno == errno.ENOENT and os.path.exists(path):  # in /proc and /sys
            raise OSError(error.errno, "no other file can take its place", path) from error
        raise type(error)(error.errno, error.strerror, path) from error


def refuse_directory(path: str) -> None:
    """Raises IsADirectoryError, also for `new/`, of which realpath would make a file `new`."""
    if os.path.basename(path) in ("", ".", "..") or os.path.isdir(path):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)


def _stdout() -> TextIO:
    if sys.stdout is None:  # as `>&-` leaves it
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))
    # JSON is UTF-8 whatever the locale says (RFC 8259, 8.1); surrogates must not end the output.
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(encoding="utf-8", errors="replace", newline="")
    return sys.stdout


def _is_special(path: str) -> bool:
    try:
        return not stat.S_ISREG(os.stat(path).st_mode)
    except FileNotFoundError:
        return False


@contextmanager
def written_whole(path: Path, mode: int = 0o600) -> Iterator[TextIO]:
    """A text file that takes the place of the one before, or of a link, when all was written.

    Raises OSError.
    """
    import tempfile

    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".tcptop-")
    _unfinished.add(name)
    try:
        with open(descriptor, "w", encoding="utf-8", errors="replace", newline="") as out:
            os.fchmod(descriptor, mode)
            yield out
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise
    finally:
        _unfinished.discard(name)


def _mode(path: Path) -> int:
    """That of the file it replaces, else what the umask leaves of rw-rw-rw-."""
    try:
        return stat.S_IMODE(path.stat().st_mode)
    except FileNotFoundError:
        mask = os.umask(0)
        os.umask(mask)
        return 0o666 & ~mask
