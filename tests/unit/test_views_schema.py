"""The JSON Schema that ships with the package."""

from typing import Any

import pytest
from jsonschema import Draft202012Validator

from tcptop.model.sample import Sample
from tests.unit.prepared import (
    OVERFLOW,
    UNANSWERED,
    WORTH_KNOWING,
    everything,
    found,
    kernel,
    later,
    sample,
    selected,
)
from tests.unit.written import SCHEMA, VALIDATOR, snapshot_json

LISTS = ("sockets", "listeners", "processes", "ports", "remotes", "findings")


def ends(first: Sample) -> Sample:
    """A second look, two seconds on."""
    return later(first, 2.0, kernel=(kernel(opens=14),))


class TestSchema:
    def test_is_a_schema(self) -> None:
        Draft202012Validator.check_schema(SCHEMA)

    def test_holds_of_one_look_and_of_several(self) -> None:
        first = everything()
        snapshot_json(selected(first))
        snapshot_json(selected(first, ends(first)))
        snapshot_json(selected(sample([])))
        snapshot_json(found(OVERFLOW, UNANSWERED, WORTH_KNOWING))

    def test_every_field_of_every_row_is_required(self) -> None:
        for name, part in SCHEMA["$defs"].items():
            for each in (part, *part.get("properties", {}).values()):
                if "properties" in each:
                    assert each["required"] == list(each["properties"]), name

    @pytest.mark.parametrize(
        ("place", "wrong"),
        [
            (("sockets", 0, "cookie"), 4097),
            (("sockets", 0, "state"), "ESTAB"),
            (("sockets", 0, "local_port"), "80"),
            (("sockets", 0, "recv_q"), None),
            (("sockets", 2, "tcp_info", "rtt"), "250"),
            (("sockets", 2, "timer"), {"name": "keepalive"}),
            (("sockets", 2, "processes", 0, "pid"), None),
            (("listeners", 0, "backlog_clamped"), 1),
            (("totals", "by_state"), {"LISTEN": 2}),
            (("processes", 0, "owner"), "nobody"),
            (("host",), "web1"),
            (("findings", 0, "severity"), "fatal"),
            (("findings", 0, "subject", "pids"), 100),
            (("findings", 0, "values", "capacity"), "129"),
            (("findings", 0, "evidence"), "129 of 129 places are taken."),
        ],
    )
    def test_refuses_another_type(self, place: tuple[Any, ...], wrong: Any) -> None:
        snapshot = snapshot_json(found(OVERFLOW))
        inner: Any = snapshot
        for step in place[:-1]:
            inner = inner[step]
        inner[place[-1]] = wrong
        assert not VALIDATOR.is_valid(snapshot)

    def test_readers_may_meet_fields_they_do_not_know(self) -> None:
        snapshot = snapshot_json(selected(everything()))
        snapshot["sockets"][0]["colour"] = "red"
        VALIDATOR.validate(snapshot)

    def test_fields_come_in_the_order_of_the_schema(self) -> None:
        snapshot = snapshot_json(found(OVERFLOW))
        for name in LISTS:
            reference = SCHEMA["properties"][name]["items"]["$ref"].rpartition("/")[2]
            assert list(snapshot[name][0]) == SCHEMA["$defs"][reference]["required"]
        socket_fields = SCHEMA["$defs"]["socket"]["properties"]
        first = snapshot["sockets"][0]
        assert list(first["tcp_info"]) == list(socket_fields["tcp_info"]["properties"])
        assert list(first["memory"]) == list(socket_fields["memory"]["properties"])
