"""Rhythms that are carried to where those of real bars are."""

import pytest
import torch

from core.theory.contracts import require
from core.theory.passes import Networks
from musegen.bar_latents.autoencoder import BarLatents, BarLatentsConfig, sounds
from musegen.bar_latents.build import build_latent
from musegen.bar_latents.prior import LatentPrior
from musegen.bar_latents.transport import align_rhythms, transport
from musegen.roll import Grid
from musegen.tracks import Track

CONFIG = BarLatentsConfig(rhythm=4, notes=6, touch=2, channels=4, width=8, latent=16, hidden=16)
TRACKS = (Track(name="drums", is_drum=True), Track(name="bass"))
GRID = Grid(steps_per_beat=1, beats_per_bar=4, beat_unit=4, lowest_pitch=36, pitches=12)
BARS = 4


def test_the_map_of_axes_stretches_each_and_moves_the_mean():
    """Deviations 1 and 2 about (0, 0) become 3 and 1 about (5, 7): the matrix is diagonal."""
    generated = torch.tensor([[1.0, 2.0], [1.0, -2.0], [-1.0, 2.0], [-1.0, -2.0]])
    real = torch.tensor([[8.0, 8.0], [8.0, 6.0], [2.0, 8.0], [2.0, 6.0]])
    matrix, shift = transport(generated, real)
    torch.testing.assert_close(matrix, torch.tensor([[3.0, 0.0], [0.0, 0.5]]))
    torch.testing.assert_close(shift, torch.tensor([5.0, 7.0]))


def test_carried_rows_have_the_moments_of_the_real_ones_and_the_map_is_no_rotation():
    torch.manual_seed(0)
    generated, real = (torch.randn(200, 5) @ torch.randn(5, 5) + torch.randn(5) for _ in range(2))
    matrix, shift = transport(generated, real)
    carried = generated @ matrix.T + shift
    torch.testing.assert_close(carried.mean(0), real.mean(0), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(carried.T.cov(), real.T.cov(), atol=1e-3, rtol=1e-3)
    torch.testing.assert_close(matrix, matrix.T, atol=1e-4, rtol=1e-4)
    assert torch.linalg.eigvalsh(matrix).min() > 0


def test_equal_sets_stay_where_they_are_also_in_a_plane():
    """Normalised latents sum to 0: their covariance has no inverse."""
    torch.manual_seed(0)
    rows = torch.nn.functional.layer_norm(torch.randn(100, 4), (4,))
    matrix, shift = transport(rows, rows)
    torch.testing.assert_close(rows @ matrix.T + shift, rows, atol=1e-3, rtol=1e-3)


def by_bar(z: torch.Tensor) -> BarLatents:
    return z.unflatten(1, (BARS, len(TRACKS), CONFIG.size))


def moments(z: torch.Tensor, track: int) -> tuple[torch.Tensor, torch.Tensor]:
    bars = by_bar(z)[:, :, track]
    rows = bars[sounds(by_bar(z))[:, :, track]][:, : CONFIG.rhythm]
    return rows.mean(0), rows.T.cov()


@pytest.mark.parametrize("wiring", ["composer", "hybrid"])
def test_generated_rhythms_come_to_the_mean_of_real_ones_and_a_silent_track_stays(wiring: str):
    torch.manual_seed(0)
    config = CONFIG.replace(wiring=wiring)
    networks: Networks = build_latent(config, GRID, TRACKS, BARS)
    elsewhere: Networks = build_latent(config, GRID, TRACKS, BARS)
    with torch.no_grad():
        real = by_bar(elsewhere["prior"](500).rsample())
        real = torch.cat([real[:, :, :1], torch.zeros_like(real[:, :, 1:])], 2).flatten(1)
        prior = require(networks["prior"], LatentPrior)
        before = prior(500).rsample()
        silent = [part.clone() for part in prior.last_of_rhythm(1)]
        align_rhythms(networks, real, pieces=500)
        after = prior(500).rsample()
    gaps = [(moments(z, 0)[0] - moments(real, 0)[0]).norm() for z in (before, after)]
    assert gaps[1] < 0.25 * gaps[0]
    assert all(map(torch.equal, silent, prior.last_of_rhythm(1)))
