"""Training clips are changed as their captions allow, by numbers of the seed and the batch."""

from pathlib import Path

import numpy as np
import pytest
import torch
from films import greys

from core.app.fit import configure
from core.theory.contracts import require
from core.training.step import Scheduled
from videogen.data.augmentation import Augmentation, colour, crop, flip, times
from videogen.data.collection import Collection
from videogen.data.preparation import prepare
from videogen.data.records import PrepareConfig
from videogen.files.clip import to_clips, write_gif
from videogen.model import DOMAIN

CAPTIONS = ["a dog runs", "a red dog runs left", "a small dog runs slowly"]


def test_a_flip_a_crop_and_a_colour_by_hand():
    frames = np.arange(24, dtype=np.uint8).reshape(1, 2, 4, 3)
    assert flip(frames)[0, :, :, 0].tolist() == [[9, 6, 3, 0], [21, 18, 15, 12]]
    line = np.array([0, 40, 80, 120], np.uint8)[None, None, :, None].repeat(3, 3).repeat(4, 1)
    # half of the side, from 1 on: pixels at 0.75, 1.25, 1.75 and 2.25
    assert crop(line, 0.5, 0, 0.5)[0, 0, :, 0].tolist() == [30, 50, 70, 90]
    assert crop(line, 0.5, 1, 0)[0, 0, :, 0].tolist() == [0, 10, 30, 50]
    assert (crop(line, 0, 0.3, 0.9) == line).all()
    pixel = np.array([[[[200, 100, 100]]]], np.uint8)  # its grey is 129.9
    assert colour(pixel, 0, 0, -1).tolist() == [[[[130] * 3]]]
    assert colour(pixel, 0.1, 0, 0).tolist() == [[[[207, 97, 97]]]]
    assert colour(pixel, 0, 0.1, 0).tolist() == [[[[226, 126, 126]]]]


def test_a_speed_keeps_to_the_frames_that_are_there():
    generator = np.random.default_rng(0)
    assert times(4, 4, (0, 8), 0, generator).tolist() == [4, 5, 6, 7]
    for _ in range(50):
        chosen = times(4, 4, (2, 8), 1, generator)
        assert chosen.min() >= 2 and chosen.max() <= 7 and (np.diff(chosen) >= 0).all()
    spans = {int(np.ptp(times(0, 4, (0, 90), 1, generator))) for _ in range(99)}
    assert spans == {2, 3, 4, 5, 6}, "from half to twice as fast"


def test_a_caption_allows_what_it_does_not_speak_of():
    every = Augmentation(flip="always", crop=0.1, speed=0.1, colour=0.1)
    allowed = {name: of.tolist() for name, of in every.allowed(CAPTIONS).items()}
    assert allowed == {
        "flip": [True, False, True],
        "crop": [True, True, False],
        "speed": [True, True, False],
        "colour": [True, False, True],
    }
    auto = Augmentation()
    assert not any(of.any() for of in auto.allowed(CAPTIONS).values())
    assert auto.allowed(CAPTIONS[::2])["flip"].all()
    assert not Augmentation(flip="never").allowed(CAPTIONS[::2])["flip"].any()


@pytest.fixture
def data(tmp_path: Path) -> Collection:
    """Two films of a bright left half, that become brighter; their second halves are held out."""
    for name, level in (("a dog runs", 60), ("a cat sits", 160)):
        frames = greys(*range(level, level + 64, 4), height=16, width=16)
        frames[:, :, 8:] = 0
        write_gif(frames, tmp_path / f"{name}.gif", 8)
    config = PrepareConfig(size=16, frames=4, hold_out="windows", test_share=0.5)
    prepare([str(tmp_path)], tmp_path / "data", config, jobs=0)
    return Collection.open(tmp_path / "data")


