"""The translator of phrases, for CycleGAN."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from core.theory.distributions import Bernoulli, Delta
from musegen.networks.bar_generators import (
    GIVEN_CHANNELS,
    BarGenerators,
    MuseGANConfig,
    TrackEncoder,
)
from musegen.networks.states import Given, HeldNotes, Notes, States
from musegen.roll import Grid
from musegen.tracks import Track

KEPT = 1.0
"""How much a translation leans to what it hears: a logit."""


class Translator(nn.Module):
    """Phrases of one collection -> the same in the manner of another, for CycleGAN.

    The players' bar generators hear the phrase at every level. What they say moves the neurons of
    the phrase that is heard, so that before training it is played again, note for note. Neurons
    are deterministic and without gates: a translation draws nothing, and a note can begin
    wherever a critic asks for one.
    """

    sustained: Tensor

    def __init__(self, config: MuseGANConfig, grid: Grid, tracks: Sequence[Track]):
        super().__init__()
        channels = 4 * GIVEN_CHANNELS
        self.players = 1 if config.wiring == "composer" else len(tracks)
        self.read = TrackEncoder(grid, len(tracks), channels)
        self.tell = nn.Linear(channels, self.players * config.latent)
        shares = len(tracks) // self.players
        self.generators = BarGenerators(
            self.players, shares, grid, config, channels
        ).begin_silent()
        held = torch.tensor([not track.is_drum for track in tracks])
        self.register_buffer("sustained", held.float(), persistent=False)

    def forward(self, x: States, c: Given | None = None) -> Delta:
        maps = self.read(x)
        bars = self.tell(maps[0][0]).unflatten(0, (len(x), -1))  # [batch bar player*latent]
        told = bars.unflatten(2, (self.players, -1)).transpose(1, 2)
        plays, uses, cells = self.generators(told, maps)
        onset, hold = cells.unbind(2)
        onset = onset + plays[..., None, None] + uses[..., None, :]
        sounding, struck = x.unbind(2)
        notes = HeldNotes(_leaning(onset, struck), _leaning(hold, sounding), self.sustained)
        return Delta(notes.rsample())


def _leaning(logits: Notes, heard: Notes) -> Bernoulli:
    """Neurons that do as is heard in their place, until something moves them."""
    return Bernoulli(logits + KEPT * (2 * heard - 1), "deterministic")
