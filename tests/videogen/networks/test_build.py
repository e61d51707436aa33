"""Networks of clips are built for clips of any size and length."""

import pytest
import torch

from core.theory.passes import Batch, Passes
from videogen.networks.build import build
from videogen.networks.config import VideoConfig
from videogen.networks.resampling import Downsampler, Grid
from videogen.networks.text import Captions, TextConfig
from videogen.recipes import RECIPES

TINY = VideoConfig(latent=4, channels=4, critic_channels=4, width=16, text=TextConfig(width=8))
ODD = ["gist_gan", "gist_flow", "cyclegan", "pix2pix", "vae_gan"]


@pytest.mark.parametrize("name", ODD)
@pytest.mark.parametrize(("size", "frames"), [(17, 3), (20, 5), (33, 2), (48, 7)])
def test_every_network_takes_clips_of_any_size_and_length(name: str, size: int, frames: int):
    recipe = RECIPES[name].conditional()
    networks = build(TINY, size, frames, 2, recipe)
    x = torch.rand(2, 3, frames, size, size) * 2 - 1
    c = None if recipe.other else Captions(("red", "blue")).encode(["red", "blue"])
    passes = Passes(networks, Batch(x, c, other=x.flip(0) if recipe.other else None))
    assert all(term(passes).isfinite().all() for term in recipe.terms)
    if not recipe.other:
        assert passes.generation.representative.shape == x.shape


def test_a_game_of_weight_0_still_reads_captions():
    """It is not played, and what it would cost is measured."""
    config = TINY.replace(decoder="path", motion=2)
    weights = {"match_xc_frames": 0.0, "match_xc_clips": 0.0}
    recipe = RECIPES["tfgan_vae"].weighted(weights).conditional()
    networks = build(config, 16, 2, 2, recipe)
    c = Captions(("red", "blue")).encode(["red", "blue"])
    passes = Passes(networks, Batch(torch.rand(2, 3, 2, 16, 16), c))
    assert not recipe.critics
    assert all(term(passes).isfinite().all() for term in recipe.terms)


@pytest.mark.parametrize("size", range(16, 257))
def test_a_grid_is_the_smallest_of_its_doublings_that_holds_the_size(size: int):
    grid = Grid.of(size)
    assert 4 <= grid.coarsest <= 8
    assert grid.side - 2**grid.doublings < size <= grid.side


def test_halving_leads_to_the_coarsest_maps_of_the_grid():
    for size in (16, 17, 23, 31, 33, 48, 63):
        network = Downsampler(3, 4, size)
        assert network(torch.zeros(1, 3, size, size)).shape == (1, network.features)


def test_cropping_undoes_padding_and_keeps_the_middle():
    grid, images = Grid.of(33), torch.rand(1, 3, 33, 33)  # of 40: 3 rows above, 4 below
    padded = grid.pad(images)
    assert padded.shape == (1, 3, 40, 40)
    assert torch.equal(grid.crop(padded), images)
    assert torch.equal(padded[..., 0, 3:36], images[..., 0, :])
    assert torch.equal(padded[..., 39, 3:36], images[..., 32, :])
