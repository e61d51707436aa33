"""Each setting of the networks of clips reaches what it sets."""

from typing import cast

import pytest
import torch

from core.app.fit import configure
from core.networks.generators import ProgressiveGenerator
from videogen.configuration import VideoRun
from videogen.model import DOMAIN
from videogen.networks.build import build
from videogen.networks.config import VideoConfig
from videogen.networks.critic import Critic, PatchCritic
from videogen.networks.gist import Decoder, Encoder
from videogen.networks.text import RecurrentCaptionEncoder, TextConfig
from videogen.recipes import RECIPES
from videogen.shapes.dataset import MovingShapes

TINY = VideoConfig(latent=6, channels=4, critic_channels=4, width=16, text=TextConfig(width=8))
SIZE, FRAMES = 16, 6


def decoder_of(config: VideoConfig) -> Decoder:
    return cast(Decoder, build(config, SIZE, FRAMES, 2, RECIPES["gist"].conditional())["decoder"])


def test_the_spread_of_a_pixel_is_that_of_clip_and_gist():
    """Half the squared error in units of the spread, negated."""
    clip = decoder_of(TINY.model_copy(update={"pixel_std": 0.25}))(
        torch.randn(2, 6), torch.randn(2, 8)
    )
    x = torch.randn(2, 3, FRAMES, SIZE, SIZE)
    expected = -0.5 * ((x - clip.mean) / 0.25).square().sum((1, 2, 3, 4))
    torch.testing.assert_close(clip.log_prob(x), expected)
    expected = -0.5 * ((x[:, :, 0] - clip.gist.mean) / 0.25).square().sum((1, 2, 3))
    torch.testing.assert_close(clip.gist.log_prob(x[:, :, 0]), expected)


@pytest.mark.parametrize(("seen", "times"), [(1, [0]), (2, [0, 5]), (3, [0, 2, 5])])
def test_the_encoder_reads_as_many_frames_as_are_set(seen: int, times: list[int]):
    """Evenly spaced from the first to the last of six; 2.5 is rounded to 2."""
    encoder = Encoder(
        TINY.model_copy(update={"seen_frames": seen}), SIZE, RECIPES["gist"].posterior
    )
    x, c = torch.randn(1, 3, FRAMES, SIZE, SIZE), torch.randn(1, 8)
    before = encoder(x, c).representative
    moved = []
    for frame in range(FRAMES):
        changed = x.clone()
        changed[:, :, frame] += 1
        moved += [frame] * (not torch.equal(encoder(changed, c).representative, before))
    assert moved == times


def test_captions_are_read_by_as_many_layers_as_are_set():
    assert RecurrentCaptionEncoder(TextConfig(width=8, layers=3), words=2).gru.num_layers == 3


def test_captions_change_what_moves_where_there_is_no_gist():
    """The caption's only way into the clip is the code of its motion."""
    decoder = decoder_of(TINY.model_copy(update={"gist": False}))
    z, (one, other) = torch.randn(1, 6), torch.randn(2, 1, 8)
    moves, others = (decoder(z, c).mean.diff(dim=2) for c in (one, other))
    assert (moves - others).abs().max() > 1e-3


def test_captions_change_what_moves_at_times_between_frames_too():
    decoder = decoder_of(TINY)
    gist = torch.randn(1, 3, SIZE, SIZE)
    decoder.gist_image = lambda z, c: gist
    decoder.filter.by_caption = False
    z, (one, other) = torch.randn(1, 6), torch.randn(2, 1, 8)
    moves, others = (
        decoder(z, c, torch.tensor([0.5, 3.5])).mean.diff(dim=2) for c in (one, other)
    )
    assert (moves - others).abs().max() > 1e-3


@pytest.mark.parametrize("frame", [1, 2, 3, 4])
def test_a_clip_moves_on_without_a_jolt_at_each_frame(frame: int):
    """In the middle of a chunk, and between two chunks."""
    decoder, z, c = decoder_of(TINY), torch.randn(4, 6), torch.randn(4, 8)
    times = torch.tensor([frame - 1.0, frame - 1e-4, frame, frame + 1e-4])
    last, before, here, after = decoder(z, c, times).mean.unbind(2)
    step = (here - last).abs().max()
    assert (here - before).abs().max() < 0.01 * step
    assert (after - here).abs().max() < 0.01 * step


def test_a_growing_generator_takes_the_steps_of_a_level_from_its_setting():
    config = TINY.model_copy(update={"blocks": "growing", "level_steps": 7})
    foreground = decoder_of(config).foreground
    assert isinstance(foreground, ProgressiveGenerator) and foreground.level_steps == 7


@pytest.mark.parametrize("critic", [Critic(TINY, 16, 2), PatchCritic(TINY)])
def test_critics_shift_the_clips_of_augmentation(critic: Critic | PatchCritic):
    clips = torch.randn(40, 3, 2, 16, 16)
    augmented = critic.augment(clips)
    still = (augmented == clips).flatten(1).all(1)
    assert 0 < still.sum() < 40
    torch.testing.assert_close(augmented.sum((2, 3, 4)), clips.sum((2, 3, 4)), atol=1e-3, rtol=0)


@pytest.mark.parametrize(("counts", "clauses"), [((1,), 1), ((1, 2), 2)])
def test_each_of_several_shapes_has_a_clause(counts: tuple[int, ...], clauses: int):
    config = configure(DOMAIN, MovingShapes(16, 4, counts), "gist", "tiny")
    assert isinstance(config, VideoRun) and config.model.video.clauses == clauses
