"""A path of latents: what depends on which latents, and on which half of the condition."""

import pytest
import torch

from core.theory.distributions import Delta, Gaussian
from videogen.networks.config import VideoConfig
from videogen.networks.path import PathDecoder, PathEncoder, Towers, along
from videogen.networks.text import Captions, TextConfig

CONFIG = VideoConfig(
    decoder="path", latent=4, motion=2, channels=4, width=16, text=TextConfig(width=6)
)
FRAMES = 5


@pytest.fixture(scope="module")
def decoder() -> PathDecoder:
    torch.manual_seed(0)
    return PathDecoder(CONFIG, 16, FRAMES).eval()


@pytest.fixture(scope="module")
def z() -> torch.Tensor:
    return torch.randn(1, CONFIG.latents(FRAMES), generator=torch.Generator().manual_seed(1))


@pytest.fixture(scope="module")
def c() -> torch.Tensor:
    return torch.randn(1, CONFIG.condition, generator=torch.Generator().manual_seed(2))


def changed(before, after):
    """The frames that differ."""
    return (before - after).abs().amax((0, 1, 3, 4)).gt(1e-6).tolist()


@torch.no_grad()
def test_a_frame_follows_from_the_noises_up_to_its_own(decoder, z, c):
    clip = decoder(z, c).mean
    assert clip.shape == (1, 3, FRAMES, 16, 16)
    other = z.clone()
    other[0, CONFIG.latent + 2 * CONFIG.motion] += 1  # the noise of frame 2
    assert changed(clip, decoder(other, c).mean) == [False, False, True, True, True]


@torch.no_grad()
def test_a_black_frame_still_follows_its_last_layer(z, c):
    """A brighter bias is as much brighter there as anywhere, where a tanh would hide it."""
    black = PathDecoder(CONFIG, 16, FRAMES).eval()
    bias = black.get_parameter("frame.last.1.bias")
    bias -= 20
    before = black(z, c).mean
    bias += 0.5
    torch.testing.assert_close(black(z, c).mean, before + 0.5)
    assert before.max() < -1


@torch.no_grad()
def test_the_content_is_in_every_frame_and_not_in_the_path(decoder, z, c):
    other = z.clone()
    other[0, 0] += 1
    assert all(changed(decoder(z, c).mean, decoder(other, c).mean))
    motion = c[:, 6:]
    assert torch.equal(decoder.path(z, motion), decoder.path(other, motion))


@torch.no_grad()
def test_one_half_of_the_condition_is_the_motion(decoder, z, c):
    """The motion that a caption describes reaches a frame by the path alone."""
    content, motion = c.clone(), c.clone()
    content[0, 5] += 1
    motion[0, 6] += 1
    assert all(changed(decoder(z, c).mean, decoder(z, content).mean))
    path = decoder.path(z, c[:, 6:])
    assert not torch.allclose(path, decoder.path(z, motion[:, 6:]))
    decoder_at_rest = PathDecoder(CONFIG, 16, FRAMES).eval()
    decoder_at_rest.load_state_dict(decoder.state_dict())
    decoder_at_rest.step.weight_ih.zero_()
    assert not any(changed(decoder_at_rest(z, c).mean, decoder_at_rest(z, motion).mean))


@torch.no_grad()
def test_a_longer_path_begins_as_the_short_one(decoder, z, c):
    longer = decoder.longer(z, z)
    clip = decoder(longer, c).mean
    assert clip.shape[2] == 2 * FRAMES
    torch.testing.assert_close(clip[:, :, :FRAMES], decoder(z, c).mean)


@torch.no_grad()
def test_between_two_frames_lies_the_middle_of_the_path(decoder, z, c):
    times = torch.arange(FRAMES, dtype=torch.float32)
    torch.testing.assert_close(decoder(z, c, times).mean, decoder(z, c).mean)
    path = decoder.path(z, c[:, 6:])
    halfway = decoder(z, c, torch.tensor([1.5])).mean
    ends = decoder(z, c).mean[:, :, 1:3]
    assert not torch.allclose(halfway, ends.mean(2, keepdim=True))  # no blend of pictures
    assert changed(halfway, ends[:, :, :1]) == changed(halfway, ends[:, :, 1:]) == [True]
    assert path.shape == (1, FRAMES, CONFIG.width)


def test_latents_of_frames_stand_one_after_the_other():
    content = torch.tensor([[1.0], [2.0]])
    noises = torch.tensor([[3.0, 4.0], [5.0, 6.0], [7.0, 8.0], [9.0, 10.0]])  # two of each clip
    expected = [[1.0, 3.0, 4.0, 5.0, 6.0], [2.0, 7.0, 8.0, 9.0, 10.0]]
    assert along(Delta(content), Delta(noises)).representative.tolist() == expected
    gaussian = along(Gaussian(content, content), Gaussian(noises, 2 * noises))
    assert isinstance(gaussian, Gaussian)
    assert gaussian.log_std[1].tolist() == [2.0, 14.0, 16.0, 18.0, 20.0]
    with pytest.raises(TypeError, match="Gaussian"):
        along(Gaussian(content, content), Delta(noises))


@torch.no_grad()
def test_the_encoder_sees_every_frame_and_their_order(c):
    torch.manual_seed(0)
    encoder = PathEncoder(CONFIG, 16, Delta)
    clip = torch.randn(1, 3, FRAMES, 16, 16)
    z = encoder(clip, c).representative
    assert z.shape == (1, CONFIG.latents(FRAMES))
    for frame in range(FRAMES):
        other = clip.clone()
        other[:, :, frame] *= -1
        assert not torch.allclose(encoder(other, c).representative, z)
    backwards = encoder(clip.flip(2), c).representative
    torch.testing.assert_close(backwards[:, :4], z[:, :4])  # content: the mean of the frames
    assert not torch.allclose(backwards[:, 4:], z[:, 4:].view(1, FRAMES, -1).flip(1).flatten(1))


def test_two_towers_read_the_same_caption():
    torch.manual_seed(0)
    towers = Towers.of(CONFIG, 2)
    tokens = Captions(("red", "runs")).encode(["red runs"])
    c = towers(tokens)
    assert torch.equal(c, torch.cat([towers.content(tokens), towers.motion(tokens)], 1))
    assert not torch.allclose(c[:, :6], c[:, 6:])
