"""The critic of clips."""

import pytest
import torch

from videogen.networks.config import VideoConfig
from videogen.networks.critic import ClipFeatures, Critic, shift_clips
from videogen.networks.text import Captions, TextConfig

CONFIG = VideoConfig(critic_channels=4, width=16, text=TextConfig(width=8))


def test_features_of_a_chunk_do_not_depend_on_the_others_and_those_of_a_clip_on_their_order():
    torch.manual_seed(0)
    network, clips = ClipFeatures(CONFIG, size=16, frames=6), torch.randn(2, 3, 6, 16, 16)
    swapped = clips[:, :, [2, 3, 0, 1, 4, 5]]
    torch.testing.assert_close(network.chunks(swapped), network.chunks(clips)[:, [1, 0, 2]])
    assert not torch.allclose(network(swapped), network(clips))


def test_the_score_of_a_pair_is_the_clips_own_plus_a_projection():
    torch.manual_seed(0)
    critic, clips = Critic(CONFIG, 16, 4, words=2), torch.randn(2, 3, 4, 16, 16)
    tokens = Captions(("red", "blue")).encode(["red", "blue"])
    projected = critic.projection(critic.caption(tokens))
    features = critic.features(clips)
    expected = critic(clips) + torch.einsum("bf,bf->b", features, projected) / 4  # sqrt of 16
    torch.testing.assert_close(critic(clips, tokens), expected)
    assert not torch.allclose(critic(clips, tokens.flip(0)), critic(clips, tokens))


@pytest.mark.parametrize("size", [16, 24])
def test_augmentation_shifts_half_of_the_clips_by_an_eighth_at_most(size):
    torch.manual_seed(0)
    clips = torch.zeros(400, 3, 2, size, size)
    clips[..., 9, 4] = 1
    shifted = shift_clips(clips)
    place = shifted[:, 0, 0].flatten(1).argmax(1)
    rows, columns = place // size, place % size
    assert torch.equal(shifted.sum((1, 2, 3, 4)), clips.sum((1, 2, 3, 4)))
    assert {int(row) for row in rows} == set(range(9 - size // 8, 9 + size // 8 + 1))
    assert {int(column) for column in columns} == set(range(4 - size // 8, 4 + size // 8 + 1))
    still = ((rows == 9) & (columns == 4)).float().mean()
    assert 0.42 < still < 0.68  # a half, and those whose random shift is zero
