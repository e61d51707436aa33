"""A flow over rolls: RealNVP and Glow of the binary states of phrases.

States are the channels of maps whose positions are steps and pitches.
"""

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from core.densities.dequantisation import Dequantised, DequantisedDistribution, Levels
from core.densities.flow import Flow
from core.densities.map_flow import Shape
from core.theory.distributions import Distribution
from core.theory.shapes import Losses
from musegen.networks.bar_generators import STATES, MuseGANConfig
from musegen.networks.states import States, likely_notes
from musegen.roll import Grid
from musegen.tracks import Track

RollMaps = Float[Tensor, "batch channel line pitch"]
"""The channels are the states of the tracks in order, a line the steps of all bars."""


def roll_flow(
    config: MuseGANConfig,
    grid: Grid,
    tracks: Sequence[Track],
    bars: int,
    flow: Callable[[Shape, int, int], Flow],
) -> "RollFlow":
    """Build the density of a recipe; `ConfigError` where steps or pitches cannot be halved."""
    shape = (len(tracks) * STATES, bars * grid.steps_per_bar, grid.pitches)
    return RollFlow(flow(shape, 0, config.channels), tracks, bars)


class RollFlow(Dequantised):
    """(batch, c) -> p(x) of phrases of `bars` bars."""

    sustained: Tensor

    def __init__(self, flow: Flow, tracks: Sequence[Track], bars: int):
        super().__init__(flow, Levels(2, 0.0, 1.0))
        self.bars = bars
        held = torch.tensor([not track.is_drum for track in tracks])
        self.register_buffer("sustained", held[:, None, None, None], persistent=False)

    def forward(self, batch: int, c: Tensor | None = None) -> "RollFlowDistribution":
        return RollFlowDistribution(self, super().forward(batch, c))


class RollFlowDistribution(Distribution):
    """p(x) over a batch of phrases; what the flow samples becomes a legal roll."""

    def __init__(self, density: RollFlow, maps: DequantisedDistribution):
        self.density, self.maps = density, maps

    @property
    def representative(self) -> States:
        """Return the roll of the flow's representative."""
        return self._legal(self.maps.representative)

    def rsample(self) -> States:
        return self._legal(self.maps.rsample())

    def log_prob(self, value: States) -> Losses:
        """Return a lower bound of log p(x) in nats."""
        return self.maps.log_prob(value.flatten(3, 4).flatten(1, 2))  # [batch channel line pitch]

    def sample(self, bars: int) -> States:
        """Sample pieces of any length: phrases that do not depend on each other, one by one."""
        phrases = [self.rsample() for _ in range(-(-bars // self.density.bars))]
        return torch.cat(phrases, 3)[:, :, :, :bars]

    def _legal(self, maps: RollMaps) -> States:
        """Return what sounds in maps; a hit of a drum is not held."""
        lines = maps.unflatten(2, (self.density.bars, -1))  # [batch track*state bar step pitch]
        x = lines.unflatten(1, (-1, STATES))  # [batch track state bar step pitch]
        sounding, onset = likely_notes(x).unbind(2)
        return torch.stack([torch.where(self.density.sustained, sounding, onset), onset], 2)
