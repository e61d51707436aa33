"""The critic of bar latents: how bars sound, follow each other and agree, at every scale.

It reads latents with the decoder's outline of them. Beside what a bar holds it sees how near the
bars 1, 2, 4 and 8 ago are, how the pitch classes of two tracks, of a bar and the one before,
and of a bar and the whole piece lie to each other, which no transposition of all changes, and the
register and the pitches (of drums: the kit) that a track keeps throughout.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from core.theory.shapes import Latents
from musegen.bar_latents.autoencoder import BarLatentsConfig
from musegen.bar_latents.outline import (
    PARTS,
    Outline,
    Outlined,
    agreement,
    doubled,
    followed,
    of_piece,
    register,
    returning,
    unsure,
)
from musegen.networks.states import OCTAVE
from musegen.roll import Grid
from musegen.tracks import Track

LAGS = (1, 2, 4, 8)
"""Bars back at which a bar is compared."""

OF_TRACK = 12
"""Values of a track's bar that `register`, `of_piece`, `unsure` and `followed` return."""

PerBar = Float[Tensor, "batch bar value"]


class BarLatentCritic(nn.Module):
    """(z, outline) -> scores of bars, of pairs of bars, and so on to the whole piece.

    Every scale has the same weight: a score of n bars stands n times.
    """

    melodic: Tensor
    pairs: Tensor

    def __init__(self, config: BarLatentsConfig, tracks: Sequence[Track], grid: Grid, bars: int):
        super().__init__()
        self.tracks, self.steps, self.bars = len(tracks), grid.steps_per_bar, bars
        self.lags = [lag for lag in LAGS if lag < bars]
        melodic = torch.tensor([n for n, track in enumerate(tracks) if not track.is_drum]).long()
        self.register_buffer("melodic", melodic, persistent=False)
        self.register_buffer("pairs", torch.combinations(melodic).T, persistent=False)
        self.width = config.hidden
        of_track = config.size + grid.steps_per_bar + PARTS * OCTAVE + grid.pitches
        of_track += 3 * len(self.lags) + OF_TRACK
        inputs = self.tracks * of_track + len(melodic) * PARTS
        inputs += (self.pairs.shape[1] * PARTS + 2) * OCTAVE
        self.bar = nn.Sequential(
            nn.Linear(inputs, self.width),
            nn.LeakyReLU(0.2),
            nn.Linear(self.width, self.width),
            nn.LeakyReLU(0.2),
        )
        scales = (bars - 1).bit_length()
        self.pair = nn.ModuleList(
            nn.Conv1d(self.width, self.width, 2, stride=2) for _ in range(scales)
        )
        self.scores = nn.ModuleList(nn.Conv1d(self.width, 1, 1) for _ in range(scales + 1))

    def statistics(self, z: Latents, outline: Outline) -> tuple[Tensor, ...]:
        """Return the means over bars of each kind of values, and of their squares."""
        return tuple(
            torch.cat([values.mean(1), values.square().mean(1)], 1)  # [batch value]
            for values in self._of_bars(z, outline)
        )

    def augment(self, z: Latents) -> Latents:
        """Return z unchanged: no augmentation is known that keeps latents plausible."""
        return z

    def features(self, z: Latents, outline: Outline) -> Float[Tensor, "batch feature"]:
        """Return the last hidden layer, of the whole piece."""
        return self._towers(z, outline)[-1].mean(2)

    def features_and_scores(
        self, z: Latents, outline: Outline
    ) -> tuple[Float[Tensor, "batch feature"], Float[Tensor, "batch score"]]:
        towers = self._towers(z, outline)
        scores = [score(h)[:, 0] for score, h in zip(self.scores, towers, strict=True)]
        length = scores[0].shape[1]
        stretched = [s.repeat_interleave(-(-length // s.shape[1]), 1)[:, :length] for s in scores]
        return towers[-1].mean(2), torch.cat(stretched, 1).float()

    def forward(self, z: Latents, outline: Outline) -> Float[Tensor, "batch score"]:
        return self.features_and_scores(z, outline)[1]

    def _towers(self, z: Latents, outline: Outline) -> list[Float[Tensor, "batch channel _"]]:
        """Return the hidden layers at each scale, from bars to the whole piece."""
        values = torch.cat(self._of_bars(z, outline), 2)  # [batch bar value]
        hidden = self.bar(values).transpose(1, 2)  # [batch channel bar]
        towers = [hidden]
        for pair in self.pair:
            even = F.pad(hidden, (0, hidden.shape[2] % 2), mode="replicate")
            hidden = F.leaky_relu(pair(even), 0.2)
            towers.append(hidden)
        return towers

    def _of_bars(self, z: Latents, outline: Outline) -> list[PerBar]:
        """Return what a bar shows, by kinds: latents, rhythm, harmony ..."""
        bars = z.unflatten(1, (self.bars, self.tracks, -1))  # [batch bar track latent]
        rhythm, uses = seen = Outlined.of(outline, self.steps)
        chroma = seen.chroma  # [batch bar track part pitch_class]
        values = [bars, rhythm, chroma, uses.mean(3), doubled(chroma[:, :, self.melodic])]
        values += [register(uses.amax(3)), of_piece(uses), unsure(rhythm), followed(rhythm)]
        if self.lags:
            values.append(torch.cat([_nearness(bars, lag) for lag in self.lags], 2))
            values.append(torch.cat([_nearness(rhythm, lag) for lag in self.lags], 2))
            values.append(torch.cat([returning(uses, lag) for lag in self.lags], 2))
        of_tracks = [part.flatten(2) for part in values]  # [batch bar value]
        kinds = [*of_tracks, *self._harmony(chroma)]
        return [kind for kind in kinds if kind.shape[2]]  # of one track there are no pairs

    def _harmony(self, chroma: Float[Tensor, "batch bar track part pitch_class"]) -> list[PerBar]:
        """Return the agreement of pairs of tracks, of bars with the piece and with their last."""
        first, second = self.pairs
        pairs = agreement(chroma[:, :, first], chroma[:, :, second])
        total = chroma[:, :, self.melodic].sum((2, 3))  # [batch bar pitch_class]
        whole = total.mean(1, keepdim=True).expand_as(total)
        last = torch.cat([total[:, :1], total[:, :-1]], 1)
        beside = pairs.flatten(2)  # [batch bar pair*part*interval]
        return [beside, agreement(whole, total), agreement(last, total)]


def _nearness(
    values: Float[Tensor, "batch bar track size"], lag: int
) -> Float[Tensor, "batch bar track"]:
    """Return exp(-4 mean squared difference) to what stood `lag` bars ago; 0 before."""
    apart = (values[:, lag:] - values[:, :-lag]).square().mean(3)
    return F.pad(torch.exp(-4 * apart), (0, 0, lag, 0))  # [batch bar track]
