"""One list of a snapshot as CSV."""

import csv
import io
import json
from typing import Any

import pytest

from tcptop.model.sample import Process
from tcptop.model.selection import Selection
from tcptop.views import csv as view
from tests.unit.prepared import (
    OVERFLOW,
    UNANSWERED,
    WORTH_KNOWING,
    everything,
    found,
    owners,
    sample,
    selected,
    socket,
)
from tests.unit.written import SCHEMA, snapshot_json, written

LISTS = ("sockets", "listeners", "processes", "ports", "remotes", "findings")
PROCESSES = ["processes.pid", "processes.name", "processes.label", "processes.count"]


def rows(selection: Selection, *only: str, limit: int | None = None) -> list[dict[str, str]]:
    text = written(view, selection, *only, limit=limit)
    return list(csv.DictReader(io.StringIO(text, newline=""), strict=True))


def header(name: str) -> list[str]:
    """The fields of a list as the schema orders them."""
    return fields(SCHEMA["properties"][name]["items"], "")


def fields(part: dict[str, Any], path: str) -> list[str]:
    if part.get("$ref") in ("#/$defs/holders", "#/$defs/members", "#/$defs/culprits"):
        return [f"{path.removesuffix('processes')}{name}" for name in PROCESSES]
    whole = SCHEMA["$defs"][part["$ref"].rpartition("/")[2]] if "$ref" in part else part
    if "properties" not in whole:
        return [path]
    inner = whole["properties"].items()
    return [each for name, value in inner for each in fields(value, f"{path}.{name}".strip("."))]


def flat(row: dict[str, Any], path: str = "") -> dict[str, str]:
    """A JSON row as the texts CSV should hold."""
    found: dict[str, str] = {}
    for name, value in row.items():
        if name == "values":
            found[name] = json.dumps(value, separators=(",", ":"))
        elif isinstance(value, list) and name != "processes":
            found[path + name] = " ".join(map(str, value))
        elif isinstance(value, dict):
            found |= flat(value, f"{path}{name}.")
        elif name == "processes":
            first = value[0] if value else {"pid": "", "name": "", "label": ""}
            told = (first["pid"], first["name"], first["label"], len(value))
            names = [f"{path}{name}" for name in PROCESSES]
            found |= dict(zip(names, map(str, told), strict=True))
        else:
            found[path + name] = str(value).lower() if isinstance(value, bool) else str(value)
    return {name: "" if text == "None" else text for name, text in found.items()}


@pytest.mark.parametrize("name", LISTS)
def test_the_header_is_the_schema_in_its_order(name: str) -> None:
    for chosen in (selected(everything()), selected(sample([]))):
        text = written(view, chosen, name)
        assert next(csv.reader(io.StringIO(text, newline=""))) == header(name)


@pytest.mark.parametrize("name", LISTS)
def test_rows_are_those_of_the_json(name: str) -> None:
    chosen = found(OVERFLOW, UNANSWERED, WORTH_KNOWING)
    as_json = snapshot_json(chosen)[name]
    as_csv = rows(chosen, name)
    assert len(as_csv) == len(as_json)
    for row, whole in zip(as_csv, as_json, strict=True):
        told = flat(whole)
        assert row == {field: told.get(field, "") for field in header(name)}


def test_sockets_unless_asked_otherwise() -> None:
    chosen = selected(everything())
    assert written(view, chosen) == written(view, chosen, "sockets")


def test_it_holds_one_list() -> None:
    with pytest.raises(ValueError, match="csv holds one list, not sockets and ports"):
        written(view, selected(everything()), "ports", "sockets")


def test_limit_counts_rows() -> None:
    assert len(rows(selected(everything()), limit=3)) == 3


def test_lines_end_as_rfc_4180_says() -> None:
    text = written(view, selected(everything()), "ports")
    assert text.endswith("\r\n")
    assert text.count("\r\n") == text.count("\n") == 5


@pytest.mark.parametrize(
    ("name", "cell"),
    [
        ("=1+1", "'=1+1"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("＝1", "'＝1"),
        ("\t=1", "\\t=1"),
        ("a,b", "a,b"),
        ('a"b', 'a"b'),
        ("a\r\nb", "a\\r\\nb"),
        ("\x1b[2J\x00", "\\x1b[2J\\x00"),
        ("\u202eexe", "\\u202eexe"),
        ("\udc80", "\\udc80"),
        ("é 漢", "é 漢"),
    ],
)
def test_hostile_names(name: str, cell: str) -> None:
    evil = Process(666, name, name, 0, 1, name, 1, 1, None)
    ends = ("10.0.0.1:80", "10.0.0.2:81")
    chosen = selected(
        sample(
            [socket("ESTABLISHED", *ends, inode=5, cgroup_id=7)],
            owners=owners((5, evil, 3)),
            cgroups={7: name},
            users={0: name},
        )
    )
    (held,) = rows(chosen)
    assert [held[field] for field in ("processes.name", "cgroup", "user")] == [cell] * 3
    (process,) = rows(chosen, "processes")
    assert [process[field] for field in ("name", "cmdline", "user", "cgroup")] == [cell] * 4
