"""What `ss -D` wrote: the sockets that are there, whatever is cut or soiled."""

from __future__ import annotations

import json
import random
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tcptop.analysis.derive import derive
from tcptop.analysis.history import History
from tcptop.demo.namespace import DemoNamespace
from tcptop.sources.one_sample import open_moments
from tcptop.sources.ss_dump import DumpError, read
from tests.kernel import states
from tests.record.incident import run

SPOILT = 150
KNOWN_ELSEWHERE = ("inode", "uid", "recv_q", "send_q", "cookie", "state", "local_port")


@pytest.fixture(scope="module")
def dumps(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, list[Any]]:
    """Of ss with all that it can tell, with as little as it does, and tcptop's own look."""
    folder = tmp_path_factory.mktemp("dumps")
    with DemoNamespace() as namespace:
        namespace.run(states.close_wait)
        namespace.command(["ss", "-tanime", "-D", str(folder / "all")])
        namespace.command(["ss", "-tan", "-D", str(folder / "few")])
        done = run("snapshot", "--netns", namespace.pid, "--format", "json")
    return folder / "all", folder / "few", json.loads(done.stdout)["sockets"]


def test_a_dump_is_an_archive_of_one_moment(dumps: tuple[Path, Path, list[Any]]) -> None:
    with open_moments(str(dumps[0])) as archive:
        index = archive.index()
        (taken,) = archive.samples(0)
        assert [*archive.samples(taken.number + 1)] == []
    assert index.by_state.sum() == len(taken.sample.sockets) > 1
    assert index.taken_at.tolist() == [taken.sample.taken_at]


def test_a_report_of_a_dump_says_what_it_cannot_know(dumps: tuple[Path, Path, list[Any]]) -> None:
    done = run("report", dumps[0])
    assert done.returncode == 0
    assert "- Samples: 1, which ss wrote\n" in done.stdout
    assert "A dump of ss has no counters" in done.stdout
    assert "`CLOSE-WAIT`" in done.stdout
    addresses = {each["local_address"] for each in dumps[2]} - {"127.0.0.1", "0.0.0.0", "::", "::1"}
    redacted = run("report", dumps[0], "--redact").stdout
    assert not [each for each in addresses if each in redacted]
    done = run("report", dumps[0], "--begin", "-5m")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)


def test_a_dump_has_the_sockets_of_the_host(dumps: tuple[Path, Path, list[Any]]) -> None:
    told = json.loads(run("snapshot", "--from", dumps[0], "--format", "json").stdout)
    assert len(told["sockets"]) > 1
    mine, theirs = (
        sorted(([each[name] for name in KNOWN_ELSEWHERE] for each in found), key=str)
        for found in (told["sockets"], dumps[2])
    )
    assert mine == theirs
    assert told["host"] == {"hostname": None, "kernel": None, "uptime_s": None}
    assert told["collector"]["source"] == "ss-dump"
    assert {each["owner_note"] for each in told["sockets"] if each["state"] == "CLOSE_WAIT"} == {
        "not told: a dump of ss has no processes"
    }


def test_what_it_cannot_know_is_said(dumps: tuple[Path, Path, list[Any]]) -> None:
    whole, few = (run("check", "--from", path) for path in dumps[:2])
    assert "rules could not look" in whole.stdout.splitlines()[0]
    for text in ("has sockets alone", "no known process", "has no counters", "has no sysctls"):
        assert text in whole.stdout
    assert "no tcp_info" in few.stdout
    assert "no tcp_info" not in whole.stdout
    assert run("check", "--from", dumps[0], "--strict").returncode == 3
    assert run("snapshot", "--from", dumps[0], "--at", "-5m").returncode == 2
    same = run("diff", dumps[0], dumps[0])
    assert "the host is not known" in same.stdout
    assert same.stdout.endswith("Nothing else differs.\n")


def test_what_is_cut_or_soiled_is_read_or_refused(
    dumps: tuple[Path, Path, list[Any]], tmp_path: Path
) -> None:
    data, path, chance = dumps[0].read_bytes(), tmp_path / "spoilt", random.Random(1)
    path.write_bytes(data[: len(data) // 2])
    assert any("cut short" in note for note in read(str(path)).notes)
    for _ in range(SPOILT):
        soiled = bytearray(data[: chance.randrange(20, len(data))])
        for _ in range(chance.randrange(4)):
            soiled[chance.randrange(len(soiled))] = chance.randrange(256)
        path.write_bytes(soiled)
        with suppress(DumpError):
            derive(read(str(path)), History())
