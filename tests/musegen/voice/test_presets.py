"""Presets of voices: the rates of each size, and the sound that each is for."""

from inspect import signature
from typing import Any

import pytest

from musegen.voice.commands import VoiceCommands
from musegen.voice.data.records import PrepareConfig
from musegen.voice.networks.config import VoiceConfig
from musegen.voice.presets import PRESETS
from musegen.voice.recipes import RECIPES
from musegen.voice.spectrogram import Spectrogram

ADAM = {"optimiser": "adamw", "weight_decay": 0.0, "clip_norm": 0.0}
GAME = {**ADAM, "learning_rate": 8e-4, "betas": [0.0, 0.99]}
LEARNER = {**ADAM, "learning_rate": 1e-3, "betas": [0.9, 0.99], "clip_norm": 1e4}


def values(preset: str, name: str) -> dict[str, Any]:
    return PRESETS[preset].values(name, RECIPES[name])


@pytest.mark.parametrize("preset", list(PRESETS))
def test_every_size_trains_games_by_the_adam_of_gansynth(preset: str):
    for name, recipe in RECIPES.items():
        train = values(preset, name)["train"]
        joined = (preset, name) == ("small", "timbre_vae_gan")
        if recipe.optimisation:  # its paper's own
            continue
        assert train["learner"] == (GAME if recipe.critics and not joined else LEARNER), name
        assert not recipe.critics or train["critic"] == GAME, name


def test_the_base_is_for_four_seconds_in_the_papers_spectrogram():
    """1024 rows of half a window, 128 frames a quarter of a window apart."""
    of_size = [
        VoiceConfig.model_validate(values(preset, "gansynth")["model"]["voice"])
        for preset in ("tiny", "small", "base")
    ]
    spectrogram = Spectrogram(16_000, 64_000, of_size[2].window)
    assert (spectrogram.rows, spectrogram.frames) == (1024, 128)
    assert [one.level_steps for one in of_size] == [1000, 1000, 100_000]
    for field in ("window", "latent", "channels", "critic_channels", "width", "pitch"):
        tiny, small, base = (getattr(one, field) for one in of_size)
        assert tiny < small < base, field


def test_a_command_without_options_prepares_notes_as_python_does():
    stated = {name: p.default for name, p in signature(VoiceCommands.prepare).parameters.items()}
    defaults = PrepareConfig()
    for name in ("lowest", "highest", "seconds", "seed"):
        assert stated[name] == getattr(defaults, name)
    assert stated["rate"] == defaults.sample_rate_hz


def test_what_is_said_of_single_models_is_said_of_models_of_these_names():
    for preset in PRESETS.values():
        assert {*preset.steps_of, *preset.models, *preset.training} <= {*RECIPES}
