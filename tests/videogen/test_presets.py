"""Presets of clips: each size trains each model with the same optimisers and the same decoder."""

import pytest

from core.training.presets import SMOKE_TEST, WARMUP_COSINE
from videogen.networks.config import VideoConfig
from videogen.presets import CRITIC, DECODERS, LEARNER, PRESETS
from videogen.recipes import RECIPES


@pytest.mark.parametrize("preset", list(PRESETS))
def test_every_size_trains_every_model_at_the_same_rates(preset: str):
    learner, critic = (one.model_dump(mode="json") for one in (LEARNER, CRITIC))
    assert (LEARNER.learning_rate, LEARNER.betas) == (1e-3, (0.9, 0.99))
    assert (CRITIC.learning_rate, CRITIC.betas) == (4e-4, (0.0, 0.99))
    for name, recipe in RECIPES.items():
        if recipe.optimisation:  # its paper's own
            continue
        train = PRESETS[preset].values(name, recipe)["train"]
        assert train["learner"] == learner, name
        if recipe.critics:
            assert train["critic"] == critic, name


def test_the_budgets_are_those_that_the_sizes_promise():
    budgets = {name: preset.adversarial for name, preset in PRESETS.items()}
    assert budgets["tiny"].steps == SMOKE_TEST.steps
    assert (budgets["small"].minutes, budgets["small"].steps) == (90, WARMUP_COSINE.steps)
    assert (budgets["base"].minutes, budgets["base"].steps) == (None, 60_000)
    for preset in PRESETS.values():
        one, other = preset.adversarial, preset.non_adversarial
        assert one.replace(critic=other.critic) == other


@pytest.mark.parametrize("preset", list(PRESETS))
def test_a_model_has_the_decoder_of_its_paper_in_every_size(preset: str):
    for name, recipe in RECIPES.items():
        video = VideoConfig.model_validate(PRESETS[preset].values(name, recipe)["model"]["video"])
        wanted = {"decoder": "gist", "captions": True, **DECODERS.get(name, {})}
        assert {key: getattr(video, key) for key in wanted} == wanted, name
        assert (video.gist, video.text_filter) == (True, True), name


def test_what_is_said_of_single_models_is_said_of_models_of_these_names():
    for preset in PRESETS.values():
        assert {*preset.steps_of, *preset.models, *preset.training} <= {*RECIPES}
