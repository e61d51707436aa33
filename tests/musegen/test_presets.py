"""Presets of songs: the rates and the budget of each size, and what a larger one has more of."""

from typing import Any

import pytest

from core.training.presets import SMOKE_TEST
from musegen.model import DOMAIN
from musegen.presets import PRESETS
from musegen.recipes import RECIPES

ADAM = {"optimiser": "adamw", "weight_decay": 0.0, "clip_norm": 0.0}
GAME = {**ADAM, "learning_rate": 5e-4, "betas": [0.0, 0.9]}
LIKELIHOOD = {**ADAM, "learning_rate": 1e-3, "betas": [0.9, 0.95]}
LIKELIHOOD |= {"weight_decay": 0.01, "clip_norm": 150.0}


def values(preset: str, name: str) -> dict[str, Any]:
    return PRESETS[preset].values(name, DOMAIN.recipe(name))


@pytest.mark.parametrize("preset", list(PRESETS))
def test_every_size_trains_games_and_likelihoods_at_the_same_rates(preset: str):
    own = {"lookback_rnn", "latent_musegan"} if preset != "tiny" else set()
    for name, recipe in RECIPES.items():
        if recipe.optimisation or name in own:
            continue
        train = values(preset, name)["train"]
        assert train["learner"] == (GAME if recipe.critics else LIKELIHOOD), name
        assert not recipe.critics or train["critic"] == GAME, name


@pytest.mark.parametrize("preset", ["small", "base"])
def test_the_shipped_models_train_at_rates_of_their_own(preset: str):
    lookback = values(preset, "lookback_rnn")["train"]
    latents = values(preset, "latent_musegan")["train"]
    rates = {**LIKELIHOOD, "learning_rate": 1.5e-3, "weight_decay": 0.05, "clip_norm": 400.0}
    assert lookback["learner"] == rates
    assert latents["learner"] == {**ADAM, "learning_rate": 1e-3, "betas": [0.5, 0.95]}
    assert latents["critic"] == {**ADAM, "learning_rate": 4e-4, "betas": [0.5, 0.95]}
    assert (lookback["bf16"], latents["bf16"]) == (False, False)


def test_critics_have_the_penalty_of_their_model_and_songs_of_a_small_model_are_judged():
    for preset, tries in (("tiny", (1, 1)), ("small", (8, 4)), ("base", (8, 4))):
        model = {name: values(preset, name)["model"] for name in RECIPES}
        assert model["gan"]["stabilisers"] == {"r1": 10.0}
        assert model["latent_musegan"]["stabilisers"] == {"r1": 1.0}
        assert (model["cyclegan"]["game"], model["cyclegan"]["critic_steps"]) == ("wgan_gp", 2)
        judged = tuple(model[one].get("tries", 1) for one in ("lookback_rnn", "latent_musegan"))
        assert judged == tries


def test_the_budgets_are_those_that_the_sizes_promise():
    budgets = {
        (preset, name): (train["steps"], train["minutes"], train["batch_size"])
        for preset in PRESETS
        for name in ("musegan", "note_transformer", "lookback_rnn", "latent_musegan")
        for train in [values(preset, name)["train"]]
    }
    tiny = (SMOKE_TEST.steps, None, SMOKE_TEST.batch_size)
    assert budgets == {
        **{(preset, name): tiny for preset, name in budgets if preset == "tiny"},
        ("small", "musegan"): (None, 60, 64),
        ("small", "note_transformer"): (None, 60, 32),
        ("small", "lookback_rnn"): (None, 60, 4),
        ("small", "latent_musegan"): (None, 60, 16),
        ("base", "musegan"): (50_000, None, 64),
        ("base", "note_transformer"): (100_000, None, 64),
        ("base", "lookback_rnn"): (100_000, None, 64),
        ("base", "latent_musegan"): (50_000, None, 48),
    }


def test_a_larger_size_has_wider_and_no_shallower_networks():
    of_size = [{**PRESETS[name].networks} for name in ("tiny", "small", "base")]
    widths = {
        "musegan": ("channels", "critic_channels"),
        "density": ("width", "layers"),
        "lookback": ("width", "heads"),
        "bar_latents": ("channels", "width", "hidden"),
    }
    for network, fields in widths.items():
        for field in fields:
            tiny, small, base = (getattr(one[network], field) for one in of_size)
            assert tiny < small < base, (network, field)
    lookback = [one["lookback"] for one in of_size]
    assert [one.model_dump()["layers"] for one in lookback] == [1, 1, 2]
    for one in of_size[1:]:
        for network in (one["density"], one["lookback"]):
            width, heads = (getattr(network, field) for field in ("width", "heads"))
            assert width == 64 * heads  # as in Vaswani et al. 2017


def test_what_is_said_of_single_models_is_said_of_models_of_these_names():
    for preset in PRESETS.values():
        assert {*preset.steps_of, *preset.models, *preset.training} <= {*RECIPES}
    need = PRESETS["small"].need(DOMAIN.recipe_name("note_transformer"))
    assert need.steps == 600
