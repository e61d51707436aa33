"""MuseGAN's networks: bar generators, track encoder, phrase reader (of critic and encoder).

Dong, Hsiao, Yang and Yang, MuseGAN, AAAI 2018, tables 4 to 6, with the chroma and onset streams
and the binary neurons of Dong and Yang, arXiv 1804.09399. Nearly every convolution there has a
kernel as long as its stride: it is one linear map of each place, and is written as one, for all
players at once. Sizes follow from the grid: a bar falls into beats and steps by their prime
factors, pitches into octaves, so any grid, number of bars and number of tracks will do.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from pydantic import Field, model_validator
from torch import Tensor, nn

from core.config import Strict
from core.networks.generators import MADE_OF, Blocks
from core.theory.distributions import Binarisation
from musegen.networks.multiscale import (
    Expand,
    Linear,
    Map,
    Merge,
    Moved,
    Positions,
    divisions,
    level_channels,
    octaves,
)
from musegen.networks.states import OCTAVE, Given, PitchClasses
from musegen.networks.wirings import Wiring
from musegen.roll import Grid

GIVEN_CHANNELS = 16
"""Channels of each map of a given track (AAAI 2018, table 5)."""
STATES = 2  # sounding and onset; a generator's neurons are onset and hold
RARE, LIKELY, PLAYS, USES = -2.0, 1.5, 1.5, -1.5
"""Logits before training: notes start rarely and are held, a track plays, on few pitches."""

Logits = tuple[
    Float[Tensor, "batch track bar"],
    Float[Tensor, "batch track bar pitch"],
    Float[Tensor, "batch track state bar step pitch"],
]
"""Of which tracks play in a bar, which pitches they use, and where notes start and hold."""


class MuseGANConfig(Strict):
    """Sizes of the networks. `channels` are those of a generator at its finest step (paper: 128).

    `latent`: what a player is given for each bar. `given`: tracks that come as condition c.
    `blocks`: what generators are made of; but for those of the paper they hear all players at once
    and no given tracks.
    """

    wiring: Wiring = "hybrid"
    latent: int = Field(default=128, ge=4)
    channels: int = Field(default=64, gt=0)
    critic_channels: int = Field(default=64, gt=0)
    binarisation: Binarisation = "stochastic"
    slope: float = Field(default=1.0, gt=0)
    blocks: Blocks = "paper"
    given: int = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _hears_what_is_given(self) -> "MuseGANConfig":
        if self.given and self.blocks != "paper":
            raise ValueError("only blocks: paper hears given tracks")
        return self


class BarGenerators(nn.Module):
    """Latents of each player and bar -> logits of its tracks' onset and hold neurons.

    latent -> bar -> beats -> steps -> octaves -> pitches; each level is one `Expand`. Maps of
    given tracks, of `heard` channels, join the level of their size.
    """

    def __init__(
        self, players: int, tracks: int, grid: Grid, config: MuseGANConfig, heard: int = 0
    ):
        super().__init__()
        self.grid, self.tracks = grid, tracks
        widths = level_channels(grid, config.channels)
        fine = max(8, config.channels // 2)
        self.bar = Expand(players, config.latent, widths[0], 1)
        self.levels = nn.ModuleList(
            Expand(players, a + heard, b, factor)
            for a, b, factor in zip(widths, widths[1:], divisions(grid), strict=False)
        )
        self.octaves = Expand(players, widths[-1] + heard, fine, octaves(grid))
        self.pitches = Linear(players, fine, OCTAVE * tracks * STATES)
        start = torch.tensor([RARE, LIKELY]).repeat(OCTAVE * tracks)
        self.pitches.bias.data += start
        self.plays = Linear(players, widths[0], tracks)
        self.uses = Linear(players, widths[0], tracks * grid.pitches)
        self.plays.bias.data += PLAYS
        self.uses.bias.data += USES

    def begin_silent(self) -> "BarGenerators":
        """Say nothing before training: all logits are 0."""
        for last in (self.pitches, self.plays, self.uses):
            for parameter in last.parameters():
                nn.init.zeros_(parameter)
        return self

    def forward(
        self, z: Float[Tensor, "batch player bar latent"], given: Sequence[Map] = ()
    ) -> Logits:
        """Logits of the gates (see `GatedNotes`) and of onset and hold."""
        bar = self.bar(z.transpose(0, 1).flatten(1, 2))
        size = (z.shape[0], z.shape[2])
        plays = self._of_bars(self.plays(bar), size)[..., 0]
        return plays, self._of_bars(self.uses(bar), size), self._cells(bar, given, size)

    def _of_bars(self, x: Moved, size: tuple[int, int]) -> Tensor:
        """[player batch*bar track*value] -> [batch track bar value]."""
        apart = x.float().unflatten(2, (self.tracks, -1)).unflatten(1, size)
        return apart.permute(1, 0, 3, 2, 4).flatten(1, 2)

    def _cells(
        self, x: Moved, given: Sequence[Map], size: tuple[int, int]
    ) -> Float[Tensor, "batch track state bar step pitch"]:
        maps = iter(given)
        for level in (*self.levels, self.octaves):
            x = level(_join(x, next(maps, None)))
        logits = self.pitches(x).float()  # rare events need more than bfloat16
        shape = (*size, self.grid.steps_per_bar, octaves(self.grid), OCTAVE)
        cells = logits.view(len(x), *shape, self.tracks, STATES)
        cells = cells.permute(1, 0, 6, 7, 2, 3, 4, 5).flatten(1, 2).flatten(5, 6)
        return cells[..., : self.grid.pitches]


class MapGenerators(nn.Module):
    """What all players are given for a bar -> the same logits, by doubling maps of step and pitch.

    With blocks that any domain can use, see `core.networks.generators`.
    """

    def __init__(self, players: int, tracks: int, grid: Grid, config: MuseGANConfig):
        super().__init__()
        self.grid, self.tracks = grid, players * tracks
        code = players * config.latent
        size = (grid.steps_per_bar, grid.pitches)
        doublings = _common_doublings(size)
        coarsest = [length // 2**doublings for length in size]
        made_of = MADE_OF[config.blocks]
        self.maps = made_of(code, config.channels, coarsest, doublings, self.tracks * STATES)
        self.maps.last.bias.data += torch.tensor([RARE, LIKELY]).repeat(self.tracks)
        self.plays = nn.Linear(code, self.tracks)
        self.uses = nn.Linear(code, self.tracks * grid.pitches)
        self.plays.bias.data += PLAYS
        self.uses.bias.data += USES

    def forward(
        self, z: Float[Tensor, "batch player bar latent"], given: Sequence[Map] = ()
    ) -> Logits:
        """See `BarGenerators`."""
        code = z.transpose(1, 2).flatten(2)  # [batch bar player*latent]
        maps = self.maps(code.flatten(0, 1)).float()
        cells = maps.unflatten(0, code.shape[:2]).unflatten(2, (self.tracks, STATES))
        uses = self.uses(code).float().unflatten(2, (self.tracks, -1))
        return (
            self.plays(code).float().transpose(1, 2),
            uses.transpose(1, 2),
            cells.permute(0, 2, 3, 1, 4, 5),
        )


def _common_doublings(size: tuple[int, int]) -> int:
    """How often both lengths can be halved, and leave at least three places."""
    doublings = 0
    while all(length % 2 ** (doublings + 1) == 0 for length in size) and (
        min(size) // 2 ** (doublings + 1) >= 3
    ):
        doublings += 1
    return doublings


def _join(x: Positions, given: Map | None) -> Moved:
    if given is None:
        return x
    return torch.cat([x, given.expand(len(x), -1, -1)], 2)


def generators_of(players: int, tracks: int, grid: Grid, config: MuseGANConfig) -> nn.Module:
    """The players' generators, made of the chosen blocks; each player writes so many tracks."""
    if config.blocks != "paper":
        return MapGenerators(players, tracks, grid, config)
    heard = GIVEN_CHANNELS if config.given else 0
    return BarGenerators(players, tracks, grid, config, heard)


class Harmony(nn.Module):
    """What all players hear in a bar -> logits of the pitch classes that are open to them."""

    def __init__(self, shared: int, channels: int):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(shared, 8 * channels),
            nn.LayerNorm(8 * channels),
            nn.ReLU(),
            nn.Linear(8 * channels, OCTAVE),
        )

    def forward(self, shared: Float[Tensor, "batch bar latent"]) -> PitchClasses:
        return self.layers(shared).float()


class TrackEncoder(nn.Module):
    """Given tracks c -> a map for each level of the bar generators, coarse to fine."""

    def __init__(self, grid: Grid, given: int, channels: int = GIVEN_CHANNELS):
        super().__init__()
        self.step = Merge(1, given * STATES * grid.pitches, channels, 1)
        self.coarser = nn.ModuleList(
            Merge(1, channels, channels, factor) for factor in divisions(grid)[::-1]
        )

    def forward(self, c: Given) -> list[Map]:
        cells = c.permute(0, 3, 4, 1, 2, 5).flatten(3).flatten(0, 2)[None]
        maps = [self.step(cells)]
        for gather in self.coarser:
            maps.append(gather(maps[-1]))
        return maps[::-1]
