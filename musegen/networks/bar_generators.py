"""The bar generators of MuseGAN: latents of each bar -> logits of notes and gates.

Dong, Hsiao, Yang and Yang, MuseGAN, AAAI 2018, tables 4 to 6, with the binary neurons of Dong and
Yang, arXiv 1804.09399. Nearly every transposed convolution there has a kernel as long as its
stride: it is one linear map of each position, computed for all players at once. Sizes follow from
the grid: a bar divides into beats and steps by their prime factors, pitches into octaves, so that
any grid, number of bars and number of tracks will do.
"""

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from pydantic import Field, field_validator, model_validator
from torch import Tensor, nn

from core.config import Strict
from core.networks.generators import GENERATORS, Blocks
from core.theory.distributions import Binarisation
from musegen.networks.multiscale import (
    Expand,
    Linear,
    Mapped,
    PlayerFeatures,
    TrackMap,
    divisions,
    level_channels,
    octaves,
)
from musegen.networks.states import OCTAVE, PitchClasses
from musegen.networks.wirings import BarLatents, Wiring
from musegen.roll import Grid

GIVEN_CHANNELS = 16
"""Channels of each map of given tracks (AAAI 2018, table 5)."""
STATES = 2  # sounding and onset; a generator's neurons are onset and hold
ONSET_LOGIT, HOLD_LOGIT, PLAYS_LOGIT, USES_LOGIT = -2.0, 1.5, 1.5, -1.5
"""Logits before training: notes start rarely and are held, a track plays, on few pitches."""

Logits = tuple[
    Float[Tensor, "batch track bar"],
    Float[Tensor, "batch track bar pitch"],
    Float[Tensor, "batch track state bar step pitch"],
]
"""Logits of the tracks that play in a bar, of the pitches they use, and of (onset, hold)."""


class MuseGANConfig(Strict):
    """Sizes of the networks. `channels` are those of a generator at its finest step (paper: 128),
    and of a flow's couplings.

    `latent`: length of a player's latent of each bar. `given`: names of the tracks that are given
    as condition c, and accompanied by the others. `blocks`: building blocks of the generators;
    with those of other domains one generator takes the latents of all players, and no tracks can
    be given.

    `binarisation`: of the neurons. The gradient of a binary one is that of sigmoid(slope * logit);
    the slope grows by `slope_growth` every `slope_steps` steps (Dong and Yang 2018: 1.1 an epoch).
    `refine_after_steps`: steps in which the generators train on probabilities; from then on they
    stay as they are, and a refiner with binary neurons trains in their place. None: no refiner.
    """

    wiring: Wiring = "hybrid"
    latent: int = Field(default=128, ge=4)
    channels: int = Field(default=64, gt=0)
    critic_channels: int = Field(default=64, gt=0)
    binarisation: Binarisation = "stochastic"
    slope: float = Field(default=1.0, gt=0)
    slope_growth: float = Field(default=1.0, ge=1)
    slope_steps: int = Field(default=1000, gt=0)
    refine_after_steps: int | None = Field(default=None, ge=0)
    blocks: Blocks = "paper"
    given: tuple[str, ...] = ()

    @field_validator("given", mode="before")
    @classmethod
    def _names(cls, given: Any) -> Any:
        """Read a list of names, or the 0 of earlier runs, of which no track was given."""
        return tuple(given or ()) if given == 0 or isinstance(given, list) else given

    @model_validator(mode="after")
    def _blocks_take_given_tracks(self) -> "MuseGANConfig":
        if self.given and self.blocks != "paper":
            raise ValueError("given tracks need blocks: paper")
        return self

    @model_validator(mode="after")
    def _neurons_are_binary(self) -> "MuseGANConfig":
        needed = {"slope_growth": self.slope_growth > 1, "a refiner": self.has_refiner}
        for name, is_asked in needed.items():
            if is_asked and self.binarisation == "probability":
                raise ValueError(f"{name} needs binarisation: stochastic or deterministic")
        return self

    @property
    def has_refiner(self) -> bool:
        return self.refine_after_steps is not None


