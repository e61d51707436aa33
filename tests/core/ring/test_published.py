"""The results that docs/models publishes: of today's settings, above each recipe's bound."""

from pathlib import Path
from statistics import mean

import pytest
from conftest import REPOSITORY
from ring_bounds import REPEATED, SHIFTED, UNLEARNED, bound_of

from core.ring.benchmark import Result, adapting, on_the_ring, stored, table
from core.ring.eight_gaussians import MODES

PUBLISHED = REPOSITORY / "docs" / "models"
SEEDS = range(3)


def results(name: str) -> list[Result]:
    """Return the stored results of today's settings."""
    return stored([name], SEEDS, PUBLISHED / "results")[name]


@pytest.mark.parametrize("name", [name for name in on_the_ring() if name not in UNLEARNED])
def test_published_samples_are_above_the_bound(name: str):
    found = results(name)
    assert len(found) == len(SEEDS) or name not in REPEATED, (
        "pianoreel models --report docs/models"
    )
    if found:
        assert mean(result.measures["good"] for result in found) >= bound_of(name)
        assert min(result.measures["modes"] for result in found) == MODES


@pytest.mark.parametrize("name", adapting())
def test_published_labels_are_right_at_the_end_of_training(name: str):
    low, high = SHIFTED[name]
    for result in results(name):
        assert result.measures["ring"] > 0.99
        assert low <= result.measures["shifted"] <= high


def test_the_published_table_is_that_of_the_results(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(REPOSITORY)
    every = stored([*on_the_ring(), *adapting()], SEEDS, PUBLISHED / "results")
    shown = table(every, SEEDS, Path("docs/models"))
    assert (PUBLISHED / "models.md").read_text("utf-8") == shown
