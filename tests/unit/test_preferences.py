"""What is remembered from run to run, in files that may be anything."""

import json
import os
import stat
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tcptop.tui.settings import (
    Arrangement,
    Preferences,
    PreferencesError,
    PreferencesFile,
    load,
    parse,
    save,
    text,
    usual_path,
)
from tests.kernel.nobody import as_nobody

SOME = Preferences(
    {
        "sockets": Arrangement(("state", "local"), frozenset({"rtt"}), {"local": 30}, "age", True),
        "ports": Arrangement(),
    },
    theme="light",
    resolve=True,
)
names = st.text(max_size=8)
plain = st.none() | st.booleans() | st.integers() | names
arrangements = st.builds(
    Arrangement,
    st.lists(names, unique=True).map(tuple),
    st.frozensets(names),
    st.dictionaries(names, st.integers(1, 1000)),
    st.none() | names,
    st.booleans(),
    st.dictionaries(st.text("xyz", min_size=1), plain),
    st.frozensets(names),
)


@given(
    st.builds(
        Preferences,
        st.dictionaries(names, arrangements),
        st.none() | names,
        st.booleans(),
        st.dictionaries(st.text("xyz", min_size=1), plain),
    )
)
def test_what_is_written_is_read_again(some: Preferences) -> None:
    assert parse(text(some).encode()) == some


def test_nothing_of_a_newer_version_is_lost() -> None:
    told = json.loads(text(SOME))
    told["later"] = [1, {"a": None}]
    told["views"]["sockets"]["pinned"] = ["state"]
    told["views"]["graphs"] = {"order": ["x"]}
    found = parse(json.dumps(told).encode())
    assert found.views["sockets"].order == ("state", "local")
    again = json.loads(text(found))
    assert again["later"] == told["later"]
    assert again["views"]["sockets"] == told["views"]["sockets"]
    assert again["views"]["graphs"]["order"] == ["x"]


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "not JSON"),
        (b"\xff\x00", "not JSON"),
        (b"theme = 'dark'", "not JSON"),
        (b"[" * 200_000, "not JSON"),
        (b"[]", "its schema is not tcptop.state/1"),
        (b'{"schema": "tcptop.state/2"}', "its schema is not tcptop.state/1"),
        (b" " * 1_000_001, "too long"),
        (b'{"schema": "tcptop.state/1", "theme": 3}', "theme is of the wrong kind"),
        (b'{"schema": "tcptop.state/1", "resolve": 1}', "resolve is of the wrong kind"),
        (b'{"schema": "tcptop.state/1", "views": []}', "views is of the wrong kind"),
        (b'{"schema": "tcptop.state/1", "views": {"a\\n": 1}}', r"views.'a\n' is of the wrong"),
        (b'{"schema": "tcptop.state/1", "views": {"a": {"order": [1]}}}', "order has what is no"),
        (b'{"schema": "tcptop.state/1", "views": {"a": {"widths": {"x": 0}}}}', "widths are not"),
        (b'{"schema": "tcptop.state/1", "views": {"a": {"widths": {"x": true}}}}', "widths are"),
        (b'{"schema": "tcptop.state/1", "views": {"a": {"widths": {"x": 1e99}}}}', "widths are"),
    ],
)
def test_a_foreign_file_is_told_and_left(tmp_path: Path, data: bytes, why: str) -> None:
    with pytest.raises(PreferencesError) as raised:
        parse(data)
    assert str(raised.value).startswith(why)
    path = tmp_path / "state.json"
    path.write_bytes(data)
    memory = PreferencesFile(path)
    assert memory.preferences == Preferences()
    assert memory.complaint == f"{path} is not used, and left as it is: {raised.value}"
    assert memory.complaint.isprintable()
    assert memory.keep(SOME) == ""
    assert path.read_bytes() == data


fields = st.sampled_from(["views", "a", "order", "widths", "sort", "theme"])
trees = st.recursive(plain, lambda some: st.dictionaries(fields, some | st.lists(some)))


@given(st.binary(max_size=200), trees)
def test_no_file_ends_it(data: bytes, tree: object) -> None:
    told = {"schema": "tcptop.state/1", "views": {"a": tree}, "theme": tree}
    for each in (data, json.dumps(told).encode()):
        with suppress(PreferencesError):
            parse(each)


def test_it_is_written_on_change_only(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "state.json"
    memory = PreferencesFile(path)
    assert (memory.preferences, memory.complaint) == (Preferences(), "")
    assert memory.keep(Preferences()) == ""
    assert not path.parent.exists()
    assert memory.keep(SOME) == ""
    first = path.stat().st_ino
    assert memory.keep(SOME) == ""
    assert path.stat().st_ino == first
    assert PreferencesFile(path).preferences == SOME
    assert os.listdir(path.parent) == ["state.json"]
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_nothing_is_remembered_without_a_place() -> None:
    memory = PreferencesFile(None)
    assert memory.keep(SOME) == ""
    assert memory.preferences == SOME


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    path = tmp_path / "file" / "tcptop" / "state.json"
    assert save(path, SOME) == f"not remembered: {path}: Not a directory"
    memory = PreferencesFile(path)
    assert memory.complaint == f"{path} is not used, and left as it is: Not a directory"
    (tmp_path / "state.json").mkdir()
    assert save(tmp_path / "state.json", SOME).endswith("Is a directory")
    assert sorted(os.listdir(tmp_path)) == ["file", "state.json"]


def test_a_pipe_holds_nothing_up(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    os.mkfifo(path)
    assert load(path)[1].endswith("not a regular file")


def test_where_it_is(tmp_path: Path) -> None:
    home, state = str(tmp_path), str(tmp_path / "state")
    assert usual_path({"XDG_STATE_HOME": state}) == tmp_path / "state/tcptop/state.json"
    expected = tmp_path / ".local/state/tcptop/state.json"
    assert usual_path({"HOME": home}) == expected
    assert usual_path({"HOME": home, "XDG_STATE_HOME": "relative"}) == expected
    assert usual_path({}) is None


def test_not_in_the_home_of_another() -> None:
    assert as_nobody(usual_path, {"HOME": "/"}) is None  # which is root's


KEYS = ["state", "recv_q", "send_q", "local", "remote"]


def test_columns_are_shown_as_arranged() -> None:
    assert Arrangement().columns(KEYS) == KEYS
    some = Arrangement(("remote", "gone", "state"), frozenset({"send_q"}))
    # recv_q stays behind state, and local behind the place of send_q.
    assert some.columns(KEYS) == ["remote", "state", "recv_q", "local"]
    assert Arrangement(hidden=frozenset(KEYS)).columns(KEYS) == KEYS


@given(
    st.lists(st.sampled_from([*KEYS, "gone"]), unique=True), st.frozensets(st.sampled_from(KEYS))
)
def test_no_column_is_lost(order: list[str], hidden: frozenset[str]) -> None:
    found = Arrangement(tuple(order), hidden).columns(KEYS)
    assert sorted(found) == sorted(set(KEYS) - hidden or KEYS)
    known = [key for key in order if key in found]
    assert [key for key in found if key in order] == known


def test_a_sort_by_what_is_there() -> None:
    assert Arrangement(sort="local", reverse=True).sorted_by(KEYS) == ("local", True)
    assert Arrangement(sort="gone").sorted_by(KEYS) is None
    assert Arrangement().sorted_by(KEYS) is None


def test_what_is_read_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tcptop.tui.settings.MOST", 10)
    path = tmp_path / "state.json"
    path.write_text(text(SOME))
    assert load(path)[1].endswith("too long")
