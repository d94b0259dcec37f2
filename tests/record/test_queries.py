"""The README's queries in DuckDB, over what the README's commands write."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import duckdb
import pytest

from tests.record.incident import SCENARIO, run

README = (Path(__file__).parents[2] / "README.md").read_text()


def test_the_queries_of_the_readme(
    incident: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    block = re.search(r"for \[DuckDB\].*?```sh\n(.*?)```\n\n```sql\n(.*?)```", README, re.DOTALL)
    assert block
    monkeypatch.chdir(tmp_path)
    times = {"today": str(incident), "13:00": "+0s", "13:10": "-0s"}
    for line in block[1].splitlines():
        words = [times.get(word, word) for word in shlex.split(line)[1:]]
        done = run(*words)
        assert (done.returncode, done.stderr) == (0, ""), line
    with duckdb.connect() as database:
        full, states, findings = (
            database.execute(query).fetchall() for query in block[2].split(";") if query.strip()
        )
    ((address, port, since, until, waiting, dropped),) = full
    assert (address, port, waiting) == ("10.78.0.1", 8080, 17)
    assert since < until
    assert dropped > 0
    assert ("ESTABLISHED", 17.0) in [row[1:] for row in states]
    assert [row[0] for row in findings] == [SCENARIO]
