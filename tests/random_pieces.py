"""Random pieces of a small band, and sizes of networks of their bars."""

import torch

from musegen.bar_latents.autoencoder import BarLatents, BarLatentsConfig
from musegen.networks.states import States
from musegen.roll import Grid
from musegen.tracks import Track

CONFIG = BarLatentsConfig(rhythm=4, notes=6, touch=3, channels=16, width=32, latent=8, hidden=16)
GRID = Grid(steps_per_beat=1, pitches=12)
TRACKS = [Track(name="drums", is_drum=True), Track(name="bass"), Track(name="piano")]
SIZES = CONFIG.parts


def random_piece(batch: int, bars: int, seed: int = 0) -> States:
    """Return legal random notes of one step, some bars silent."""
    generator = torch.Generator().manual_seed(seed)
    shape = (batch, len(TRACKS), bars, GRID.steps_per_bar, GRID.pitches)
    onset = (torch.rand(shape, generator=generator) < 0.15).float()
    onset[:, :, 1] = 0
    loud = torch.randint(1, 128, shape, generator=generator) / 127 * onset
    return torch.stack([onset, onset, loud], 2)


def bars_of(z: torch.Tensor) -> BarLatents:
    """Return the latents of each track's bar."""
    return z.unflatten(1, (-1, len(TRACKS), CONFIG.size))
