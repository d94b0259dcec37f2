"""What is said of an error that nobody expects."""

from __future__ import annotations

import pytest

from tcptop.model import mistake


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (MemoryError(), "out of memory"),
        (RuntimeError("can't start new thread"), "out of memory or threads"),
        (RuntimeError("a bug"), "unexpected RuntimeError: a bug"),
        (KeyError("x\n\x1b"), "unexpected KeyError: 'x\\n\\x1b'"),
        (ValueError(), "unexpected ValueError: no reason given"),
    ],
)
def test_it_is_one_line(error: Exception, told: str) -> None:
    assert mistake.told(error) == told
