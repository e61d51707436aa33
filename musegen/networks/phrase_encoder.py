"""The phrase encoder, as the trunk of encoder and critics."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from core.networks.augmentation import shifted
from core.networks.critics import JointCritic
from core.networks.heads import PosteriorHead
from core.theory.distributions import Distribution
from core.theory.shapes import Features, Scores
from musegen.networks.bar_generators import STATES
from musegen.networks.critic_inputs import (
    COUNTS,
    bar_counts,
    harmony,
    harmony_values,
    onset_counts,
    split_tracks,
)
from musegen.networks.multiscale import (
    Linear,
    Merge,
    divisions,
    level_channels,
    octaves,
    prime_factors,
)
from musegen.networks.states import OCTAVE, Given, States
from musegen.roll import Grid


class PhraseEncoder(nn.Module):
    """x (and given tracks c) -> features: what each judge makes of the tracks it hears.

    Cells are read octave by octave, then step by step up to the bar, then the phrase. Onset
    counts, chroma and bar counts (`musegen.networks.critic_inputs`) join at the level of their
    size. LeakyReLU 0.2, no normalisation.
    """

    def __init__(self, judges: int, tracks: int, grid: Grid, bars: int, channels: int):
        super().__init__()
        self.judges, self.grid, self.bars = judges, grid, bars
        self.width = 8 * channels
        widths = level_channels(grid, channels)[::-1]
        factors = divisions(grid)[::-1]
        self.beat_level = len(prime_factors(grid.steps_per_beat))
        joining = {0: tracks * STATES, self.beat_level: harmony_values(tracks)}
        inputs = [width + joining.get(i, 0) for i, width in enumerate(widths)]
        self.cells = Merge(judges, tracks * STATES * OCTAVE, channels, 1)
        self.octaves = Merge(judges, channels, channels, octaves(grid))
        self.levels = nn.ModuleList(
            Merge(judges, a, b, factor)
            for a, b, factor in zip(inputs, widths[1:], factors, strict=False)
        )
        self.phrase = Merge(judges, widths[-1] + tracks * COUNTS, self.width, bars)
        self.last = Merge(judges, self.width, self.width, 1)

    def forward(self, x: States, c: Given | None = None) -> Float[Tensor, "judge batch feature"]:
        heard = split_tracks(x, self.judges, c)
        joining = {
            0: onset_counts(heard),
            self.beat_level: harmony(heard, self.grid.steps_per_beat),
        }
        cells = heard.permute(0, 1, 4, 5, 6, 2, 3, 7).flatten(5).flatten(1, 4)
        h = self.octaves(self.cells(cells))
        for i, level in enumerate(self.levels):
            h = level(torch.cat([h, joining[i].flatten(1, -2)], 2) if i in joining else h)
        return self.last(self.phrase(torch.cat([h, bar_counts(heard).flatten(1, 2)], 2)))


class Encoder(nn.Module):
    """x (and c) -> q(z given x, c) over the flat z."""

    def __init__(self, reader: PhraseEncoder, latent: int, kind: type[Distribution]):
        super().__init__()
        self.reader = reader
        self.head = PosteriorHead(reader.width, latent, kind)

    def forward(self, x: States, c: Given | None = None) -> Distribution:
        return self.head(self.reader(x, c)[0].float())


class OneJudge(nn.Module):
    """x -> what one judge makes of it, [batch feature]."""

    def __init__(self, reader: PhraseEncoder):
        super().__init__()
        self.reader = reader

    def forward(self, x: States) -> Features:
        return self.reader(x)[0]


def moved(x: States) -> States:
    """Half of the phrases up to a tone and a bar elsewhere, for critics that see few."""
    return shifted(x, {-1: 2, 3: 1})


class Critic(nn.Module):
    """x (and c) -> score: the sum over the judges, one of all tracks or one of each (jamming)."""

    def __init__(self, reader: PhraseEncoder):
        super().__init__()
        self.reader, self.width = reader, reader.judges * reader.width
        self.score = Linear(reader.judges, reader.width, 1)

    def features(self, x: States, c: Given | None = None) -> Features:
        """The last hidden layer of all judges."""
        return self.reader(x, c).transpose(0, 1).flatten(1)

    def augment(self, x: States) -> States:
        return moved(x)

    def statistics(self, x: States, c: Given | None = None) -> tuple[Tensor, ...]:
        """What the critic counts: of each bar, and of the harmony of each beat."""
        heard = split_tracks(x, 1, c)
        beats = harmony(heard, self.reader.grid.steps_per_beat)
        return bar_counts(heard)[0].flatten(0, 1), beats[0].flatten(0, 2)

    def forward(self, x: States, c: Given | None = None) -> Scores:
        return self.score(self.reader(x, c)).float().sum((0, 2))


def joint(reader: PhraseEncoder, latent: int) -> JointCritic:
    """A critic of phrases with their z."""
    return JointCritic(OneJudge(reader), reader.width, latent, moved)
