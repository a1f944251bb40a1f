"""What the tests of ESPs share."""

from collections.abc import Iterator

import pytest

from tests.fake_esp import DIALECTS, FakeEsp


@pytest.fixture(params=DIALECTS)
def esp(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def fake() -> Iterator[FakeEsp]:
    with FakeEsp() as fake:
        yield fake
