"""Every recipe in the domain of video, through the API that a user has."""

from pathlib import Path

import numpy as np
import pytest
import torch
from films import corners

from core.app.fit import configure
from core.errors import ConfigError, UserError
from core.theory.adversarial import Adversarial
from core.training.run import Run, export
from videogen.configuration import DataSpec, VideoModel
from videogen.data.collection import Collection
from videogen.data.preparation import prepare
from videogen.data.records import PrepareConfig
from videogen.files.clip import to_clips, write_mp4
from videogen.files.frame import View
from videogen.files.reading import read_frames
from videogen.model import DOMAIN, Model, train
from videogen.networks.text import Captions
from videogen.recipes import RECIPES
from videogen.shapes.dataset import MovingShapes
from videogen.shapes.grammar import split_of

SHAPES = MovingShapes(size=16, frames=4)
CAPTION = "A small red circle is moving in a zigzag path towards north"


OTHERS = MovingShapes(size=16, frames=4, showing="blue")


def tiny(folder, model="gist", steps=2, *assignments, other=None):
    settings = [f"train.steps={steps}", "train.sample_every_steps=2", "train.batch_size=2"]
    return train(SHAPES, folder, model, "tiny", "cpu", [*settings, *assignments], other)


@pytest.fixture(scope="module")
def gist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two steps, which no test changes."""
    folder = tmp_path_factory.mktemp("runs") / "gist"
    tiny(folder)
    return folder


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_trains_and_samples(tmp_path, name):
    if RECIPES[name].needs - DOMAIN.offers:
        with pytest.raises(ConfigError, match=f"{name} needs what video lacks"):
            tiny(tmp_path / "run", name)
        return
    tiny(tmp_path / "run", name, other=OTHERS if RECIPES[name].other else None)
    model = Model.load(tmp_path / "run", device="cpu")
    assert (tmp_path / "run/samples/step-00000002.png").stat().st_size > 1000
    if not model.draws:
        with pytest.raises(UserError, match=r"has no prior|translates|no latent space"):
            model.clips([CAPTION])
        frames, captions = OTHERS.batch(0, 3, seed=1)
        assert model.transform(to_clips(frames), captions).shape == (3, 3, 4, 16, 16)
        return
    clips = model.clips([CAPTION, "A dog"], seed=1)
    assert clips.shape == (2, 3, 4, 16, 16)
    assert clips.abs().max() <= 1


def test_a_translation_needs_a_second_collection_of_the_same_size(tmp_path):
    with pytest.raises(ConfigError, match="give the second by --other"):
        tiny(tmp_path / "run", "cyclegan")
    with pytest.raises(ConfigError, match="gist learns from one collection"):
        tiny(tmp_path / "run", "gist", other=OTHERS)
    with pytest.raises(UserError, match="other sizes or frames"):
        tiny(tmp_path / "run", "cyclegan", other=MovingShapes(32, 4))


@pytest.mark.parametrize(
    "ablation",
    [
        ["model.video.gist=false", "model.mismatched=false"],
        ["model.video.gist=false"],
        ["model.video.text_filter=false"],
    ],
    ids=["DT2V", "PT2V", "GT2V"],
)
def test_every_ablation_of_the_paper_trains(tmp_path, ablation):
    model = tiny(tmp_path / "run", "text_to_video", 2, *ablation)
    assert ("gist" in model.parts([CAPTION])) == ("model.video.gist=false" not in ablation)


@pytest.mark.parametrize(
    ("name", "shown"),
    [("cgan", False), ("pix2pix", False), ("gan_cls", True), ("text_to_video", True)],
)
def test_a_critic_sees_wrong_captions_where_its_paper_says_so(name, shown):
    for setting in (True, False):
        recipe = VideoModel(recipe=name, mismatched=setting).resolved_recipe
        (by,) = [term.by for term in recipe.critics]
        assert isinstance(by, Adversarial)
        assert by.mismatched == (shown and setting)


def test_the_same_seed_makes_the_same_clips(gist):
    model = Model.load(gist, "cpu")
    first, repeated, other = (model.clips([CAPTION] * 3, seed=seed) for seed in (4, 4, 5))
    assert torch.equal(first, repeated)
    assert not torch.equal(first, other)
    assert not torch.equal(first[0], first[1])
    torch.testing.assert_close(model.parts([CAPTION] * 3, seed=4)["mask"].shape[0], 3)


@pytest.mark.parametrize(
    "name", ["gist", "tfgan", "realnvp", pytest.param("glow", marks=pytest.mark.slow)]
)
def test_a_resumed_run_is_bit_equal(tmp_path, name):
    whole = tiny(tmp_path / "whole", name, steps=4)
    tiny(tmp_path / "parts", name, steps=2)
    parts = tiny(tmp_path / "parts", name, steps=4)
    for key, value in whole.networks.state_dict().items():
        assert torch.equal(value, parts.networks.state_dict()[key]), key


def test_a_critic_of_patches_with_a_pool_resumes_bit_equal(tmp_path):
    """The pool holds pairs of a clip and its caption."""
    pooled = "model.stabilisers.pool=5"
    whole = tiny(tmp_path / "whole", "pix2pix", 4, pooled)
    tiny(tmp_path / "parts", "pix2pix", 2, pooled)
    parts = tiny(tmp_path / "parts", "pix2pix", 4, pooled)
    for key, value in whole.networks.state_dict().items():
        assert torch.equal(value, parts.networks.state_dict()[key]), key


@pytest.mark.slow
def test_a_growing_generator_resumes_bit_equal(tmp_path):
    growing = ["model.video.blocks=growing", "model.video.level_steps=2"]
    whole = tiny(tmp_path / "whole", "cgan", 4, *growing)
    foreground = whole.networks["decoder"].get_submodule("foreground")
    assert foreground.get_buffer("stage") == 1.5  # in the fourth step
    tiny(tmp_path / "parts", "cgan", 2, *growing)
    parts = tiny(tmp_path / "parts", "cgan", 4, *growing)
    for key, value in whole.networks.state_dict().items():
        assert torch.equal(value, parts.networks.state_dict()[key]), key


def test_a_run_is_bound_to_its_data(gist):
    with pytest.raises(ConfigError, match="was started with another collection"):
        train(MovingShapes(16, 4, counts=(2,)), gist, "gist", "tiny", "cpu")


def test_a_run_of_an_earlier_version_goes_on(tmp_path):
    """Its configuration lacks a setting that has come since."""
    tiny(tmp_path / "run", steps=1)
    path = tmp_path / "run" / "config.yaml"
    stored = path.read_text()
    path.write_text(stored.replace("wrong_captions: false\n", ""))
    assert path.read_text() != stored
    tiny(tmp_path / "run", steps=2)
    assert "wrong_captions: false" in path.read_text()


def test_exported_weights_are_those_of_the_run(tmp_path):
    run = tiny(tmp_path / "run")
    shared = Model.load(export(Run.read(tmp_path / "run"), tmp_path / "weights"), "cpu")
    for key, value in shared.networks.state_dict().items():
        torch.testing.assert_close(value, run.networks.state_dict()[key], rtol=1e-3, atol=1e-6)
    assert shared.spec == run.spec


def test_networks_are_those_the_recipe_names():
    config = configure(DOMAIN, SHAPES, "text_to_video", "tiny")
    built = DOMAIN.networks(config)
    assert set(built) == {"condition", *RECIPES["text_to_video"].networks}
    trained = {name for term in config.model.resolved_recipe.terms for name in term.trains}
    assert {"condition", "prior", "encoder", "decoder"} == trained


def test_films_are_framed_as_those_of_the_training(tmp_path):
    write_mp4(corners(32, 64, 4), tmp_path / "x.mp4", 8)
    framing = {"fit": "fit", "background": "#ff00ff"}
    config = PrepareConfig.model_validate({"size": 16, "frames": 4, **framing})
    prepare([str(tmp_path / "x.mp4")], tmp_path / "data", config, jobs=0)
    data = Collection.open(tmp_path / "data")
    spec = DataSpec.model_validate(DOMAIN.spec_of(data))
    stored = data.frames_of(np.array([0]))[0]
    assert stored[0, 0, 0].tolist() == [255, 0, 255], "a bar"
    assert np.array_equal(read_frames(tmp_path / "x.mp4", spec.view), stored)
    assert DataSpec.model_validate(DOMAIN.spec_of(SHAPES)).view == View(size=16)


def test_a_collection_is_trained_on_by_its_folder(tmp_path):
    write_mp4(corners(32, 64, 4), tmp_path / "x.mp4", 8)
    config = PrepareConfig.model_validate({"size": 16, "frames": 4})
    prepare([str(tmp_path / "x.mp4")], tmp_path / "data", config, jobs=0)
    settings = ["train.steps=1", "train.batch_size=1"]
    trained = [
        train(data, tmp_path / name, "ae", "tiny", "cpu", settings)
        for name, data in (
            ("opened", Collection.open(tmp_path / "data")),
            ("named", str(tmp_path / "data")),
        )
    ]
    first, second = (next(iter(one.networks["decoder"].parameters())) for one in trained)
    assert torch.equal(first, second)


def test_a_clip_is_the_same_alone_or_among_others(gist):
    model = Model.load(gist, "cpu")
    torch.manual_seed(11)
    before = torch.random.get_rng_state()
    captions = [CAPTION, "a dog", "a cat", *[CAPTION] * 9]
    many = model.clips(captions, seed=4)
    for count in (1, 2, 9):
        assert torch.equal(model.clips(captions[:count], seed=4), many[:count])
    assert torch.equal(torch.random.get_rng_state(), before)


@pytest.mark.parametrize("captions", ["a dog", [], ()])
def test_captions_are_a_list_of_sentences(gist, captions):
    with pytest.raises(ConfigError, match="list of sentences"):
        Model.load(gist, "cpu").clips(captions)


@pytest.mark.parametrize("wrong", [False, True])
def test_a_run_with_wrong_captions_is_shown_its_neighbours_captions(wrong: bool):
    """Clip k of the batch has caption k, or caption k + 1; the last one has the first's."""
    config = configure(DOMAIN, SHAPES, "gist", "tiny", [f"wrong_captions={wrong}"])
    size, seed = config.train.batch_size, config.train.seed
    frames, captions = SHAPES.batch(3, size, seed)
    batch = DOMAIN.batches(SHAPES, config, torch.device("cpu"))(3)
    expected = [captions[(k + wrong) % size] for k in range(size)]
    assert expected != captions or not wrong
    assert batch.c is not None
    assert torch.equal(batch.c, Captions(config.spec.words).encode(expected))
    assert torch.equal(batch.x, to_clips(frames))


def test_a_translation_trains_on_clips_of_both_collections_and_no_captions():
    config = configure(DOMAIN, SHAPES, "cyclegan", "tiny", other=OTHERS)
    size, seed = config.train.batch_size, config.train.seed
    batch = DOMAIN.batches(SHAPES, config, torch.device("cpu"), OTHERS)(3)
    assert torch.equal(batch.x, to_clips(SHAPES.batch(3, size, seed)[0]))
    assert batch.other is not None
    assert torch.equal(batch.other, to_clips(OTHERS.batch(3, size, seed)[0]))
    assert batch.c is None


def test_samples_while_training_are_of_held_out_captions_and_of_seen_ones():
    captions = DOMAIN.examples(MovingShapes(16, 4), 5, seed=0).conditions
    assert captions is not None
    assert [split_of(caption) for caption in captions] == ["test", "train"] * 2 + ["test"]
    of_one = DOMAIN.examples(MovingShapes(16, 4), 1, seed=0)
    assert list(of_one.conditions or ()) == [captions[0]] and len(of_one.items) == 1
