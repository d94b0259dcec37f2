"""The live source as a Source: its clock and its waiting."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from tcptop.demo.namespace import Namespace
from tcptop.sources.live import LEAST_REST_S, LiveSource


@pytest.fixture
def source(namespace: Namespace) -> Iterator[LiveSource]:
    with namespace.entered():
        live = LiveSource()
        yield live
        live.close()


def test_a_sample_comes_an_interval_after_the_one_before_began(source: LiveSource) -> None:
    first = source.sample()
    time.sleep(0.9)  # what becomes of a sample takes time too
    assert not source.wait(1.0, threading.Event())
    waited_until = time.monotonic()
    second = source.sample()
    assert second.clock - first.clock >= 1.0
    assert waited_until - first.clock < 1.8


def test_a_late_one_leaves_the_host_a_rest(source: LiveSource) -> None:
    source.sample()
    began = time.monotonic()
    assert not source.wait(0.0, threading.Event())
    assert time.monotonic() - began >= LEAST_REST_S


def test_stopped_is_told_at_once(source: LiveSource) -> None:
    stop = threading.Event()
    stop.set()
    source.sample()
    assert source.wait(3600.0, stop)


def test_every_sample_is_of_the_same_boot(source: LiveSource) -> None:
    first, second = source.sample().host.boot_id, source.sample().host.boot_id
    assert first is not None
    assert len(first) == 36
    assert first == second
