"""The wirings of z: which parts of z each player gets, and which of them change from bar to bar.

Dong, Hsiao, Yang and Yang, MuseGAN, AAAI 2018, section 3. z is flat [batch latent]; its parts, in
order, are those of `LatentSizes`. A player is one bar generator: the composer is a single player
who writes every track, in jamming and hybrid each track has a player of its own.
"""

from typing import Literal

import torch
from jaxtyping import Float
from pydantic import NonNegativeInt
from torch import Tensor, nn

from core.config import Strict
from core.theory.shapes import Latents as FlatLatents

Wiring = Literal["composer", "jamming", "hybrid"]

IS_TEMPORAL = (False, True, False, True)
"""True for those of the four parts of z that change from bar to bar."""

BarLatents = Float[Tensor, "batch player bar latent"]


class LatentSizes(Strict):
    """Sizes of the four parts: z and z_t go to all players, z_i and z_it to one each.

    z and z_i are the same in every bar; z_t and z_it become one latent for each bar.
    """

    shared: NonNegativeInt = 32
    shared_temporal: NonNegativeInt = 32
    private: NonNegativeInt = 32
    private_temporal: NonNegativeInt = 32

    def parts(self, players: int) -> list[int]:
        """Return the lengths of the parts of the flat z: z, z_t, every z_i, every z_it."""
        private = [players * self.private, players * self.private_temporal]
        return [self.shared, self.shared_temporal, *private]


def latent_sizes(wiring: Wiring, size: int) -> LatentSizes:
    """Divide a player's `size` latents (128 in the paper) as each wiring does.

    >>> latent_sizes("jamming", 128).parts(players=5)
    [0, 0, 320, 320]
    """
    half, quarter = size // 2, size // 4
    if wiring == "composer":
        return LatentSizes(shared=half, shared_temporal=size - half, private=0, private_temporal=0)
    if wiring == "jamming":
        return LatentSizes(shared=0, shared_temporal=0, private=half, private_temporal=size - half)
    return LatentSizes(
        shared=quarter,
        shared_temporal=quarter,
        private=quarter,
        private_temporal=size - 3 * quarter,
    )


class TemporalGenerator(nn.Module):
    """One latent -> a latent for each bar, by two transposed convolutions over the bars.

    The first makes ceil(bars/2) positions of `width` channels, the second one for each bar. Four
    bars give the paper's kernels 2 and 3 (AAAI 2018, table 4); any number of bars >= 1 works.
    """

    def __init__(self, latent: int, bars: int, width: int):
        super().__init__()
        first = (bars + 1) // 2
        self.layers = nn.Sequential(
            nn.ConvTranspose1d(latent, width, first),  # [batch width bars/2]
            nn.GroupNorm(1, width),
            nn.ReLU(),
            nn.ConvTranspose1d(width, latent, bars - first + 1),  # [batch latent bar]
        )

    def forward(self, z: FlatLatents) -> Float[Tensor, "batch bar latent"]:
        return self.layers(z[:, :, None]).transpose(1, 2)  # [batch bar latent]


class Wires(nn.Module):
    """Flat z -> each player's latent of each bar: (z, z_t(bar), z_i, z_it(bar))."""

    def __init__(self, sizes: LatentSizes, players: int, bars: int, width: int):
        super().__init__()
        self.sizes, self.players, self.bars = sizes, players, bars
        self.shared_temporal = _temporal(sizes.shared_temporal, bars, width)
        self.private_temporal = nn.ModuleList(
            _temporal(sizes.private_temporal, bars, width) for _ in range(players)
        )

    @property
    def latent(self) -> int:
        """Return the length of the flat z."""
        return sum(self.sizes.parts(self.players))

    def forward(self, z: Float[Tensor, "batch flat"]) -> BarLatents:
        shared, shared_temporal, private, private_temporal = self._split(z)
        players, size, temporal_size = (
            self.players,
            self.sizes.private,
            self.sizes.private_temporal,
        )
        own = private.unflatten(1, (players, size))  # [batch player latent]
        temporal = private_temporal.unflatten(1, (players, temporal_size))  # [batch player latent]
        over_bars = [grow(temporal[:, i]) for i, grow in enumerate(self.private_temporal)]
        parts = [
            shared[:, None, None],  # [batch 1 1 latent]
            self.shared_temporal(shared_temporal)[:, None],  # [batch 1 bar latent]
            own[:, :, None],  # [batch player 1 latent]
            torch.stack(over_bars, 1),  # [batch player bar latent]
        ]
        shape = (-1, self.players, self.bars, -1)
        return torch.cat([part.expand(shape) for part in parts], 3)  # [batch player bar latent]

    def next_phrase(self, z: FlatLatents, fresh: FlatLatents) -> FlatLatents:
        """Return the z of the next phrase: z's constant parts with fresh's temporal parts."""
        parts = zip(self._split(z), self._split(fresh), IS_TEMPORAL, strict=True)
        return torch.cat([new if temporal else old for old, new, temporal in parts], 1)

    def _split(self, z: FlatLatents) -> tuple[Tensor, ...]:
        return z.split(self.sizes.parts(self.players), dim=1)


class NoTemporalLatents(nn.Module):
    """The temporal generator of a wiring without temporal part: an empty latent for each bar."""

    def __init__(self, bars: int):
        super().__init__()
        self.bars = bars

    def forward(self, z: FlatLatents) -> Float[Tensor, "batch bar latent"]:
        return z[:, None].expand(-1, self.bars, -1)  # [batch bar 0]


def _temporal(latent: int, bars: int, width: int) -> nn.Module:
    return TemporalGenerator(latent, bars, width) if latent else NoTemporalLatents(bars)