def test_a_batch_is_changed_by_its_number_and_its_seed(data: Collection):
    every = Augmentation(crop=0.3, speed=0.5, colour=0.2)
    plain, captions = data.batch(3, 32, seed=1)
    changed, same = data.batch(3, 32, 1, "train", every)
    assert captions == same and not (changed == plain).all()
    repeated = Collection.open(data.store.folder).batch(3, 32, 1, "train", every)
    assert (repeated[0] == changed).all() and repeated[1] == same
    assert not (data.batch(4, 32, 1, "train", every)[0] == changed).all()
    test, _ = data.batch(3, 32, 1, "test")
    assert (data.batch(3, 32, 1, "test", every)[0] == test).all(), "what is held out stays"
    never = Augmentation(flip="never")
    assert (data.batch(3, 32, 1, "train", never)[0] == plain).all()


def test_half_of_the_clips_are_mirrored_where_no_caption_names_a_direction(data: Collection):
    plain, _ = data.batch(3, 64, seed=1)
    flipped, _ = data.batch(3, 64, 1, "train", Augmentation())
    mirrored = (flipped == plain[:, :, :, ::-1]).all((1, 2, 3, 4))
    assert ((flipped == plain).all((1, 2, 3, 4)) != mirrored).all()
    assert 20 < mirrored.sum() < 44


def test_a_speed_never_shows_what_is_held_out(data: Collection):
    test = data.frames_of(data.indices("test"))[..., 0].max((2, 3))
    fast = Augmentation(flip="never", speed=1)
    shown = np.concatenate([data.batch(n, 32, 1, "train", fast)[0] for n in range(4)])
    levels = set(shown[..., 0].max((2, 3)).ravel().tolist())
    assert len(levels) > 8 and not levels & set(test.ravel().tolist())
    steps = np.diff(shown[..., 0].max((2, 3)).astype(int), axis=1).sum(1)
    assert len(set(steps.tolist())) > 3, "some are faster, some slower"


def test_a_speed_keeps_off_frames_that_another_excerpt_holds_out(tmp_path: Path):
    """Two excerpts of one film: what is held out lies in the middle of the second."""
    write_gif(greys(*range(60, 172, 4), height=16, width=16), tmp_path / "film.gif", 8)
    rows = "path,caption,start,end\nfilm.gif,a dog eats,0,2.5\nfilm.gif,a dog drinks,1,3.5\n"
    (tmp_path / "clips.csv").write_text(rows)
    config = PrepareConfig(size=16, frames=4, hold_out="windows", test_share=0.1)
    prepare([str(tmp_path / "clips.csv")], tmp_path / "data", config, jobs=0)
    data = Collection.open(tmp_path / "data")
    test = data.frames_of(data.indices("test"))
    fast = Augmentation(flip="never", speed=1)
    shown = np.concatenate([data.batch(n, 32, 1, "train", fast)[0] for n in range(8)])
    assert not np.isin(shown[..., 0], test[..., 0]).any()
    steps = np.diff(shown[..., 0].max((2, 3)).astype(int), axis=1).sum(1)
    assert len(set(steps.tolist())) > 3, "some are faster, some slower"


def test_a_run_trains_on_changed_clips(data: Collection):
    config = configure(DOMAIN, data, "gist", "tiny", ["augment.colour=0.3"])
    size, seed = config.train.batch_size, config.train.seed
    batch = DOMAIN.batches(data, config, torch.device("cpu"))(5)
    expected, _ = data.batch(5, size, seed, "train", Augmentation(colour=0.3))
    assert torch.equal(batch.x, to_clips(expected))


def test_training_ends_with_clips_as_they_are(data: Collection):
    changes = ["augment.colour=0.3", "augment.crop=0.2", "augment.speed=0.2", "augment.until=0.7"]
    config = configure(DOMAIN, data, "gist", "tiny", changes)
    batches = require(DOMAIN.batches(data, config, torch.device("cpu")), Scheduled)
    size, seed = config.train.batch_size, config.train.seed
    changed, mirrored = (
        to_clips(data.batch(5, size, seed, "train", one)[0])
        for one in (Augmentation(crop=0.2, speed=0.2, colour=0.3), Augmentation())
    )
    assert not torch.equal(changed, mirrored)
    assert torch.equal(batches.at(0.69)(5).x, changed)
    assert torch.equal(batches.at(0.7)(5).x, mirrored)
    assert Augmentation(flip="never", crop=0.2).at(1.0).flip == "never"
