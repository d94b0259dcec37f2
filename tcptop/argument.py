"""What argparse makes of single words: raises ArgumentTypeError with what the word is not."""

from __future__ import annotations

import argparse
import math
import shlex
from collections.abc import Mapping

from tcptop.options import LEAST_BYTES


class seconds:  # noqa: N801 argparse shows the name of a type in its errors
    """A number of seconds within bounds."""

    def __init__(self, least: float, most: float) -> None:
        self._least, self._most = least, most

    def __call__(self, text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = -1.0
        if not self._least <= value <= self._most:
            bounds = f"{self._least:g} to {self._most:g}"
            raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds, {bounds}")
        return value


def speed(text: str) -> float:
    """How many times as fast."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0.1 <= value <= 1000:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number, 0.1 to 1000")
    return value


def limit(text: str) -> tuple[str, str, float]:
    """Of `--set`; whether there is such a finding and threshold is not known here."""
    name, _, value = text.partition("=")
    finding, _, threshold = name.strip().partition(".")
    if not (finding and threshold and value):
        raise argparse.ArgumentTypeError(f"{text!r} is not ID.NAME=VALUE")
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise argparse.ArgumentTypeError(f"{text!r}: {value!r} is not a number")
    if number < 0:
        raise argparse.ArgumentTypeError(f"{text!r}: {value!r} is below 0")
    return finding, threshold, number


def whole(text: str) -> int:
    if not (text.isascii() and text.isdecimal()):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number")
    return int(text)


def listen(text: str) -> tuple[str, int]:
    """An address of this host and a port; brackets are around an IPv6 one."""
    import ipaddress

    host, _, port = text.rpartition(":")
    try:
        address = ipaddress.ip_address(host.removeprefix("[").removesuffix("]"))
        if (address.version == 6) != host.startswith("[") or not 0 <= whole(port) <= 65_535:
            raise ValueError
    except (ValueError, argparse.ArgumentTypeError):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not ADDR:PORT, such as 127.0.0.1:9817, 0.0.0.0:9817 or [::1]:9817"
        ) from None
    return str(address), int(port)


def file(text: str) -> str:
    if not text:
        raise argparse.ArgumentTypeError("the name of a file is empty")
    return text


def command(text: str) -> str:
    """Words for a program, as a shell splits them."""
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r}: {error}") from error
    if not words or "\0" in text:
        raise argparse.ArgumentTypeError(f"{text!r} is no command")
    return text


def age(text: str) -> float:
    """Seconds, with or without a unit."""
    number, factor = _with_unit(text, {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800})
    if not 1 <= number * factor <= 1e9:
        raise argparse.ArgumentTypeError(f"{text!r} is not an age, such as 90m, 24h or 7d")
    return number * factor


def size(text: str) -> int:
    """Bytes; K, M, G and T are powers of 1024, as ls and journald have them."""
    units = {unit: 1024**power for power, unit in enumerate("BKMGT")}
    number, factor = _with_unit(text.upper(), units)
    if not LEAST_BYTES <= number * factor < 1 << 62:
        raise argparse.ArgumentTypeError(f"{text!r} is not a size of at least 4M, such as 2G")
    return int(number * factor)


def _with_unit(text: str, units: Mapping[str, int]) -> tuple[float, int]:
    """A number and its unit's factor; -1 where it is none."""
    digits = text[:-1] if text[-1:] in units else text
    good = digits.isascii() and digits.replace(".", "", 1).isdecimal()
    return (float(digits) if good else -1.0), units.get(text[-1:], 1)
