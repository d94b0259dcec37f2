"""Text that no terminal and no parser should be given as it is."""

import json

import pytest

from tcptop.views import json as json_view
from tcptop.views import ndjson, text
from tcptop.views.json_text import encode
from tests.unit.prepared import everything, selected
from tests.unit.written import View, written

UNDECODABLE = b"eth\xff".decode("utf-8", "surrogateescape")


@pytest.mark.parametrize("view", [json_view, ndjson])
def test_bytes_that_are_no_utf8_do_not_make_json_that_strict_readers_refuse(view: View) -> None:
    whole = written(view, selected(everything(), filter=f"dev = {UNDECODABLE}"))
    for line in whole.splitlines():
        json.dumps(json.loads(line), ensure_ascii=False).encode("utf-8")  # half a pair cannot be


def test_a_whole_pair_is_kept_and_half_of_one_is_replaced() -> None:
    assert json.loads(encode({"name": "\U0001f600"})) == {"name": "\U0001f600"}
    assert json.loads(encode([UNDECODABLE + "\U0001f600"])) == ["eth\ufffd\U0001f600"]
    assert json.loads(encode({UNDECODABLE: None})) == {"eth\ufffd": None}
    assert json.loads(encode(r"\udcff")) == r"\udcff"


def test_a_filter_is_shown_in_one_line_without_its_control_characters() -> None:
    lines = text.summary(selected(everything(), filter='process = "\x1b[31m\nx"'))
    assert lines[2].startswith(r'filter: process = "\x1b[31m\nx"  (')


def test_a_backlog_that_proc_does_not_tell_is_not_0() -> None:
    told = written(text, selected(everything()))
    untold = written(text, selected(everything(source="procfs")))
    listening = [line.split()[2] for line in told.splitlines() if line.startswith("LISTEN ")]
    assert listening
    assert all(map(str.isdecimal, listening))
    unknown = [line.split()[2] for line in untold.splitlines() if line.startswith("LISTEN ")]
    assert unknown == ["-"] * len(listening)
