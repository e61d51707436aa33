"""Models whose decoder makes no gist: who trains the reading of captions, length, parts kept."""

from pathlib import Path

import pytest
import torch
from command import run

from core.app.fit import configure
from core.errors import ConfigError, UserError
from core.training.step import TrainState, critic_step, learner_step
from videogen.model import DOMAIN, Model, train
from videogen.networks.text_filters import FilterCritic
from videogen.shapes.dataset import MovingShapes

SHAPES = MovingShapes(16, 4)
CAPTION = "A small red circle is moving in a zigzag path towards north"


def trained(folder: Path, name: str, *assignments: str) -> Model:
    assignments = ("train.steps=1", "train.batch_size=2", *assignments)
    return train(SHAPES, folder, name, "tiny", "cpu", assignments)


@pytest.fixture(scope="module")
def tfgan(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return trained(tmp_path_factory.mktemp("runs") / "tfgan", "tfgan")


@pytest.fixture(scope="module")
def mocogan(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return trained(tmp_path_factory.mktemp("runs") / "mocogan", "mocogan")


def test_the_critics_of_tfgan_train_the_reading_and_the_generator_takes_it():
    """Content is read by the critic of frames, motion by that of clips."""
    config = configure(DOMAIN, SHAPES, "tfgan", "tiny", ["train.batch_size=3"])
    torch.manual_seed(0)
    networks = DOMAIN.networks(config)
    recipe = config.model.resolved_recipe
    assert all("condition" not in term.trains for term in recipe.terms)
    frames, clips = networks["critic_frames"], networks["critic_clips"]
    assert isinstance(frames, FilterCritic) and isinstance(clips, FilterCritic)
    assert networks["condition"].content is frames.caption
    assert networks["condition"].motion is clips.caption
    state = TrainState(networks, recipe, config.train.learner, config.train.critic)
    batch = DOMAIN.batches(SHAPES, config, torch.device("cpu"))(0)
    tokens = batch.c
    before = networks["condition"](tokens).detach().clone()
    learner_step(state, batch)
    assert torch.equal(networks["condition"](tokens), before)
    critic_step(state, batch)
    after = networks["condition"](tokens)
    assert not torch.allclose(after[:, :16], before[:, :16])
    assert not torch.allclose(after[:, 16:], before[:, 16:])


def test_a_vae_of_paths_reads_captions_itself():
    config = configure(DOMAIN, SHAPES, "tfgan_vae", "tiny", [])
    networks = DOMAIN.networks(config)
    assert networks["condition"].content is not networks["critic_frames"].caption
    terms = config.model.resolved_recipe.terms
    assert all("condition" in term.trains for term in terms)


def test_a_path_is_of_any_length_and_begins_as_the_shorter_one(tfgan: Model):
    short = tfgan.clips([CAPTION], seed=1)
    long = tfgan.clips([CAPTION], seed=1, frames=11)
    assert long.shape == (1, 3, 11, 16, 16)
    torch.testing.assert_close(long[:, :, :4], short)
    assert not torch.allclose(long[:, :, 4], long[:, :, 8])
    dense = tfgan.clips([CAPTION], seed=1, frames_per_second=2 * tfgan.spec.frames_per_second)
    assert dense.shape[2] == 8
    torch.testing.assert_close(dense[:, :, [0, -1]], short[:, :, [0, -1]])


def test_one_part_of_the_latents_stays(mocogan: Model):
    point = mocogan.space.draw(1, None, seed=3)
    for part, stays in (("content", slice(None, 8)), ("motion", slice(8, None))):
        varied = mocogan.variations(point, 1.0, 2, seed=5, keep=part).u
        same = varied == point.u
        assert same[:, stays].all()
        assert same.sum() == same[:, stays].numel()
    with pytest.raises(ConfigError, match="cannot keep 'gist': it has content and motion"):
        mocogan.variations(point, 1.0, 2, keep="gist")


def test_the_command_keeps_a_part_that_the_model_names(tmp_path: Path):
    folder = tmp_path / "mocogan"
    trained(folder, "mocogan")
    vary = ["video", "vary", folder, "a dog", "--to", tmp_path / "clips", "--count", 2]
    code, out, err = run(*vary, "--keep", "motion", "--strength", 1)
    assert code == 0, err
    assert "reads no captions" in err
    assert len(out.split()) >= 3  # two clips and the picture of all
    code, _, err = run(*vary, "--keep", "colour")
    assert code == 2
    assert "it has content and motion" in err


def test_a_model_without_captions_makes_the_same_clip_for_any(mocogan: Model):
    one, other = (mocogan.clips([caption], seed=2) for caption in (CAPTION, "a dog"))
    assert torch.equal(one, other)
    assert mocogan.conditioning([CAPTION]) is None
    assert all(term.space == "x" for term in mocogan.config.resolved_recipe.critics)


def test_the_command_takes_no_captions_for_a_model_without(tmp_path: Path):
    folder = tmp_path / "mocogan"
    trained(folder, "mocogan")
    sample = ["video", "sample", folder, "--to", tmp_path / "clips", "--format", "gif"]
    code, out, err = run(*sample, "--count", 2)
    assert (code, err) == (0, "")
    assert {Path(line).stem for line in out.split()} == {
        "mocogan-seed0-clip",
        "mocogan-seed1-clip",
    }
    code, _, err = run(*sample, "a dog runs")
    assert code == 1
    assert "leave them out, --count says how many clips" in err


def test_a_vgan_without_captions_has_layers_and_begins_with_a_picture(tmp_path: Path):
    """Each of two pictures is nearer to the first frame of the clip that starts with it."""
    model = trained(tmp_path / "vgan", "vgan", "model.video.captions=false")
    assert set(model.parts([CAPTION])) == {"background", "mask", "foreground"}
    own = model.clips([CAPTION] * 6, seed=1)[:, :, 0]
    pictures = own[0], own[1:][(own[1:] - own[0]).square().sum((1, 2, 3)).argmax()]
    starts = [model.clips([CAPTION], seed=3, start=one)[0, :, 0] for one in pictures]
    apart = [[(start - one).square().sum().item() for one in pictures] for start in starts]
    assert apart[0][0] < apart[0][1] and apart[1][1] < apart[1][0]


def test_codes_of_moments_have_no_clock(tmp_path: Path):
    model = trained(tmp_path / "run", "latent_tfgan")
    with pytest.raises(UserError, match="has no clock"):
        model.clips([CAPTION], frames=9)


def test_a_gist_needs_captions_and_a_path_has_no_layers(tfgan: Model, tmp_path: Path):
    with pytest.raises(UserError, match="choose decoder path or streams"):
        trained(tmp_path / "gist", "gist", "model.video.captions=false")
    with pytest.raises(UserError, match="has no parts"):
        tfgan.parts([CAPTION])
