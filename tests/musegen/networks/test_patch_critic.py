"""The critic of bars: its score is the mean over bars, each judged by itself."""

import torch

from musegen.networks.critic import PatchCritic
from musegen.networks.phrase_encoder import PhraseEncoder
from musegen.roll import Grid

GRID = Grid(beats_per_bar=2, steps_per_beat=2, lowest_pitch=36, pitches=24)


def test_a_phrase_scores_the_mean_of_its_bars():
    torch.manual_seed(0)
    critic = PatchCritic(PhraseEncoder(1, 2, GRID, 1, 4))
    x = (torch.rand(3, 2, 2, 5, 4, 24) < 0.3).float()  # [batch track state bar step pitch]
    bars = torch.stack([critic(x[:, :, :, [n]]) for n in range(5)])
    torch.testing.assert_close(critic(x), bars.mean(0))
    assert bars.std(0).min() > 1e-4
    features = torch.stack([critic.features(x[:, :, :, [n]]) for n in range(5)])
    torch.testing.assert_close(critic.features(x), features.mean(0))
