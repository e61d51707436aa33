"""Settings of the tests of music."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from musegen.data.collection import Collection
from musegen.data.preparation import prepare_band
from musegen.data.records import PrepareConfig
from musegen.roll import Grid


@pytest.fixture(autouse=True, scope="module")
def quick_trainings() -> Iterator[None]:
    """Draw and measure few bars while a model trains."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("core.app.fit.SHOWN", 2)
        patch.setattr("musegen.measures.hearing.MEASURED_BARS", 16)
        patch.setattr("musegen.measures.hearing.LIKELY_PHRASES", 4)
        yield


@pytest.fixture(autouse=True, scope="module")
def quick_preparations() -> Iterator[None]:
    """Draw no picture of a collection; a file of tests that look at it has a fixture instead."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("musegen.data.preparation._draw", lambda folder: None)
        yield


@pytest.fixture(scope="session")
def bands(tmp_path_factory: pytest.TempPathFactory) -> tuple[Collection, Collection]:
    """Return a collection of pop songs, and one of ballads."""
    folder: Path = tmp_path_factory.mktemp("data")
    config = PrepareConfig(grid=Grid(steps_per_beat=4), bars=4)
    prepare_band(3, folder / "band", config)
    prepare_band(2, folder / "ballads", config, style="ballad")
    return Collection.open(folder / "band"), Collection.open(folder / "ballads")
