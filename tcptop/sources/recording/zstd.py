"""Compression, and its undoing within bounds."""

from __future__ import annotations

from typing import Any

from tcptop.model.zstd import zstd
from tcptop.sources.recording.errors import DamagedError

FAST, SMALL = 3, 6  # levels: of each sample, of a group that is full
WINDOW_LOG = 24  # 16 MiB, more than any level here uses: what asks for more is a bomb


class FlushedStream:
    """One stream, of which everything up to now can be read after each flush."""

    def __init__(self) -> None:
        self._compressor: Any = zstd.ZstdCompressor(FAST)

    def flushed(self, data: bytes) -> bytes:
        made: bytes = self._compressor.compress(data, self._compressor.FLUSH_BLOCK)
        return made


def compressed(data: bytes) -> bytes:
    made: bytes = zstd.compress(data, SMALL)
    return made


class Inflater:
    """Gives out what was compressed piece by piece, so that no more is in memory."""

    def __init__(self, data: bytes) -> None:
        limits = {int(zstd.DecompressionParameter.window_log_max): WINDOW_LOG}
        self._decompressor: Any = zstd.ZstdDecompressor(options=limits)
        self._data = data

    def read(self, size: int) -> bytes:
        """The next `size` bytes. Raises DamagedError."""
        parts, left = [], size
        while left:
            part = self._more(left)
            parts.append(part)
            left -= len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _more(self, most: int) -> bytes:
        data, self._data = self._data, b""
        try:
            part: bytes = self._decompressor.decompress(data, most)
        except (zstd.ZstdError, EOFError) as error:
            raise DamagedError(f"it cannot be decompressed: {error}") from error
        if not part:
            raise DamagedError("it ends too early")
        return part
