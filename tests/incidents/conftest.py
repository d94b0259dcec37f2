"""Each class of incidents is played once, and its tests ask what was seen."""

from collections.abc import Iterator

import pytest

from tests.incidents.playing import Played
from tests.incidents.proving import Silence, parameters, shown


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if metafunc.cls is None or not issubclass(metafunc.cls, Silence):
        return
    for fixture in ("incident", "loud", "counted", "well"):
        if fixture in metafunc.fixturenames:
            metafunc.parametrize(fixture, parameters(metafunc.cls, fixture))


@pytest.fixture(scope="class")
def shows(request: pytest.FixtureRequest) -> Iterator[dict[str, Played]]:
    assert issubclass(request.cls, Silence)
    yield from shown(request.cls)
