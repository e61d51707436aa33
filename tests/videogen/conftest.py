"""Settings of the tests of video."""

from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True, scope="module")
def quick_trainings() -> Iterator[None]:
    """Draw and judge few clips while a model trains."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("core.app.fit.SHOWN", 2)
        patch.setattr("videogen.measures.progress.MEASURED", 8)
        yield
