"""One sample as bytes: a head in JSON, and arrays by column and byte plane.

Bytes of one kind stand together so, high ones beside high ones, which compresses best.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tcptop.sources.recording.errors import DamagedError

HEAD_BYTES = 32 << 20
ARRAYS = 4096
SIZES = struct.Struct("<II")


class ArrayWriter:
    """Arrays in the order in which they are to be read."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def add(self, array: NDArray[Any]) -> None:
        self._parts.append(_planes(array))

    def add_residuals(self, array: NDArray[Any]) -> None:
        """Of differences, most of which are small: -1 becomes 1, 1 becomes 2."""
        bits = 8 * array.dtype.itemsize
        signed = array.view(f"i{array.dtype.itemsize}")
        self.add(((signed << 1) ^ (signed >> (bits - 1))).view(f"u{array.dtype.itemsize}"))

    def add_places(self, places: NDArray[Any]) -> None:
        """Row numbers that rise."""
        self.add(np.diff(places, prepend=0).astype(np.uint32))

    def payload(self, head: Mapping[str, Any]) -> bytes:
        text = json.dumps(head, separators=(",", ":")).encode()
        sizes = struct.pack(f"<{len(self._parts)}I", *map(len, self._parts))
        return b"".join([SIZES.pack(len(text), len(self._parts)), sizes, text, *self._parts])


class ArrayReader:
    """The head of a payload, and its arrays in their order. Raises DamagedError."""

    def __init__(self, payload: bytes) -> None:
        try:
            head_size, arrays = SIZES.unpack_from(payload)
            if head_size > HEAD_BYTES or arrays > ARRAYS:
                raise DamagedError("a sample's head is too large")
            self._sizes = iter(struct.unpack_from(f"<{arrays}I", payload, SIZES.size))
            self._at = SIZES.size + 4 * arrays + head_size
            head = json.loads(payload[self._at - head_size : self._at])
        except (struct.error, ValueError, RecursionError) as error:
            raise DamagedError(f"a sample has no head: {error}") from error
        if not isinstance(head, dict):
            raise DamagedError("a sample's head is not an object")
        self.head: dict[str, Any] = head
        self._payload = payload

    def take(self, dtype: str, rows: int, width: int = 0) -> NDArray[Any]:
        """The next array, of that many rows: a new one, which may be written to."""
        kind = np.dtype(dtype)
        size = next(self._sizes, -1)
        data = self._payload[self._at : self._at + max(size, 0)]
        if size != rows * kind.itemsize * (width or 1) or len(data) != size:
            raise DamagedError("an array has another size than its sample says")
        self._at += size
        return _from_planes(data, kind, rows, width)

    def take_residuals(self, dtype: str, rows: int, width: int = 0) -> NDArray[Any]:
        packed = self.take(dtype, rows, width)
        if packed.dtype.kind == "S":
            return packed
        one = packed.dtype.type(1)
        found: NDArray[Any] = (packed >> one) ^ (~(packed & one) + one)
        return found

    def take_places(self, many: int, among: int) -> NDArray[np.int64]:
        """Row numbers that rise, below `among`."""
        places = np.cumsum(self.take("u4", many).astype(np.int64))
        if many and (places[-1] >= among or (np.diff(places) <= 0).any()):
            raise DamagedError("a sample names rows that it has not")
        return places

    def count(self, name: str, most: int, head: Mapping[str, Any] | None = None) -> int:
        """A number of the head, of rows for example."""
        number = (self.head if head is None else head).get(name)
        if type(number) is not int or not 0 <= number <= most:
            raise DamagedError(f"a sample's {name} is {str(number)[:40]}")
        return number

    def part(self, name: str) -> Mapping[str, Any]:
        """An object within the head."""
        part = self.head.get(name)
        if not isinstance(part, dict):
            raise DamagedError(f"a sample has no {name}")
        return part


def _planes(array: NDArray[Any]) -> bytes:
    if not array.size:
        return b""
    if array.ndim > 1 and array.flags.f_contiguous:  # as it was read
        words = array.T.view(np.uint8).reshape(array.shape[1], len(array), -1)
        return np.ascontiguousarray(words.transpose(0, 2, 1)).tobytes()
    row = array.dtype.itemsize * (array.shape[1] if array.ndim > 1 else 1)
    flat = np.ascontiguousarray(array).view(np.uint8).reshape(len(array), row)
    return np.ascontiguousarray(flat.T).tobytes()


def _from_planes(data: bytes, kind: np.dtype[Any], rows: int, width: int) -> NDArray[Any]:
    """Of several values a row each is in one piece: most are asked for one by one."""
    if not data:
        return np.zeros((rows, width) if width else rows, kind)
    flat = np.frombuffer(data, np.uint8).reshape(width or 1, kind.itemsize, rows)
    columns = np.ascontiguousarray(flat.transpose(0, 2, 1)).reshape(-1).view(kind)
    return columns.reshape(width, rows).T if width else columns
