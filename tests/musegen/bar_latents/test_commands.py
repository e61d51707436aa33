"""A trained MuseGAN over bar latents: songs of any length, variations along a form."""

from pathlib import Path

import numpy as np
import pytest
import torch

from core.app.latent import LatentPoints
from core.errors import ConfigError
from musegen.bar_latents.form import SILENT, form_of, sources
from musegen.data.collection import Collection
from musegen.data.preparation import PrepareConfig, prepare_band
from musegen.model import Model, train
from musegen.networks.states import to_played
from musegen.roll import Grid
from musegen.steering import Steering

BARS = 4


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Collection:
    folder = tmp_path_factory.mktemp("data") / "band"
    prepare_band(3, folder, PrepareConfig(grid=Grid(steps_per_beat=4), bars=BARS))
    return Collection.open(folder)


@pytest.fixture(scope="module")
def model(data: Collection, tmp_path_factory: pytest.TempPathFactory) -> Model:
    to = tmp_path_factory.mktemp("runs") / "latent"
    train(data, to, "latent_musegan", "tiny", "cpu", ["train.steps=2"])
    return Model.load(to, "cpu")


def bars_of(model: Model, u: torch.Tensor) -> torch.Tensor:
    return u.unflatten(1, (-1, len(model.spec.tracks), model.config.bar_latents.size))


def test_the_batch_brings_notes_with_velocities_and_their_plan(data: Collection, model: Model):
    from core.app.fit import configure
    from musegen.model import DOMAIN

    config = configure(DOMAIN, data, "latent_musegan", "tiny", ["train.batch_size=3"])
    batch = DOMAIN.batches(data, config, torch.device("cpu"))(5)
    cells, velocity = data.played(*data.chosen(5, 3, config.train.seed))
    assert np.array_equal(cells, data.batch(5, 3, config.train.seed))
    assert np.array_equal(velocity > 0, cells == 2)
    assert torch.equal(batch.x, to_played(torch.from_numpy(cells), torch.from_numpy(velocity)))
    assert batch.c is not None and torch.equal(batch.c[:, :2], form_of(batch.x))


def test_the_velocities_of_a_collection_are_those_of_its_notes(data: Collection):
    chosen = data.indices("train")[:3]
    cells, velocity = data.played(chosen)
    for number, notes in enumerate(data.notes(chosen)):
        bar, step = np.divmod(notes.start, data.grid.steps_per_bar)
        found = velocity[number, notes.track, bar, step, notes.pitch]
        assert found.tolist() == notes.velocity.tolist()
        assert (cells[number] == 2).sum() == len(notes)


def test_a_song_can_have_any_number_of_bars(model: Model):
    for bars in (1, BARS, 2 * BARS + 1):
        (roll,) = model.sample(bars=bars, seed=3)
        assert roll.cells.shape[1] == bars
        assert len(set(roll.notes.velocity.tolist())) > 1
    first, same = (model.sample(count=n, bars=6, seed=4)[0].cells for n in (1, 3))
    assert np.array_equal(first, same)


def test_a_song_has_the_form_that_is_given(model: Model):
    assert model.sample(bars=8, seed=2)[0].form == "", "what it learned is of bars, not sections"
    (roll,) = model.sample(bars=8, seed=2, steering=Steering(form="ABAC"))
    first, second, third, last = np.split(roll.cells, 4, axis=1)
    assert roll.form == "ABAC", "which is written as markers"
    assert np.array_equal(first, third)
    assert not np.array_equal(first, second) and not np.array_equal(second, last)
    assert np.array_equal(roll.velocity[:, :2], roll.velocity[:, 4:6])


def test_a_model_without_a_form_says_so(data: Collection, tmp_path: Path):
    train(data, tmp_path / "gan", "gan", "tiny", "cpu", ["train.steps=1"])
    with pytest.raises(ConfigError, match="gan has no form to sample with: leave it out"):
        Model.load(tmp_path / "gan", "cpu").sample(steering=Steering(form="AABA"))


def test_variations_repeat_the_bars_that_the_point_repeats(model: Model):
    point = model.space.draw(1, None, seed=1)
    form = form_of(model.space.decode(point).representative)
    varied = bars_of(model, model.noise(point, 3, seed=2))
    assert torch.equal(varied.square().sum(3)[0] > 0, form[0, 0] != SILENT)
    source = sources(form[:, 0])[0]  # [bar track]
    for track in range(source.shape[1]):
        for bar in range(source.shape[0]):
            origin = source[bar, track]
            assert torch.equal(varied[:, bar, track], varied[:, origin, track])
    assert not torch.equal(varied[0], varied[1])
    (same,) = model.variations(point, 0.0, 1).u
    assert torch.equal(same, point.u[0])


def test_the_users_bars_can_be_encoded_varied_and_interpolated(data: Collection, model: Model):
    cells = data.rolls(data.indices("train")[:2])
    points = model.encode(cells)
    assert model.decode(points).cells.shape == cells.shape
    bars = bars_of(model, points.u)
    sounds = torch.from_numpy((cells > 0).any((3, 4))).transpose(1, 2)
    assert torch.equal(bars.square().sum(3) > 0, sounds)
    middle = LatentPoints((points.u[:1] + points.u[1:]) / 2)
    assert model.decode(middle).cells.shape == (1, *cells.shape[1:])
