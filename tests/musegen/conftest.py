"""Settings of the tests of music."""

from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True, scope="module")
def quick_trainings() -> Iterator[None]:
    """Sample and measure few bars while a model trains."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("musegen.measures.hearing.MEASURED_BARS", 64)
        yield
