"""Which lines unit tests run, counted while all tests run, if TCPTOP_TEST_COUNT is set.

The others are not counted: that would double their time, and spoil what they measure of it.
`coverage combine` and `coverage report` tell the result; the floor is in pyproject.toml.
"""

import os

import coverage

_counter = coverage.Coverage(data_suffix=True) if os.environ.get("TCPTOP_TEST_COUNT") else None


def start() -> None:
    if _counter:
        _counter.start()


def stop() -> None:
    if _counter:
        _counter.stop()


def save() -> None:
    if _counter:
        _counter.save()
