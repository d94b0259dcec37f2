"""A snapshot as one JSON object a line."""

import json
from collections import Counter
from typing import Any

from jsonschema import Draft202012Validator

from tcptop.model.selection import Selection
from tcptop.views import ndjson
from tests.unit.prepared import OVERFLOW, UNANSWERED, WORTH_KNOWING, everything, found, selected
from tests.unit.written import SCHEMA, snapshot_json, written

LINES = {
    "socket": "sockets",
    "listener": "listeners",
    "process": "processes",
    "port": "ports",
    "remote": "remotes",
    "closed": "closed",
    "finding": "findings",
}


def lines(selection: Selection, *only: str, limit: int | None = None) -> list[dict[str, Any]]:
    text = written(ndjson, selection, *only, limit=limit)
    assert text.endswith("\n")
    return [json.loads(line) for line in text.splitlines()]


def test_every_line_says_what_it_is_and_whence() -> None:
    chosen = selected(everything())
    whole = snapshot_json(chosen)
    for line in lines(chosen):
        assert list(line)[:3] == ["type", "host", "taken_at"]
        assert line["host"] == whole["host"]
        assert line["taken_at"] == whole["taken_at"]


def test_the_lines_are_the_rows_of_the_json_object() -> None:
    chosen = found(OVERFLOW, UNANSWERED)
    whole = snapshot_json(chosen)
    head, *rows = lines(chosen)
    assert head.pop("type") == "snapshot"
    assert head == {name: value for name, value in whole.items() if not isinstance(value, list)} | {
        name: whole[name] for name in ("namespaces", "kernel")
    }
    for row in rows:
        name = LINES[row["type"]]
        assert {key: row[key] for key in row if key not in ("type", "host", "taken_at")} in (
            whole[name]
        )
    assert Counter(LINES[row["type"]] for row in rows) == {
        name: len(whole[name]) for name in LINES.values()
    }


def test_each_line_follows_its_part_of_the_schema() -> None:
    for line in lines(found(OVERFLOW, UNANSWERED, WORTH_KNOWING))[1:]:
        part = {"$ref": f"#/$defs/{line['type']}", "$defs": SCHEMA["$defs"]}
        Draft202012Validator(part).validate(line)


def test_only_and_limit() -> None:
    types = [line["type"] for line in lines(selected(everything()), "listeners", limit=1)]
    assert types == ["snapshot", "listener"]


def test_a_line_break_in_a_name_breaks_no_line() -> None:
    chosen = selected(everything(cgroups={77: "/a\nb\u2028c"}))
    rows = [line for line in lines(chosen) if line["type"] == "socket"]
    assert len(rows) == 18
    assert rows[0]["cgroup"] == "/a\nb\u2028c"
