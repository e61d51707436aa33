"""Every recipe in the domain of music, through the API that a user has."""

import numpy as np
import pytest
import torch

from core.config import ConfigError, UserError
from core.recipes import RECIPES
from core.run import export
from musegen.collection import Collection
from musegen.data import PrepareConfig, prepare_band
from musegen.model import DOMAIN, Model, configure, networks, train
from musegen.roll import HOLD, ONSET, SILENT, Grid

BARS, STEPS_PER_BEAT = 3, 4


@pytest.fixture(scope="module")
def band(tmp_path_factory) -> Collection:
    """Phrases of three bars at four steps a beat: no two axes are equal."""
    folder = tmp_path_factory.mktemp("data") / "band"
    config = PrepareConfig(grid=Grid(steps_per_beat=STEPS_PER_BEAT), bars=BARS)
    prepare_band(3, folder, config)
    return Collection.open(folder)


def tiny(band, folder, model, wiring=None, steps=2):
    assignments = [f"train.steps={steps}", "train.sample_every_steps=2", "train.batch_size=2"]
    return train(band, folder, model, wiring, "tiny", "cpu", assignments)


@pytest.mark.parametrize("name", [*RECIPES, *DOMAIN.aliases])
def test_every_recipe_trains_and_samples(band, tmp_path, name):
    if name in ("ae", "denoising_ae"):
        pytest.skip("an autoencoder has no prior to draw from")
    if name in RECIPES and RECIPES[name].needs - DOMAIN.offers:
        with pytest.raises(ConfigError, match=f"{name} needs what music lacks"):
            tiny(band, tmp_path / "run", name)
        return
    tiny(band, tmp_path / "run", name)
    model = Model.load(tmp_path / "run", device="cpu")
    rolls = model.sample(count=2, bars=4, seed=1, tempo_bpm=90.0)
    assert [roll.cells.shape for roll in rolls] == [(5, 4, 16, 84)] * 2
    assert set(np.unique(rolls[0].cells)) <= {SILENT, HOLD, ONSET}
    assert rolls[0].seconds == pytest.approx(4 * 4 * 60 / 90)
    assert (tmp_path / "run/samples/step-00000002.png").stat().st_size > 1000


@pytest.mark.parametrize("wiring", ["composer", "jamming", "hybrid"])
def test_every_wiring_trains_and_samples(band, tmp_path, wiring):
    model = tiny(band, tmp_path / "run", "musegan", wiring)
    assert model.sample(count=1, seed=2)[0].bars == BARS


def test_the_same_seed_makes_the_same_music(band, tmp_path):
    model = tiny(band, tmp_path / "run", "musegan")
    first, again, other = (model.cells(3, seed=seed) for seed in (4, 4, 5))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_resumed_run_is_bit_equal(band, tmp_path):
    whole = tiny(band, tmp_path / "whole", "notes", steps=4)
    tiny(band, tmp_path / "parts", "notes", steps=2)
    parts = tiny(band, tmp_path / "parts", "notes", steps=4)
    for key, value in whole.networks.state_dict().items():
        assert torch.equal(value, parts.networks.state_dict()[key]), key


def test_a_run_is_bound_to_its_data(band, tmp_path):
    tiny(band, tmp_path / "run", "musegan")
    config = PrepareConfig(grid=Grid(steps_per_beat=STEPS_PER_BEAT), bars=BARS, seed=9)
    prepare_band(3, tmp_path / "other", config)
    with pytest.raises(ConfigError, match="data_sha256"):
        tiny(Collection.open(tmp_path / "other"), tmp_path / "run", "musegan")


def test_exported_weights_sample_as_the_run_does(band, tmp_path):
    from core.run import Run

    tiny(band, tmp_path / "run", "gan")
    export(Run.read(tmp_path / "run"), tmp_path / "weights")
    run, shared = (Model.load(tmp_path / name, "cpu") for name in ("run", "weights"))
    for key, value in run.networks.state_dict().items():
        torch.testing.assert_close(shared.networks.state_dict()[key], value, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("model", ["gann", "notess"])
def test_a_misspelt_model_names_its_neighbour(band, model):
    with pytest.raises(ConfigError, match="did you mean"):
        configure(band, model)


def test_corrupted_weights_are_refused(band, tmp_path):
    tiny(band, tmp_path / "run", "gan")
    for path in (tmp_path / "run/checkpoints").rglob("averages.safetensors"):
        path.write_bytes(path.read_bytes()[:-1] + b"?")
    with pytest.raises(UserError, match=r"averages.safetensors|no checkpoint"):
        Model.load(tmp_path / "run", "cpu")


def test_networks_are_those_the_recipe_names(band):
    for name, recipe in RECIPES.items():
        if recipe.needs - DOMAIN.offers:
            continue
        config = configure(band, name, preset="tiny")
        assert tuple(sorted(networks(config))) == recipe.networks
