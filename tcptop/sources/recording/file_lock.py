"""One writer a recording: a lock that the kernel lets go of however the process ends."""

from __future__ import annotations

import fcntl
import os

from tcptop.sources.recording.errors import RecordingError
from tcptop.sources.recording.schema import read_header

READABLE = 0o600  # command lines are in it


class FileLock:
    """The file, made where it is not there, for this process alone.

    To be made before SQLite opens the file and released after it has closed it: closing any
    descriptor of a file lets go of all of SQLite's own locks on it (fcntl(2)). Raises OSError and
    RecordingError. `some`: there is something in the file.
    """

    def __init__(self, path: str) -> None:
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK
        self._descriptor = os.open(path, flags, READABLE)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self.some = read_header(self._descriptor, path)
        except BlockingIOError as error:
            self.release()
            raise RecordingError(f"{path}: another tcptop is writing to it") from error
        except BaseException:
            self.release()
            raise

    def release(self) -> None:
        os.close(self._descriptor)
