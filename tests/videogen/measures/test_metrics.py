"""Metrics of clips against numbers computed by hand."""

from math import isnan

import numpy as np
import pytest
import torch

from videogen.measures.metrics import (
    caption_accuracy,
    diversity,
    explained_variance,
    top1_accuracy,
)


def test_a_clip_is_compared_with_other_captions_only():
    captions = ["a", "b", "a"]
    similarity = np.array([[0.9, 0.1, 0.9], [0.8, 0.7, 0.2], [0.3, 0.3, 0.3]])
    # clip 0: .9 > .1; clip 1: .7 < .8, .7 > .2; clip 2: .3 = .3
    assert caption_accuracy(similarity, captions) == pytest.approx((1 + 0 + 1 + 0.5) / 4)
    assert top1_accuracy(similarity, captions) == pytest.approx((1 + 0 + 1) / 3)


def test_a_single_caption_has_no_accuracy():
    for accuracy in (caption_accuracy, top1_accuracy):
        assert np.isnan(accuracy(np.ones((2, 2)), ["a", "a"]))


def test_diversity_is_the_mean_difference_as_a_share_of_the_range():
    black = -torch.ones(2, 3, 2, 4, 4)
    other = black.clone()
    other[0] = 1  # clip 0: all the way everywhere; clip 1: half the way in a quarter of the frames
    other[1, :, 0, :2] = 0
    assert diversity(black, other) == pytest.approx((1 + np.sqrt(0.25 * 0.25)) / 2)
    assert diversity(black, black) == 0


def test_reconstruction_is_the_share_of_the_variance_explained():
    """Two clips of 0.2 and 1.0: variance 0.16; errors of 0 and 0.3^2: mean square 0.045."""
    clips = torch.ones(2, 3, 2, 4, 4)
    clips[0] = 0.2
    near = clips.clone()
    near[1] = 0.7
    assert explained_variance(clips, near) == pytest.approx(1 - 0.045 / 0.16)
    assert explained_variance(clips, clips) == 1
    mean = torch.full_like(clips, 0.6)
    assert explained_variance(clips, mean) == pytest.approx(0)
    assert explained_variance(clips, clips.flip(0)) == pytest.approx(1 - 0.64 / 0.16)


def test_clips_that_are_all_one_have_no_variance_to_explain():
    """The mean of seven equal numbers is not always that number."""
    same = torch.full((7, 3, 2, 4, 4), 0.2)
    assert same.mean(0).ne(same[0]).any()
    assert isnan(explained_variance(same, torch.zeros_like(same)))
