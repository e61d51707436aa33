"""The critic of clips."""

import pytest
import torch

from videogen.networks.config import VideoConfig
from videogen.networks.critic import ClipFeatures, Critic, DetailCritic, PatchCritic, shift_clips
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


def test_a_clip_has_a_patch_for_four_by_four_pixels_of_two_frames():
    """16 of 16 x 16 pixels in each of three chunks; a pixel is seen by those around it alone."""
    torch.manual_seed(0)
    critic, clip = PatchCritic(CONFIG), torch.randn(1, 3, 6, 16, 32)
    assert critic(clip).shape == (1, 3 * 4 * 8)
    changed = clip.clone()
    changed[:, :, 2, 0, 20] += 5
    moved = (critic(changed) - critic(clip)).abs() > 1e-6
    chunk, row, column = moved.view(3, 4, 8).nonzero(as_tuple=True)
    assert set(chunk.tolist()) == {1}
    assert set(row.tolist()) == {0, 1}
    assert {5} < set(column.tolist()) <= {3, 4, 5, 6, 7}


def test_patches_of_pairs_are_compared_with_the_caption():
    """Their scores without it, plus an inner product with each patch's features."""
    torch.manual_seed(0)
    critic, clips = PatchCritic(CONFIG, words=2), torch.randn(2, 3, 4, 16, 16)
    tokens = Captions(("red", "blue")).encode(["red", "blue"])
    projected = critic.projection(critic.caption(tokens))
    added = critic(clips, tokens) - critic(clips)
    assert added.shape == (2, 2 * 16)
    mean = torch.einsum("bf,bf->b", critic.features(clips), projected) / 4  # sqrt of 4 * 4
    torch.testing.assert_close(added.mean(1), mean, atol=1e-5, rtol=1e-4)
    assert added.std(1).min() > 1e-4


def test_patches_of_a_clip_do_not_see_each_other():
    """A critic of patches adds up what changes 15 pixels or 2 frames apart; one of clips does not.

    Which chunk of frames comes first is the same to the sum of its scores.
    """
    torch.manual_seed(0)
    config = VideoConfig(critic_channels=4, width=16, text=TextConfig(width=8))
    clip = torch.randn(1, 3, 4, 32, 32, dtype=torch.float64)
    corner, far, later = (torch.zeros_like(clip) for _ in range(3))
    corner[:, :, 0, 2, 3], far[:, :, 0, 25, 3], later[:, :, 2, 2, 3] = 5e3, 5e3, 5e3

    def interaction(critic: torch.nn.Module, a: torch.Tensor, b: torch.Tensor) -> float:
        scores = [critic(clip + change).sum() for change in (a + b, a, b, 0 * a)]
        return abs(scores[0] - scores[1] - scores[2] + scores[3]).item()

    patches, whole = PatchCritic(config).double(), Critic(config, 32, 4).double()
    for other in (far, later):
        assert interaction(patches, corner, other) < 1e-9 < interaction(whole, corner, other)
    swapped = clip[:, :, [2, 3, 0, 1]]
    first, second = patches(clip).chunk(2, 1)
    torch.testing.assert_close(patches(swapped), torch.cat([second, first], 1))
    assert not torch.allclose(patches(clip), patches(clip[:, :, [1, 0, 2, 3]]), atol=1e-6)


def test_a_critic_of_details_does_not_see_what_lies_under_them():
    """Another colour, or a picture that gets steadily brighter, changes no score of its inside."""
    torch.manual_seed(0)
    details, patches = DetailCritic(CONFIG).double(), PatchCritic(CONFIG).double()
    clip = torch.randn(1, 3, 2, 64, 64, dtype=torch.float64)
    ramp = torch.linspace(-1, 1, 64, dtype=torch.float64)
    inside = (slice(None), slice(3, -3), slice(3, -3))

    def scores(critic: PatchCritic, clips: torch.Tensor) -> torch.Tensor:
        return critic(clips).view(1, 16, 16)[inside]

    for under in (torch.full_like(clip, 0.7), ramp.expand_as(clip)):
        torch.testing.assert_close(scores(details, clip + under), scores(details, clip))
        assert not torch.allclose(scores(patches, clip + under), scores(patches, clip))
    blurred = torch.nn.functional.avg_pool3d(clip, (1, 3, 3), 1, (0, 1, 1))
    assert not torch.allclose(scores(details, blurred), scores(details, clip), atol=1e-3)
