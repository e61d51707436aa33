"""The critic of bar latents."""

import pytest
import torch

from core.theory.contracts import Critic, StatisticsCounter
from musegen.bar_latents.autoencoder import BarLatentsConfig
from musegen.bar_latents.critic import BarLatentCritic, _nearness
from musegen.bar_latents.outline import PARTS
from musegen.roll import Grid
from musegen.tracks import Track

CONFIG = BarLatentsConfig(rhythm=4, notes=6, touch=2, latent=8, hidden=16)
TRACKS = [Track(name="drums", is_drum=True), Track(name="bass"), Track(name="piano")]
GRID = Grid(steps_per_beat=1, pitches=24)


def critic(bars: int = 8) -> BarLatentCritic:
    torch.manual_seed(1)
    return BarLatentCritic(CONFIG, TRACKS, GRID, bars)


def point(bars: int = 8) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(2)
    z = torch.randn(2, bars * 3 * CONFIG.size, generator=generator)
    return z, torch.rand(
        2, bars, 3, GRID.steps_per_bar + PARTS * GRID.pitches, generator=generator
    )


def test_it_fulfils_the_contracts():
    assert isinstance(critic(), Critic) and isinstance(critic(), StatisticsCounter)


@pytest.mark.parametrize(("bars", "scales"), [(1, 1), (4, 3), (8, 4), (16, 5), (5, 4)])
def test_every_scale_has_as_many_scores(bars, scales):
    assert critic(bars)(*point(bars)).shape == (2, bars * scales)


def test_bars_are_compared_with_those_1_2_and_4_ago():
    """Bar 5 is bar 1: nearness 1 at lag 4, below 1 elsewhere; nothing before the beginning."""
    z, _ = point()
    bars = z.unflatten(1, (8, 3, -1)).clone()
    bars[:, 5] = bars[:, 1]
    near = _nearness(bars, 4)
    assert torch.allclose(near[:, 5], torch.ones(()))
    assert near[:, [4, 6, 7]].max() < 0.5
    assert not near[:, :4].any()


def test_a_transposition_of_all_melodic_tracks_keeps_the_harmony():
    one = critic()
    chroma = torch.rand(2, 8, 3, PARTS, 12)
    before = one._harmony(chroma)
    moved = torch.cat([chroma[:, :, :1], chroma[:, :, 1:].roll(3, -1)], 2)
    for a, b in zip(before, one._harmony(moved), strict=True):
        assert torch.allclose(a, b, atol=1e-6)
    bass_alone = torch.cat([chroma[:, :, :2], chroma[:, :, 2:].roll(3, -1)], 2)
    assert not torch.allclose(before[0], one._harmony(bass_alone)[0], atol=1e-3)