class BarGenerators(nn.Module):
    """Latents of each player and bar -> logits of its tracks' onset and hold neurons.

    latent -> bar -> beats -> steps -> octaves -> pitches; each level is one `Expand`. Maps of
    given tracks, of `given_channels` channels, join the level of their size, and the gates of
    their bar.
    """

    def __init__(
        self, players: int, tracks: int, grid: Grid, config: MuseGANConfig, given_channels: int = 0
    ):
        super().__init__()
        self.grid, self.tracks = grid, tracks
        widths = level_channels(grid, config.channels)
        fine = max(8, config.channels // 2)
        self.bar = Expand(players, config.latent, widths[0], 1)
        self.levels = nn.ModuleList(
            Expand(players, a + given_channels, b, factor)
            for a, b, factor in zip(widths, widths[1:], divisions(grid), strict=False)
        )
        self.octaves = Expand(players, widths[-1] + given_channels, fine, octaves(grid))
        self.pitches = Linear(players, fine, OCTAVE * tracks * STATES)
        self.pitches.bias.data += torch.tensor([ONSET_LOGIT, HOLD_LOGIT]).repeat(OCTAVE * tracks)
        self.plays = Linear(players, widths[0] + given_channels, tracks)
        self.uses = Linear(players, widths[0] + given_channels, tracks * grid.pitches)
        self.plays.bias.data += PLAYS_LOGIT
        self.uses.bias.data += USES_LOGIT

    def zero_outputs(self) -> "BarGenerators":
        """Initialise the last layers with zeros, so that all logits are 0 before training."""
        for last in (self.pitches, self.plays, self.uses):
            for parameter in last.parameters():
                nn.init.zeros_(parameter)
        return self

    def forward(self, z: BarLatents, given: Sequence[TrackMap] = ()) -> Logits:
        """Compute the logits of the gates (see `GatedNotes`) and of onset and hold."""
        bar = self.bar(z.transpose(0, 1).flatten(1, 2))  # [player batch*bar channel]
        size = (z.shape[0], z.shape[2])
        beside = _concat(bar, given[0] if given else None)
        plays = self._by_track(self.plays(beside), size)[..., 0]
        return plays, self._by_track(self.uses(beside), size), self._cells(bar, given, size)

    def _by_track(self, x: Mapped, size: tuple[int, int]) -> Float[Tensor, "batch track bar _"]:
        """Reshape [player batch*bar track*value] to [batch player*track bar value]."""
        values = x.float().unflatten(2, (self.tracks, -1))  # [player batch*bar track value]
        values = values.unflatten(1, size)  # [player batch bar track value]
        return values.permute(1, 0, 3, 2, 4).flatten(1, 2)  # [batch player*track bar value]

    def _cells(
        self, x: Mapped, given: Sequence[TrackMap], size: tuple[int, int]
    ) -> Float[Tensor, "batch track state bar step pitch"]:
        maps = iter(given)
        for level in (*self.levels, self.octaves):
            x = level(_concat(x, next(maps, None)))
        logits = self.pitches(x).float()  # rare events need more than bfloat16
        shape = (*size, self.grid.steps_per_bar, octaves(self.grid), OCTAVE, self.tracks, STATES)
        x = logits.view(len(x), *shape)  # [player batch bar step octave pc track state]
        x = x.permute(1, 0, 6, 7, 2, 3, 4, 5)  # [batch player track state bar step octave pc]
        x = x.flatten(1, 2).flatten(5, 6)  # [batch player*track state bar step octave*pc]
        return x[..., : self.grid.pitches]


class MapGenerators(nn.Module):
    """The latents of all players for a bar -> the same logits, by doubling maps of step and pitch.

    Built of blocks that serve any domain, see `core.networks.generators`.
    """

    def __init__(self, players: int, tracks: int, grid: Grid, config: MuseGANConfig):
        super().__init__()
        self.grid, self.tracks = grid, players * tracks
        latent = players * config.latent
        size = (grid.steps_per_bar, grid.pitches)
        doublings = _common_doublings(size)
        coarsest = [length // 2**doublings for length in size]
        blocks = GENERATORS[config.blocks]
        self.maps = blocks(latent, config.channels, coarsest, doublings, self.tracks * STATES)
        self.maps.last.bias.data += torch.tensor([ONSET_LOGIT, HOLD_LOGIT]).repeat(self.tracks)
        self.plays = nn.Linear(latent, self.tracks)
        self.uses = nn.Linear(latent, self.tracks * grid.pitches)
        self.plays.bias.data += PLAYS_LOGIT
        self.uses.bias.data += USES_LOGIT

    def forward(self, z: BarLatents, given: Sequence[TrackMap] = ()) -> Logits:
        """Compute the same logits as `BarGenerators`."""
        bars = z.transpose(1, 2).flatten(2)  # [batch bar player*latent]
        maps = self.maps(bars.flatten(0, 1)).float()  # [batch*bar track*state step pitch]
        cells = maps.unflatten(0, bars.shape[:2])  # [batch bar track*state step pitch]
        cells = cells.unflatten(2, (self.tracks, STATES))  # [batch bar track state step pitch]
        uses = self.uses(bars).float().unflatten(2, (self.tracks, -1))  # [batch bar track pitch]
        return (
            self.plays(bars).float().transpose(1, 2),  # [batch track bar]
            uses.transpose(1, 2),  # [batch track bar pitch]
            cells.permute(0, 2, 3, 1, 4, 5),  # [batch track state bar step pitch]
        )


def _common_doublings(size: tuple[int, int]) -> int:
    """Count how often both lengths can be halved while at least three positions are left."""
    doublings = 0
    while all(length % 2 ** (doublings + 1) == 0 for length in size) and (
        min(size) // 2 ** (doublings + 1) >= 3
    ):
        doublings += 1
    return doublings


def _concat(x: PlayerFeatures, given: TrackMap | None) -> Mapped:
    """Append the channels of given tracks, if any, to those of every player."""
    if given is None:
        return x
    given = given.expand(len(x), -1, -1)  # [player position channel]
    return torch.cat([x, given], 2)


def build_generators(players: int, tracks: int, grid: Grid, config: MuseGANConfig) -> nn.Module:
    """Build the players' generators of the chosen blocks; each player writes `tracks` tracks."""
    if config.blocks != "paper":
        return MapGenerators(players, tracks, grid, config)
    channels = GIVEN_CHANNELS if config.given else 0
    return BarGenerators(players, tracks, grid, config, channels)


class Harmony(nn.Module):
    """The shared latents of a bar -> logits of the pitch classes that melodic tracks may use.

    The map of given tracks, of `given_channels` channels, joins the latents of its bar.
    """

    def __init__(self, shared: int, channels: int, given_channels: int = 0):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(shared + given_channels, 8 * channels),
            nn.LayerNorm(8 * channels),
            nn.ReLU(),
            nn.Linear(8 * channels, OCTAVE),
        )

    def forward(
        self, shared: Float[Tensor, "batch bar latent"], given: Sequence[TrackMap] = ()
    ) -> PitchClasses:
        bars = [maps[0].view(*shared.shape[:2], -1) for maps in given[:1]]  # [batch bar channel]
        return self.layers(torch.cat([shared, *bars], 2)).float()
