"""The tables of a recording, and how a file that may come from anybody is opened.

`run` is one start of a recorder, `part` a sample of the group that is being written, `grp` a group
that is full. The id of a sample is its number in the file, that of a group the number of its last
sample: never used again, and the order of everything, whatever the clock of the host did.
"""

from __future__ import annotations

import os
import sqlite3
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from urllib.parse import quote

import numpy as np

from tcptop.sources.recording.errors import DamagedError, RecordingError

APPLICATION = int.from_bytes(b"TCPT", "big")
FORMAT = 1
TABLES = (
    "CREATE TABLE run (id integer primary key, began real, boot_id text, host text, kernel text, "
    "tcptop text, interval real, codec text, columns text)",
    "CREATE TABLE part (id integer primary key, run integer, taken_at real, idx blob, data blob)",
    "CREATE TABLE grp (id integer primary key, run integer, first integer, t_first real, "
    "t_last real, idx blob, data blob)",
)
CODEC = "zstd"
# What is known of a sample without its payload; `raw` and `crc` are the payload's.
INDEX = np.dtype(
    [("taken_at", "<f8"), ("clock", "<f8"), ("raw", "<u4"), ("crc", "<u4"), ("states", "<u4", 12)]
)
SAMPLES = 240  # of a group, at most
BLOB = 64 << 20
HEADER = 100  # of a SQLite file (sqlite.org/fileformat2.html, 1.3)
MAGIC = b"SQLite format 3\0"
STEPS = 20_000  # of SQLite's machine between two looks at the clock
QUERY_S = 30.0  # no query of an honest file takes as long


def read_header(descriptor: int, path: str) -> bool:
    """Whether the file has something in it. Raises RecordingError where it is no recording."""
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        raise RecordingError(f"{path}: not a file")
    head = os.pread(descriptor, HEADER, 0)
    if not head:
        return False
    application, version = (int.from_bytes(head[at : at + 4], "big") for at in (68, 60))
    if not head.startswith(MAGIC) or len(head) < HEADER or application not in (0, APPLICATION):
        raise RecordingError(f"{path}: not a recording of tcptop")
    if version > FORMAT:
        raise RecordingError(
            f"{path}: of a newer tcptop: format {version}, and this one knows {FORMAT}"
        )
    return True


def guard(database: sqlite3.Connection) -> None:
    """Before anything of the file is believed."""
    database.execute("pragma trusted_schema=off")
    database.execute("pragma mmap_size=0")
    database.execute("pragma cell_size_check=on")
    database.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, BLOB)


def check_tables(database: sqlite3.Connection) -> bool:
    """Whether there are any; they must be literally ours, without views, triggers and the like.

    Raises DamagedError.
    """
    found = database.execute("select sql from sqlite_schema limit 9").fetchall()
    if found and sorted(str(sql) for (sql,) in found) != sorted(TABLES):
        raise DamagedError("its tables are not those of a recording")
    return bool(found)


@contextmanager
def told(path: str, database: sqlite3.Connection | None = None) -> Iterator[None]:
    """What goes wrong within, in one line; queries end after a while, however a file is made."""
    if database is not None:
        end = time.monotonic() + QUERY_S
        database.set_progress_handler(lambda: time.monotonic() > end, STEPS)
    try:
        yield
    except DamagedError as error:
        raise RecordingError(f"{path}: damaged: {error}") from error
    except sqlite3.Error as error:
        raise RecordingError(f"{path}: {_why(error)}") from error
    finally:
        if database is not None:
            database.set_progress_handler(None, 0)


def _why(error: sqlite3.Error) -> str:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code == sqlite3.SQLITE_FULL:
        return "no space left"
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return f"damaged: {error}"
    return str(error)


def opened(path: str) -> sqlite3.Connection:
    """A file to read, while it is written or not. Raises RecordingError and OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        some = read_header(descriptor, path)
    finally:
        os.close(descriptor)
    if not some:
        raise RecordingError(f"{path}: empty")
    with told(path):
        database = _connected(path)
    with told(path, database):
        if not check_tables(database):
            raise DamagedError("it has no tables")
    return database


def _connected(path: str) -> sqlite3.Connection:
    """Where nothing may be written beside the file, SQLite cannot share it; without a log, of which
    an `immutable` file would miss what is in it, there is nobody to share it with."""
    try:
        return _tried(path, "mode=ro")
    except sqlite3.OperationalError:
        if os.path.exists(f"{path}-wal"):
            raise
        return _tried(path, "mode=ro&immutable=1")


def _tried(path: str, how: str) -> sqlite3.Connection:
    name = quote(os.fsencode(os.path.abspath(path)))
    database = sqlite3.connect(f"file:{name}?{how}", uri=True, isolation_level=None, timeout=5)
    try:
        guard(database)
        database.execute("select count(*) from sqlite_schema").fetchone()
    except sqlite3.Error:
        with suppress(sqlite3.Error):
            database.close()
        raise
    return database
