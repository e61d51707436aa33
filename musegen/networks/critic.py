"""The critics of phrases: alone, with given tracks, and jointly with their z."""

from jaxtyping import Float
from torch import Tensor, nn

from core.networks.augmentation import shifted
from core.networks.critics import JointCritic
from core.theory.shapes import Features, Scores
from musegen.networks.critic_inputs import bar_counts, harmony, split_tracks
from musegen.networks.multiscale import Linear
from musegen.networks.phrase_encoder import PhraseEncoder
from musegen.networks.states import Given, States


def augment(x: States) -> States:
    """Shift half of the phrases by up to 2 pitches and 1 bar, for critics that see few."""
    return shifted(x, {-1: 2, 3: 1})


class Critic(nn.Module):
    """x (and c) -> score: the sum over groups of tracks (one of all; jamming: one of each)."""

    def __init__(self, trunk: PhraseEncoder):
        super().__init__()
        self.trunk, self.width = trunk, trunk.groups * trunk.width
        self.score = Linear(trunk.groups, trunk.width, 1)

    def features(self, x: States, c: Given | None = None) -> Features:
        """Return the last hidden layer of all groups, [batch feature]."""
        return self.trunk(x, c).transpose(0, 1).flatten(1)  # [batch group*feature]

    def features_and_scores(self, x: States, c: Given | None = None) -> tuple[Features, Scores]:
        hidden = self.trunk(x, c)
        scores = self.score(hidden).float().sum((0, 2))
        return hidden.transpose(0, 1).flatten(1), scores  # [batch group*feature], [batch]

    def augment(self, x: States) -> States:
        return augment(x)

    def statistics(self, x: States, c: Given | None = None) -> tuple[Tensor, ...]:
        """Return the counts of each bar and the harmony of each beat, for feature matching."""
        tracks = split_tracks(x, 1, c)
        beats = harmony(tracks, self.trunk.grid.steps_per_beat)[0]
        bars = bar_counts(tracks)[0]
        return (
            bars.flatten(0, 1),  # [batch*bar value]
            beats.flatten(0, 2),  # [batch*bar*beat value]
        )

    def forward(self, x: States, c: Given | None = None) -> Scores:
        return self.features_and_scores(x, c)[1]


class PatchCritic(nn.Module):
    """Score each bar of a phrase (Isola et al., CVPR 2017, section 3.2.2).

    `trunk`: reads one bar.

    A patch is a bar of all tracks, as the paper's is a part of a picture: what a critic of patches
    judges is how bars sound, not how they follow each other.
    """

    def __init__(self, trunk: PhraseEncoder):
        super().__init__()
        self.bar = Critic(trunk)
        self.width = self.bar.width

    def features(self, x: States, c: Given | None = None) -> Features:
        """Return the mean of the bars' features, [batch feature]."""
        return self.features_and_scores(x, c)[0]

    def features_and_scores(
        self, x: States, c: Given | None = None
    ) -> tuple[Features, Float[Tensor, "batch bar"]]:
        bars, given = _split_bars(x), None if c is None else _split_bars(c)
        features, scores = (
            part.float().unflatten(0, (len(x), -1))  # [batch bar ...]
            for part in self.bar.features_and_scores(bars, given)
        )
        return features.mean(1), scores

    def augment(self, x: States) -> States:
        return augment(x)

    def statistics(self, x: States, c: Given | None = None) -> tuple[Tensor, ...]:
        return self.bar.statistics(x, c)

    def forward(self, x: States, c: Given | None = None) -> Float[Tensor, "batch bar"]:
        return self.features_and_scores(x, c)[1]


def _split_bars(x: States) -> Float[Tensor, "_ track state 1 step pitch"]:
    """Return each bar as a phrase of its own."""
    return x.movedim(3, 1).flatten(0, 1).unsqueeze(3)  # [batch*bar track state 1 step pitch]


class PhraseFeatures(nn.Module):
    """x -> the features of all tracks, [batch feature]."""

    def __init__(self, trunk: PhraseEncoder):
        super().__init__()
        self.trunk = trunk

    def forward(self, x: States) -> Features:
        return self.trunk(x)[0]


def joint_critic(trunk: PhraseEncoder, latent: int) -> JointCritic:
    """Build a critic of pairs (x, z)."""
    return JointCritic(PhraseFeatures(trunk), trunk.width, latent, augment)
