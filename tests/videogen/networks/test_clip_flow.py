"""A flow over clips: conditioned on the caption, in bits of 8-bit pixels."""

import math

import pytest
import torch

from core.theory.passes import Batch, Passes
from core.training.optimisation import Optimisation
from core.training.step import TrainState, step
from videogen.files.clip import to_clips, to_frames
from videogen.networks.build import build
from videogen.networks.config import VideoConfig
from videogen.networks.text import Captions, TextConfig
from videogen.recipes import RECIPES

WORDS = ("blue", "red")
CONFIG = VideoConfig(latent=8, channels=4, critic_channels=4, width=16, text=TextConfig(width=6))
RECIPE = RECIPES["realnvp"].conditional()
TOKENS = Captions(WORDS).encode(["red", "blue"] * 8)


def networks():
    torch.manual_seed(0)
    return build(CONFIG, 16, 2, len(WORDS), RECIPE)


def coloured(number: int) -> Batch:
    """Clips of one colour, which the caption names, with a little noise."""
    generator = torch.Generator().manual_seed(number)
    frames = torch.randint(40, (16, 2, 16, 16, 3), generator=generator)
    frames[0::2, ..., 0] += 200  # red
    frames[1::2, ..., 2] += 200  # blue
    return Batch(to_clips(frames.byte().numpy()), TOKENS)


def test_likelihood_and_samples_follow_the_caption():
    """Clips cost more with another caption, and samples have the colour that theirs names."""
    rate = Optimisation(learning_rate=1e-2)
    state = TrainState(networks(), RECIPE, rate, rate, ema_decay=0.0)
    before = state.networks["condition"].get_parameter("word.weight").detach().clone()
    facts = {}
    for number in range(25):
        facts = step(state, coloured, number, seed=0)
    built = state.networks.eval()
    assert not torch.equal(before, built["condition"].get_parameter("word.weight"))
    bits = facts["density_bits_per_dimension"] * 3 * 2 * 16 * 16
    assert bits * math.log(2) == pytest.approx(facts["match_x"], rel=1e-4)
    right = coloured(99)
    with torch.no_grad():
        said = -Passes(built, right).density.log_prob(right.x)
        wrong = Batch(right.x, TOKENS.flip(0))
        unsaid = -Passes(built, wrong).density.log_prob(right.x)
        clips = Passes(built, right).density.rsample()
    assert (unsaid - said).mean() > 50
    red, _, blue = clips.mean((2, 3, 4)).unbind(1)
    redder = red - blue
    assert redder[0::2].mean() > redder[1::2].mean() + 0.5


def test_samples_are_8_bit_clips():
    built = networks().eval()
    clips = built["density"](3, torch.zeros(3, 6)).rsample()
    assert clips.shape == (3, 3, 2, 16, 16)
    torch.testing.assert_close(to_clips(to_frames(clips)), clips, atol=1e-5, rtol=0)
