"""The critic of bars: a score for each bar, judged by itself."""

import torch

from musegen.networks.critic import PatchCritic
from musegen.networks.phrase_encoder import PhraseEncoder
from musegen.roll import Grid

GRID = Grid(beats_per_bar=2, steps_per_beat=2, lowest_pitch=36, pitches=24)


def phrases(count: int, tracks: int, bars: int) -> torch.Tensor:
    x = torch.rand(count, tracks, 2, bars, 4, 24)
    return (x < 0.3).float()  # [batch track state bar step pitch]


def test_each_bar_of_a_phrase_has_the_score_that_it_has_alone():
    torch.manual_seed(0)
    critic, x = PatchCritic(PhraseEncoder(1, 2, GRID, 1, 4)), phrases(3, 2, 5)
    scores = critic(x)
    assert scores.shape == (3, 5)
    for bar in range(5):
        torch.testing.assert_close(scores[:, [bar]], critic(x[:, :, :, [bar]]))
    assert scores.std(1).min() > 1e-4
    features = torch.stack([critic.features(x[:, :, :, [n]]) for n in range(5)])
    torch.testing.assert_close(critic.features(x), features.mean(0))


def test_a_bar_is_judged_beside_the_given_tracks_of_the_same_bar():
    torch.manual_seed(0)
    critic, x, c = PatchCritic(PhraseEncoder(1, 3, GRID, 1, 4)), phrases(3, 2, 5), phrases(3, 1, 5)
    other = c.clone()
    other[:, :, :, 2] = 1 - c[:, :, :, 2]
    changed = (critic(x, c) - critic(x, other)).abs() > 1e-6
    assert changed.tolist() == [[False, False, True, False, False]] * 3
