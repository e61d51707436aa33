"""A foreground over a background, by hand, and the generator of two streams."""

import pytest
import torch

from core.errors import UserError
from core.theory.distributions import Delta
from core.theory.passes import Batch, Networks, Passes
from videogen.networks.config import VideoConfig
from videogen.networks.layers import LayeredClip
from videogen.networks.streams import StreamsDecoder
from videogen.terms import SparseMask

CONFIG = VideoConfig(decoder="streams", captions=False, latent=6, channels=4)


def pixels(*values):
    """A clip of one pixel, in time."""
    return torch.tensor(values).view(1, 1, 1, -1, 1, 1)


def test_a_mask_lays_the_foreground_over_the_background():
    foreground = pixels(0.8, 0.8, 0.8).expand(-1, -1, 3, -1, -1, -1)
    background = torch.full((1, 3, 1, 1), -0.4)
    clip = LayeredClip(lambda: (foreground, pixels(0.0, 0.25, 1.0), background), 1.0)
    torch.testing.assert_close(clip.mean[0, 2, :, 0, 0], torch.tensor([-0.4, -0.1, 0.8]))
    assert clip.parts["mask"].flatten().tolist() == [0.0, 0.25, 1.0]
    torch.testing.assert_close(
        clip.parts["foreground"][0, 0, 1:].flatten(), pixels(0.8, 0.8)[0, 0, 0, :, 0, 0]
    )


@pytest.mark.parametrize(("size", "frames"), [(16, 4), (20, 5), (33, 16)])
def test_streams_have_the_size_of_the_clip(size, frames):
    decoder = StreamsDecoder(CONFIG, size, frames)
    parts = decoder(torch.randn(2, 6), None).parts
    assert parts["background"].shape == (2, 3, size, size)
    assert parts["mask"].shape == (2, 1, frames, size, size)
    assert 0 <= parts["mask"].min() < parts["mask"].max() <= 1


def test_what_does_not_move_is_the_background():
    """All frames are one picture where the mask is 0."""
    decoder = StreamsDecoder(CONFIG, 16, 4)
    with torch.no_grad():
        decoder.foreground.last.bias[3] = -100.0
        decoder.foreground.last.weight[:, 3] = 0.0
        clip = decoder(torch.randn(2, 6), None)
    torch.testing.assert_close(clip.mean, clip.background[:, :, None].expand(-1, -1, 4, -1, -1))


class Half(torch.nn.Module):
    """Half of the first clip's mask is one, and a quarter of the second's."""

    def forward(self, z, c):
        mask = torch.zeros(2, 1, 1, 2, 1, 2)
        mask[0, ..., 0], mask[1, 0, 0, 0, 0, 0] = 1.0, 1.0
        streams = torch.zeros(2, 1, 3, 2, 1, 2), mask, torch.zeros(2, 3, 1, 2)
        return LayeredClip(lambda: streams, 1.0)


class Still(torch.nn.Module):
    def forward(self, z, c):
        return Delta(torch.zeros(2, 3))


def test_a_mask_is_sparse_by_its_mean():
    def loss(decoder):
        prior = lambda batch, c: Delta(torch.zeros(batch, 1))  # noqa: E731
        networks = Networks({"decoder": decoder})
        passes = Passes(networks, Batch(torch.zeros(2, 3, 2, 1, 2)))
        passes.__dict__["prior"] = prior(2, None)
        return SparseMask()(passes)

    assert loss(Half()).tolist() == [0.5, 0.25]
    with pytest.raises(UserError, match="MaskedDistribution"):
        loss(Still())


@torch.no_grad()
def test_between_two_frames_the_volume_is_halfway():
    decoder = StreamsDecoder(CONFIG, 16, 4).eval()
    z = torch.randn(1, 6)
    frames = decoder(z, None)
    times = torch.tensor([0.0, 1.0, 2.5, 9.0])
    shown = decoder(z, None, times)
    torch.testing.assert_close(shown.mean[:, :, :2], frames.mean[:, :, :2])
    torch.testing.assert_close(shown.mean[:, :, 3], frames.mean[:, :, 3])
    halfway = frames.mask[:, :, 2:4].logit().mean(2).sigmoid()
    torch.testing.assert_close(shown.mask[:, :, 2], halfway)
