"""Presets: which settings a recipe gets, and which critics are penalised."""

import json
from dataclasses import replace

from core.recipe import Recipe
from core.recipes import RECIPES
from core.theory.adversarial import R1, Adversarial, hinge
from core.theory.terms import Match
from core.training.forecast import Need
from core.training.loop import TrainConfig
from core.training.presets import SMOKE_TEST, WARMUP_COSINE, Preset, unregularised, with_r1
from core.training.stabilisers import Stabilisers

GAMES = TrainConfig(steps=11, batch_size=3)
LIKELIHOODS = TrainConfig(steps=22, batch_size=5)
PRESET = Preset(
    purpose="",
    paper="",
    expected="",
    cost="",
    networks={"encoder": Stabilisers(r1=0.5)},
    adversarial=GAMES,
    non_adversarial=LIKELIHOODS,
    models={"aae": {"weights": {"match_z": 7.0}}},
)


def values(name: str) -> dict:
    return PRESET.values(name, RECIPES[name])


def test_a_model_with_a_critic_trains_as_games_do():
    assert (values("aae")["train"]["steps"], values("aae")["train"]["batch_size"]) == (11, 3)
    assert (values("vae")["train"]["steps"], values("vae")["train"]["batch_size"]) == (22, 5)


def test_sizes_are_of_all_models_and_differences_of_the_one_that_is_named():
    model = values("aae")["model"]
    assert (model["recipe"], model["encoder"]["r1"]) == ("aae", 0.5)
    assert model["weights"] == {"match_z": 7.0}
    assert values("vae")["model"].keys() == {"recipe", "encoder"}


def test_critics_of_data_that_nothing_bounds_get_r1():
    bounded = Adversarial(hinge, penalties=(R1(1.0),))
    terms = {
        "penalised": Match("x", bounded, ("decoder",)),
        "clipped": Match("x", Adversarial(hinge, clip=0.1), ("decoder",)),
        "of_latents": Match("z", Adversarial(hinge), ("encoder",)),
        "free": Match("x", Adversarial(hinge), ("decoder",)),
        "of_pairs": Match("xz", Adversarial(hinge), ("decoder",)),
    }
    recipes = {name: Recipe((term,), RECIPES["gan"].paper) for name, term in terms.items()}
    assert unregularised(recipes | {"vae": RECIPES["vae"]}) == ("free", "of_pairs")
    assert with_r1(["gan", "hinge"], 0.25) == {
        "gan": {"stabilisers": {"r1": 0.25}},
        "hinge": {"stabilisers": {"r1": 0.25}},
    }


def test_a_smoke_test_logs_each_step_and_a_longer_run_warms_up_and_decays():
    trial, run = SMOKE_TEST, WARMUP_COSINE
    assert (trial.steps, trial.batch_size, trial.log_every_steps) == (20, 4, 1)
    assert (trial.sample_every_steps, run.sample_every_steps) == (10, 500)
    assert (run.minutes, run.batch_size, run.warmup_steps, run.decay) == (60, 64, 200, "cosine")
    assert (run.bf16, run.ema_decay) == (True, 0.99)


def test_a_recipe_needs_the_steps_of_its_own_or_those_of_most():
    preset = replace(PRESET, steps=700, steps_of={"vae": 90}, before="dust")
    assert preset.need("vae") == Need(90, "dust")
    assert preset.need("gan") == Need(700, "dust")
    assert PRESET.need("gan").steps == 0


def test_values_are_those_of_json():
    assert json.loads(json.dumps(values("vae"))) == values("vae")
    preset = replace(PRESET, networks={"encoder": GAMES.learner})
    assert preset.values("vae", RECIPES["vae"])["model"]["encoder"]["betas"] == [0.5, 0.9]
