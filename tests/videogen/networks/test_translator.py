"""The translator between two collections of clips."""

import torch

from videogen.networks.config import VideoConfig
from videogen.networks.translator import ResidualBlock, Translator

CONFIG = VideoConfig(channels=4)


def test_an_untrained_translator_is_the_identity():
    clips = torch.randn(2, 3, 6, 16, 16)
    assert torch.equal(Translator(CONFIG)(clips).mean, clips)


def test_a_residual_block_reads_its_own_chunk_and_the_mean_over_chunks():
    """A chunk's output changes when another chunk does, and by way of the mean alone."""
    torch.manual_seed(0)
    block = ResidualBlock(2)
    last = block.convolutions[1]
    assert isinstance(last, torch.nn.Conv2d)
    torch.nn.init.normal_(last.weight)
    maps = torch.randn(1, 3, 2, 4, 4)
    changed, exchanged = maps.clone(), maps[:, [0, 2, 1]]
    changed[:, 2] += 1
    assert not torch.allclose(block(changed)[:, 0], block(maps)[:, 0])
    torch.testing.assert_close(block(exchanged)[:, 0], block(maps)[:, 0])


def test_the_translated_clip_is_the_input_plus_a_change_that_follows_it():
    """The last layer's bias alone moves every pixel by one value for each channel of a chunk."""
    translator = Translator(CONFIG)
    last = translator.upsample[2]
    assert isinstance(last, torch.nn.Conv2d)
    with torch.no_grad():  # four neighbouring biases make one channel (pixel shuffle)
        assert last.bias is not None
        last.bias[4 * 4 : 4 * 5] = 0.25  # second frame of each chunk, green
    clips = torch.randn(2, 3, 6, 16, 16)
    expected = clips.clone()
    expected[:, 1, 1::2] += 0.25
    torch.testing.assert_close(translator(clips).mean, expected)
