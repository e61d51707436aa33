"""The critic of clips."""

import pytest
import torch

from videogen.networks.config import VideoConfig
from videogen.networks.critic import ClipFeatures, Critic, PatchCritic, shift_clips
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


def test_patches_of_a_clip_do_not_see_each_other():
    """A critic of patches adds up what changes 15 pixels or 2 frames apart; one of clips does not.

    Which chunk of frames comes first is the same to it.
    """
    torch.manual_seed(0)
    config = VideoConfig(critic_channels=4, width=16, text=TextConfig(width=8))
    clip = torch.randn(1, 3, 4, 32, 32, dtype=torch.float64)
    corner, far, later = (torch.zeros_like(clip) for _ in range(3))
    corner[:, :, 0, 2, 3], far[:, :, 0, 25, 3], later[:, :, 2, 2, 3] = 5e3, 5e3, 5e3

    def interaction(critic: torch.nn.Module, a: torch.Tensor, b: torch.Tensor) -> float:
        scores = [critic(clip + change) for change in (a + b, a, b, 0 * a)]
        return abs(scores[0] - scores[1] - scores[2] + scores[3]).item()

    patches, whole = PatchCritic(config).double(), Critic(config, 32, 4).double()
    for other in (far, later):
        assert interaction(patches, corner, other) < 1e-9 < interaction(whole, corner, other)
    swapped = clip[:, :, [2, 3, 0, 1]]
    torch.testing.assert_close(patches(clip), patches(swapped))
    assert not torch.allclose(patches(clip), patches(clip[:, :, [1, 0, 2, 3]]), atol=1e-6)
