from __future__ import annotations

from pathlib import Path

import pytest

from tests.record.incident import record


@pytest.fixture(scope="session")
def incident(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recording that ends in an incident."""
    path = tmp_path_factory.mktemp("incident") / "recording"
    record(path)
    return path
