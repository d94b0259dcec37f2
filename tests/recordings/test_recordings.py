"""The recordings show what they were made for, and say so when they no longer fit."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from tcptop.analysis.derive import derive
from tcptop.analysis.history import History
from tests import recordings, wording
from tests.recordings import SCENARIOS, RecordingError, plain


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_recording_has_the_findings_of_its_scenarios(name: str) -> None:
    history, settings = History(), recordings.settings(name)
    for sample in recordings.load(name):
        snapshot, history = derive(sample, history, settings)
        assert wording.of_findings(snapshot.findings) == []
    assert {each.id for each in snapshot.findings} == {*SCENARIOS[name]}


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_recording_is_small_and_does_not_say_where_it_was_made(name: str) -> None:
    assert recordings.path(name).stat().st_size < 100_000
    for sample in recordings.load(name):
        assert sample.host.hostname == "shop-1"
        for process in sample.owners.processes.values():
            assert process.cmdline == f"/usr/bin/{process.name}"


def test_objects_come_back_as_they_were() -> None:
    (sample, *_) = recordings.load("tour")
    again = plain.restored(plain.taken_apart(sample))
    assert (again.host, again.kernel, again.routes) == (sample.host, sample.kernel, sample.routes)
    assert (again.sockets.info == sample.sockets.info).all()
    assert again.owners.processes == sample.owners.processes


@dataclass
class Host:
    """With another field than the one that is recorded."""

    other: str


@pytest.mark.parametrize("part", ["Host", "SocketTable"])
def test_a_changed_class_is_told_in_a_line(part: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(plain.CLASSES, part, Host)
    recordings.load.cache_clear()
    with pytest.raises(RecordingError) as raised:
        recordings.load("quiet")
    (line,) = str(raised.value).splitlines()
    assert line.startswith(f"quiet.xz: {part} has changed: ")
    assert line.endswith("; as root: python -m tests.recordings.make quiet")
    recordings.load.cache_clear()


def test_a_changed_column_is_told() -> None:
    (sample, *_) = recordings.load("quiet")
    apart = plain.taken_apart(sample.sockets)
    apart["mark"] = apart["mark"].astype("u8")
    with pytest.raises(plain.MisfitError, match="the column mark has changed"):
        plain.restored(apart)
