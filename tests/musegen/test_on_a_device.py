"""Networks and recipes of songs on a device of their own."""

from dataclasses import fields
from pathlib import Path

import pytest
from on_a_device import (
    NONE,
    Waits,
    moved_to_a_device,
    require_runs_on_a_gpu,
    require_trains_on_a_device,
)

from musegen.data.collection import Collection
from musegen.model import DOMAIN, Model
from musegen.recipes import RECIPES
from musegen.steering import Steering
from musegen.tonality import Key

MORE = {"lookback_rnn": Waits(copies=9), "autoregressive": Waits(copies=13)}
"""Copies of the notes of a batch of four phrases, which are counted on the processor, before the
networks begin: see densities/test_on_a_device.py."""
NAMED = {*RECIPES, *DOMAIN.aliases}
HERE = sorted(name for name in NAMED if not DOMAIN.recipe(name).needs - DOMAIN.offers)


LISTENING = ("model.lookback.listens=true", "start=lookback_rnn")


@pytest.mark.parametrize(
    ("name", "more", "settings"),
    [
        ("lookback_rnn", MORE["lookback_rnn"], ()),
        ("lookback_rnn", Waits(copies=9 + 7), LISTENING),  # and of the notes that are kept
        ("note_transformer", MORE["autoregressive"], ()),
    ],
)
def test_a_step_of_notes_on_a_device_is_the_same(
    bands: tuple[Collection, Collection], name: str, more: Waits, settings: tuple[str, ...]
):
    require_trains_on_a_device(DOMAIN, bands[0], name, more=more, settings=settings)


def test_a_step_of_bars_does_not_ask_a_device_how_many_sound(bands: tuple[Collection, Collection]):
    """It computes for the bars and the notes that sound alone, which the processor has counted."""
    require_trains_on_a_device(DOMAIN, bands[0], "latent_musegan", equal=False)


@pytest.mark.slow
@pytest.mark.parametrize("name", HERE)
def test_each_recipe_trains_on_a_device(bands: tuple[Collection, Collection], name: str):
    band, ballads = bands
    other = ballads if DOMAIN.recipe(name).other else None
    more = MORE.get(DOMAIN.aliases.get(name, name), NONE)
    equal = name != "latent_musegan"  # it assigns to rows of bars
    require_trains_on_a_device(DOMAIN, band, name, other, equal=equal, more=more)


@pytest.mark.gpu
@pytest.mark.parametrize("name", HERE)
def test_each_recipe_runs_on_a_gpu(
    bands: tuple[Collection, Collection], name: str, tmp_path: Path
):
    band, ballads = bands
    other = ballads if DOMAIN.recipe(name).other else None
    require_runs_on_a_gpu(DOMAIN, band, name, tmp_path / "run", other)


IN_KEY = Steering(key=Key.parse("A minor"), form="AB")


@pytest.mark.parametrize(
    ("name", "steering"),
    [
        ("lookback_rnn", IN_KEY),
        ("latent_musegan", IN_KEY),
        pytest.param("note_transformer", Steering(), marks=pytest.mark.slow),
    ],
)
def test_shipped_models_compose_the_same_songs_on_a_device(name: str, steering: Steering):
    model = Model.load(name, device="cpu")
    bars = max(1, len(steering.form))
    (here,) = model.sample(bars=bars, seed=3, steering=steering)
    with moved_to_a_device(model):
        (there,) = model.sample(bars=bars, seed=3, steering=steering)
    assert len(here.notes) > 5
    for field in fields(here.notes):
        of_there, of_here = (getattr(song.notes, field.name) for song in (there, here))
        assert of_there.tolist() == of_here.tolist()
