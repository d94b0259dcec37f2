"""What the views write, and the schema it must follow."""

from __future__ import annotations

import io
import json
from importlib import resources
from typing import Any, Protocol, TextIO

from jsonschema import Draft202012Validator

from tcptop.model.selection import Selection
from tcptop.views import json as json_view
from tests.unit.prepared import Row, sample, selected

SCHEMA: dict[str, Any] = json.loads(
    resources.files("tcptop.views").joinpath("schema/tcptop.snapshot-1.json").read_text("utf-8")
)
VALIDATOR = Draft202012Validator(SCHEMA)


class View(Protocol):
    """A module of tcptop.views that writes snapshots."""

    def write(
        self, selection: Selection, out: TextIO, only: frozenset[str] = ..., limit: int | None = ...
    ) -> None: ...


def written(view: View, selection: Selection, *only: str, limit: int | None = None) -> str:
    out = io.StringIO(newline="")
    view.write(selection, out, frozenset(only), limit)
    return out.getvalue()


def snapshot_json(selection: Selection, *only: str, limit: int | None = None) -> dict[str, Any]:
    """A snapshot as JSON and back, checked against the schema."""
    read: dict[str, Any] = json.loads(written(json_view, selection, *only, limit=limit))
    VALIDATOR.validate(read)
    return read


def rows_by_state(snapshot: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """One socket of each state, the first."""
    return {row["state"]: row for row in reversed(snapshot["sockets"])}


def only_socket(*rows: Row, **fields: Any) -> dict[str, Any]:
    """The single socket of a sample, as JSON and back."""
    (found,) = snapshot_json(selected(sample(rows, **fields)))["sockets"]
    return dict(found)
