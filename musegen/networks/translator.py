"""The translator of phrases between two collections, for CycleGAN."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from core.theory.distributions import Bernoulli, Delta
from musegen.networks.bar_generators import GIVEN_CHANNELS, BarGenerators, MuseGANConfig
from musegen.networks.states import CellValues, Given, HeldNotes, States
from musegen.networks.track_encoder import TrackEncoder
from musegen.roll import Grid
from musegen.tracks import Track

COPY_LOGIT = 1.0
"""Weight of the input in the logits: the neurons tend to repeat it."""


class Translator(nn.Module):
    """Phrases of one collection -> the same phrases in the style of another.

    The players' bar generators are conditioned on the input phrase at every level. Their logits
    are added to logits that repeat the input, and are 0 before training, so that an untrained
    translator copies note for note. Neurons are deterministic and without gates: a translation is
    not random, and a note can start wherever the critic rewards one.
    """

    sustained: Tensor

    def __init__(self, config: MuseGANConfig, grid: Grid, tracks: Sequence[Track]):
        super().__init__()
        channels = 4 * GIVEN_CHANNELS
        self.players = 1 if config.wiring == "composer" else len(tracks)
        self.encoder = TrackEncoder(grid, len(tracks), channels)
        self.latents = nn.Linear(channels, self.players * config.latent)
        tracks_per_player = len(tracks) // self.players
        self.generators = BarGenerators(
            self.players, tracks_per_player, grid, config, channels
        ).zero_outputs()
        held = torch.tensor([not track.is_drum for track in tracks])
        self.register_buffer("sustained", held.float(), persistent=False)

    def forward(self, x: States, c: Given | None = None) -> Delta:
        maps = self.encoder(x)
        bars = self.latents(maps[0][0]).unflatten(0, (len(x), -1))  # [batch bar player*latent]
        z = bars.unflatten(2, (self.players, -1)).transpose(1, 2)  # [batch player bar latent]
        plays, uses, cells = self.generators(z, maps)
        onset, hold = cells.unbind(2)
        onset = onset + plays[..., None, None] + uses[..., None, :]
        input_sounding, input_onset = x.unbind(2)
        notes = HeldNotes(
            _repeat(onset, input_onset), _repeat(hold, input_sounding), self.sustained
        )
        return Delta(notes.rsample())


def _repeat(logits: CellValues, x: CellValues) -> Bernoulli:
    """Build deterministic neurons that repeat the binary x unless the logits outweigh it."""
    return Bernoulli(logits + COPY_LOGIT * (2 * x - 1), "deterministic")
