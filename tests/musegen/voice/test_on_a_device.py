"""Networks and recipes of single notes on a device of their own."""

from pathlib import Path

import pytest
import torch
from note_sounds import collection
from on_a_device import (
    NONE,
    Waits,
    moved_to_a_device,
    require_runs_on_a_gpu,
    require_trains_on_a_device,
)

from musegen.voice.data.collection import Collection
from musegen.voice.model import DOMAIN, Model
from musegen.voice.recipes import RECIPES

MORE: dict[str, Waits] = dict.fromkeys(("timbre_vae", "timbre_vae_gan"), Waits(copies=1))
"""The halves of pairs that are swapped are drawn on the processor."""
HERE = [name for name, recipe in RECIPES.items() if not recipe.needs - DOMAIN.offers]


@pytest.fixture(scope="module")
def notes(tmp_path_factory: pytest.TempPathFactory) -> Collection:
    return collection(tmp_path_factory.mktemp("notes"))


@pytest.mark.slow
@pytest.mark.parametrize("name", HERE)
def test_each_recipe_trains_on_a_device(notes: Collection, name: str):
    require_trains_on_a_device(DOMAIN, notes, name, more=MORE.get(name, NONE))


@pytest.mark.gpu
@pytest.mark.parametrize("name", HERE)
def test_each_recipe_runs_on_a_gpu(notes: Collection, name: str, tmp_path: Path):
    require_runs_on_a_gpu(DOMAIN, notes, name, tmp_path / "run")


def test_the_shipped_voice_has_the_same_notes_on_a_device():
    model = Model.load("fluid", device="cpu")
    here = model.samples([60, 67], seed=1)
    with moved_to_a_device(model):
        there = model.samples([60, 67], seed=1)
    assert here.abs().amax(1).min() > 0.01
    torch.testing.assert_close(there, here, rtol=0, atol=1e-4)
