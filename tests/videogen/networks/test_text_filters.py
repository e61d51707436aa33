"""Critics whose filters follow from the caption."""

import itertools

import pytest
import torch
from torch.nn import functional as F

from videogen.networks.config import VideoConfig
from videogen.networks.text import Captions, TextConfig
from videogen.networks.text_filters import (
    FilterCritic,
    TextFilter,
    convolve_each,
    convolve_in_groups,
    convolve_one_by_one,
)

WORDS = ("red", "blue", "runs", "sleeps")
CAPTIONS = Captions(WORDS)


def config(**changes):
    sizes = {"critic_channels": 4, "text": TextConfig(width=6), "filter_rank": 2}
    return VideoConfig(**sizes | changes)


def critic(axes, words: int | None = len(WORDS), **changes):
    torch.manual_seed(0)
    return FilterCritic(config(**changes), axes, 16, 4, words)


FORMS = (convolve_each, convolve_in_groups, convolve_one_by_one)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("positions", "kernel"), [((5, 7), (3, 5)), ((2, 5, 7), (1, 3, 5))])
def test_each_form_is_a_convolution_of_each_sample(positions, kernel, form):
    """Two frames of each of three captions: the numbers and the gradients of a loop."""
    convolve = F.conv2d if len(positions) == 2 else F.conv3d
    torch.manual_seed(0)
    maps = torch.randn(6, 4, *positions, requires_grad=True)
    kernels = torch.randn(3, 5, 4, *kernel, requires_grad=True)
    padding = [size // 2 for size in kernel]
    each = [convolve(maps[n : n + 1], kernels[n // 2], padding=padding) for n in range(6)]
    expected, found = torch.cat(each), form(maps, kernels)
    torch.testing.assert_close(found, expected)
    weights = torch.randn_like(expected)
    of_loop = torch.autograd.grad((weights * expected).sum(), (maps, kernels))
    of_form = torch.autograd.grad((weights * found).sum(), (maps, kernels))
    torch.testing.assert_close(of_form, of_loop, rtol=1e-4, atol=1e-4)


def test_kernels_of_a_low_rank_mix_few_and_need_few_weights():
    """At 32 channels of 5 x 5: 256 x 25,600 weights against 256 x 8 + 8 x 25,600."""
    dense, low = (TextFilter(256, 32, (5, 5), rank) for rank in (0, 8))
    count = [sum(p.numel() for p in one.parameters()) for one in (dense, low)]
    assert count == [257 * 25_600, 257 * 8 + 9 * 25_600]
    c = torch.randn(40, 256)
    kernels = low.kernels(c)
    assert torch.linalg.matrix_rank(kernels - kernels.mean(0)) == 8
    assert torch.linalg.matrix_rank(dense.kernels(c)) == 40


def test_the_papers_dense_filters_and_their_reader_have_291_million_weights():
    """Those of the published code: 288,563,200 of filters, 3,021,312 of convolutions of words.

    Words have 300 numbers there, and 256 here.
    """
    text = TextConfig(width=256, reader="convolutions")
    sizes = VideoConfig(critic_channels=32, filter_rank=0, text=text)
    with torch.device("meta"):
        critics = [FilterCritic(sizes, axes, 64, 16, len(WORDS)) for axes in (2, 3)]
    filters = [p.numel() for one in critics for p in _filters(one)]
    assert sum(filters) == 288_563_200
    convolutions = [
        p.numel()
        for one in critics
        for name, p in one.caption.named_parameters()
        if name.startswith(("first", "second"))
    ]
    assert sum(convolutions) == 3_021_312 - 2 * (300 - 256) * 3 * 512


def _filters(critic: FilterCritic) -> list[torch.nn.Parameter]:
    parts = [part for part in critic.modules() if isinstance(part, TextFilter)]
    return [p for part in parts for p in part.parameters()]


@pytest.mark.parametrize("rank", [0, 2])
def test_half_of_the_kernels_follow_from_an_earlier_level(rank: int):
    one = TextFilter(6, 5, (3, 3), rank, earlier=12)
    maps, early, c = torch.randn(2, 5, 7, 7), torch.randn(2, 12), torch.randn(2, 6)
    plain = one(maps, (early, c))
    assert plain.shape == maps.shape
    for levels, changed in (((-early, c), slice(0, 2)), ((early, -c), slice(2, 5))):
        differs = (one(maps, levels) - plain).abs().amax((0, 2, 3)) > 1e-6  # [channel]
        assert differs.nonzero().flatten().tolist() == [*range(5)[changed]]


@torch.no_grad()
def test_frames_are_scored_one_by_one_and_clips_as_a_whole():
    clips, tokens = torch.randn(2, 3, 4, 16, 16), CAPTIONS.encode(["red runs", "blue sleeps"])
    frames = critic(2)
    scores = frames(clips, tokens)
    assert scores.shape == (2, 4)
    other = clips.clone()
    other[1, :, 2] *= -1
    assert (frames(other, tokens) - scores).abs().gt(1e-6).tolist() == [
        [False] * 4,
        [False, False, True, False],
    ]
    torch.testing.assert_close(frames(clips.flip(2), tokens), scores.flip(1))
    whole = critic(3)
    assert whole(clips, tokens).shape == (2,)
    backwards = whole(clips.flip(2), tokens)
    assert (backwards - whole(clips, tokens)).abs().min() > 1e-4  # it sees the order in time


@torch.no_grad()
@pytest.mark.parametrize("axes", [2, 3])
def test_a_score_is_a_linear_map_of_features_that_see_the_caption(axes):
    clips, tokens = torch.randn(2, 3, 4, 16, 16), CAPTIONS.encode(["red runs", "blue sleeps"])
    one = critic(axes)
    features = one.features(clips, tokens)
    assert features.shape == (2, one.width)
    scores = one(clips, tokens)
    scores = scores.mean(1) if axes == 2 else scores
    torch.testing.assert_close(one.head(features)[:, 0], scores)
    assert (one(clips, tokens.flip(0)) - one(clips, tokens)).abs().min() > 1e-5
    alone = critic(axes, None)
    assert alone(clips).shape == one(clips, tokens).shape
    assert not any("filter" in name for name, _ in alone.named_parameters())


@torch.no_grad()
def test_without_text_filters_the_caption_is_read_at_the_end_alone():
    """Simple concatenation: what is filtered does not depend on the caption, on either level."""
    clips, tokens = torch.randn(2, 3, 4, 16, 16), CAPTIONS.encode(["red runs", "blue sleeps"])
    of_two_levels = TextConfig(width=6, reader="convolutions")
    for by_caption, text in itertools.product((True, False), (TextConfig(width=6), of_two_levels)):
        one = critic(3, text_filter=by_caption, text=text)
        filtered = one.filtered[0]
        maps = one.blocks[0](one.first(clips))
        early, c = one.caption.levels(tokens)
        other = early.flip(0), c.flip(0)
        same = torch.allclose(filtered(maps, (early, c)), filtered(maps, other))
        assert same != by_caption
        assert not torch.allclose(one(clips, tokens), one(clips, tokens.flip(0)))
