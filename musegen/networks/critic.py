"""The critics of phrases: alone, with given tracks, and jointly with their z."""

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

    def augment(self, x: States) -> States:
        return augment(x)

    def statistics(self, x: States, c: Given | None = None) -> tuple[Tensor, ...]:
        """Return the counts of each bar and the harmony of each beat, for feature matching."""
        tracks = split_tracks(x, 1, c)
        beats = harmony(tracks, self.trunk.grid.steps_per_beat)
        bars = bar_counts(tracks)
        # [batch*bar value] [batch*bar*beat value]
        return bars[0].flatten(0, 1), beats[0].flatten(0, 2)

    def forward(self, x: States, c: Given | None = None) -> Scores:
        return self.score(self.trunk(x, c)).float().sum((0, 2))


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
