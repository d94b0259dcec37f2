"""Samples of real scenarios, recorded a second apart, for tests that need no kernel.

`python -m tests.recordings.make` makes them again.
"""

from __future__ import annotations

import lzma
import pickle
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from tcptop.analysis.findings.settings import FindingSettings
from tcptop.demo.scenarios import TOUR, choose
from tcptop.model.sample import Sample
from tests.recordings import plain

SCENARIOS: Mapping[str, tuple[str, ...]] = {
    "tour": TOUR,
    "churn": ("connection-churn", "syn-queue-full", "resets"),
    "quiet": (),  # pools that nothing is wrong with
}


class RecordingError(Exception):
    """One line: which file cannot be used, and what to do."""


_loaded: dict[int, Sample] = {}  # by id, which stays theirs: they are never let go


def path(name: str) -> Path:
    return Path(__file__).with_name(f"{name}.xz")


@cache
def load(name: str) -> tuple[Sample, ...]:
    """The samples, oldest first. Raises RecordingError where the model has changed since."""
    try:
        recorded = pickle.loads(lzma.decompress(path(name).read_bytes()))
        samples = tuple(plain.restored(each) for each in recorded)
    except plain.MisfitError as error:
        what = f"{path(name).name}: {error}"
        raise RecordingError(f"{what}; as root: python -m tests.recordings.make {name}") from error
    _loaded.update((id(each), each) for each in samples)
    return samples


def is_loaded(sample: Sample) -> bool:
    """Whether it is one of those that `load` has given."""
    return id(sample) in _loaded


def save(name: str, samples: list[Sample]) -> int:
    """The size of the file in bytes."""
    recorded = pickle.dumps([plain.taken_apart(each) for each in samples], protocol=5)
    return path(name).write_bytes(lzma.compress(recorded, preset=9 | lzma.PRESET_EXTREME))


def settings(name: str) -> FindingSettings:
    """The thresholds that the scenarios lower."""
    limits: dict[str, dict[str, float]] = {}
    for scenario in choose(SCENARIOS[name]) if SCENARIOS[name] else ():
        for threshold, value in scenario.limits.items():
            finding, _, short = threshold.partition(".")
            limits.setdefault(finding, {})[short] = value
    return FindingSettings(limits)
