"""What is written comes back as it was, in every field, whatever happens to the writer."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tcptop.model.route import Link, Neighbour, Route, RouteKey
from tcptop.model.sample import (
    BusyThread,
    Deaths,
    Frozen,
    LostSocket,
    ProcessFacts,
    Sample,
    SocketMemory,
    Throttled,
    UnixListener,
    Unlisted,
)
from tcptop.model.socket_id import SocketId
from tcptop.model.sockopt import SocketOptions
from tcptop.sources.recording import writer as writing
from tcptop.sources.recording.errors import RecordingError
from tcptop.sources.recording.limits import on_disk
from tcptop.sources.recording.reader import RecordingReader
from tcptop.sources.recording.values import kind_of
from tcptop.sources.recording.writer import RecordingWriter
from tests import recordings
from tests.record.made import read, recorded, samples
from tests.recordings.alike import differences
from tests.unit.prepared import NETNS, NGINX, everything, kernel, owners

NEIGHBOUR = Neighbour("10.0.0.9", "STALE", "02:00:00:00:00:01", 3.5)
ROUTE = Route(5.0, link=Link("eth0", 2, 1500, True, True, "veth"), neighbour=NEIGHBOUR)


def whole() -> Sample:
    """With something in every field that may be empty."""
    one = everything()
    ended = one.sockets.take(np.arange(3))
    held = owners((1, NGINX, 6), unreadable=2, unreadable_uids=frozenset({0, 1000}))
    return replace(
        one,
        interval_s=1.0,
        owners=replace(
            held,
            unlisted={NGINX.pid: Unlisted(3, (LostSocket("failed", 80, 1, 2, 3),))},
            threads={77: (1, 2)},
            in_flight={NGINX.pid: 2},
            hidden_from=1000,
        ),
        unentered=(kernel(99),),
        options={SocketId(NETNS, 1 << 63): SocketOptions(5.0, nodelay=True, congestion="cubic")},
        routes={RouteKey(NETNS, "10.0.0.1", "10.0.0.9", 0, 7): ROUTE},
        facts={7: facts()},
        unix_listeners=(UnixListener(5, "@x\x1b[31m", 1, 128, (8, 0), NETNS),),
        deaths=(
            Deaths(NETNS),
            Deaths(NETNS, ended, np.array([1.5, 2.25, 2.25]), None, 0.5, 1 << 60),
        ),
        notes=("A note.", "\udcff is a byte that is no text"),
    )


def facts() -> ProcessFacts:
    return ProcessFacts(
        *(7, "sleeping", 3.0, None, 1, 4096, 1e9, 1, "ep_poll", frozenset({1, 2})),
        frozen=Frozen("/sys/fs/cgroup/x"),
        throttled=Throttled("/sys/x", 0.5, 100, 30),
        memory=SocketMemory("/sys/x/memory.max", 1 << 20, 1000, None, 3),
        busiest=BusyThread("VM Thread", 0.5, 0.4),
        dns_servers=("10.0.0.53",),
    )


def changed() -> Sample:
    """In which everything is otherwise, and some of it not there any more."""
    one = whole()
    return replace(
        one,
        taken_at=one.taken_at + 1,
        clock=one.clock + 1,
        sockets=one.sockets.take(np.arange(len(one.sockets))[::-2]),
        owners=replace(owners((1, NGINX, 6), (9, NGINX, 7)), complete=False),
        kernel=(kernel(opens=12),),
        routes={
            key: replace(route, neighbour=replace(NEIGHBOUR, confirmed_s=4.5))
            for key, route in one.routes.items()
        },
        facts={7: replace(facts(), state="running", frozen=None)},
        unix_listeners=None,
        deaths=(),
        bound=one.bound.take(np.arange(0)),
        cgroups={78: "/other"},
        notes=(),
    )


@pytest.mark.parametrize("name", recordings.SCENARIOS)
def test_samples_of_real_sockets_come_back(name: str, tmp_path: Path) -> None:
    taken = recordings.load(name)
    found = read(recorded(tmp_path / "x", taken))
    assert [differences(*pair) for pair in zip(taken, found, strict=True)] == [[]] * len(taken)


def test_every_field_comes_back_whole_and_as_a_change(tmp_path: Path) -> None:
    taken = [whole(), whole(), changed(), whole(), changed(), *samples(130, changed())]
    found = read(recorded(tmp_path / "x", taken))
    assert [differences(*pair) for pair in zip(taken, found, strict=True)] == [[]] * len(taken)


def test_what_has_ended_is_told_once(tmp_path: Path) -> None:
    """Nothing else need be otherwise in the next sample."""
    one, none = whole(), Deaths(NETNS, lost=None, deaf_s=0.5, cookie=1 << 60)
    taken = [one, replace(one, clock=one.clock + 1, deaths=(Deaths(NETNS), none)), one]
    found = read(recorded(tmp_path / "x", taken))
    assert [[len(each.at) for each in sample.deaths] for sample in found] == [
        [0, 3],
        [0, 0],
        [0, 3],
    ]


def test_a_host_without_sockets_and_namespaces(tmp_path: Path) -> None:
    one = everything()
    nothing = replace(
        one,
        sockets=one.sockets.take(np.arange(0)),
        bound=one.bound.take(np.arange(0)),
        namespaces=(),
        kernel=(),
        owners=owners(),
    )
    taken = [nothing, replace(nothing, clock=1001.0, taken_at=nothing.taken_at + 1), one, nothing]
    found = read(recorded(tmp_path / "x", taken))
    assert [differences(*pair) for pair in zip(taken, found, strict=True)] == [[]] * 4


def test_counters_are_kept_modulo_two_to_the_64(tmp_path: Path) -> None:
    counted = [kernel(opens=opens) for opens in (-1, (1 << 63) - 1, 0, 1 << 63)]
    taken = [everything(kernel=(each,), clock=float(n)) for n, each in enumerate(counted)]
    opens = [
        each.kernel[0].counters["Tcp"]["ActiveOpens"]
        for each in read(recorded(tmp_path / "x", taken))
    ]
    assert opens == [-1, (1 << 63) - 1, 0, -(1 << 63)]


def test_a_type_that_has_no_place_in_a_file_is_found_when_it_is_added() -> None:
    with pytest.raises(TypeError, match="bytes"):
        kind_of(dict[str, bytes])


def test_groups_are_of_a_minute_and_end_where_the_clock_jumps(tmp_path: Path) -> None:
    taken = list(samples(130))
    taken[70:] = [replace(each, taken_at=each.taken_at - 3600) for each in taken[70:]]
    path = recorded(tmp_path / "x", taken)
    with closing(RecordingReader(str(path))) as reader:
        assert [(each.first, each.last) for each in reader.groups()] == [
            *((1, 60), (61, 70), (71, 130)),
        ]


def test_a_file_is_read_while_it_is_written(tmp_path: Path) -> None:
    path, taken = tmp_path / "x", list(samples(150))
    writer = RecordingWriter(str(path))
    writer.add(taken[0])
    with closing(RecordingReader(str(path))) as reader:
        coming = reader.samples()
        found = [next(coming).sample]
        for each in taken[1:]:
            writer.add(each)
        found += [each.sample for each in coming]
    writer.close()
    assert [differences(*pair) for pair in zip(taken, found, strict=True)] == [[]] * 150


def test_what_is_added_later_is_another_run(tmp_path: Path) -> None:
    path, taken = tmp_path / "x", list(samples(5))
    recorded(path, taken)
    rebooted = replace(taken[0].host, boot_id="other", kernel="9.9")
    after = [replace(each, host=rebooted, version="2.0") for each in taken]
    recorded(path, after)
    found = read(path)
    assert [differences(*pair) for pair in zip([*taken, *after], found, strict=True)] == [[]] * 10
    with closing(sqlite3.connect(path)) as database:
        runs = database.execute("select kernel, tcptop from run order by id").fetchall()
    assert runs == [(taken[0].host.kernel, taken[0].version), ("9.9", "2.0")]


def test_only_one_writes(tmp_path: Path) -> None:
    path = tmp_path / "x"
    first = RecordingWriter(str(path))
    with pytest.raises(RecordingError, match="another tcptop is writing to it"):
        RecordingWriter(str(path))
    for each in samples(3):  # the second one's try took nothing from the first
        first.add(each)
    first.close()
    assert len(read(path)) == 3


def test_a_recording_is_one_file_that_others_may_not_read(tmp_path: Path) -> None:
    recorded(tmp_path / "x", samples(3))
    assert [each.name for each in tmp_path.iterdir()] == ["x"]
    assert (tmp_path / "x").stat().st_mode & 0o777 == 0o600


def test_a_copy_of_what_was_left_by_a_kill_is_read_and_continued(tmp_path: Path) -> None:
    """File and log as they lie there while it is written."""
    writer, taken = RecordingWriter(str(tmp_path / "x")), list(samples(70))
    for each in taken:
        writer.add(each)
    for ending in ("", "-wal"):
        shutil.copy(tmp_path / f"x{ending}", tmp_path / f"y{ending}")
    writer.close()
    path = tmp_path / "y"
    assert len(read(path)) == 70
    recorded(path, samples(2))
    assert len(read(path)) == 72
    with closing(RecordingReader(str(path))) as reader:
        assert [each.last for each in reader.groups()] == [60, 70, 72]


def test_samples_that_are_too_old_go_a_group_at_a_time(tmp_path: Path) -> None:
    writer, taken = RecordingWriter(str(tmp_path / "x"), keep_s=80), list(samples(300))
    for each in taken:
        writer.add(each)
    writer.close()
    found = read(tmp_path / "x")
    oldest = taken[-1].taken_at - found[0].taken_at
    assert 80 <= oldest < 80 + 80 / writing.KEPT_PARTS + 2
    assert differences(found[-1], taken[-1]) == []


def test_the_size_on_disk_is_never_exceeded(tmp_path: Path) -> None:
    """With its log; samples that do not compress, so that the limit is met soon."""
    limit, path = 4 << 20, tmp_path / "x"
    writer, random = RecordingWriter(str(path), most_bytes=limit), np.random.default_rng(2)
    one = everything()
    most = 0
    for number, each in enumerate(samples(400, one)):
        table = each.sockets.take(np.arange(300) % len(each.sockets))
        table.cookie[:] = np.arange(300)
        table.info[:, 10:60] = random.integers(0, 1 << 32, (300, 50), np.uint32)
        writer.add(replace(each, sockets=table))
        most = max(most, on_disk(str(path)))
        assert most <= limit, number
    writer.close()
    assert on_disk(str(path)) <= limit
    found = read(path)
    assert most > limit / 2
    assert 20 < len(found) < 300
    assert found[-1].taken_at == one.taken_at + 399


def test_a_file_that_is_larger_already_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x"
    recorded(path, samples(2))
    with path.open("r+b") as file:
        file.truncate(5 << 20)
    with pytest.raises(RecordingError, match=r"has 5\.2 MB already, and a file does not shrink"):
        RecordingWriter(str(path), most_bytes=4 << 20)


def test_one_sample_too_large_for_the_limit_is_said(tmp_path: Path) -> None:
    table = everything().sockets.take(np.arange(9000) % 18)
    table.info[:] = np.random.default_rng(3).integers(0, 1 << 32, table.info.shape, np.uint32)
    writer = RecordingWriter(str(tmp_path / "x"), most_bytes=4 << 20)
    with pytest.raises(RecordingError, match=r"one sample takes .* too much for this --max-size"):
        writer.add(everything(sockets=table))
    writer.close()


def more(columns: list[object]) -> list[object]:
    return [*columns, ["later", "u8", 3]]


def fewer(columns: list[object]) -> list[object]:
    return columns[:-2]


@pytest.mark.parametrize("alter", [more, fewer])
def test_columns_of_other_versions(
    alter: Callable[[list[object]], list[object]], tmp_path: Path
) -> None:
    """One that is not known is passed over, one that is missing is not known."""
    path, taken = tmp_path / "x", list(samples(5))
    recorded(path, taken)
    with closing(sqlite3.connect(path)) as database:
        (text,) = database.execute("select columns from run").fetchone()
        columns = alter(json.loads(text))
        database.execute("update run set columns = ?", (json.dumps(columns),))
        database.commit()
    found = read(path)
    assert [each.sockets.cookie.tolist() for each in found] == [
        each.sockets.cookie.tolist() for each in taken
    ]
